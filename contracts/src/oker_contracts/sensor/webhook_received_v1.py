"""A company's network server called over HTTP (claim, spoken by the platform's gateway)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Base64Bytes, Field, StringConstraints

from oker_contracts.base import Contract, Instant


class WebhookReceivedV1(Contract):
    """The body of an HTTP request as it came, unread."""

    TYPE: ClassVar[str] = "sensor.webhook_received.v1"

    network: Literal["chirpstack", "things-stack"]
    event: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,40}$")] = Field(
        description="ChirpStack says in the query what happened (up, join, …); The Things Stack in the body."
    )
    payload: Base64Bytes = Field(description="The body, Base64.")
    received_at: Instant
