"""``ingest.lorawan.throughput``: uplinks a second out of a full stream, decoded by a JavaScript codec in the sandbox.

The uplinks lie on the intake stream as the gateway hands them on; each becomes three values. The way from the MQTT port
to the stream is not in the figure.
"""

import asyncio

from tests.bench.figures import Figure, value
from tests.bench.place import LOOK_SECONDS, OURS, PARTNER, STREAM, BenchFailed, NotMeasured, Place
from tests.bench.readings import framed
from tests.bench.uplinks import DEVICES, PROFILE, PROPERTIES, dev_eui, frames

from oker_contracts import catalog

DECLARED = "sensor.device_declared.v2"


async def measure(place: Place, short: bool) -> list[Figure]:
    """Fill, drain, and again; until the last fact is with the broker."""
    if DECLARED not in catalog().events:
        raise NotMeasured("devices have no profiles yet")
    count, rounds = (3_000, 3) if short else (20_000, 5)
    await _declare(place)
    before = await _stored(place)
    found = []
    for number in range(rounds):
        await place.listener.publish(frames(place.listener, PARTNER, number * count, count))
        found.append(count / await place.drain(OURS))
        await place.purge()
    values = await _stored(place) - before
    if values != count * rounds * len(PROPERTIES):
        raise BenchFailed(f"{values} values stored of {count * rounds * len(PROPERTIES)}{await _why(place)}")
    return [value("ingest.lorawan.throughput", "uplinks/s", found, digits=0)]


async def _declare(place: Place) -> None:
    """Two hundred climate stations, each with its hardware and the profile that is shipped."""
    from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2, ProfileRef

    streams = [
        DeclaredDatastream(property=name, unit=unit, dataset="environment", observed_property=name)
        for name, unit in PROPERTIES.items()
    ]
    profile = ProfileRef(name=PROFILE)
    said = [
        DeviceDeclaredV2(
            device=f"klima-{n:03d}", name=f"Klima {n}", hardware=dev_eui(n), profile=profile, datastreams=streams
        )
        for n in range(DEVICES)
    ]
    await place.release(OURS)
    await place.company.publish(framed(place.company, f"declare-{each.device}", each) for each in said)
    async with asyncio.timeout(30):
        while await place.database.fetchval("SELECT count(*) FROM device WHERE device LIKE 'klima-%'") < DEVICES:
            await asyncio.sleep(LOOK_SECONDS)
    await place.drained(OURS)
    await place.hold(OURS)
    await place.purge()


async def _stored(place: Place) -> int:
    return int(await place.database.fetchval("SELECT coalesce(sum(stored), 0) FROM settlement"))


async def _why(place: Place) -> str:
    """What the first refusal says."""
    query = "SELECT reason, path, detail FROM quarantine WHERE stream = $1 LIMIT 1"
    row = await place.database.fetchrow(query, STREAM)
    return f"; {row['reason']} at {row['path']}: {row['detail']}" if row else ""
