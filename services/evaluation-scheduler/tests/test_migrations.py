"""The migrations make what the models say."""

import oker_bus.store
from evaluation_scheduler import store
from oker_testkit.migrations import differences


async def test_tables_are_what_the_models_say(database_url: str) -> None:
    assert await differences(database_url, store.metadata, oker_bus.store.metadata) == []
