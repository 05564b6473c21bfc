"""What network servers said of a company's LoRaWAN devices was kept (fact, announced by the batch)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Base64Bytes, Field

from oker_contracts.base import Contract, DeviceId, Instant, Part, Slug

Kind = Literal["up", "join", "status", "ack", "txack", "log", "location", "other"]


class LorawanEvent(Part):
    """One event of one device; an uplink with its raw bytes, so that it can be decoded again."""

    hardware: DeviceId = Field(description="DevEUI, lower case.")
    kind: Kind
    id: str = Field(description="Its identity at the network server: said twice, it is kept once.")
    time: Instant = Field(description="The network server's.")
    session: str | None = Field(default=None, description="Session key id or DevAddr: changes when a device joins.")
    f_cnt: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    f_port: Annotated[int, Field(ge=0, le=255)] | None = None
    payload: Base64Bytes | None = None
    state: dict[str, Any] = Field(default={}, description="Battery, margin, signal, location, as the event says.")


class LorawanEventsRecordedV1(Contract):
    """From these the state of each device, its gaps, resets and joins are reported."""

    TYPE: ClassVar[str] = "sensor.lorawan_events_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("partner",)

    partner: Slug
    recorded_at: Instant
    events: list[LorawanEvent]
