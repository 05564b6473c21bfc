"""One message or one request, one transaction: load, decide, save, announce."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid5

from opentelemetry.propagate import inject
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import store
from oker_bus.store import Outgoing
from oker_contracts import TYPE_PREFIX, Contract, Envelope, Event, event_key

NAMESPACE = UUID("6f6b6572-0000-5000-8000-000000000000")
MAX_BODY = 900_000
"""Bytes; the broker's default limit is 1 MiB with headers."""

Clock = Callable[[], datetime]


def wall() -> datetime:
    """The clock of production: now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens: the event or the request behind it."""

    source: str
    id: str
    partner: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event[Any]) -> "Cause":
        """The cause that a heard event is."""
        return cls(event.source, event.id, event.partner, event.correlationid, event.traceparent)

    def derive(self, name: str) -> UUID:
        """An id that is the same whenever the same cause leads to the same thing."""
        return uuid5(NAMESPACE, f"{event_key(self.partner, self.source, self.id)}/{name}")


@dataclass(slots=True)
class Transaction:
    """The tables of one service and its outbox, changed together or not at all."""

    session: AsyncSession
    now: datetime
    cause: Cause
    service: str
    outgoing: list[Outgoing] = field(default_factory=list)
    _raw: Any = None
    _ordinals: dict[str, int] = field(default_factory=dict)

    def derive(self, name: str) -> UUID:
        """An id derived from the cause: the same for every redelivery."""
        return self.cause.derive(name)

    def announce(self, fact: Contract, *, cause: Cause | None = None) -> str:
        """Put a fact into the outbox; the relay publishes it after the commit.

        Args:
            fact: complete enough to build the tables again from it.
            cause: what led to this fact, where it is not the cause of the whole transaction.

        Returns:
            The id of the announced event, derived from the cause, so that a repeated attempt announces the same.

        Raises:
            ValueError: the fact is too large for the broker; announce smaller pieces.
        """
        cause = cause or self.cause
        name = f"{cause.derive(fact.TYPE)}"
        ordinal = self._ordinals[name] = self._ordinals.get(name, -1) + 1
        envelope = self._envelope(fact, cause, str(cause.derive(f"{fact.TYPE}/{ordinal}")))
        if len(envelope.data) > MAX_BODY:
            raise ValueError(f"{fact.TYPE} has {len(envelope.data)} bytes, {MAX_BODY} is the limit")
        key = event_key(None, envelope.source, envelope.id)
        headers = {**envelope.headers(), "Nats-Msg-Id": key.hex}
        self.outgoing.append(Outgoing(fact.subject, fact.subject, headers, envelope.data))
        return envelope.id

    def _envelope(self, fact: Contract, cause: Cause, id: str) -> Envelope:
        carrier: dict[str, str] = {}
        inject(carrier)
        return Envelope(
            id=id,
            source=f"/oker/{self.service}",
            type=TYPE_PREFIX + fact.TYPE,
            time=self.now,
            data=fact.model_dump_json().encode(),
            correlationid=cause.correlationid or cause.id,
            causationid=cause.id,
            traceparent=carrier.get("traceparent") or cause.traceparent,
        )

    def quarantine(self, refusal: store.Quarantined, mended: str = "") -> None:
        """Put a copy of what was refused into the outbox, for the stream QUARANTINE; or of what was mended at last."""
        self.outgoing.append(refusal.outgoing(self.service, mended))

    async def write_outbox(self) -> None:
        """Write what was announced; called by the edge, right before the commit."""
        if self.outgoing:
            await self.session.flush()
            await store.write_outbox(await self.raw(), self.outgoing)
            self.outgoing.clear()

    async def raw(self) -> Any:
        """The asyncpg connection inside of this transaction, for bulk statements."""
        if self._raw is None:
            connection = await self.session.connection()
            await connection.exec_driver_sql("SELECT 1")
            self._raw = cast(Any, await connection.get_raw_connection()).driver_connection
        return self._raw
