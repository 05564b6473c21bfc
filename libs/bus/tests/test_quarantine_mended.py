"""What a mended event is from then on, and what happens when it is taken elsewhere meanwhile."""

from typing import Any

import asyncpg
import httpx
from test_quarantine import difference, numbers, refused_proposal, unit
from test_traps import a_proposal

from oker_bus import Event, Transaction
from oker_bus.edge import Sessions
from oker_testkit.bus import TestBus

__all__ = ["unit"]


async def test_an_event_whose_name_could_not_be_read_is_found_by_it_once_it_is_mended(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str]
) -> None:
    """And it counts for its source."""
    headers = {"ce-specversion": "1.0", "ce-source": "/s", "ce-type": "de.oker.project.proposed.v2"}
    body = a_proposal().model_dump_json().encode()
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", body, headers)
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", body, {"ce-id": "p-2"})
    await bus.settled()

    named = [{"ce-id": "p-1"}, headers | {"ce-id": "p-3"}]
    for id, mended in enumerate(named, start=1):
        answer = await http.post(f"/quarantine/{id}/mend", headers=unit, json={"headers": mended})
        assert answer.status_code == 200, answer.text

    for event in ("p-1", "p-3"):
        asked = {"source": "/s", "id": event, "partner": "verkehr"}
        ends = (await http.get("/outcomes", params=asked, headers=unit)).json()
        assert [end["outcome"] for end in ends] == ["settled"]
    by_source = (await http.get("/ledger?by=source&partner=verkehr", headers=unit)).json()["rows"]
    assert {row["source"]: row["messages_settled"] for row in by_source if row["messages_settled"]} == {"/s": 2}
    assert await difference(sessions) is None


async def test_an_event_that_is_taken_elsewhere_at_the_same_moment_can_be_tried_again(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)

    async def lose(event: Event[Any], tx: Transaction) -> None:
        raise asyncpg.UniqueViolationError

    heard.behave = lose
    answer = await http.post("/quarantine/1/resend", headers=unit)

    assert (answer.status_code, "try again" in answer.json()["detail"]) == (409, True)
    assert await numbers(sessions) == {"settled": 0, "duplicate": 0, "quarantined": 1}
