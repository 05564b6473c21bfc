"""``ingest.memory.growth_mb``: what sensor-ingest needs more after a million readings than after its warm-up.

Read from ``/proc/<pid>/smaps_rollup``: RSS, and PSS, which shares the pages of libraries among their users. Published
is by the chunk, and the stream forgets each chunk, so that the broker's disk stays small.
"""

from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.place import OURS, SERVICE, NotMeasured, Place

CHUNK = 25_000
WARM_UP = 50_000
MEGABYTE = 1024.0
"""In kB, as the kernel counts."""


async def measure(place: Place, short: bool) -> list[Figure]:
    """Growth of RSS, and RSS and PSS at the end; the largest RSS between chunks must not hide a leak that came back."""
    count, warm_up = (50_000, 10_000) if short else (1_000_000, WARM_UP)
    await place.release(OURS)
    await _ingest(place, warm_up)
    before, _ = _memory(place)
    seen = [before]
    for _ in range(count // CHUNK):
        await _ingest(place, CHUNK)
        seen.append(_memory(place)[0])
    after, shared = _memory(place)
    await place.hold(OURS)
    return [
        Figure("ingest.memory.growth_mb", round(after - before, 1), "MB", spread=f"{min(seen):.0f}–{max(seen):.0f} MB"),
        Figure("ingest.memory.rss_mb", round(after, 1), "MB"),
        Figure("ingest.memory.pss_mb", round(shared, 1), "MB"),
    ]


async def _ingest(place: Place, count: int) -> None:
    await place.fill(count)
    await place.drained(OURS)
    await place.purge()


def _memory(place: Place) -> tuple[float, float]:
    """RSS and PSS of sensor-ingest in MB."""
    file = Path(f"/proc/{place.stack.processes[SERVICE].pid}/smaps_rollup")
    if not file.exists():
        raise NotMeasured(f"{file} is not there: it needs Linux")
    kilobytes = dict(line.split(":", 1) for line in file.read_text().splitlines()[1:])
    return tuple(int(kilobytes[name].split()[0]) / MEGABYTE for name in ("Rss", "Pss"))  # type: ignore[return-value]
