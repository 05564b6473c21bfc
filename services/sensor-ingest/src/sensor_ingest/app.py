"""What sensor-ingest is made of."""

import asyncio

import structlog

from oker_bus import Bus, room
from oker_bus.batch import Way
from oker_bus.lane import Lane
from oker_bus.lane import run as run_lane
from oker_bus.partners import PartnersFile
from oker_bus.router import Router
from oker_bus.service import Service
from sensor_ingest import api, codecs, gateway, handlers, store, units
from sensor_ingest.settings import Settings

log = structlog.get_logger()
CONSUMER = "sensor-ingest-claims"
DAY_SECONDS, AGAIN_SECONDS = 86_400.0, 60.0


async def take_claims(bus: Bus, settings: Settings) -> None:
    """Take all companies' sensor claims by the batch, for ever."""
    await asyncio.to_thread(units.load)
    await asyncio.to_thread(codecs.builtin)
    partners = PartnersFile(settings.partners_file)
    ingest = handlers.Ingest(CONSUMER, bus.edge, partners)
    bus.ways[CONSUMER] = Way(ingest.again, handlers.said)
    lane = Lane(CONSUMER, handlers.prepare, ingest.write, ingest.give_up, handlers.change_the_registry)
    await run_lane(lane, bus.nats, partners, bus.watch)


async def make_partitions(bus: Bus, settings: Settings) -> None:
    """Make the partitions of the months to come, at the start and daily, for ever; older ones are made when needed."""
    while True:
        pause = DAY_SECONDS
        try:
            await store.make_partitions_ahead(bus.sessions, bus.edge.clock())
        except Exception as error:
            log.warning("partitions.not_made", error=str(error)[:300])
            pause = AGAIN_SECONDS
        await asyncio.sleep(pause)


async def take_mqtt(bus: Bus, settings: Settings) -> None:
    """Bring what companies' devices publish over MQTT to the companies' streams, for ever."""
    await gateway.forward_all(bus.nats, PartnersFile(settings.partners_file), bus.room)


async def keep_room(bus: Bus, settings: Settings) -> None:
    """Remove what is settled from companies' intake streams before they refuse, for ever."""
    await room.make_room(bus.jetstream, PartnersFile(settings.partners_file), bus.room)


SERVICE = Service(
    name="sensor-ingest",
    package="sensor_ingest",
    settings=Settings,
    router=Router("sensor-ingest"),
    api=api.build,
    background=(make_partitions, take_claims, take_mqtt, keep_room),
    recount=store.recount,
)
