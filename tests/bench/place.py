"""Where is measured: a real nats-server, a real PostgreSQL, sensor-ingest as a process, and the reference R1 beside it.

sensor-ingest and R1 read the same stream through durables of their own. A durable is held while the stream is filled
and while the other one is measured, so both see the same content on the same servers.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import nats
from nats.aio.client import Client
from tests.bench.readings import declarations

from oker_testkit.company import Company
from oker_testkit.servers import log_tail
from oker_testkit.stack import Stack, new_test_stack

SERVICE = "sensor-ingest"
PARTNER = "stadtwerke"
STREAM = f"IN_{PARTNER}"
OURS = f"{SERVICE}-claims"
R1 = "bench-r1"
BATCH = 500
"""Readings a statement, for R1 as for ours."""
LOOK_SECONDS = 0.01
DRAIN_SECONDS = 120.0
R1_TABLE = """
CREATE TABLE reading (
  device text, property text, phenomenon_time timestamptz, value float8, unit text, event_id text,
  PRIMARY KEY (device, property, phenomenon_time)
)
"""


class BenchFailed(Exception):
    """Something measured is not as it has to be: a figure would mean nothing."""


class BenchStack(Stack):
    """Broker, database and sensor-ingest alone; one more user, who may do everything in the platform's account."""

    @property
    def secret(self) -> str:
        """The password of ``bench``: the operator's, since this broker lives for minutes."""
        return self.password("operator")

    async def start(self) -> None:
        """Start what is measured."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._write_secrets()
        self.start_broker()
        await self._start_database()
        await self.apply_topology()
        self.start_service(SERVICE)
        await self.ready(SERVICE)

    def start_r1(self) -> None:
        """Start the reference as a process of its own."""
        assert self.postgres is not None
        script = str(Path(__file__).with_name("r1.py"))
        arguments = [self.nats_url, STREAM, R1, str(BATCH), self.postgres.socket_dir, "r1"]
        self._spawn("r1", [sys.executable, script, *arguments], {"R1_USER": "bench", "R1_PASSWORD": self.secret})

    def render_accounts(self) -> None:
        """The accounts as they are, and the user ``bench``."""
        super().render_accounts()
        path = self.folder / "nats" / "accounts.conf"
        head, accounts = path.read_text().split("accounts: ", 1)
        said = json.loads(accounts)
        said["PLATFORM"]["users"].append({"user": "bench", "password": self.secret})
        path.write_text(f"{head}accounts: {json.dumps(said)}\n")


@dataclass(frozen=True, slots=True)
class Place:
    """Everything a measurement needs."""

    stack: BenchStack
    company: Client
    """The connection of the company that reports."""
    bench: Client
    """A connection that may see and do everything in the platform's account."""
    database: Any
    """sensor-ingest's database, as the superuser."""
    r1_database: Any

    async def hold(self, durable: str) -> None:
        """Deliver nothing through a durable until it is released."""
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        await self.bench.jetstream().pause_consumer(STREAM, durable, until)

    async def release(self, durable: str) -> None:
        """Deliver again. A held durable sleeps until the next request: one too small for any message wakes it."""
        await self.bench.jetstream().resume_consumer(STREAM, durable)
        request = json.dumps({"batch": 1, "max_bytes": 1, "no_wait": True}).encode()
        await self.bench.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{durable}", request, reply=self.bench.new_inbox())

    async def drain(self, durable: str) -> float:
        """Release a durable on a full stream; seconds until all is committed, acknowledged and announced."""
        await self.database.execute("CHECKPOINT")
        begun = perf_counter()
        await self.release(durable)
        async with asyncio.timeout(DRAIN_SECONDS):
            while await self._left(durable):
                await asyncio.sleep(LOOK_SECONDS)
        return perf_counter() - begun

    async def _left(self, durable: str) -> bool:
        self.check_alive()
        info = await self.bench.jetstream().consumer_info(STREAM, durable)
        if info.num_pending or info.num_ack_pending:
            return True
        return durable == OURS and bool(await self.database.fetchval("SELECT EXISTS (SELECT FROM outbox)"))

    def check_alive(self) -> None:
        """Raises BenchFailed with the end of its log if a process has ended."""
        for name, process in self.stack.processes.items():
            if process.poll() is not None:
                log = log_tail(self.stack.folder / "logs" / f"{name}.log")
                raise BenchFailed(f"{name} ended with code {process.returncode}\n{log}")

    async def last_sequence(self) -> int:
        """The last sequence of the stream."""
        return int((await self.bench.jetstream().stream_info(STREAM)).state.last_seq)


@asynccontextmanager
async def open_place() -> AsyncIterator[Place]:
    """Start everything, declare the devices; stop everything and forget it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="oker-bench-"))
    folder.chmod(0o755)
    plain = new_test_stack(folder)
    stack = BenchStack(folder, plain.ports, tell=plain.tell)
    try:
        await stack.start()
        place = await _connect(stack)
        try:
            await _declare_devices(place)
            await _start_r1(place)
            yield place
        finally:
            await place.company.close()
            await place.bench.close()
            await place.database.close()
            await place.r1_database.close()
    finally:
        if "r1" in stack.processes:
            stack.kill("r1")
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _connect(stack: BenchStack) -> Place:
    assert stack.postgres is not None
    await stack.postgres.execute("CREATE DATABASE r1")
    of = {"host": stack.postgres.socket_dir, "user": "postgres"}
    return Place(
        stack,
        company=await stack.connect(PARTNER),
        bench=await nats.connect(stack.nats_url, user="bench", password=stack.secret),
        database=await asyncpg.connect(**of, database="sensor_ingest"),
        r1_database=await asyncpg.connect(**of, database="r1"),
    )


async def _declare_devices(place: Place) -> None:
    company = Company(PARTNER, place.stack)
    for declared in declarations():
        await company.say(declared, f"declare-{declared.device}")
    async with asyncio.timeout(20):
        while await place.database.fetchval("SELECT count(*) FROM device") < len(declarations()):
            await asyncio.sleep(LOOK_SECONDS)


async def _start_r1(place: Place) -> None:
    """Start R1 on a durable like ours that begins after the declarations, and hold both."""
    js = place.bench.jetstream()
    await place.r1_database.execute(R1_TABLE)
    like_ours = (await js.consumer_info(STREAM, OURS)).config
    names = {"name": R1, "durable_name": R1}
    await js.add_consumer(STREAM, like_ours.evolve(**names, filter_subject=f"ingest.{PARTNER}.>", filter_subjects=None))
    await js.purge_stream(STREAM)
    await place.hold(OURS)
    await place.hold(R1)
    place.stack.start_r1()
    async with asyncio.timeout(20):
        while not (await js.consumer_info(STREAM, R1)).num_waiting:
            place.check_alive()
            await asyncio.sleep(LOOK_SECONDS)
