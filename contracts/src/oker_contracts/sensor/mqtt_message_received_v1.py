"""A company's device or network server published over MQTT (claim, spoken by the platform's gateway)."""

from typing import Annotated, ClassVar

from pydantic import Base64Bytes, Field, StringConstraints

from oker_contracts.base import Contract, Instant


class MqttMessageReceivedV1(Contract):
    """An MQTT 3.1.1 message as it came: topic and bytes, unread."""

    TYPE: ClassVar[str] = "sensor.mqtt_message_received.v1"

    topic: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    payload: Base64Bytes = Field(description="The bytes of the message, Base64.")
    received_at: Instant
