"""The service, put together."""

import asyncio

import structlog

from oker_bus import Bus
from oker_bus.edge import is_outage
from oker_bus.service import Service
from project_registry import api, store
from project_registry.fold import FOLD
from project_registry.handlers import router
from project_registry.record import check_gaps
from project_registry.settings import Settings

LOOK_SECONDS = 3600.0
log = structlog.get_logger()


async def watch_gaps(bus: Bus, settings: Settings) -> None:
    """Look for gaps every hour, for ever: terms of office end by time, without any event."""
    while True:
        try:
            async with bus.transaction() as tx:
                await store.lock_register(tx.session)
                await check_gaps(tx)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("gaps.database_away", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


SERVICE = Service(
    name="project-registry",
    package="project_registry",
    settings=Settings,
    router=router,
    api=api.build,
    background=(watch_gaps,),
    fold=FOLD,
    folded=store.folded,
)
