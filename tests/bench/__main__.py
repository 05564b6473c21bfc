"""`python -m tests.bench [--short] [--only NAME]`: what `make bench` and, shortened, `make ci` run."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import uvloop
from tests.bench import (
    ingest_cost,
    ingest_latency,
    ingest_lorawan,
    ingest_memory,
    ingest_native_throughput,
    ingest_native_vs_naive,
    peers,
    registry_lists,
    selection_close,
)
from tests.bench.figures import Figure, append, show
from tests.bench.place import BenchFailed, NotMeasured, Place, alone, open_place
from tests.bench.wire import PublishFailed

from oker_testkit.servers import ServerFailed
from oker_testkit.stack import StackFailed

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench.jsonl"
MEASUREMENTS: dict[str, Callable[[Place, bool], Awaitable[list[Figure]]]] = {
    "ingest.native.throughput": ingest_native_throughput.measure,
    "ingest.latency": ingest_latency.measure,
    "ingest.native.vs_naive": ingest_native_vs_naive.measure,
    "ingest.lorawan.throughput": ingest_lorawan.measure,
    "peer.mosquitto_python": peers.measure_mosquitto,
    "peer.rabbitmq_aio_pika": peers.measure_rabbitmq,
    "registry.list_p95_ms": registry_lists.measure,
    "selection.close_10k_s": selection_close.measure,
    "ingest.memory.growth_mb": ingest_memory.measure,
    "ingest.cost.1e7_vs_1e5": ingest_cost.measure,
}
"""In the order in which they run; the last one leaves another database behind."""


def main() -> int:
    """Run the measurements; the file holds the figures of the last run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Oker on this machine.")
    parser.add_argument(
        "--short", action="store_true", help="a tenth of the readings, fewer rounds, no peers; about a minute"
    )
    parser.add_argument("--only", choices=MEASUREMENTS, help="one measurement")
    said = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    try:
        with alone(RESULTS.with_suffix(".lock")):
            RESULTS.write_text("", encoding="utf-8")
            figures, without = uvloop.run(_measure(_names(said.only, said.short), said.short))
    except (BenchFailed, PublishFailed, ServerFailed, StackFailed, TimeoutError) as error:
        print(f"bench: {str(error) or 'something did not end in time'}", file=sys.stderr)
        return 1
    show(figures, without)
    return 0


def _names(only: str | None, short: bool) -> list[str]:
    if only:
        return [only]
    return [name for name in MEASUREMENTS if not (short and name.startswith("peer."))]


async def _measure(names: list[str], short: bool) -> tuple[list[Figure], list[str]]:
    """The figures, and a sentence for each that this machine cannot give."""
    figures: list[Figure] = []
    without: list[str] = []
    async with open_place() as place:
        for name in names:
            print(f"{name} …", file=sys.stderr, end="", flush=True)
            begun = perf_counter()
            try:
                found = await MEASUREMENTS[name](place, short)
            except NotMeasured as why:
                without.append(f"{name}: not measured, {why}")
                found = []
            print(f" {perf_counter() - begun:.0f} s", file=sys.stderr)
            append(RESULTS, found)
            figures += found
    return figures, without


if __name__ == "__main__":
    sys.exit(main())
