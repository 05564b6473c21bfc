"""``ingest.native.vs_naive``: ours against the handler that one writes first (:mod:`tests.bench.naive`)."""

from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, BenchFailed, Place
from tests.bench.readings import PROPERTIES

NAIVE = "bench-naive"


async def measure(place: Place, short: bool) -> list[Figure]:
    """Readings a second out of a full stream, in turn; the slow one gets fewer of them."""
    count, few, rounds = (5_000, 200, 3) if short else (30_000, 2_000, 5)
    await place.start_script("naive", NAIVE)
    ours, naive = [], []
    for _ in range(rounds):
        await place.fill(count)
        ours.append(count / await place.drain(OURS))
        await place.purge()
        await place.fill(few)
        naive.append(few / await place.drain(NAIVE))
        await place.purge()
    stored = await place.r1_database.fetchval("SELECT count(*) FROM naive_reading")
    if stored != few * rounds * len(PROPERTIES):
        raise BenchFailed(f"the naive handler stored {stored} values of {few * rounds * len(PROPERTIES)}")
    await place.bench.jetstream().delete_consumer("IN_stadtwerke", NAIVE)
    place.stack.kill("naive")
    del place.stack.processes["naive"]
    return [compare("ingest.native.vs_naive", "readings/s", ours, naive, "naive")]
