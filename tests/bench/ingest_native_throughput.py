"""``ingest.native.throughput``: readings a second out of a full stream, everything on, against R1."""

from typing import NamedTuple

from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, R1, SERVICE, BenchFailed, Place
from tests.bench.readings import PROPERTIES


class Round(NamedTuple):
    """Readings a second; microseconds of CPU a reading in the reader, the broker and the database together."""

    rate: float
    cpu: float


async def measure(place: Place, short: bool) -> list[Figure]:
    """Fill, drain by sensor-ingest, drain by R1, and again; the medians are taken.

    Beside them the CPU time, which hardly moves with what else runs on the machine.
    Ours: contract, registry, dedup, ledger, settlement and announcement, until the last fact is with the broker.
    """
    count, rounds = (5_000, 3) if short else (50_000, 5)
    before = await _stored(place)
    ours, raw = [], []
    for _ in range(rounds):
        await place.fill(count)
        ours.append(await _drained(place, OURS, SERVICE, count))
        raw.append(await _drained(place, R1, "r1", count))
        await place.purge()
    _check(before, await _stored(place), count * rounds)
    return [
        compare("ingest.native.throughput", "readings/s", [r.rate for r in ours], [r.rate for r in raw]),
        compare("ingest.native.cpu_us", "µs", [r.cpu for r in ours], [r.cpu for r in raw]),
    ]


async def _drained(place: Place, durable: str, process: str, count: int) -> Round:
    before = place.cpu_seconds(process)
    rate = count / await place.drain(durable)
    return Round(rate, (place.cpu_seconds(process) - before) / count * 1e6)


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
