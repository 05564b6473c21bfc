"""What is heard becomes values, standings and announcements, on the real bus."""

from collections.abc import Callable
from typing import Any

import pytest
from builders_evaluation_scheduler import NOON, a_kpi, a_measured, an_observation, recorded

from evaluation_scheduler import store
from evaluation_scheduler.domain import Kpi, Standing
from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_testkit.bus import TestBus

Sessions = Callable[[], Any]


async def bind(sessions: Sessions, *kpis: Kpi) -> None:
    async with sessions() as session, session.begin():
        for kpi in kpis:
            assert await store.add_kpi(session, kpi, NOON)


async def standing(sessions: Sessions, kpi_id: str = "visitors") -> Standing:
    async with sessions() as session:
        found = await store.kpi(session, kpi_id)
    assert found is not None
    return found.standing


async def test_the_first_value_is_announced_with_its_evidence(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())

    await bus.publish(recorded(an_observation(0, 99.5, event_id="reading-7")))
    await bus.settled()

    [assessed] = await bus.announced(KpiAssessedV1)
    assert (assessed.status, assessed.previous_status, assessed.value) == ("off_track", None, 99.5)
    assert assessed.evidence == Evidence(event_source="/verkehr/counters", event_id="reading-7")
    said = (assessed.kpi_id, assessed.project_id, assessed.partner)
    assert said == ("visitors", "besucherzaehlung", "verkehr")
    assert (assessed.unit, assessed.target, assessed.direction) == ("{visitors}", 100.0, "at_least")
    assert assessed.phenomenon_time == NOON


async def test_only_a_change_of_status_is_announced(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())

    for minute, value in enumerate([120, 130, 90, 80, 110]):
        await bus.publish(recorded(an_observation(minute, value)))
    await bus.settled()

    seen = [(said.previous_status, said.status, said.value) for said in await bus.announced(KpiAssessedV1)]
    assert seen == [(None, "on_track", 120), ("on_track", "off_track", 90), ("off_track", "on_track", 110)]


async def test_the_same_event_twice_changes_nothing(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())
    batch = recorded(an_observation(0, 90))

    await bus.publish(batch, id="batch-1")
    await bus.settled()
    before = await standing(sessions)
    await bus.publish(batch, id="batch-1")
    await bus.settled()

    assert await standing(sessions) == before
    assert len(await bus.announced(KpiAssessedV1)) == 1
    assert [outcome for _, _, outcome in await bus.settlements()] == ["settled", "duplicate"]


async def test_the_same_value_in_two_batches_is_kept_once(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())

    await bus.publish(recorded(an_observation(0, 90)))
    await bus.publish(recorded(an_observation(0, 90)))
    await bus.settled()

    async with sessions() as session:
        assert await store.values(session, "visitors", 10) == [a_measured(0, 90)]


async def test_a_late_older_value_is_kept_and_changes_no_status(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())

    await bus.publish(recorded(an_observation(10, 120)))
    await bus.publish(recorded(an_observation(5, 20)))
    await bus.settled()

    assert (await standing(sessions)) == Standing(a_measured(10, 120), "on_track")
    assert len(await bus.announced(KpiAssessedV1)) == 1
    async with sessions() as session:
        assert await store.values(session, "visitors", 10) == [a_measured(10, 120), a_measured(5, 20)]


async def test_one_batch_feeds_many_kpis_and_the_newest_decides(bus: TestBus, sessions: Sessions) -> None:
    more = a_kpi(kpi_id="visitors-high", target=1000.0)
    meter = {"device": "meter-1", "property": "level", "unit": "dB"}
    noise = a_kpi(kpi_id="noise", target=55.0, direction="at_most", **meter)
    await bind(sessions, a_kpi(), more, noise)

    await bus.publish(
        recorded(
            an_observation(2, 120),
            an_observation(1, 2000),
            an_observation(3, 60.0, **meter),
            an_observation(3, 1.0, device="counter-9"),
        )
    )
    await bus.settled()

    seen = {said.kpi_id: (said.status, said.value) for said in await bus.announced(KpiAssessedV1)}
    assert seen == {
        "noise": ("off_track", 60.0),
        "visitors": ("on_track", 120.0),
        "visitors-high": ("off_track", 120.0),
    }


@pytest.mark.parametrize("other", [{"partner": "stadtwerke"}, {"device": "counter-2"}, {"property": "noise"}])
async def test_another_datastream_feeds_nothing(bus: TestBus, sessions: Sessions, other: dict[str, str]) -> None:
    await bind(sessions, a_kpi(**other))

    await bus.publish(recorded(an_observation(0, 90)))
    await bus.settled()

    assert await standing(sessions) == Standing()
    assert await bus.announced(KpiAssessedV1) == []
    assert await bus.quarantined() == []


async def test_a_value_in_another_unit_is_shown_and_not_compared(bus: TestBus, sessions: Sessions) -> None:
    await bind(sessions, a_kpi())

    await bus.publish(recorded(an_observation(0, 20, unit="Cel")))
    await bus.settled()

    assert await standing(sessions) == Standing(foreign_unit="Cel")
    assert await bus.announced(KpiAssessedV1) == []
    async with sessions() as session:
        assert await store.values(session, "visitors", 10) == []
