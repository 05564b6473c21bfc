"""The migrations make the tables that the models describe."""

from oker_bus import store as bus_store
from oker_testkit.migrations import differences
from sensor_ingest import store


async def test_tables_are_what_the_models_say(database_url: str) -> None:
    assert await differences(database_url, bus_store.metadata, store.metadata) == []
