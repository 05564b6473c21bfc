"""Where is measured: a real nats-server, a real PostgreSQL, sensor-ingest as a process, and the reference R1 beside it.

sensor-ingest and R1 read the same stream through durables of their own. A durable is held while the stream is filled
and while the other one is measured, so both see the same content on the same servers.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import nats
from nats.aio.client import Client
from psutil import NoSuchProcess, Process
from tests.bench.plain import COLUMNS
from tests.bench.readings import declarations, framed, frames
from tests.bench.wire import Wire, connect

from oker_testkit.servers import log_tail, stop_process
from oker_testkit.stack import ROOT, Stack, new_test_stack

SERVICE = "sensor-ingest"
PARTNER = "stadtwerke"
STREAM = f"IN_{PARTNER}"
OURS = f"{SERVICE}-claims"
R1 = "bench-r1"
SOFTLY = {"r1", "naive"}
"""Scripts that hold nothing: ended at once."""
LOOK_SECONDS = 0.01
DRAIN_SECONDS = 300.0


class BenchFailed(Exception):
    """Something measured is not as it has to be: a figure would mean nothing."""


class NotMeasured(Exception):
    """Something needed is not on this machine; says what to install."""


class BenchStack(Stack):
    """Broker, database and sensor-ingest alone; one more user, who may do everything in the platform's account."""

    service_database = "sensor_ingest"
    """Where sensor-ingest writes from its next start on."""

    @property
    def secret(self) -> str:
        """The password of ``bench``: the operator's, since this broker lives for minutes."""
        return self.password("operator")

    @property
    def socket(self) -> str:
        """Where PostgreSQL listens."""
        assert self.postgres is not None
        return self.postgres.socket_dir

    async def start(self) -> None:
        """Start what is measured."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._write_secrets()
        self.start_broker()
        await self._start_database()
        await self.apply_topology()
        self.start_service(SERVICE)
        await self.ready(SERVICE)

    async def stop_service(self) -> None:
        """End sensor-ingest in an orderly way."""
        await asyncio.to_thread(stop_process, self.processes[SERVICE])

    async def restart_on(self, database: str) -> None:
        """Start sensor-ingest anew, on another database of the same server."""
        await self.stop_service()
        self.service_database = database
        self.start_service(SERVICE)
        await self.ready(SERVICE)

    def database_url(self, service: str) -> str:
        """As always, but for sensor-ingest after :meth:`restart_on`."""
        url = super().database_url(service)
        return url.replace("/sensor_ingest?", f"/{self.service_database}?") if service == SERVICE else url

    def start_script(self, name: str, durable: str) -> None:
        """Start a module of this package that empties a durable into the database ``r1``."""
        command = [sys.executable, "-m", f"tests.bench.{name}", self.nats_url, STREAM, durable, self.socket, "r1"]
        secrets = {"BENCH_USER": "bench", "BENCH_PASSWORD": self.secret}
        self._spawn(
            name, command, {**secrets, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        )

    def render_accounts(self) -> None:
        """The accounts as they are, and the user ``bench``."""
        super().render_accounts()
        path = self.folder / "nats" / "accounts.conf"
        head, accounts = path.read_text().split("accounts: ", 1)
        said = json.loads(accounts)
        said["PLATFORM"]["users"].append({"user": "bench", "password": self.secret})
        path.write_text(f"{head}accounts: {json.dumps(said)}\n")


@dataclass(slots=True)
class Place:
    """Everything a measurement needs."""

    stack: BenchStack
    company: Wire
    """The connection of the company that reports."""
    listener: Wire
    """A connection that hears everything in the platform's account."""
    bench: Client
    """A connection that may do everything in the platform's account."""
    database: Any
    """sensor-ingest's database, as the superuser."""
    r1_database: Any
    used: int = 0
    """Readings that were taken: each has a number of its own."""

    def take(self, count: int) -> int:
        """Numbers that no other measurement uses; returns the first."""
        self.used += count
        return self.used - count

    async def fill(self, count: int) -> None:
        """Publish new readings."""
        await self.company.publish(frames(self.company, self.take(count), count))

    async def purge(self) -> None:
        """Forget what is on the stream."""
        await self.bench.jetstream().purge_stream(STREAM)

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
        """Release a durable on a full stream; seconds until all is committed, acknowledged and announced.

        It is held again afterwards.
        """
        await self.database.execute("CHECKPOINT")
        begun = perf_counter()
        await self.release(durable)
        await self.drained(durable)
        took = perf_counter() - begun
        await self.hold(durable)
        return took

    async def drained(self, durable: str) -> None:
        """Wait until a durable has nothing left, and sensor-ingest nothing to announce."""
        async with asyncio.timeout(DRAIN_SECONDS):
            while await self._left(durable):
                await asyncio.sleep(LOOK_SECONDS)

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

    def cpu_seconds(self, name: str) -> float:
        """CPU time so far of a process, the broker and the database, with their children."""
        postmaster = int((self.stack.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        of = (self.stack.processes[name].pid, self.stack.processes["nats-server"].pid, postmaster)
        return sum(_cpu_seconds(Process(pid)) for pid in of)

    async def last_sequence(self) -> int:
        """The last sequence of the stream."""
        return int((await self.bench.jetstream().stream_info(STREAM)).state.last_seq)

    async def start_script(self, name: str, durable: str) -> None:
        """Start a script on a durable like ours, and hold the durable."""
        js = self.bench.jetstream()
        like_ours = (await js.consumer_info(STREAM, OURS)).config
        names = {"name": durable, "durable_name": durable}
        where = {"filter_subject": f"ingest.{PARTNER}.>", "filter_subjects": None}
        await js.add_consumer(STREAM, like_ours.evolve(**names, **where, pause_until=None))
        await self.hold(durable)
        self.stack.start_script(name, durable)
        async with asyncio.timeout(20):
            while not (await js.consumer_info(STREAM, durable)).num_waiting:
                self.check_alive()
                await asyncio.sleep(LOOK_SECONDS)

    async def connect_database(self, name: str) -> None:
        """Look into another database from now on; the one before may be copied."""
        await self.database.close()
        self.database = await asyncpg.connect(host=self.stack.socket, user="postgres", database=name)


def _cpu_seconds(root: Process) -> float:
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(NoSuchProcess):
            total += sum(process.cpu_times()[:2])
    return total


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else measures on this checkout for the length of the block; the lock ends with its process.

    Raises:
        BenchFailed: somebody does.
    """
    with lock.open("a") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            raise BenchFailed(f"another run holds {lock}: both would measure each other; wait for its end") from None
        yield


@asynccontextmanager
async def open_place() -> AsyncIterator[Place]:
    """Start everything, declare the devices; stop everything and forget it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="oker-bench-"))
    folder.chmod(0o755)
    plain = new_test_stack(folder)
    stack = BenchStack(folder, plain.ports, tell=plain.tell)
    try:
        await stack.start()
        async with _connected(stack) as place:
            await _declare_devices(place)
            await place.hold(OURS)
            await place.purge()
            await place.start_script("r1", R1)
            yield place
    finally:
        for name in SOFTLY & stack.processes.keys():
            stack.kill(name)
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _connected(stack: BenchStack) -> AsyncIterator[Place]:
    assert stack.postgres is not None
    await stack.postgres.execute("CREATE DATABASE r1")
    of = {"host": stack.socket, "user": "postgres"}
    async with AsyncExitStack() as open:
        place = Place(
            stack,
            company=await open.enter_async_context(connect(stack.ports.nats, PARTNER, stack.password(PARTNER))),
            listener=await open.enter_async_context(connect(stack.ports.nats, "bench", stack.secret)),
            bench=await nats.connect(stack.nats_url, user="bench", password=stack.secret),
            database=await asyncpg.connect(**of, database="sensor_ingest"),
            r1_database=await asyncpg.connect(**of, database="r1"),
        )
        await place.r1_database.execute(f"CREATE TABLE reading ({COLUMNS})")
        try:
            yield place
        finally:
            await place.bench.close()
            await place.database.close()
            await place.r1_database.close()


async def _declare_devices(place: Place) -> None:
    await place.company.publish(framed(place.company, f"declare-{said.device}", said) for said in declarations())
    async with asyncio.timeout(20):
        while await place.database.fetchval("SELECT count(*) FROM device") < len(declarations()):
            await asyncio.sleep(LOOK_SECONDS)
