"""The migrations make the tables that the models describe."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import store as bus_store
from oker_bus.migrate import upgrade
from oker_testkit.migrations import differences
from oker_testkit.plugin import Servers
from sensor_ingest import store
from sensor_ingest.domain import Point, ProfileRef


async def test_tables_are_what_the_models_say(database_url: str) -> None:
    assert await differences(database_url, bus_store.metadata, store.metadata) == []


BEFORE = (
    "INSERT INTO device (partner, device, name, codec, location) VALUES"
    " ('stadtwerke', '70B3D57ED0001A2C', 'Wetter', 'cayenne_lpp', '[10.5, 52.25]'),"
    " ('stadtwerke', 'trafo-12', 'Trafo', 'none', NULL)",
    "INSERT INTO datastream (id, partner, device, property, unit, dataset, observed_property) SELECT gen_random_uuid(),"
    " partner, device, 'power_1', 'kw', 'grid', 'Wirkleistung' FROM device",
)


async def test_devices_of_the_first_version_are_kept(servers: Servers) -> None:
    """With their codec as a profile, under their own name as hardware, and older than all that is declared anew."""
    await servers.postgres.execute("CREATE DATABASE migrated")
    url = servers.postgres.url("migrated")
    await upgrade(url, "sensor_ingest", "0001")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in BEFORE:
            await connection.execute(text(statement))
    await upgrade(url, "sensor_ingest")
    async with AsyncSession(engine) as session:
        weather, trafo = await store.devices_of(session, "stadtwerke")
    await engine.dispose()

    assert (weather.profile, weather.location) == (ProfileRef("cayenne-lpp"), Point(10.5, 52.25))
    assert (weather.hardware, trafo.hardware) == ("70b3d57ed0001a2c", "trafo-12")
    assert (trafo.profile, trafo.location, trafo.description) == (None, None, "")
    assert weather.datastreams["power_1"].unit == "kw"
    assert weather.declared == weather.datastreams["power_1"].declared == (datetime(2000, 1, 1, tzinfo=UTC), "", "")
