"""Sessions of the bodies, and conflicts of competence that the CDO settles (strategy, 5.1 and 5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, Field

from oker_bus import Bus, Reason, Refused, Transaction
from oker_bus.preconditions import IfMatch, etag, expect
from oker_contracts import Contract
from oker_contracts.base import HolderId, Slug, Text
from oker_contracts.selection.conflict_settled_v1 import ConflictSettledV1
from oker_contracts.selection.session_recorded_v1 import SessionRecordedV1
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import allow, refuse
from selection_scoring.api.asked import Asked, Moment, Name, Short
from selection_scoring.api.asked import Reason as Why
from selection_scoring.domain import sessions
from selection_scoring.domain.sessions import Attended, Decided, Item
from selection_scoring.fold import record
from selection_scoring.log import UNLINKED, linked

log = structlog.get_logger()
READERS = ("cdo", "unit", "board", "officer", "auditor", "forum", "advisory_board", "dezernent")
Reader = Depends(require(*READERS))
Keeper = Annotated[Holder, Depends(require("cdo", "unit"))]
Chief = Annotated[Holder, Depends(require("cdo"))]
After = Annotated[str, Query(max_length=63, pattern=r"^[a-z0-9-]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
MOST_BYTES = 850_000
BY = {"version", "reason", "recorded_by", "recorded_at", "log"}
"""What is said about a version, not in it."""


class AskedAttendance(Asked):
    """Who was there for an item, or not."""

    holder: HolderId
    status: Literal["present", "excused", "absent"]
    stands_in_for: HolderId | None = None


class AskedSessionDecision(Asked):
    """What was decided under an item."""

    decision: Slug
    text: Text
    kind: Literal["selection", "staffing", "release", "other"]
    round_id: Slug | None = None


class AskedItem(Asked):
    """One item of the agenda."""

    item: Slug
    title: Name
    kind: Literal["information", "discussion", "decision"]
    round_id: Slug | None = None
    invited: list[HolderId] = Field(default=[], max_length=200)
    attendance: list[AskedAttendance] = Field(default=[], max_length=200)
    minutes: Text = ""
    decisions: list[AskedSessionDecision] = Field(default=[], max_length=100)


class AskedSession(Asked):
    """A whole session as it stands from now on."""

    body: Literal["board", "forum", "advisory_board"]
    title: Name
    starts: Moment
    ends: Moment | None = None
    place: Name
    state: Literal["prepared", "convened", "held", "closed", "cancelled"]
    agenda: list[AskedItem] = Field(default=[], max_length=100)
    reason: Short = ""


class AskedConflict(Asked):
    """A conflict and how it is settled."""

    title: Name
    parties: Annotated[list[Slug], Field(min_length=1, max_length=50)]
    project_id: Slug | None = None
    decision: Why
    reason: Why
    session: Slug | None = None


class SessionLine(BaseModel):
    """A session in a list."""

    session: str
    version: int
    body: str
    title: str
    starts: datetime
    ends: datetime | None
    place: str
    state: str


class SessionView(SessionLine):
    """A session with its agenda."""

    agenda: list[dict[str, Any]]
    reason: str
    recorded_by: str
    recorded_at: datetime


class ConflictView(BaseModel):
    """A conflict and how it was settled."""

    conflict: str
    title: str
    parties: list[str]
    project_id: str | None
    decision: str
    reason: str
    session: str | None
    settled_by: str
    settled_at: datetime


def build(bus: Bus) -> APIRouter:
    """The routes of sessions and conflicts."""
    told = Sessions(bus)
    api = APIRouter()
    api.add_api_route("/sessions", told.every, dependencies=[Reader])
    api.add_api_route("/sessions/{session}", told.show, dependencies=[Reader])
    api.add_api_route("/sessions/{session}", told.record, methods=["PUT"])
    api.add_api_route("/conflicts", told.conflicts, dependencies=[Reader])
    api.add_api_route("/conflicts/{conflict}", told.conflict, dependencies=[Reader])
    api.add_api_route("/conflicts/{conflict}", told.settle, methods=["PUT"])
    return api


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions and conflicts as people see them."""

    bus: Bus

    async def every(self, after: After = "", limit: Limit = 100) -> list[SessionLine]:
        """All sessions, by id; the next page comes ``after`` the last one seen."""
        async with self.bus.sessions() as session:
            return [SessionLine(**row) for row in await store.sessions.page(session, after, limit)]

    async def show(self, session: Slug, response: Response, version: Version = None) -> SessionView:
        """A session, or an older version of it."""
        async with self.bus.sessions() as opened:
            known = await store.sessions.find(opened, session, version)
        if known is None:
            raise HTTPException(404, "There is no session of this id, or not in this version.")
        response.headers["ETag"] = etag(known["version"])
        return SessionView(**known)

    async def record(
        self, session: Slug, body: AskedSession, holder: Keeper, response: Response, if_match: IfMatch = None
    ) -> SessionView:
        """Prepare, convene, hold, minute or close a session; 201 if it is new, nothing happens if nothing changes."""
        async with self.bus.transaction() as tx:
            await store.log.last_entry(tx.session)
            known = await store.sessions.find(tx.session, session)
            fact = _recorded(session, body, holder.id, tx.now, known)
            if known is None or not _same(known, fact, BY):
                expect(if_match, known["version"] if known else None)
                allow(sessions.may_record(known["state"] if known else None, body.state, "cdo" in holder.roles))
                refuse(sessions.fault_in_times(body.starts, body.ends))
                held = known["agenda"] if known and known["state"] == "held" else []
                refuse(sessions.fault_in_agenda(body.state, _items(body), [row["item"] for row in held]))
                await _check_rounds(tx, body)
                await record(tx, await linked(tx, _small(fact)))
                response.status_code = 200 if known else 201
                log.info("session.recorded", session=session, version=fact.version, state=fact.state)
                known = await store.sessions.find(tx.session, session) or {}
        response.headers["ETag"] = etag(known["version"])
        return SessionView(**known)

    async def conflicts(self, after: After = "", limit: Limit = 100) -> list[ConflictView]:
        """All conflicts that were settled, by id; the next page comes ``after`` the last one seen."""
        async with self.bus.sessions() as session:
            return [ConflictView(**row) for row in await store.sessions.conflicts(session, after, limit)]

    async def conflict(self, conflict: Slug) -> ConflictView:
        """One conflict."""
        async with self.bus.sessions() as session:
            known = await store.sessions.conflict(session, conflict)
        if known is None:
            raise HTTPException(404, "No conflict of this id was settled.")
        return ConflictView(**known)

    async def settle(self, conflict: Slug, body: AskedConflict, holder: Chief, response: Response) -> ConflictView:
        """Settle a conflict, once; the same again shows the first, another settlement takes another id."""
        async with self.bus.transaction() as tx:
            await store.log.last_entry(tx.session)
            known = await store.sessions.conflict(tx.session, conflict)
            said = body.model_dump()
            fact = ConflictSettledV1(conflict=conflict, **said, settled_by=holder.id, settled_at=tx.now, log=UNLINKED)
            if known is None:
                if body.session is not None and await store.sessions.find(tx.session, body.session) is None:
                    raise Refused(Reason.FIELD_VALUE_INVALID, "$.session", "There is no session of this id.")
                await record(tx, await linked(tx, fact))
                response.status_code = 201
                log.info("conflict.settled", conflict=conflict)
                known = await store.sessions.conflict(tx.session, conflict) or {}
            elif not _same(known, fact, {"settled_by", "settled_at", "log"}):
                raise HTTPException(409, "This conflict is settled; what follows from it is a conflict of its own.")
        return ConflictView(**known)


def _recorded(
    session: str, body: AskedSession, by: str, now: datetime, known: dict[str, Any] | None
) -> SessionRecordedV1:
    said = body.model_dump() | {"starts": body.starts.astimezone(UTC)}
    said |= {"ends": body.ends and body.ends.astimezone(UTC)}
    version = known["version"] + 1 if known else 1
    return SessionRecordedV1(session=session, version=version, **said, recorded_by=by, recorded_at=now, log=UNLINKED)


def _same(known: dict[str, Any], fact: Contract, about: set[str]) -> bool:
    """Whether the fact says nothing new."""
    again = type(fact).model_validate({**known, "log": UNLINKED})
    return again.model_dump(exclude=about) == fact.model_dump(exclude=about)


def _small(fact: SessionRecordedV1) -> SessionRecordedV1:
    if len(fact.model_dump_json()) > MOST_BYTES:
        raise Refused(Reason.BODY_TOO_LARGE, "$", "The session is too long for one event; shorten its minutes.")
    return fact


def _items(body: AskedSession) -> Sequence[Item]:
    return [
        Item(
            item=row.item,
            kind=row.kind,
            round_id=row.round_id,
            invited=row.invited,
            attendance=[Attended(one.holder, one.status, one.stands_in_for) for one in row.attendance],
            minutes=row.minutes,
            decisions=[Decided(one.decision, one.kind, one.round_id) for one in row.decisions],
        )
        for row in body.agenda
    ]


async def _check_rounds(tx: Transaction, body: AskedSession) -> None:
    """The rounds that an agenda names are there."""
    for place, item in enumerate(body.agenda):
        named = [(item.round_id, f"$.agenda[{place}].round_id")]
        decisions = enumerate(item.decisions)
        named += [(row.round_id, f"$.agenda[{place}].decisions[{number}].round_id") for number, row in decisions]
        for round_id, path in named:
            if round_id is not None and await store.rounds.find(tx.session, round_id) is None:
                raise Refused(Reason.FIELD_VALUE_INVALID, path, "There is no round of this id.")
