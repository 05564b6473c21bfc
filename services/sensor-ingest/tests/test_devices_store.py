"""The registry's tables: read as saved, searched by hardware and dataset, with a version for caches."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_datastream, a_device, minutes
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.edge import Sessions
from oker_bus.store import run
from sensor_ingest import domain, store
from sensor_ingest.domain import Datastream, Device, Mounting, Placement, Point, ProfileRef

SAID = (NOON, "/scada", "1")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a database that no service works on."""
    engine = create_async_engine(database_url)
    yield async_sessionmaker(engine, class_=AsyncSession)
    await engine.dispose()


def a_stream(partner: str, device: str, property: str = "power_1", **said: Any) -> Datastream:
    id = domain.datastream_id(partner, device, property)
    return replace(a_datastream(property), **({"id": id, "declared": SAID} | said))


def known(partner: str, device: str, *streams: Datastream, **said: Any) -> Device:
    named: dict[str, Any] = {"partner": partner, "device": device, "hardware": device, "declared": SAID}
    return a_device(*(streams or (a_stream(partner, device),)), **(named | said))


WHOLE = known(
    "stadtwerke",
    "trafo-12",
    a_stream("stadtwerke", "trafo-12", definition="https://example.org/power", interval_seconds=900),
    a_stream("stadtwerke", "trafo-12", "power_2", minimum=-0.1, maximum=1e15, unit="W", dataset="environment"),
    description="Keller, links",
    profile=ProfileRef("dragino-lht65", 3),
    hardware="70b3d57ed0001a2c",
    location=Point(10.5267, 52.2689, 71.5),
    mountings=(Mounting("h-2", NOON, SAID), Mounting("h-3", NOON + minutes(1), SAID)),
    placements=(Placement(Point(10.6, 52.3), NOON, SAID),),
)
PLAIN = known("verkehr", "trafo-12")


async def save(session: AsyncSession, *devices: Device) -> None:
    await store.save_devices(session, {device.key: device for device in devices})


async def versions(session: AsyncSession) -> dict[str, int]:
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT 1")
    return await store.registry_versions((await connection.get_raw_connection()).driver_connection)


async def test_a_device_is_read_as_it_was_saved(database: Sessions) -> None:
    async with database() as session, session.begin():
        await save(session, WHOLE, PLAIN)
        found = await store.devices(session, {WHOLE.key, PLAIN.key, ("verkehr", "no")})

    assert found == {WHOLE.key: WHOLE, PLAIN.key: PLAIN}


async def test_a_device_that_changed_is_read_as_it_is_now(database: Sessions) -> None:
    changed = replace(
        WHOLE,
        name="New",
        location=None,
        profile=None,
        datastreams=domain.by_property([replace(WHOLE.datastreams["power_1"], maximum=3.0, interval_seconds=None)]),
        mountings=(replace(WHOLE.mountings[0], hardware="h-4"), WHOLE.mountings[1]),
    )

    async with database() as session, session.begin():
        await save(session, WHOLE)
        await save(session, changed)
        (found,) = (await store.devices(session, {WHOLE.key})).values()

    kept = {**changed.datastreams, "power_2": WHOLE.datastreams["power_2"]}
    assert found == replace(changed, datastreams=kept)


async def test_devices_are_chosen_by_company_dataset_and_property(database: Sessions) -> None:
    other = known("stadtwerke", "z-1", a_stream("stadtwerke", "z-1", "noise", dataset="environment"))

    async def chosen(partner: str | None = None, **said: Any) -> list[tuple[str, str]]:
        return [device.key for device in await store.choose_devices(session, partner, **said)]

    async with database() as session, session.begin():
        await save(session, other, PLAIN, WHOLE)
        assert await chosen() == [WHOLE.key, other.key, PLAIN.key]
        assert await chosen("stadtwerke") == [WHOLE.key, other.key]
        assert await chosen(dataset="environment") == [WHOLE.key, other.key]
        assert await chosen(property="noise") == [other.key]
        assert await chosen(dataset="environment", property="power_1") == []
        assert await chosen(limit=1) == [WHOLE.key]
        assert await chosen(after=WHOLE.key, limit=1) == [other.key]
        assert await chosen(after=PLAIN.key) == []


async def test_hardware_is_found_where_it_was_at_each_time(database: Sessions) -> None:
    """Also by several devices at once, and never by another company's."""
    here = known("stadtwerke", "a", hardware="h")
    there = known("stadtwerke", "b", mountings=(Mounting("h", NOON, SAID), Mounting("x", NOON + minutes(5), SAID)))
    foreign = known("verkehr", "c", hardware="h")
    company, stranger = ("stadtwerke", "h"), ("verkehr", "h")

    async with database() as session, session.begin():
        await save(session, here, there, foreign)
        found = await store.by_hardware(session, {company, stranger, ("stadtwerke", "x"), ("stadtwerke", "no")})

    assert [stay.device for stay in found[company]] == ["a", "b"]
    at = [domain.device_at(found[company], NOON + minutes(minute)) for minute in (-1, 0, 4, 5)]
    assert at == ["a", "b", "b", None]
    assert [stay.device for stay in found[stranger]] == ["c"]
    assert found["stadtwerke", "x"] == ((NOON + minutes(5), None, "b"),)
    assert ("stadtwerke", "no") not in found


async def test_the_version_of_a_registry_grows_with_each_change_of_the_company_and_no_other(
    database: Sessions,
) -> None:
    profile = {"profile": "meter", "version": 1}

    async with database() as session, session.begin():
        await save(session, WHOLE, PLAIN)
        assert await versions(session) == {"stadtwerke": 1, "verkehr": 1}
        await save(session, WHOLE)
        await store.save_profiles(session, [("verkehr", profile), ("verkehr", profile | {"version": 2})], NOON)
        assert await versions(session) == {"stadtwerke": 2, "verkehr": 2}
        await save(session)
        await store.save_profiles(session, [], NOON)
        assert await versions(session) == {"stadtwerke": 2, "verkehr": 2}


async def test_profiles_are_read_as_they_were_declared(database: Sessions) -> None:
    said = [("stadtwerke", {"profile": name, "version": n, "x": {"y": [1.5]}}) for name, n in (("a", 2), ("b", 1))]

    async with database() as session, session.begin():
        await store.save_profiles(session, [*said, ("verkehr", {"profile": "a", "version": 1})], NOON)
        assert await store.profiles(session, {"stadtwerke"}) == {
            ("stadtwerke", "a", 2): said[0][1],
            ("stadtwerke", "b", 1): said[1][1],
        }
        assert list(await store.profiles(session, None, "a")) == [("stadtwerke", "a", 2), ("verkehr", "a", 1)]


OBSERVED = """
INSERT INTO observation
  (datastream, phenomenon_time, event_key, result_time, value, event_source, event_id, recorded_at)
VALUES (:id, :at, gen_random_uuid(), :at, 1, '/s', '1', :at)
"""


async def test_a_device_is_late_after_three_of_its_intervals_without_a_value(database: Sessions) -> None:
    quick = known("stadtwerke", "quick", a_stream("stadtwerke", "quick", interval_seconds=60))
    slow = known("stadtwerke", "slow", a_stream("stadtwerke", "slow", interval_seconds=3600))
    never = known("stadtwerke", "never", a_stream("stadtwerke", "never", interval_seconds=60))
    mute = known("stadtwerke", "mute")

    async def late(now: timedelta) -> list[str]:
        return [device.device for device in await store.choose_devices(session, "stadtwerke", late_at=NOON + now)]

    async with database() as session, session.begin():
        await save(session, quick, slow, never, mute)
        await run(session, text("CREATE TABLE observation_test PARTITION OF observation DEFAULT"))
        for device, minute in ((quick, 0), (quick, 10), (slow, 0)):
            at = NOON + minutes(minute)
            await run(session, text(OBSERVED), {"id": device.datastreams["power_1"].id, "at": at})

        assert await late(minutes(3)) == []
        assert await late(minutes(13)) == ["never"]
        assert await late(minutes(14)) == ["never", "quick"]
        assert await late(minutes(181)) == ["never", "quick", "slow"]
        ids = [device.datastreams["power_1"].id for device in (quick, never)]
        assert await store.last_seen(session, ids) == {ids[0]: NOON + minutes(10)}
