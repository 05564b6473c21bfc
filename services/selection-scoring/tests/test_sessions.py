"""Sessions are prepared, convened, held, minuted and closed; conflicts are settled once, by the CDO."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_selection_scoring import Board, Token
from httpx import AsyncClient, Response

from oker_contracts.selection.conflict_settled_v1 import ConflictSettledV1
from oker_contracts.selection.session_recorded_v1 import SessionRecordedV1
from oker_testkit.bus import TestBus
from selection_scoring.domain.sessions import (
    STEPS,
    Attended,
    Decided,
    Item,
    fault_in_agenda,
    fault_in_times,
    may_record,
)

CHIEF, UNIT = ("cdo-1", "cdo"), ("unit-1", "unit")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTED: dict[str, Any] = {
    "minutes": "Der Vorschlag wurde beraten.",
    "attendance": [
        {"holder": "board-1", "status": "present"},
        {"holder": "vertretung-2", "status": "present", "stands_in_for": "board-2"},
    ],
    "decisions": [{"decision": "stelle", "text": "Eine halbe Stelle.", "kind": "staffing"}],
}


def an_item(**said: Any) -> dict[str, Any]:
    default = {"item": "top-1", "title": "Personal", "kind": "decision", "invited": ["board-1", "board-2"]}
    return {**default, **said}


def a_session(state: str = "convened", *items: dict[str, Any], **said: Any) -> dict[str, Any]:
    default = {"body": "board", "title": "Sitzung 1/2026", "starts": "2026-03-02T13:00:00+01:00", "place": "Rathaus"}
    return {**default, "state": state, "agenda": list(items or (an_item(),)), **said}


class Office:
    """Sessions as unit and CDO record them."""

    def __init__(self, http: AsyncClient, token: Token) -> None:
        self.http, self.token = http, token

    async def put(self, body: dict[str, Any], who: tuple[str, str] = CHIEF, seen: int | None = None) -> Response:
        headers = {**self.token(*who), **({"If-Match": f'"{seen}"'} if seen else {})}
        return await self.http.put("/sessions/sitzung-1", json=body, headers=headers)

    async def get(self, path: str = "/sessions/sitzung-1", role: str = "board") -> Response:
        return await self.http.get(path, headers=self.token("somebody", role))


@pytest.fixture
def office(http: AsyncClient, token: Token) -> Office:
    return Office(http, token)


async def test_a_session_goes_from_preparation_to_its_minutes(office: Office, bus: TestBus) -> None:
    prepared = await office.put(a_session("prepared"), UNIT)
    convened = await office.put(a_session("convened"), CHIEF, 1)
    held = await office.put(a_session("held", an_item(**MINUTED)), UNIT, 2)
    closed = await office.put(a_session("closed", an_item(**MINUTED)), CHIEF, 3)
    await bus.settled()

    answers = [prepared, convened, held, closed]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200], [answer.text for answer in answers]
    assert [answer.headers["etag"] for answer in answers] == ['"1"', '"2"', '"3"', '"4"']
    facts = await bus.announced(SessionRecordedV1)
    assert [(fact.version, fact.state, fact.recorded_by) for fact in facts] == [
        (1, "prepared", "unit-1"),
        (2, "convened", "cdo-1"),
        (3, "held", "unit-1"),
        (4, "closed", "cdo-1"),
    ]
    shown = (await office.get()).json()
    assert (shown["state"], shown["starts"]) == ("closed", "2026-03-02T12:00:00Z")
    assert (await office.get("/sessions/sitzung-1?version=1")).json()["state"] == "prepared"
    assert [row["state"] for row in (await office.get("/sessions")).json()] == ["closed"]


async def test_a_closed_session_is_never_changed(office: Office) -> None:
    await office.put(a_session("convened"))
    await office.put(a_session("held", an_item(**MINUTED)), CHIEF, 1)
    await office.put(a_session("closed", an_item(**MINUTED)), CHIEF, 2)

    answer = await office.put(a_session("closed", an_item(**{**MINUTED, "minutes": "Anders."})), CHIEF, 3)

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")


async def test_the_same_again_changes_and_announces_nothing(office: Office, bus: TestBus) -> None:
    await office.put(a_session())

    again = await office.put(a_session())
    await bus.settled()

    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    assert len(await bus.announced(SessionRecordedV1)) == 1


@pytest.mark.parametrize(("seen", "status"), [(None, 428), (7, 412)])
async def test_who_changes_a_session_says_which_version_they_saw(office: Office, seen: int | None, status: int) -> None:
    await office.put(a_session())

    answer = await office.put(a_session(place="Stadthalle"), CHIEF, seen)

    assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_the_unit_prepares_and_does_not_convene(office: Office) -> None:
    assert (await office.put(a_session("convened"), UNIT)).status_code == 403


async def test_a_round_that_is_not_there_cannot_be_on_the_agenda(office: Office) -> None:
    answer = await office.put(a_session("convened", an_item(round_id="nirgendwo")))

    assert (answer.status_code, answer.json()["path"]) == (422, "$.agenda[0].round_id")


async def test_a_session_too_long_for_one_event_is_refused(office: Office) -> None:
    items = [an_item(item=f"top-{n}", minutes="ß" * 10_000) for n in range(100)]
    await office.put(a_session())

    answer = await office.put(a_session("held", *items), CHIEF, 1)

    assert (answer.status_code, answer.json()["code"]) == (422, "body_too_large")


async def test_a_conflict_is_settled_once_by_the_chief(office: Office, bus: TestBus, token: Token) -> None:
    body = {"title": "Wer baut?", "parties": ["dezernat-iii", "dezernat-iv"], "decision": "IV.", "reason": "Nähe."}
    path = "/conflicts/wer-baut"

    async def put(who: tuple[str, str], **said: Any) -> int:
        return (await office.http.put(path, json={**body, **said}, headers=token(*who))).status_code

    assert await put(UNIT) == 403
    assert await put(CHIEF, reason=" ") == 422
    assert await put(CHIEF, session="nirgendwo") == 422
    assert [await put(CHIEF), await put(CHIEF), await put(CHIEF, decision="III.")] == [201, 200, 409]
    await bus.settled()
    (fact,) = await bus.announced(ConflictSettledV1)
    assert (fact.settled_by, fact.log.number) == ("cdo-1", 1)
    assert (await office.get(path)).json()["decision"] == "IV."
    assert [row["conflict"] for row in (await office.get("/conflicts")).json()] == ["wer-baut"]


@pytest.mark.usefixtures("pool")
async def test_a_decision_names_a_session_that_was_held(board: Board, office: Office) -> None:
    await board.vote()
    await board.cast_all()
    await board.step("closing")

    unknown = await board.decide(session="sitzung-1")
    await office.put(a_session())
    early = await board.decide(session="sitzung-1")
    await office.put(a_session("held", an_item(**MINUTED)), CHIEF, 1)
    named = await board.decide(session="sitzung-1")

    assert [unknown.status_code, early.status_code, named.status_code] == [422, 409, 200]


def test_a_session_goes_forward_only() -> None:
    allowed = {(before, state) for before, states in STEPS.items() for state in states}
    states = [state for state in STEPS if state]

    for before in STEPS:
        for state in states:
            assert (may_record(before, state, chief=True) is None) == ((before, state) in allowed)
    assert STEPS["closed"] == STEPS["cancelled"] == ()


@pytest.mark.parametrize(("before", "state"), [("prepared", "convened"), ("held", "closed"), ("convened", "cancelled")])
def test_only_the_chief_convenes_closes_and_cancels(before: str, state: str) -> None:
    denial = may_record(before, state, chief=False)

    assert denial is not None
    assert denial.kind == "forbidden"


def a_point(**said: Any) -> Item:
    default: dict[str, Any] = {
        "item": "top-1",
        "kind": "decision",
        "round_id": None,
        "invited": ["board-1", "board-2"],
        "attendance": [Attended("board-1", "present", None), Attended("board-2", "excused", None)],
        "minutes": "Beraten.",
        "decisions": [Decided("stelle", "staffing", None)],
    }
    return Item(**{**default, **said})


BARE: dict[str, Any] = {"attendance": [], "minutes": "", "decisions": []}


def test_a_minuted_agenda_has_no_fault() -> None:
    assert fault_in_agenda("closed", [a_point()], ["top-1"]) is None
    assert fault_in_agenda("convened", [a_point(**BARE)]) is None


@pytest.mark.parametrize(
    ("state", "items", "path"),
    [
        ("convened", [a_point(**BARE), a_point(**BARE)], "$.agenda[1].item"),
        ("convened", [a_point(**{**BARE, "invited": ["b", "b"]})], "$.agenda[0].invited[1]"),
        ("convened", [a_point(**{**BARE, "minutes": "Schon?"})], "$.agenda[0].minutes"),
        ("held", [a_point(attendance=[Attended("x", "present", None)])], "$.agenda[0].attendance[0].holder"),
        ("held", [a_point(attendance=[Attended("x", "present", "y")])], "$.agenda[0].attendance[0].stands_in_for"),
        ("held", [a_point(attendance=[Attended("x", "absent", "board-1")])], "$.agenda[0].attendance[0].status"),
        ("held", [a_point(kind="information")], "$.agenda[0].decisions[0]"),
        ("held", [a_point(decisions=[Decided("d", "selection", None)])], "$.agenda[0].decisions[0].round_id"),
        ("held", [a_point(decisions=[Decided("d", "other", None)] * 2)], "$.agenda[0].decisions[1].decision"),
        ("closed", [a_point(attendance=[])], "$.agenda[0].invited[0]"),
        ("closed", [a_point(minutes=" ")], "$.agenda[0].minutes"),
    ],
)
def test_what_is_wrong_with_an_agenda_is_named(state: str, items: list[Item], path: str) -> None:
    fault = fault_in_agenda(state, items)

    assert fault is not None
    assert fault.path == path


def test_an_item_of_a_held_session_stays() -> None:
    fault = fault_in_agenda("held", [a_point(item="top-2")], ["top-1"])

    assert fault is not None
    assert fault.path == "$.agenda"


def test_a_session_ends_after_it_starts() -> None:
    assert fault_in_times(NOON, NOON) is not None
    assert fault_in_times(NOON, NOON + timedelta(hours=1)) is None
    assert fault_in_times(NOON, None) is None
