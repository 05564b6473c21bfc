"""``ingest.native.throughput``: readings a second out of a full stream, everything on, against R1."""

from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, R1, BenchFailed, Place
from tests.bench.readings import PROPERTIES


async def measure(place: Place, short: bool) -> list[Figure]:
    """Fill, drain by sensor-ingest, drain by R1, and again; the medians are taken.

    Ours: contract, registry, dedup, ledger, settlement and announcement, until the last fact is with the broker.
    """
    count, rounds = (5_000, 3) if short else (50_000, 5)
    before = await _stored(place)
    ours, raw = [], []
    for _ in range(rounds):
        await place.fill(count)
        ours.append(count / await place.drain(OURS))
        raw.append(count / await place.drain(R1))
        await place.purge()
    _check(before, await _stored(place), count * rounds)
    return [compare("ingest.native.throughput", "readings/s", ours, raw)]


async def _stored(place: Place) -> tuple[int, int, int]:
    """Values in the table, in the ledger, and in R1's table."""
    return (
        await place.database.fetchval("SELECT count(*) FROM observation"),
        await place.database.fetchval("SELECT coalesce(sum(stored), 0) FROM settlement WHERE outcome = 'settled'"),
        await place.r1_database.fetchval("SELECT count(*) FROM reading"),
    )


def _check(before: tuple[int, int, int], after: tuple[int, int, int], count: int) -> None:
    """Both have stored every value, and the ledger says so."""
    values = count * len(PROPERTIES)
    stored = [now - then for then, now in zip(before, after, strict=True)]
    if stored != [values] * 3:
        raise BenchFailed(f"{values} values were sent; stored, in the ledger, by R1: {stored}")
