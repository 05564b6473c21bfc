"""Writing a version of a field, goal, organisation or term: the same way for each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from oker_bus import Bus, Transaction
from oker_bus.preconditions import etag, expect
from oker_contracts import Contract
from oker_identity import Holder
from project_registry import domain, store
from project_registry.api.conditions import Moment, Problem, at
from project_registry.fold import entry_of
from project_registry.record import record

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$", strip_whitespace=True)
]
"""Why something changes, in a sentence."""


class Body(BaseModel):
    """What a request may say; a field that is not known is refused, since it may be a slip of the pen."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Versioned(Body):
    """A new version: why, and since when it holds; now, if left out."""

    reason: Reason
    valid_from: Moment | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What stands beside every version: since when it holds, when and by whom and why it was recorded."""

    version: int
    valid_from: datetime
    recorded_at: datetime
    recorded_by: str | None
    reason: str


def recorded(entry: domain.Entry) -> dict[str, Any]:
    """The same of an entry, as keywords."""
    names = ("version", "valid_from", "recorded_at", "recorded_by", "reason")
    return {name: getattr(entry, name) for name in names}


@dataclass(frozen=True, slots=True)
class Writing:
    """One request that writes a version."""

    bus: Bus
    holder: Holder
    kind: domain.Kind
    id: str
    if_match: str | None
    response: Response

    async def write(
        self,
        valid_from: datetime | None,
        build: Callable[[dict[str, Any]], Contract],
        check: Callable[[Transaction, domain.Entry | None, domain.Entry], Awaitable[None]] | None = None,
        after: Callable[[Transaction, domain.Entry | None, domain.Entry], Awaitable[None]] | None = None,
    ) -> domain.Entry:
        """Record a version and set status and ETag of the answer; the same content again records nothing.

        Args:
            build: makes the fact of what stands beside every version.
            check: raises what speaks against it; is given the version before and the new one.
            after: what follows, in the same transaction.
        """
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            newest = await store.newest(tx.session, self.kind, self.id)
            now = domain.moment(tx.now, newest)
            before = await self._before(tx, newest, valid_from or now)
            expect(self.if_match, before.version if before else None)
            said = {"version": newest.version + 1 if newest else 1, "valid_from": valid_from or now}
            fact = build({**said, "recorded_at": now, "recorded_by": self.holder.id})
            entry = entry_of(fact)
            self.response.status_code = 200 if before else 201
            if before is not None and before.content == entry.content:
                self.response.headers["ETag"] = etag(before.version)
                return before
            if check is not None:
                await check(tx, before, entry)
            await record(tx, fact)
            if after is not None:
                await after(tx, before, entry)
        self.response.headers["ETag"] = etag(entry.version)
        return entry

    async def _before(self, tx: Transaction, newest: domain.Entry | None, valid_from: datetime) -> domain.Entry | None:
        """The version that counts at the time from which the new one holds; else the first one there is."""
        if newest is None:
            return None
        found = await store.entry(tx.session, self.kind, self.id, store.When(valid_from))
        return found or newest


async def found(bus: Bus, kind: domain.Kind, id: str, when: store.When, response: Response) -> domain.Entry:
    """What counts of one thing, with the ETag of the answer.

    Raises:
        Problem: 404 if there was nothing at that time.
    """
    async with bus.sessions() as session:
        entry = await store.entry(session, kind, id, at(when, bus.edge.clock()))
    if entry is None:
        raise Problem(404, f"The register has no {kind} {id!r} at that time.")
    response.headers["ETag"] = etag(entry.version)
    return entry
