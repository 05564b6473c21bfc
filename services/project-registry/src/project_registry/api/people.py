"""Organisations, terms of office, gaps and contacts over HTTP (strategy, 5.1 and 5.2)."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, StringConstraints

from oker_bus import Bus, Transaction
from oker_bus.preconditions import IfMatch
from oker_contracts.base import HolderId, Slug, Title
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.term_recorded_v1 import TermRecordedV1
from oker_identity import Holder, require
from project_registry import domain, store
from project_registry.api.conditions import Moment, Problem, Times, at, faulty
from project_registry.api.versions import Body, Reason, Recorded, Versioned, Writing, found, recorded
from project_registry.record import check_gaps

log = structlog.get_logger()
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]
Role = Literal["cdo", "unit", "board", "dezernent", "officer", "stand_in", "forum", "advisory_board"]
Mail = Annotated[str, StringConstraints(max_length=254, pattern=r"^[!-~]+@[!-~]+$")]
Phone = Annotated[str, StringConstraints(max_length=40, pattern=r"^[0-9+ ()/.-]+$")]


class OrganisationBody(Versioned):
    """An organisation as it shall be."""

    title: Title
    kind: Literal["dezernat", "department", "office", "company", "research", "community"]
    part_of: Slug | None = None
    status: Literal["active", "dissolved"] = "active"


class TermBody(Body):
    """A term of office as it shall be; ``ends`` is the first moment that is not in it any more."""

    holder: HolderId
    role: Role
    organisations: list[Slug] = Field(default=[], max_length=100)
    starts: Moment
    ends: Moment | None = None
    reason: Reason


class ContactBody(Body):
    """The person behind a role holder."""

    name: Title
    mail: Mail | None = None
    phone: Phone | None = None


@dataclass(frozen=True, slots=True)
class OrganisationShown(Recorded):
    """A Dezernat, department, office, company or partner."""

    organisation: str
    title: str
    kind: str
    part_of: str | None
    status: str


@dataclass(frozen=True, slots=True)
class TermShown:
    """A term of office; ``in_office`` at the time of reading."""

    term: str
    version: int
    holder: str
    role: str
    organisations: list[str]
    starts: datetime
    ends: datetime | None
    in_office: bool
    recorded_at: datetime
    recorded_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class GapShown:
    """A department with projects and nobody who answers for them."""

    organisation: str
    state: str
    since: datetime
    recorded_at: datetime
    projects: list[str]


@dataclass(frozen=True, slots=True)
class ContactShown:
    """The person behind a role holder."""

    holder: str
    name: str
    mail: str | None
    phone: str | None
    noted_at: datetime


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over organisations, terms, gaps and contacts."""
    steering, anybody = [Depends(require("cdo", "unit"))], [Depends(require())]
    shown = PeopleRoutes(bus)
    api.add_api_route("/organisations", shown.organisations, dependencies=anybody)
    api.add_api_route("/organisations/{organisation}", shown.organisation, dependencies=anybody)
    api.add_api_route("/organisations/{organisation}", shown.put_organisation, methods=["PUT"])
    api.add_api_route("/terms", shown.terms, dependencies=anybody)
    api.add_api_route("/terms/{term}", shown.term, dependencies=anybody)
    api.add_api_route("/terms/{term}", shown.put_term, methods=["PUT"])
    api.add_api_route("/roles", shown.roles, dependencies=anybody)
    api.add_api_route("/gaps", shown.gaps, dependencies=anybody)
    contact = "/holders/{holder}/contact"
    api.add_api_route(contact, shown.contact, dependencies=steering)
    api.add_api_route(contact, shown.put_contact, methods=["PUT"], dependencies=steering)
    api.add_api_route(contact, shown.erase_contact, methods=["DELETE"], dependencies=steering, status_code=204)


@dataclass(frozen=True, slots=True)
class PeopleRoutes:
    """The organisation as people see and change it."""

    bus: Bus

    async def organisations(self, when: Times) -> list[OrganisationShown]:
        """All organisations by id, dissolved ones included."""
        async with self.bus.sessions() as session:
            entries = await store.entries(session, "organisation", at(when, self.bus.edge.clock()))
        return [_organisation(entry) for entry in entries]

    async def organisation(self, organisation: Slug, when: Times, response: Response) -> OrganisationShown:
        """One organisation."""
        return _organisation(await found(self.bus, "organisation", organisation, when, response))

    async def put_organisation(
        self, organisation: Slug, body: OrganisationBody, holder: Steering, response: Response, if_match: IfMatch = None
    ) -> OrganisationShown:
        """Add, change or dissolve an organisation."""
        said = {"organisation": organisation, **_said(body)}
        writing = Writing(self.bus, holder, "organisation", organisation, if_match, response)
        fact = partial(_fact, OrganisationRecordedV1, said)
        return _organisation(await writing.write(body.valid_from, fact, _check_place, _mind_department))

    async def terms(self, when: Times) -> list[TermShown]:
        """All terms of office by name: past, running, to come."""
        return await self._terms(when)

    async def roles(self, when: Times) -> list[TermShown]:
        """Who is in office at a time."""
        return [term for term in await self._terms(when) if term.in_office]

    async def _terms(self, when: store.When) -> list[TermShown]:
        now = self.bus.edge.clock()
        async with self.bus.sessions() as session:
            entries = await store.entries(session, "term", store.When(None, when.known_at))
        return [_term(entry, when.as_of or now) for entry in entries]

    async def term(self, term: Slug, when: Times, response: Response) -> TermShown:
        """One term of office."""
        entry = await found(self.bus, "term", term, when, response)
        return _term(entry, when.as_of or self.bus.edge.clock())

    async def put_term(
        self, term: Slug, body: TermBody, holder: Steering, response: Response, if_match: IfMatch = None
    ) -> TermShown:
        """Record or change a term of office; it replaces what was recorded of it before."""
        said = {"term": term, **{name: getattr(body, name) for name in TermBody.model_fields}}
        writing = Writing(self.bus, holder, "term", term, if_match, response)
        entry = await writing.write(domain.ALWAYS, partial(_term_fact, said), _check_term, _mind_gaps)
        return _term(entry, self.bus.edge.clock())

    async def gaps(
        self, when: Times, state: Annotated[Literal["open", "closed"] | None, Query()] = None
    ) -> list[GapShown]:
        """Departments that had or have projects and nobody who answers for them.

        A gap is known since it opened, so the earlier of ``as_of`` and ``known_at`` counts.
        """
        at = min(filter(None, (when.as_of, when.known_at)), default=None)
        async with self.bus.sessions() as session:
            found = [gap for gap in await store.gaps(session, at=at) if state in (None, gap.state)]
        return [GapShown(gap.organisation, gap.state, gap.since, gap.recorded_at, list(gap.projects)) for gap in found]

    async def contact(self, holder: HolderId) -> ContactShown:
        """Who a holder is."""
        async with self.bus.sessions() as session:
            known = await store.contact(session, holder)
        if known is None:
            raise Problem(404, "No contact of this holder is noted.")
        return ContactShown(holder, known.name, known.mail, known.phone, known.noted_at)

    async def put_contact(self, holder: HolderId, body: ContactBody) -> ContactShown:
        """Note who a holder is; what was noted before is gone."""
        async with self.bus.transaction() as tx:
            await store.save_contact(tx.session, holder, store.Contact(body.name, body.mail, body.phone, tx.now))
        log.info("contact.noted", holder=holder)
        return ContactShown(holder, body.name, body.mail, body.phone, tx.now)

    async def erase_contact(self, holder: HolderId) -> None:
        """Erase who a holder is (GDPR, article 17); facts keep the holder's id and nothing else."""
        async with self.bus.transaction() as tx:
            erased = await store.erase_contact(tx.session, holder)
        if not erased:
            raise Problem(404, "No contact of this holder is noted.")
        log.info("contact.erased", holder=holder)


async def _check_place(tx: Transaction, before: domain.Entry | None, new: domain.Entry) -> None:
    """An organisation is part of a known one, and not of itself by any way."""
    for when in (store.When(new.valid_from), store.NOW):
        known = await store.entries(tx.session, "organisation", when)
        above = {entry.id: entry.content.get("part_of") for entry in known}
        if fault := domain.misplaced(new.id, new.content.get("part_of"), above):
            raise faulty([fault])


async def _check_term(tx: Transaction, before: domain.Entry | None, new: domain.Entry) -> None:
    """The dates are in order, the organisations are known, and no other term excludes this one."""
    term = domain.read_term(new.content)
    if faults := domain.term_faults(term, await store.ids(tx.session, "organisation")):
        raise faulty(faults)
    if other := domain.overlap(term, await store.terms(tx.session)):
        raise Problem(
            409,
            f"The term {other.term!r} of the role {other.role} runs at the same time; end it first.",
            detail_de=f"Die Amtszeit {other.term!r} ({other.role}) läuft zur gleichen Zeit; erst beenden.",
            term=other.term,
        )


async def _mind_department(tx: Transaction, before: domain.Entry | None, new: domain.Entry) -> None:
    await check_gaps(tx, {new.id})


async def _mind_gaps(tx: Transaction, before: domain.Entry | None, new: domain.Entry) -> None:
    touched = {name for entry in (before, new) if entry for name in entry.content.get("organisations", ())}
    await check_gaps(tx, touched)


def _said(body: Versioned) -> dict[str, Any]:
    return {name: getattr(body, name) for name in type(body).model_fields if name != "valid_from"}


def _fact(model: Any, said: dict[str, Any], recorded: dict[str, Any]) -> Any:
    return model(**said, **recorded)


def _term_fact(said: dict[str, Any], recorded: dict[str, Any]) -> TermRecordedV1:
    return TermRecordedV1(**said, **{name: value for name, value in recorded.items() if name != "valid_from"})


def _organisation(entry: domain.Entry) -> OrganisationShown:
    return OrganisationShown(
        organisation=entry.id,
        title=entry.title,
        kind=entry.content["kind"],
        part_of=entry.content.get("part_of"),
        status=entry.status,
        **recorded(entry),
    )


def _term(entry: domain.Entry, as_of: datetime) -> TermShown:
    term = domain.read_term(entry.content)
    said = recorded(entry)
    del said["valid_from"]
    return TermShown(
        term=term.term,
        holder=term.holder,
        role=term.role,
        organisations=list(term.organisations),
        starts=term.starts,
        ends=term.ends,
        in_office=term.runs(as_of),
        **said,
    )
