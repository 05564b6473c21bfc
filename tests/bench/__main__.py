"""`python -m tests.bench [--short] [--only NAME]`: what `make bench` and, shortened, `make ci` run."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from tests.bench import ingest_latency, ingest_native_throughput
from tests.bench.figures import Figure, append, show
from tests.bench.place import BenchFailed, Place, open_place
from tests.bench.readings import PublishFailed

from oker_testkit.servers import ServerFailed
from oker_testkit.stack import StackFailed

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench.jsonl"
MEASUREMENTS: dict[str, Callable[[Place, bool], Awaitable[list[Figure]]]] = {
    "ingest.native.throughput": ingest_native_throughput.measure,
    "ingest.latency": ingest_latency.measure,
}


def main() -> int:
    """Run the measurements; the file holds the figures of the last run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Oker on this machine.")
    parser.add_argument("--short", action="store_true", help="a tenth of the readings, fewer rounds; under a minute")
    parser.add_argument("--only", choices=MEASUREMENTS, help="one measurement")
    said = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("", encoding="utf-8")
    try:
        show(uvloop.run(_measure([said.only] if said.only else list(MEASUREMENTS), said.short)))
    except (BenchFailed, PublishFailed, ServerFailed, StackFailed, TimeoutError) as error:
        print(f"bench: {str(error) or 'something did not end in time'}", file=sys.stderr)
        return 1
    return 0


async def _measure(names: list[str], short: bool) -> list[Figure]:
    figures: list[Figure] = []
    async with open_place() as place:
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            found = await MEASUREMENTS[name](place, short)
            append(RESULTS, found)
            figures += found
    return figures


if __name__ == "__main__":
    sys.exit(main())
