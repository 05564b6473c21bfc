"""``ingest.native.throughput``: readings a second out of a full stream, everything on, against R1."""

from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, R1, BenchFailed, Place
from tests.bench.readings import PROPERTIES, publish, readings

FIRST = 0


async def measure(place: Place, short: bool) -> list[Figure]:
    """Fill, drain by sensor-ingest, drain by R1, and again; the medians are taken.

    Ours: contract, registry, dedup, ledger, settlement and announcement, until the last fact is with the broker.
    """
    count, rounds = (5_000, 3) if short else (50_000, 5)
    ours, raw = [], []
    for number in range(rounds):
        await publish(place.company, readings(FIRST + number * count, count))
        ours.append(count / await place.drain(OURS))
        await place.hold(OURS)
        raw.append(count / await place.drain(R1))
        await place.hold(R1)
    await _check(place, count * rounds)
    return [compare("ingest.native.throughput", "readings/s", ours, raw)]


async def _check(place: Place, count: int) -> None:
    """Both have stored every value, and the ledger says so."""
    values = count * len(PROPERTIES)
    stored = await place.database.fetchval("SELECT count(*) FROM observation")
    settled = await place.database.fetchval("SELECT sum(stored) FROM settlement WHERE outcome = 'settled'")
    raw = await place.r1_database.fetchval("SELECT count(*) FROM reading")
    if (stored, settled, raw) != (values, values, values):
        raise BenchFailed(f"{values} values were sent; stored {stored}, in the ledger {settled}, R1 {raw}")
