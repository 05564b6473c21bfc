"""Ideas over HTTP: anybody may send one, the unit looks at it."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import Field, StringConstraints, ValidationError

from oker_bus import Bus, Transaction
from oker_bus.bodies import read_body
from oker_contracts import Refused
from oker_contracts.base import Slug, Text, Title
from oker_contracts.project.idea_moderated_v1 import IdeaModeratedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.reading import refusals
from oker_identity import Holder, require
from project_registry import domain, store
from project_registry.api.conditions import Problem, faulty
from project_registry.api.versions import Body, Reason
from project_registry.api.window import Window
from project_registry.record import record

log = structlog.get_logger()
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]
Receipt = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}$")]
IdeaText = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]
Contact = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
MAX_BODY = 40_000
"""Bytes of an idea: 5,000 characters, each of up to six bytes once it is escaped, and the rest."""
IDEAS, ASKINGS, HOUR = 10, 120, timedelta(hours=1)
"""What one address may send and ask in an hour."""
THANKS = {
    "de": "Danke für die Idee. Mit der Quittung lässt sich erfragen, was daraus wird; sie wird nur einmal gezeigt.",
    "en": "Thank you for the idea. The receipt tells what becomes of it; it is shown this once only.",
}
TELLING = {
    "waiting": {
        "de": "Die Idee wartet darauf, angesehen zu werden.",
        "en": "The idea waits to be looked at.",
    },
    "accepted": {"de": "Die Idee wurde aufgenommen.", "en": "The idea was taken up."},
    "declined": {"de": "Die Idee wurde nicht aufgenommen.", "en": "The idea was not taken up."},
}


class IdeaSaid(Body):
    """An idea: plain text. ``contact`` is for questions only, and is erased with the text."""

    title: Title
    text: IdeaText
    fields_of_action: list[Slug] = Field(default=[], max_length=10)
    contact: Contact = ""
    language: Literal["de", "en"] = "de"


class Moderation(Body):
    """What becomes of an idea; accepted, with the title and summary of the project as everybody may read them."""

    outcome: Literal["accepted", "declined"]
    reason: Reason
    title: Title | None = None
    summary: Text = ""
    fields_of_action: list[Slug] = Field(default=[], max_length=10)
    goals: list[Slug] = Field(default=[], max_length=20)
    project_id: Slug | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """An idea was taken."""

    idea: str
    receipt: str
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """What became of an idea, for its author."""

    idea: str
    state: str
    message: str
    reason: str
    project_id: str | None
    received_at: datetime
    moderated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An idea, for who moderates it."""

    idea: str
    state: str
    title: str
    text: str
    fields_of_action: list[str]
    contact: str
    language: str
    received_at: datetime
    moderated_at: datetime | None
    moderated_by: str | None
    reason: str
    project_id: str | None


SAID = {"requestBody": {"required": True, "content": {"application/json": {"schema": IdeaSaid.model_json_schema()}}}}


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over ideas; three of them ask for no token."""
    routes = IdeaRoutes(bus)
    api.add_api_route("/ideas", routes.take, methods=["POST"], status_code=201, openapi_extra=SAID)
    api.add_api_route("/ideas/status/{receipt}", routes.status)
    api.add_api_route("/ideas/status/{receipt}", routes.withdraw, methods=["DELETE"], status_code=204)
    api.add_api_route("/ideas", routes.ideas)
    api.add_api_route("/ideas/{idea}/moderation", routes.moderate, methods=["POST"])


@dataclass(frozen=True, slots=True)
class IdeaRoutes:
    """Ideas as people send and moderate them."""

    bus: Bus
    sending: Window = field(default_factory=lambda: Window(IDEAS, HOUR))
    asking: Window = field(default_factory=lambda: Window(ASKINGS, HOUR))

    async def take(self, request: Request, response: Response) -> Taken:
        """Take an idea, without a token: title and text, plain, German or English.

        The receipt in the answer is the only way to ask for it later. At most 10 ideas an hour of one address.
        """
        self._let_through(request, self.sending)
        said = _read(await read_body(request, MAX_BODY, "An idea"))
        if faults := domain.idea_faults(said.title, said.text, said.contact):
            raise faulty(faults)
        receipt = secrets.token_urlsafe(24)
        digest = domain.receipt_digest(receipt)
        async with self.bus.transaction() as tx:
            await _check_room(tx)
            await _check_fields(tx, said.fields_of_action)
            idea = domain.Idea(
                idea=domain.idea_id(digest),
                receipt=digest,
                state="waiting",
                language=said.language,
                received_at=tx.now,
                title=said.title,
                text=said.text,
                fields_of_action=tuple(said.fields_of_action),
                contact=said.contact,
            )
            await store.add_idea(tx.session, idea)
        log.info("idea.taken", idea=idea.idea)
        response.headers["Cache-Control"] = "no-store"
        return Taken(idea.idea, receipt, idea.state, THANKS[idea.language])

    async def status(self, receipt: Receipt, request: Request, response: Response) -> Status:
        """What became of an idea, for who holds its receipt."""
        self._let_through(request, self.asking)
        async with self.bus.sessions() as session:
            idea = await store.idea_of_receipt(session, domain.receipt_digest(receipt))
        if idea is None:
            raise Problem(404, "There is no idea with this receipt.")
        response.headers["Cache-Control"] = "no-store"
        return Status(
            idea=idea.idea,
            state=idea.state,
            message=TELLING[idea.state][idea.language],
            reason=idea.reason,
            project_id=idea.project_id,
            received_at=idea.received_at,
            moderated_at=idea.moderated_at,
        )

    async def withdraw(self, receipt: Receipt, request: Request) -> None:
        """Erase an idea that waits, for who holds its receipt."""
        self._let_through(request, self.asking)
        async with self.bus.transaction() as tx:
            if not await store.withdraw_idea(tx.session, domain.receipt_digest(receipt)):
                raise Problem(404, "No idea with this receipt waits.")
        log.info("idea.withdrawn")

    async def ideas(
        self,
        holder: Steering,
        state: Literal["waiting", "accepted", "declined"] = "waiting",
        limit: Annotated[int, Query(ge=1, le=domain.MOST_WAITING)] = 100,
    ) -> list[Shown]:
        """Ideas, the oldest first; those that are moderated are without text and contact."""
        async with self.bus.sessions() as session:
            found = await store.ideas(session, state, limit)
        return [_shown(idea) for idea in found]

    async def moderate(self, idea: Slug, body: Moderation, holder: Steering) -> Shown:
        """Make an idea a project, or decline it; both erase its text and contact.

        Read it before: title and summary of the project are what the body says, never what the author wrote. The same
        outcome again changes nothing, another one is 409.
        """
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            known = await store.idea(tx.session, idea)
            if known is None:
                raise Problem(404, "There is no idea of this id.")
            if known.state != "waiting":
                return _moderated_again(known, body)
            facts: list[Any] = []
            if body.outcome == "accepted":
                facts.append(await _project(tx, known, body, holder))
            moderated = domain.moderate(
                known, body.outcome, holder.id, tx.now, body.reason, facts[0].project_id if facts else None
            )
            await store.change_idea(tx.session, moderated)
            await record(tx, *facts, _fact(moderated, tx))
        log.info("idea.moderated", idea=idea, outcome=body.outcome)
        return _shown(moderated)

    def _let_through(self, request: Request, window: Window) -> None:
        address = request.client.host if request.client else ""
        if wait := window.wait(address, self.bus.edge.clock()):
            sentence = "Too many requests; wait a while. Zu viele Anfragen; bitte etwas warten."
            raise HTTPException(429, sentence, {"Retry-After": str(ceil(wait))})


def _read(body: bytes) -> IdeaSaid:
    try:
        return IdeaSaid.model_validate_json(body)
    except ValidationError as error:
        refused = refusals(error, body)[0]
        raise Refused(refused.reason, refused.path, refused.detail) from None


async def _check_room(tx: Transaction) -> None:
    if await store.waiting_ideas(tx.session) >= domain.MOST_WAITING:
        sentence = "Very many ideas wait; try again tomorrow. Sehr viele Ideen warten; bitte morgen noch einmal."
        raise HTTPException(503, sentence, {"Retry-After": "86400"})


async def _check_fields(tx: Transaction, fields: list[str], path: str = "$.fields_of_action") -> None:
    active = await store.active(tx.session, "field", tx.now) if fields else set()
    faults = [
        domain.Fault(f"{path}[{index}]", "There is no such field of action.")
        for index, name in enumerate(fields)
        if name not in active
    ]
    if faults:
        raise faulty(faults)


async def _project(tx: Transaction, idea: domain.Idea, body: Moderation, holder: Holder) -> ProjectRegisteredV2:
    """The project that an idea becomes.

    Raises:
        Problem: title or summary are missing, a reference leads nowhere, or the id is taken.
    """
    if body.title is None or not body.summary.strip():
        lacking = "$.title" if body.title is None else "$.summary"
        raise faulty([domain.Fault(lacking, "An accepted idea needs a title and a summary that everybody may read.")])
    await _check_fields(tx, body.fields_of_action)
    goals = await store.active(tx.session, "goal", tx.now)
    if wrong := [index for index, goal in enumerate(body.goals) if goal not in goals]:
        raise faulty([domain.Fault(f"$.goals[{index}]", "There is no such strategic goal.") for index in wrong])
    taken = await store.taken_ids(tx.session)
    project_id = body.project_id or domain.free_project_id(domain.slug(body.title), taken, idea.idea)
    if project_id in taken:
        raise Problem(409, f"The id {project_id!r} is taken; name another one in project_id.")
    return ProjectRegisteredV2(
        project_id=project_id,
        title=body.title,
        summary=body.summary,
        fields_of_action=list(dict.fromkeys(body.fields_of_action)),
        goals=list(dict.fromkeys(body.goals)),
        origin="idea",
        state="idea",
        registered_by=holder.id,
        registered_at=tx.now,
    )


def _fact(idea: domain.Idea, tx: Transaction) -> IdeaModeratedV1:
    return IdeaModeratedV1(
        idea=idea.idea,
        outcome="accepted" if idea.state == "accepted" else "declined",
        reason=idea.reason,
        project_id=idea.project_id,
        received_at=idea.received_at,
        moderated_by=str(idea.moderated_by),
        moderated_at=tx.now,
    )


def _moderated_again(idea: domain.Idea, body: Moderation) -> Shown:
    if idea.state != body.outcome:
        raise Problem(409, f"The idea was {idea.state} already.")
    return _shown(idea)


def _shown(idea: domain.Idea) -> Shown:
    said = {name: getattr(idea, name) for name in Shown.__dataclass_fields__}
    return Shown(**{**said, "fields_of_action": list(idea.fields_of_action)})
