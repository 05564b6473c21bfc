"""Which projects are in the pool, by what the register announces."""

import asyncio
from itertools import permutations

import pytest
from builders_selection_scoring import POOL, Board, Token, a_profile
from httpx import AsyncClient

from oker_bus.edge import Sessions
from oker_contracts.selection.candidate_delisted_v1 import CandidateDelistedV1
from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from oker_decision.canonical import digest
from oker_testkit.bus import TestBus
from selection_scoring import store
from selection_scoring.domain.pool import Place, costs, step


async def ids(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return [row.project_id for row in await store.pool.candidates(session)]


async def test_an_eligible_project_delivered_twice_is_listed_once(bus: TestBus, sessions: Sessions) -> None:
    profile = a_profile()
    await bus.publish(profile, id="e-1")
    await bus.publish(profile, id="e-1")
    await bus.settled()

    assert await ids(sessions) == ["handyparken"]
    (listed,) = await bus.announced(CandidateListedV2)
    assert (listed.version, listed.title) == (3, "Projekt handyparken")
    assert listed.costs == {"investiv": 50_000, "personal": 5_000}
    assert listed.profile_sha256 == digest(profile.profile.model_dump(mode="json"))


async def test_only_eligible_projects_are_in_the_pool(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_profile("idee", state="proposed", previous_state="idea"))
    await bus.publish(a_profile("reif"))
    await bus.settled()

    assert await ids(sessions) == ["reif"]
    assert [row.project_id for row in await bus.announced(CandidateListedV2)] == ["reif"]
    assert await bus.announced(CandidateDelistedV1) == []


async def test_a_project_that_is_not_eligible_any_more_leaves_the_pool(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_profile(version=3))
    await bus.settled()
    await bus.publish(a_profile(version=4, state="in_selection", previous_state="eligible"))
    await bus.settled()

    assert await ids(sessions) == []
    (delisted,) = await bus.announced(CandidateDelistedV1)
    assert (delisted.project_id, delisted.version, delisted.state) == ("handyparken", 4, "in_selection")


async def test_what_was_eligible_once_is_not_listed_when_its_past_is_corrected(
    bus: TestBus, sessions: Sessions
) -> None:
    await bus.publish(a_profile(version=3))
    await bus.publish(a_profile(version=4, state="stopped", previous_state="eligible"))
    await bus.publish(a_profile(version=5, previous_state="eligible", corrects_past=True))
    await bus.settled()

    assert await ids(sessions) == []


async def test_a_changed_profile_is_listed_in_its_newest_version(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_profile(version=3))
    await bus.settled()
    await bus.publish(a_profile(version=4, previous_state="eligible", profile={"title": "Umbenannt"}))
    await bus.settled()

    async with sessions() as session:
        (candidate,) = await store.pool.candidates(session)
    assert (candidate.version, candidate.title) == (4, "Umbenannt")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_news_in_any_order_leaves_the_pool_as_the_newest_says(order: tuple[int, ...]) -> None:
    news = [(3, "eligible", "proposed"), (4, "proposed", "eligible"), (5, "eligible", "proposed")]
    for last in (4, 5):
        known: Place | None = None
        for index in order:
            version, state, before = news[index]
            if version <= last:
                done = step(state, before, version, known)
                known = known if done == "nothing" else Place(version, done == "list")
        assert known == Place(last, last == 5)


async def test_many_news_at_once_leave_the_newest(bus: TestBus, sessions: Sessions) -> None:
    news = [a_profile(version=version, previous_state="eligible") for version in range(4, 24)]
    await asyncio.gather(*(bus.publish(row) for row in news))
    await bus.settled()

    async with sessions() as session:
        (candidate,) = await store.pool.candidates(session)
    assert candidate.version == 23


def test_the_cost_of_a_line_is_that_of_all_years() -> None:
    assert costs([("a", 1), ("b", 2), ("a", 3)]) == {"a": 4, "b": 2}


@pytest.mark.usefixtures("pool")
async def test_the_pool_is_shown_by_pages(http: AsyncClient, token: Token, board: Board) -> None:
    shown = (await http.get("/candidates", headers=token("board-1", "board"))).json()
    page = (await http.get("/candidates?after=bahnstadt&limit=1", headers=token("board-1", "board"))).json()

    assert [row["project_id"] for row in shown] == list(POOL)
    assert [row["project_id"] for row in page] == ["handyparken"]
