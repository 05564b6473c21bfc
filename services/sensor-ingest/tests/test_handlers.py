"""What sensor-ingest does with what companies say: on the real broker and database."""

from typing import Any

import pytest
from builders_sensor_ingest import (
    NOON,
    a_declared_device,
    a_reading,
    counted,
    declared_stream,
    history,
    ledger,
    minutes,
    outcomes,
    recorded,
    say,
    several_results,
    values,
)
from sqlmodel import select

from oker_bus.edge import Sessions
from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from oker_contracts.sensor.observations_recorded_v2 import Column, ObservationsRecordedV2, Series
from oker_contracts.sensor.reading_reported_v1 import ReportedResult
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1, ReportedReading
from oker_testkit.bus import TestBus
from sensor_ingest import domain
from sensor_ingest.handlers import announcing
from sensor_ingest.store.devices import DeviceRow

# devices


async def test_a_declared_device_is_registered_and_announced_complete(bus: TestBus) -> None:
    await say(bus, a_declared_device())

    (fact,) = await bus.announced(DeviceRegisteredV2)
    assert (fact.partner, fact.device, fact.name) == ("stadtwerke", "trafo-12", "Trafostation Bültenweg")
    assert fact.profile is None
    assert [mounting.model_dump() for mounting in fact.mountings] == [{"hardware": "trafo-12", "since": None}]
    assert [placement.location.coordinates for placement in fact.placements] == [(10.5267, 52.2689)]
    (stream,) = fact.datastreams
    assert stream.datastream == str(domain.datastream_id("stadtwerke", "trafo-12", "power_1"))
    assert (stream.property, stream.unit, stream.dataset) == ("power_1", "kW", "grid")
    assert stream.observed_property == "Wirkleistung"


async def test_a_declaration_that_comes_again_is_not_announced_again(bus: TestBus) -> None:
    await say(bus, a_declared_device(), a_declared_device(), id="d-1")

    assert len(await bus.announced(DeviceRegisteredV2)) == 1
    assert await outcomes(bus) == ["settled", "duplicate"]


async def test_each_change_of_a_device_is_announced_with_its_own_cause(bus: TestBus) -> None:
    await bus.publish(a_declared_device(), partner="stadtwerke", id="first")
    await bus.publish(a_declared_device(), partner="stadtwerke", id="first")
    await say(bus, a_declared_device("trafo-12", declared_stream("power_2")), id="more")

    facts = await bus.events(DeviceRegisteredV2)
    assert [(fact.causationid, [s.property for s in fact.data.datastreams]) for fact in facts] == [
        ("first", ["power_1"]),
        ("more", ["power_1", "power_2"]),
    ]


async def test_a_declaration_sent_again_does_not_undo_a_later_one(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device(name="Old"), id="old")
    await say(bus, a_declared_device(name="New"), id="new")
    await say(bus, a_declared_device(name="Old"), id="old")

    async with sessions() as session:
        assert [row.name for row in (await session.exec(select(DeviceRow))).all()] == ["New"]
    assert await outcomes(bus) == ["settled", "settled", "duplicate"]


async def test_a_refused_declaration_may_be_sent_again_once_it_fits(bus: TestBus) -> None:
    """An event that was refused was not taken: a second attempt is judged anew, and no duplicate."""
    changed = a_declared_device("trafo-12", declared_stream(unit="W"))
    await say(bus, a_declared_device())
    await say(bus, changed, id="x")
    await say(bus, changed, id="x")

    assert await outcomes(bus) == ["settled", "quarantined", "quarantined"]
    assert await bus.quarantined() == [("unit_changed", "$.datastreams[0].unit")] * 2


@pytest.mark.parametrize(
    ("device", "reason", "path"),
    [
        (
            a_declared_device("trafo-12", declared_stream("power_2"), declared_stream(unit="W")),
            "unit_changed",
            "$.datastreams[1].unit",
        ),
        (
            a_declared_device("trafo-12", declared_stream(dataset="environment")),
            "unit_changed",
            "$.datastreams[0].dataset",
        ),
        (a_declared_device("new", declared_stream(dataset="visitors")), "dataset_unknown", "$.datastreams[0].dataset"),
        (
            a_declared_device("new", declared_stream(), declared_stream(unit="W")),
            "field_value_invalid",
            "$.datastreams[1].property",
        ),
    ],
)
async def test_a_device_that_cannot_be_registered_is_quarantined(
    bus: TestBus, device: Any, reason: str, path: str
) -> None:
    await say(bus, a_declared_device(), device)

    assert await bus.quarantined() == [(reason, path)]
    assert len(await bus.announced(DeviceRegisteredV2)) == 1


# readings


async def test_a_reading_is_stored_and_announced_by_its_dataset(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    await say(bus, a_reading(412.5, determined=NOON + minutes(1)), id="r-1", source="/scada")

    assert await values(sessions) == [412.5]
    assert await ledger(sessions) == {"stadtwerke": counted(read=1, stored=1)}
    (fact,) = await bus.announced(ObservationsRecordedV2)
    assert (fact.partner, fact.dataset) == ("stadtwerke", "grid")
    assert fact.series == [
        Series(
            device="trafo-12",
            event_source="/scada",
            event_ids=["r-1"],
            phenomenon_times=[NOON],
            result_times=[NOON + minutes(1)],
            datastreams=[
                Column(
                    datastream=str(domain.datastream_id("stadtwerke", "trafo-12", "power_1")),
                    property="power_1",
                    unit="kW",
                    values=[412.5],
                )
            ],
        )
    ]


async def test_a_value_in_another_unit_is_converted_and_the_original_announced(
    bus: TestBus, sessions: Sessions
) -> None:
    await say(bus, a_declared_device())
    await say(bus, a_reading(412_500.0, unit="W"))

    assert await values(sessions) == [412.5]
    (fact,) = await bus.announced(ObservationsRecordedV2)
    assert [reported.model_dump() for reported in fact.series[0].datastreams[0].reported] == [
        {"at": 0, "value": 412_500.0, "unit": "W"}
    ]


async def test_a_batch_of_readings_is_one_message_of_which_each_ends_on_its_own(
    bus: TestBus, sessions: Sessions
) -> None:
    results = [ReportedResult(property="power_1", value=value, unit="kW") for value in (1.0, 2.0, 3.0)]
    times = (NOON, NOON + minutes(1), NOON)
    readings = [
        ReportedReading(device="trafo-12", phenomenon_time=time, results=[result])
        for time, result in zip(times, results, strict=True)
    ]
    unknown = ReportedReading(device="trafo-99", phenomenon_time=NOON, results=results[:1])
    await say(bus, a_declared_device(), ReadingsReportedV1(readings=[*readings, unknown]))

    assert await values(sessions) == [2.0, 1.0]
    assert await bus.quarantined() == [
        ("field_value_invalid", "$.readings[2].results[0].property"),
        ("device_unknown", "$.readings[3].device"),
    ]
    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, quarantined=2)}
    assert await outcomes(bus) == ["settled", "settled"]


async def test_one_event_a_company_and_dataset_tells_of_a_whole_batch(bus: TestBus) -> None:
    both = [declared_stream("power_1"), declared_stream("noise_1", "dB", "environment")]
    await say(bus, a_declared_device("trafo-12", *both))
    await say(bus, several_results(("power_1", 1.0, "kW"), ("noise_1", 2.0, "dB")))

    assert sorted(await recorded(bus)) == [("stadtwerke", "environment", [2.0]), ("stadtwerke", "grid", [1.0])]


async def test_a_batch_too_large_for_one_event_is_announced_in_several(bus: TestBus, monkeypatch: Any) -> None:
    of_a_reading = 2 * announcing.ROW_BYTES + 6 * len("/scada" + "r-1")
    monkeypatch.setattr(announcing, "FACT_BYTES", 2 * of_a_reading)
    readings = [
        ReportedReading(device="trafo-12", phenomenon_time=NOON + minutes(n), results=a_reading(float(n)).results)
        for n in range(7)
    ]
    await say(bus, a_declared_device())
    await say(bus, ReadingsReportedV1(readings=readings), id="r-1", source="/scada")

    assert [len(seen) for _, _, seen in await recorded(bus)] == [2, 2, 2, 1]
    ids = [event.id for event in await bus.events(ObservationsRecordedV2)]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("reading", "reason", "path"),
    [
        (a_reading(device="trafo-99"), "device_unknown", "$.device"),
        (a_reading(property="power_9"), "property_unknown", "$.results[0].property"),
        (a_reading(unit="m"), "unit_mismatch", "$.results[0].unit"),
        (a_reading(at=NOON.replace(year=2126)), "time_in_future", "$.phenomenon_time"),
        (a_reading(at=NOON.replace(year=1999)), "time_too_old", "$.phenomenon_time"),
        (a_reading(determined=NOON.replace(year=2126)), "time_in_future", "$.result_time"),
        (a_reading(determined=NOON.replace(year=1970)), "time_too_old", "$.result_time"),
    ],
)
async def test_a_reading_that_cannot_be_accepted_is_quarantined_with_its_path(
    bus: TestBus, sessions: Sessions, reading: Any, reason: str, path: str
) -> None:
    await say(bus, a_declared_device(), reading)

    assert await bus.quarantined() == [(reason, path)]
    assert await ledger(sessions) == {"stadtwerke": counted(read=1, quarantined=1)}
    assert await recorded(bus) == []
    assert await outcomes(bus) == ["settled", "quarantined"]


async def test_a_wrong_result_harms_no_other_of_its_message(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    await say(bus, several_results(("power_9", 1.0, "kW"), ("power_1", 2.0, "kW"), ("power_1", 3.0, "kW")))

    assert await values(sessions) == [2.0]
    assert await bus.quarantined() == [
        ("property_unknown", "$.results[0].property"),
        ("field_value_invalid", "$.results[2].property"),
    ]
    assert await ledger(sessions) == {"stadtwerke": counted(read=3, stored=1, quarantined=2)}
    assert await outcomes(bus) == ["settled", "settled"]


async def test_a_reading_delivered_twice_is_stored_once(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    await bus.publish(a_reading(), partner="stadtwerke", id="1")
    await say(bus, a_reading(), id="1")
    await say(bus, a_reading(), id="1")

    assert await history(sessions) == [(412.5, "1")]
    assert await ledger(sessions) == {"stadtwerke": counted(read=3, stored=1, duplicate=2)}
    assert await recorded(bus) == [("stadtwerke", "grid", [412.5])]
    assert await outcomes(bus) == ["settled", "settled", "duplicate", "duplicate"]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("together", [False, True])
async def test_a_correction_counts_whatever_came_first(
    bus: TestBus, sessions: Sessions, backwards: bool, together: bool
) -> None:
    sent = [(a_reading(400.0, determined=NOON), "1"), (a_reading(412.5, determined=NOON + minutes(5)), "2")]
    await say(bus, a_declared_device())
    for reading, id in sent[::-1] if backwards else sent:
        await bus.publish(reading, partner="stadtwerke", id=id)
        if not together:
            await bus.settled()
    await bus.settled()

    assert await values(sessions) == [412.5]
    assert sorted(await history(sessions)) == [(400.0, "1"), (412.5, "2")]
    assert await ledger(sessions) == {"stadtwerke": counted(read=2, stored=1, corrected=1)}


async def test_without_a_result_time_the_event_s_own_time_orders_values(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    await say(bus, a_reading(2.0), id="2", time=NOON + minutes(2))
    await say(bus, a_reading(1.0), id="1", time=NOON + minutes(1))

    assert await values(sessions) == [2.0]


async def test_the_same_moment_in_another_time_zone_is_the_same_moment(bus: TestBus, sessions: Sessions) -> None:
    """Also in the hour that the end of summer time repeats."""
    body = a_reading(7.0).model_dump_json().encode()
    await say(bus, a_declared_device())
    times = [b"2025-10-26T02:30:00+02:00", b"2025-10-26T02:30:00+01:00", b"2025-10-26T01:30:00Z"]
    for number, time in enumerate(times):
        headers = {
            "ce-specversion": "1.0",
            "ce-id": str(number),
            "ce-source": "/clock",
            "ce-type": "de.oker.sensor.reading_reported.v1",
            "ce-time": f"2026-01-01T00:00:0{number}Z",
        }
        said = body.replace(b"2026-01-15T12:00:00Z", time).replace(b"7.0", b"%d" % number)
        await bus.publish_raw("ingest.stadtwerke.sensor.reading_reported.v1", said, headers)
    await bus.settled()

    assert await values(sessions) == [2.0, 0.0]
    assert (await ledger(sessions))["stadtwerke"] == counted(read=3, stored=2, corrected=1)


async def test_an_event_sent_again_after_its_device_was_completed_announces_the_rest(
    bus: TestBus, sessions: Sessions
) -> None:
    """Two facts of one event must not share an id: consumers would take the second for a duplicate."""
    both = several_results(("power_1", 1.0, "kW"), ("power_2", 2.0, "kW"))
    await say(bus, a_declared_device())
    await say(bus, both, id="r-1")
    await say(bus, a_declared_device("trafo-12", declared_stream("power_2")))
    await say(bus, both, id="r-1")

    assert await recorded(bus) == [("stadtwerke", "grid", [1.0]), ("stadtwerke", "grid", [2.0])]
    facts = await bus.events(ObservationsRecordedV2)
    assert [fact.causationid for fact in facts] == ["r-1", "r-1"]
    assert len({fact.id for fact in facts}) == 2
    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, duplicate=1, quarantined=1)}


async def test_two_companies_with_equal_ids_do_not_meet(bus: TestBus, sessions: Sessions) -> None:
    visitors = a_declared_device("trafo-12", declared_stream("power_1", "kW", "visitors"))
    await bus.publish(a_declared_device(), partner="stadtwerke", id="d", source="/x")
    await bus.publish(visitors, partner="verkehr", id="d", source="/x")
    await bus.publish(a_reading(1.0), partner="stadtwerke", id="r", source="/x", msg_id="r")
    await bus.publish(a_reading(2.0), partner="verkehr", id="r", source="/x", msg_id="r")
    await bus.settled()

    assert (await values(sessions, "stadtwerke"), await values(sessions, "verkehr")) == ([1.0], [2.0])
    assert await ledger(sessions) == {"stadtwerke": counted(read=1, stored=1), "verkehr": counted(read=1, stored=1)}
    assert sorted(await recorded(bus)) == [("stadtwerke", "grid", [1.0]), ("verkehr", "visitors", [2.0])]


async def test_a_company_cannot_report_for_another_s_device(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    await say(bus, a_reading(), partner="verkehr")

    assert await bus.quarantined() == [("device_unknown", "$.device")]
    assert await values(sessions) == []
