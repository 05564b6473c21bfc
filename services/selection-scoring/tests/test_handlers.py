"""What selection-scoring does with what it hears."""

from builders_selection_scoring import a_registered_project

from oker_bus.edge import Sessions
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_testkit.bus import TestBus
from selection_scoring import store


async def test_a_project_delivered_twice_is_listed_once(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_registered_project(), id="e-1")
    await bus.publish(a_registered_project(), id="e-1")
    await bus.settled()

    async with sessions() as session:
        (candidate,) = await store.candidates(session)
    assert await bus.announced(CandidateListedV1) == [
        CandidateListedV1(
            project_id="handyparken",
            title="Projekt handyparken",
            fields_of_action=["mobilitaet"],
            listed_at=candidate.listed_at,
        )
    ]


async def test_a_project_announced_again_stays_as_it_was_listed(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_registered_project())
    await bus.settled()
    await bus.publish(a_registered_project(title="Umbenannt"))
    await bus.settled()

    async with sessions() as session:
        assert [row.title for row in await store.candidates(session)] == ["Projekt handyparken"]
    assert len(await bus.announced(CandidateListedV1)) == 1


async def test_every_registered_project_is_in_the_pool(bus: TestBus, sessions: Sessions) -> None:
    for number in range(20):
        await bus.publish(a_registered_project(f"projekt-{number:02}"))
    await bus.settled()

    async with sessions() as session:
        ids = [row.project_id for row in await store.candidates(session)]
    assert ids == [f"projekt-{number:02}" for number in range(20)]
