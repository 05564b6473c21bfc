"""The database has no room: readings wait on their stream, whatever their number of deliveries, and go in later."""

import pytest
from builders_sensor_ingest import NOON, a_declared_device, a_reading, minutes, say, values
from sqlalchemy import text

from oker_bus import store
from oker_bus.edge import Sessions
from oker_testkit.bus import TestBus, eventually
from sensor_ingest.handlers import writing

CONSUMER = "sensor-ingest-claims"
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


async def test_a_full_disk_of_the_database_buries_nothing(
    bus: TestBus, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BURY_FAILED_AFTER", 1)
    await say(bus, a_declared_device())
    async with sessions() as session, session.begin():
        await store.run(session, text(NO_ROOM))
        await store.run(
            session, text("CREATE TRIGGER no_room BEFORE INSERT ON settlement FOR EACH ROW EXECUTE FUNCTION no_room()")
        )

    for number in range(3):
        await bus.publish(a_reading(float(number), at=NOON + minutes(number)), partner="stadtwerke")

    async def tried_again() -> bool:
        info = await bus.jetstream.consumer_info("IN_stadtwerke", CONSUMER)
        return bool(info.num_redelivered) and info.delivered.consumer_seq >= 1 + 2 * 3

    await eventually(tried_again, "each was delivered again")
    assert await bus.quarantined() == []
    async with sessions() as session, session.begin():
        await store.run(session, text("DROP TRIGGER no_room ON settlement"))
    await bus.settled()

    assert await values(sessions) == [2.0, 1.0, 0.0]
    assert await bus.quarantined() == []
