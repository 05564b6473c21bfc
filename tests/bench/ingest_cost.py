"""``ingest.cost.1e7_vs_1e5``: what a reading costs with ten million stored values, against a hundred thousand.

Two databases of the same server: one with real rows, written by sensor-ingest; the other one with the same rows, and
copies of them that lie further and further back in time, as a history does. sensor-ingest is started on one and the
other in turn. Columns, indexes and partitions are those of the tables that are there.
"""

from datetime import datetime, timedelta
from typing import Any

from tests.bench.figures import Figure, value
from tests.bench.place import OURS, BenchFailed, Place
from tests.bench.readings import BEGIN, PROPERTIES, frames_of

SMALL, LARGE = "cost_small", "cost_large"
SEED = 34_000
"""Readings; three values each."""
WARM_UP = 2_000
DAY = 86_400
STATE = ("observation", "settlement", "quarantine", "outbox")
COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'
ORDER BY ordinal_position
"""


async def measure(place: Place, short: bool) -> list[Figure]:
    """The median of the rounds' ratios, large divided by small; the short form has a million."""
    name, copies = ("ingest.cost.1e6_vs_1e5", 9) if short else ("ingest.cost.1e7_vs_1e5", 99)
    count, rounds = (5_000, 3) if short else (20_000, 5)
    await _make(place, copies)
    ratios = []
    for _ in range(rounds):
        small, large = [await _seconds(place, database, count) for database in (SMALL, LARGE)]
        ratios.append(large / small)
    return [value(name, "ratio", ratios, digits=3)]


async def _make(place: Place, copies: int) -> None:
    """Both databases, vacuumed as a running server would have them."""
    await place.connect_database("postgres")
    await _copy(place, "sensor_ingest", SMALL)
    await place.connect_database(SMALL)
    for table in STATE:
        await place.database.execute(f"TRUNCATE {table}")
    await place.stack.restart_on(SMALL)
    since = await _seed(place, copies)
    await place.database.execute("VACUUM (ANALYZE)")
    await place.connect_database("postgres")
    await _copy(place, SMALL, LARGE)
    await place.connect_database(LARGE)
    for table in ("observation", "settlement"):
        await _multiply(place.database, table, copies, since)
    stored = await place.database.fetchval("SELECT count(*) FROM observation")
    if stored < SEED * len(PROPERTIES) * (copies + 1):
        raise BenchFailed(f"the large table has {stored} rows")
    await place.database.execute("VACUUM (ANALYZE)")


async def _copy(place: Place, database: str, name: str) -> None:
    """A copy of a database that nobody is connected to."""
    await place.stack.stop_service()
    await place.database.execute(f"CREATE DATABASE {name} TEMPLATE {database} OWNER sensor_ingest STRATEGY FILE_COPY")


async def _seed(place: Place, copies: int) -> datetime:
    """Real rows, and one reading on each day that copies will fall on: the service makes the partitions it wants.

    Returns:
        When the real rows begin.
    """
    first = place.take((copies + 1) * SEED) + copies * SEED
    await place.release(OURS)
    days = range(first - copies * SEED, first, DAY)
    await place.company.publish(frames_of(place.company, days))
    await place.company.publish(frames_of(place.company, range(first, first + SEED)))
    await place.drained(OURS)
    await place.hold(OURS)
    await place.purge()
    return BEGIN + timedelta(seconds=first)


async def _multiply(database: Any, table: str, copies: int, since: datetime) -> None:
    """Copies of all rows of a table, each earlier than the one before by as long as the seed lasts."""
    columns = {row["column_name"]: row["data_type"] for row in await database.fetch(COLUMNS, table)}
    real = "phenomenon_time" if "phenomenon_time" in columns else "'infinity'::timestamptz"
    selected = ", ".join(_moved(name, kind) for name, kind in columns.items())
    await database.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {selected} FROM generate_series(1, $1::int) AS back CROSS JOIN {table} AS o WHERE {real} >= $2 "
        "ON CONFLICT DO NOTHING",
        copies,
        since,
    )


def _moved(name: str, kind: str) -> str:
    """A column of a copy: times and sequences lie further back, ids differ, all else is the same."""
    if kind == "timestamp with time zone":
        return f"o.{name} - back * interval '{SEED} seconds'"
    if name == "sequence":
        return f"o.sequence - back * {SEED * 10}::bigint"
    if name == "event_key":
        return "md5(o.event_key::text || back)::uuid"
    if name == "event_id":
        return "o.event_id || '-' || back"
    return f"o.{name}"


async def _seconds(place: Place, database: str, count: int) -> float:
    """Seconds to ingest so many readings on one of the databases, after a warm-up."""
    await place.stack.restart_on(database)
    await place.connect_database(database)
    await place.release(OURS)
    for number in (WARM_UP, count):
        await place.hold(OURS)
        await place.fill(number)
        took = await place.drain(OURS)
        await place.purge()
    return took
