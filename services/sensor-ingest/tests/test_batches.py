"""What a batch promises: a bad message harms no neighbour, a settled one changes nothing when it comes again."""

from datetime import timedelta
from typing import Any

from builders_sensor_ingest import (
    NOON,
    a_declared_device,
    a_reading,
    counted,
    history,
    ledger,
    minutes,
    say,
    several_results,
    values,
)
from sqlmodel import select

from oker_bus import Delivery, store
from oker_bus.edge import Sessions
from oker_contracts import TYPE_PREFIX
from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_testkit.bus import TestBus, messages
from sensor_ingest import domain, handlers
from sensor_ingest import store as observations
from sensor_ingest.handlers import claims, writing
from sensor_ingest.store import recount


async def test_a_bad_message_in_a_batch_leaves_its_neighbours_unharmed(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    for number in range(40):
        await bus.publish(a_reading(float(number), at=NOON + minutes(number)), partner="stadtwerke")
        if number == 20:
            await bus.publish_raw("ingest.stadtwerke.sensor.reading_reported.v1", b"{", {"ce-id": "1"})
    await bus.settled()

    assert await values(sessions) == [float(number) for number in reversed(range(40))]
    assert await bus.quarantined() == [("attribute_missing", "ce-specversion")]


async def test_the_bytes_of_a_message_are_kept_once_however_many_readings_it_has(bus: TestBus) -> None:
    """Otherwise a large message with many readings is many times larger in quarantine, and in memory."""
    one = a_reading().results[0]
    results = [one.model_copy(update={"property": f"power_{number}"}) for number in range(3)]
    await bus.publish(a_reading().model_copy(update={"results": results}), partner="stadtwerke")
    await bus.settled()

    copies = [bool(msg.data) async for msg in messages(bus.jetstream, "QUARANTINE")]
    assert await bus.quarantined() == [("device_unknown", "$.device")] * 3
    assert copies == [True, False, False]


async def test_a_message_on_which_the_service_fails_harms_no_neighbour(
    bus: TestBus, sessions: Sessions, monkeypatch: Any
) -> None:
    """A bug in validation, or in what the database takes, costs the neighbours of its batch nothing."""
    await say(bus, a_declared_device())
    real_prepare, real_judge = claims._prepared, domain.judge

    def fail_to_prepare(delivery: Delivery) -> handlers.Claim:
        if b'"value":1.0' in delivery.body:
            raise ZeroDivisionError
        return real_prepare(delivery)

    def fail_to_judge(reading: Any, *known: Any) -> Any:
        if reading.results[0].value == 2.0:
            raise ZeroDivisionError
        return real_judge(reading, *known)

    monkeypatch.setattr(claims, "_prepared", fail_to_prepare)
    monkeypatch.setattr(domain, "judge", fail_to_judge)
    monkeypatch.setattr(writing, "BURY_FAILED_AFTER", 2)
    await say(bus, *(a_reading(float(number), at=NOON + minutes(number)) for number in range(5)))

    assert await values(sessions) == [4.0, 3.0, 0.0]
    assert await bus.quarantined() == [("handler_failed", "$"), ("handler_failed", "$")]


async def test_a_settled_sequence_that_is_delivered_again_changes_nothing(bus: TestBus, sessions: Sessions) -> None:
    """As after a crash between commit and acknowledgement: the durable starts again from the first message."""
    await say(bus, a_declared_device(), a_reading(1.0), a_reading(device="trafo-99"), several_results(("x", 1.0, "m")))
    before = await state(bus, sessions)
    durable = (await bus.jetstream.consumer_info("IN_stadtwerke", "sensor-ingest-claims")).config
    await bus.jetstream.delete_consumer("IN_stadtwerke", "sensor-ingest-claims")
    await bus.jetstream.add_consumer("IN_stadtwerke", durable)
    await bus.settled()

    info = await bus.jetstream.consumer_info("IN_stadtwerke", "sensor-ingest-claims")
    assert info.ack_floor.stream_seq == 4
    assert await state(bus, sessions) == before


async def state(bus: TestBus, sessions: Sessions) -> list[Any]:
    """Everything that a settled message has left behind."""
    async with sessions() as session:
        quarantine = [row.model_dump() for row in (await session.exec(select(store.Quarantine))).all()]
    announced = [event.id for event in await bus.events(ObservationsRecordedV2)]
    devices = [event.id for event in await bus.events(DeviceRegisteredV2)]
    return [await history(sessions), await ledger(sessions), await bus.settlements(), quarantine, announced, devices]


async def test_a_message_that_stands_twice_in_a_batch_is_settled_once(bus: TestBus, sessions: Sessions) -> None:
    """As when the acknowledgement takes longer than the broker waits for it."""
    await say(bus, a_declared_device())
    ingest = handlers.Ingest("sensor-ingest-claims", bus.bus.edge, None)  # type: ignore[arg-type]
    envelope_of = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": TYPE_PREFIX + a_reading().TYPE}
    subject = "ingest.stadtwerke.sensor.reading_reported.v1"
    body = a_reading().model_dump_json().encode()
    delivery = Delivery(
        "sensor-ingest-claims", "IN_stadtwerke", 77, "stadtwerke", subject, envelope_of, body, NOON + minutes(1), 1
    )

    assert await ingest.write(handlers.prepare([delivery, delivery])) == ["settled", "settled"]
    assert await ingest.write(handlers.prepare([delivery])) == ["settled"]
    assert await ledger(sessions) == {"stadtwerke": counted(read=1, stored=1)}


async def test_the_ledger_agrees_with_a_recount(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_declared_device())
    for number in range(60):
        at = NOON + timedelta(minutes=number % 7)
        await bus.publish(a_reading(float(number), at=at), partner="stadtwerke", id=str(number % 50))
    await bus.settled()

    counts = (await ledger(sessions))["stadtwerke"]
    parts = ("stored", "duplicate", "corrected", "quarantined")
    assert counts["read"] == 60 == sum(counts[part] for part in parts)
    async with sessions() as session:
        recounted = await recount(session)
    assert recounted == {"stadtwerke": {"stored": counts["stored"], "corrected": counts["corrected"]}}


async def test_an_outage_of_the_database_buries_nothing(bus: TestBus, sessions: Sessions, monkeypatch: Any) -> None:
    await say(bus, a_declared_device())
    monkeypatch.setattr(writing, "BURY_FAILED_AFTER", 1)
    real_insert, attempts = observations.insert_observations, iter([ConnectionRefusedError, TimeoutError])

    async def be_away(*arguments: Any) -> Any:
        for error in attempts:
            raise error
        return await real_insert(*arguments)

    monkeypatch.setattr(observations, "insert_observations", be_away)
    await say(bus, a_reading())

    assert await values(sessions) == [412.5]
    assert await bus.quarantined() == []


def test_whose_reading_waits_is_told_without_reading_all_of_it(monkeypatch: Any) -> None:
    """A sender who asks for its outcome has thousands of waiting messages looked through."""
    headers = {"ce-specversion": "1.0", "ce-id": "r-1", "ce-source": "/s", "ce-type": TYPE_PREFIX + a_reading().TYPE}
    where = ("sensor-ingest-claims", "IN_stadtwerke", 1, "stadtwerke", f"ingest.stadtwerke.{a_reading().TYPE}")
    monkeypatch.delattr(claims, "_prepared")

    assert handlers.said(Delivery(*where, headers, b"not read", NOON, 1)) == ("/s", "r-1")
