"""What was refused can be read, mended and sent again: exactly once, by its company and the unit only."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from test_traps import a_project, a_proposal

from oker_bus import Event, Reason, Refused, RetryLater, Transaction, ledger, store
from oker_bus.edge import Sessions
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_testkit.bus import TestBus, messages

Token = Callable[..., dict[str, str]]
CONSUMER = "project-registry-claims"


@pytest.fixture
def unit(token: Token) -> dict[str, str]:
    return token("unit-1", "unit")


async def refuse(event: Event[Any], tx: Transaction) -> None:
    raise Refused(Reason.PROPOSAL_REFERENCE_UNKNOWN, "$.fields_of_action[0]", "No such field.")


async def refused_proposal(bus: TestBus, heard: Any, company: str = "verkehr", id: str = "p-1") -> None:
    """A proposal that is refused once; the next is taken."""
    heard.behave = refuse
    await bus.publish(a_proposal(), partner=company, id=id, source=f"/{company}/office")
    await bus.settled()
    heard.behave = None


async def numbers(sessions: Sessions) -> dict[str, int]:
    """The messages in the ledger."""
    async with sessions() as session:
        query = "SELECT sum(messages_settled), sum(messages_duplicate), sum(messages_quarantined) FROM ledger_day"
        row = (await store.run(session, text(query))).one()
    return {"settled": int(row[0]), "duplicate": int(row[1]), "quarantined": int(row[2])}


async def difference(sessions: Sessions, company: str = "verkehr") -> str | None:
    """What the recount of a company finds."""
    async with sessions() as session:
        days = (await store.run(session, text("SELECT DISTINCT day FROM ledger_day"))).scalars().all()
        found = [await ledger.recount_day(session, company, day) for day in days]
        found.append(await ledger.recount_all(session, company, None))
    return next((checked.difference for checked in found if checked.difference), None)


async def test_a_message_is_shown_with_its_reason_its_headers_and_its_bytes(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    await bus.publish_raw("ingest.verkehr.project.x.v1", b"\xff\x00", {"ce-id": "1", "ce-source": "/s", "x-trace": "7"})
    await refused_proposal(bus, heard)

    listed = (await http.get("/quarantine", headers=unit)).json()
    shown = (await http.get(f"/quarantine/{listed[0]['id']}", headers=unit)).json()
    other = (await http.get(f"/quarantine/{listed[1]['id']}", headers=unit)).json()

    assert [row["reason"] for row in listed] == ["attribute_missing", "proposal_reference_unknown"]
    assert "body" not in listed[0]
    assert (shown["meaning"], shown["path"]) == (Reason.ATTRIBUTE_MISSING.meaning, "ce-specversion")
    assert (shown["body"], b64decode(shown["body_base64"])) == (None, b"\xff\x00")
    assert shown["headers"]["x-trace"] == "7"
    assert (shown["partner"], shown["event_source"], shown["event_id"]) == ("verkehr", "/s", "1")
    assert other["body"].startswith("{")
    assert other["contract"] == "de.oker.project.proposed.v2"


async def test_what_is_sent_again_is_taken_once_and_moves_one_unit_in_the_ledger(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)
    before = await numbers(sessions)

    taken = await http.post("/quarantine/1/resend", headers=unit)
    again = await http.post("/quarantine/1/resend", headers=unit)
    await bus.settled()

    assert (before, await numbers(sessions)) == (
        {"settled": 0, "duplicate": 0, "quarantined": 1},
        {"settled": 1, "duplicate": 0, "quarantined": 0},
    )
    assert taken.json() == {"id": 1, "outcome": "settled", "mended": [1], "refused": 0}
    assert again.status_code == 409
    assert "mended already, by unit-1: settled" in again.json()["detail"]
    assert heard.ids == ["p-1", "p-1"]
    row = (await http.get("/quarantine/1", headers=unit)).json()
    assert (row["mended_by"], row["mended_outcome"], row["mended_body"]) == ("unit-1", "settled", None)
    assert row["body"].startswith("{")
    assert await difference(sessions) is None


async def test_a_mended_message_is_the_event_it_was_meant_to_be(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    """Another type, other data; but the company, the place and the time of the broker are those of the message."""
    headers = {"ce-specversion": "1.0", "ce-id": "p-9", "ce-source": "/verkehr/office"}
    await bus.publish_raw(
        "ingest.verkehr.project.proposed.v2", b"{", headers | {"ce-type": "de.oker.project.propsed.v2"}
    )
    await bus.settled()
    change = {"data": a_proposal().model_dump(mode="json"), "headers": {"ce-type": "de.oker.project.proposed.v2"}}

    taken = await http.post("/quarantine/1/mend", headers=unit, json=change)

    assert taken.status_code == 200, taken.text
    (event,) = heard.events
    assert (event.partner, event.source, event.id) == ("verkehr", "/verkehr/office", "p-9")
    stored_at = (await bus.jetstream.get_msg("IN_verkehr", seq=1)).time
    assert abs(event.time - stored_at) < timedelta(milliseconds=1)
    row = (await http.get("/quarantine/1", headers=unit)).json()
    assert (row["body"], row["mended_headers"]["ce-type"]) == ("{", "de.oker.project.proposed.v2")
    assert row["mended_body"].startswith("{")
    assert await difference(sessions) is None


async def test_a_structured_event_is_mended_by_its_data_alone(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    body = b'{"specversion": "1.0", "id": "p-1", "source": "/s", "type": "de.oker.project.proposed.v2", "data": {}}'
    structured = {"Content-Type": "application/cloudevents+json"}
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", body, structured)
    await bus.settled()

    data = a_proposal().model_dump(mode="json")
    taken = await http.post("/quarantine/1/mend", headers=unit, json={"data": data})

    assert taken.status_code == 200, taken.text
    assert [(event.source, event.id) for event in heard.events] == [("/s", "p-1")]


async def test_the_whole_body_can_be_mended(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    structured = {"Content-Type": "application/cloudevents+json"}
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", b"[", structured)
    await bus.settled()
    data = a_proposal().model_dump_json()
    head = '{"specversion": "1.0", "id": "p-1", "source": "/s", "type": "de.oker.project.proposed.v2", "data": '
    whole = head + data + "}"

    by_data = await http.post("/quarantine/1/mend", headers=unit, json={"data": {}})
    by_body = await http.post("/quarantine/1/mend", headers=unit, json={"body": b64encode(whole.encode()).decode()})

    assert (by_data.status_code, by_data.json()["code"]) == (422, "json_broken")
    assert "mend its whole body" in by_data.json()["detail"]
    assert by_body.status_code == 200
    assert heard.ids == ["p-1"]


async def test_what_is_refused_again_changes_nothing(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)

    answer = await http.post("/quarantine/1/mend", headers=unit, json={"data": {"proposal": "p", "title": 7}})

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["path"]) == ("field_type_wrong", "$.title")
    assert await numbers(sessions) == {"settled": 0, "duplicate": 0, "quarantined": 1}
    assert (await http.get("/quarantine/1", headers=unit)).json()["mended_at"] is None
    assert await difference(sessions) is None


@pytest.mark.parametrize(
    ("said", "code", "path"),
    [
        (b"{", "json_broken", "$"),
        (b'{"data": NaN}', "json_broken", "$"),
        (b'{"datum": {}}', "field_value_invalid", "$.datum"),
        (b'{"headers": {"ce-id": 7}}', "field_type_wrong", "$.headers['ce-id']"),
        (b'{"body": "!"}', "field_value_invalid", "$.body"),
        (b'"' + b"x" * 2_000_000 + b'"', "body_too_large", "$"),
    ],
)
async def test_a_change_that_cannot_be_read_is_named(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any, said: bytes, code: str, path: str
) -> None:
    await refused_proposal(bus, heard)

    answer = await http.post("/quarantine/1/mend", headers=unit, content=said)

    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, code, path)
    assert heard.ids == ["p-1"]


async def test_of_two_who_mend_at_once_one_wins(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(event: Event[Any], tx: Transaction) -> None:
        begun.set()
        await go_on.wait()

    heard.behave = wait
    first = asyncio.create_task(http.post("/quarantine/1/resend", headers=unit))
    await begun.wait()
    second = asyncio.create_task(http.post("/quarantine/1/resend", headers=unit))
    await _until_one_waits(sessions)
    go_on.set()

    assert sorted([(await first).status_code, (await second).status_code]) == [200, 409]
    assert heard.ids == ["p-1", "p-1"]
    assert await numbers(sessions) == {"settled": 1, "duplicate": 0, "quarantined": 0}


async def _until_one_waits(sessions: Sessions) -> None:
    """Until a second transaction waits for the lock of the first."""
    async with sessions() as session, asyncio.timeout(10):
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not (await store.run(session, query)).scalar_one():
            await session.rollback()


async def test_killed_in_between_nothing_has_happened(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    """The handler's work, the settlement, the ledger and the mark are one transaction."""
    await refused_proposal(bus, heard)

    async def die(event: Event[Any], tx: Transaction) -> None:
        if heard.behave is die:
            await store.run(tx.session, text("SELECT pg_terminate_backend(pg_backend_pid())"))

    heard.behave = die
    broken = await http.post("/quarantine/1/resend", headers=unit)
    heard.behave = None

    assert broken.status_code == 503
    assert await numbers(sessions) == {"settled": 0, "duplicate": 0, "quarantined": 1}
    assert (await http.post("/quarantine/1/resend", headers=unit)).status_code == 200
    assert await numbers(sessions) == {"settled": 1, "duplicate": 0, "quarantined": 0}


@pytest.mark.parametrize("work", ["bug", "waits"])
async def test_what_goes_wrong_while_mending_is_an_answer(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any, work: str
) -> None:
    await refused_proposal(bus, heard)

    async def fail(event: Event[Any], tx: Transaction) -> None:
        raise ZeroDivisionError if work == "bug" else RetryLater

    heard.behave = fail
    answer = await http.post("/quarantine/1/resend", headers=unit)

    assert answer.status_code == (422 if work == "bug" else 409)
    assert answer.json().get("code") == ("handler_failed" if work == "bug" else None)
    assert await numbers(sessions) == {"settled": 0, "duplicate": 0, "quarantined": 1}


async def test_an_event_that_was_sent_again_meanwhile_counts_once(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)
    await bus.publish(a_proposal(), partner="verkehr", id="p-1", source="/verkehr/office")
    await bus.settled()

    answer = await http.post("/quarantine/1/resend", headers=unit)

    assert answer.json()["outcome"] == "duplicate"
    assert heard.ids == ["p-1", "p-1"]
    assert await numbers(sessions) == {"settled": 1, "duplicate": 1, "quarantined": 0}
    assert await difference(sessions) is None


async def test_a_company_sees_and_mends_its_own_only(
    bus: TestBus, http: httpx.AsyncClient, token: Token, heard: Any
) -> None:
    await refused_proposal(bus, heard, "verkehr")
    await refused_proposal(bus, heard, "stadtwerke")
    verkehr = token("verkehr-system", "partner", partner="verkehr")

    listed = (await http.get("/quarantine?partner=stadtwerke", headers=verkehr)).json()
    answers = [
        await http.get("/quarantine/2", headers=verkehr),
        await http.post("/quarantine/2/resend", headers=verkehr),
        await http.post("/quarantine/2/mend", headers=verkehr, json={}),
    ]
    bulk = await http.post("/quarantine/resend?partner=stadtwerke", headers=verkehr)

    assert [row["partner"] for row in listed] == ["verkehr"]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert bulk.json()["mended"] == 1
    assert [(event.partner, event.id) for event in heard.events[2:]] == [("verkehr", "p-1")]


@pytest.mark.parametrize(("role", "reads"), [("auditor", 200), ("board", 403)])
async def test_who_may_read_may_not_therefore_mend(
    bus: TestBus, http: httpx.AsyncClient, token: Token, heard: Any, role: str, reads: int
) -> None:
    await refused_proposal(bus, heard)
    holder = token("x-1", role)

    assert (await http.get("/quarantine", headers=holder)).status_code == reads
    assert (await http.get("/quarantine/1", headers=holder)).status_code == reads
    for path in ("/quarantine/1/resend", "/quarantine/1/mend", "/quarantine/resend"):
        assert (await http.post(path, headers=holder)).status_code == 403
    assert (await http.get("/quarantine")).status_code == 401


async def test_the_list_is_narrowed_and_paged(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    for number in range(3):
        await refused_proposal(bus, heard, id=f"p-{number}")
    await bus.publish_raw("ingest.verkehr.project.x.v1", b"{", {"ce-id": "1"})
    await bus.settled()
    await http.post("/quarantine/2/resend", headers=unit)

    async def ids(**said: Any) -> list[int]:
        return [row["id"] for row in (await http.get("/quarantine", headers=unit, params=said)).json()]

    assert await ids() == [1, 2, 3, 4]
    assert await ids(limit=2) == [1, 2]
    assert await ids(limit=2, after=2) == [3, 4]
    assert await ids(state="open", reason="proposal_reference_unknown") == [1, 3]
    assert await ids(state="mended") == [2]
    assert await ids(partner="stadtwerke") == []
    assert await ids(**{"until": "2020-01-01T00:00:00Z"}) == []
    assert await ids(**{"from": "2020-01-01T00:00:00Z"}) == [1, 2, 3, 4]


async def test_all_messages_of_a_reason_are_sent_again_at_once(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    for number in range(3):
        await refused_proposal(bus, heard, id=f"p-{number}")
    await bus.publish_raw("ingest.verkehr.project.x.v1", b"{", {"ce-id": "1"})
    await bus.settled()

    async def refuse_one(event: Event[Any], tx: Transaction) -> None:
        if event.id == "p-1":
            await refuse(event, tx)

    heard.behave = refuse_one
    answer = (await http.post("/quarantine/resend?reason=proposal_reference_unknown", headers=unit)).json()

    assert (answer["taken"], answer["mended"], answer["next"]) == (3, 2, None)
    assert [(row["id"], row["code"]) for row in answer["refused"]] == [(2, "proposal_reference_unknown")]
    assert await numbers(sessions) == {"settled": 2, "duplicate": 0, "quarantined": 2}
    assert await difference(sessions) is None


async def test_a_fact_can_be_sent_again_as_well(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    heard.behave = refuse
    project = await bus.publish(a_project())
    await bus.settled()
    heard.behave = None

    answer = await http.post("/quarantine/1/resend", headers=unit)
    await bus.settled()

    assert answer.json()["outcome"] == "settled"
    assert [event.causationid for event in await bus.events(CandidateListedV1)] == [project]


async def test_the_stream_tells_what_became_of_it(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)
    await http.post("/quarantine/1/resend", headers=unit)
    await bus.settled()

    copies = [dict(msg.headers) async for msg in messages(bus.jetstream, "QUARANTINE")]
    assert [copy.get("Oker-Mended") for copy in copies] == [None, "settled"]
    assert {copy["Oker-Position"] for copy in copies} == {"IN_verkehr/1/0"}


def test_every_reason_is_documented_with_its_meaning() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reasons.md"
    rows = [line.split("|") for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
    said = {row[1].strip(" `"): row[2].strip() for row in rows}

    assert said == {str(reason): reason.meaning for reason in Reason}
