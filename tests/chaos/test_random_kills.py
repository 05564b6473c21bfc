"""`kill -9` at random, of sensor-ingest, PostgreSQL and nats-server, while a company reports: none lost, none doubled.

`make chaos` kills 20 times during 100,000 readings; the short form is part of `make test`. OKER_CHAOS_SEED plays the
same plan again (which process dies, and after how many readings); the moment to the microsecond stays chance.

What is promised: a *process* that is killed loses nothing that was acknowledged. nats-server runs with the default
`sync_interval` of two minutes here, so this says nothing of a power cut (docs/adr/0005-what-durability-means.md).
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest

from oker_bus import topology
from oker_contracts import TYPE_PREFIX, Envelope
from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit.bus import eventually, messages
from oker_testkit.company import Company
from oker_testkit.sender import Letter, Sender
from oker_testkit.servers import log_tail
from oker_testkit.stack import Stack, new_test_stack

SERVICE = "sensor-ingest"
VICTIMS = (SERVICE, "postgres", "nats-server")
SOURCE = "/stadtwerke/chaos"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES = 20
PATIENCE_SECONDS = 120.0
SHORT = {"readings": 10_000, "kills": 4, "seed": 1}


@dataclass(frozen=True, slots=True)
class Kill:
    """Who dies, as soon as so many readings were published (or settled)."""

    victim: str
    after: int
    seen: Literal["published", "settled"]


def plan(seed: int, readings: int, kills: int) -> list[Kill]:
    """Each victim at least once; one kill in each of ``kills`` equal parts of the readings."""
    chance = random.Random(seed)  # noqa: S311
    victims = [*VICTIMS, *chance.choices(VICTIMS, k=kills - len(VICTIMS))]
    chance.shuffle(victims)
    part = readings // kills
    return [
        Kill(victim, number * part + chance.randrange(part), chance.choice(("published", "settled")))
        for number, victim in enumerate(victims)
    ]


def settings() -> dict[str, int]:
    """Readings, kills and seed; each may be set, for example OKER_CHAOS_SEED."""
    return {name: int(os.environ.get(f"OKER_CHAOS_{name.upper()}", short)) for name, short in SHORT.items()}


def letter(number: int) -> Letter:
    """A reading. Every other one carries an id for the broker as well, so that both ways to be doubled are tried."""
    at, device = BEGIN + timedelta(seconds=number), f"messstelle-{number % DEVICES}"
    result = ReportedResult(property="power_1", value=float(number), unit="kW")
    data = ReadingReportedV1(device=device, phenomenon_time=at, results=[result])
    envelope = Envelope(id_of(number), SOURCE, TYPE_PREFIX + data.TYPE, at, data.model_dump_json().encode())
    broker_id = {"Nats-Msg-Id": envelope.id} if number % 2 else {}
    return Letter(f"events.{data.TYPE}", envelope.data, envelope.headers() | broker_id)


def id_of(number: int) -> str:
    """The id of a reading."""
    return f"chaos-{number:06}"


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack of the test's own: its servers are killed. What nobody acknowledged is delivered again after 5 s."""
    monkeypatch.setattr(topology, "ACK_WAIT", 5.0)
    folder = Path(tempfile.mkdtemp(prefix="oker-chaos-"))
    folder.chmod(0o755)
    started = new_test_stack(folder)
    try:
        asyncio.run(started.start())
        yield started
    finally:
        started.stop()
        if request.session.testsfailed:
            kept = Path(request.config.rootpath) / "build" / "failed" / "chaos-logs"
            shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: who reports, who looks."""

    stack: Stack
    sender: Sender
    operator: Any

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """Ask the database of the service; on a connection that no kill has broken."""
        assert self.stack.postgres is not None
        connection = await asyncpg.connect(
            host=self.stack.postgres.socket_dir, user="postgres", database="sensor_ingest"
        )
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def declare(self) -> None:
        """Declare the devices, and wait until they are known."""
        power = DeclaredDatastream(property="power_1", unit="kW", dataset="grid", observed_property="Wirkleistung")
        for number in range(DEVICES):
            device = f"messstelle-{number}"
            await Company("stadtwerke", self.stack).say(
                DeviceDeclaredV1(device=device, name=f"Trafostation {number}", datastreams=[power]), device
            )

        async def known() -> bool:
            return bool((await self.fetch("SELECT count(*) = $1 FROM device", DEVICES))[0][0])

        await eventually(known, "the devices are known")

    async def carry_out(self, kill: Kill) -> None:
        """Wait for the moment, kill, start again."""

        async def reached() -> bool:
            self.check_alive()
            if kill.seen == "published":
                return self.sender.acknowledged >= kill.after
            return bool((await self.fetch("SELECT count(*) >= $1 FROM settlement", kill.after))[0][0])

        await eventually(reached, f"{kill.after} readings {kill.seen}", PATIENCE_SECONDS)
        self.stack.kill(kill.victim)
        await asyncio.to_thread(self.stack.revive, kill.victim)

    def check_alive(self) -> None:
        """Nobody may end who was not killed."""
        for name, process in self.stack.processes.items():
            log = self.stack.folder / "logs" / f"{name}.log"
            assert process.poll() is None, f"{name} ended with code {process.returncode}\n{log_tail(log)}"

    async def settled(self) -> None:
        """Wait until nothing is pending, unacknowledged or still to be announced."""

        async def quiet() -> bool:
            self.check_alive()
            info = await self.operator.jetstream().consumer_info("IN_stadtwerke", f"{SERVICE}-claims")
            return not (
                info.num_pending or info.num_ack_pending or (await self.fetch("SELECT count(*) FROM outbox"))[0][0]
            )

        await eventually(quiet, "settled", PATIENCE_SECONDS)

    async def announced(self) -> Counter[str]:
        """How often each reading stands in a fact."""
        js = self.operator.jetstream(timeout=5)
        facts = [json.loads(msg.data) async for msg in messages(js, "SENSOR", f"{ObservationsRecordedV2.TYPE}.>")]
        return Counter(id for fact in facts for series in fact["series"] for id in series["event_ids"])


def ledger(stack: Stack) -> Any:
    """What `oker ledger --json` says."""
    command = [str(Path(sys.executable).parent / "oker"), "ledger", "--json"]
    environment = {**os.environ, "OKER_ENV_FILE": str(stack.folder / "env")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return json.loads(result.stdout)


@pytest.mark.timeout(1_200)
async def test_processes_killed_at_random_lose_no_reading_and_double_none(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    said = settings()
    kills = plan(said["seed"], said["readings"], said["kills"])
    with capsys.disabled():
        print(f"\nchaos: {said}, {dict(Counter(kill.victim for kill in kills))}")
    forever = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.1}
    company = await stack.connect("stadtwerke", **forever)
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator", **forever)
    run = Run(stack, Sender(company.jetstream()), operator)
    await run.declare()

    part = said["readings"] // len(kills)
    for number, kill in enumerate(kills):
        letters = (letter(n) for n in range(number * part, (number + 1) * part))
        await asyncio.gather(run.sender.say(letters), run.carry_out(kill))
    await stack.ready()
    await run.settled()

    published = {id_of(number): 1 for number in range(part * len(kills))}
    stored = await run.fetch("SELECT event_id, count(*) FROM observation WHERE event_source = $1 GROUP BY 1", SOURCE)
    assert dict(stored) == published
    assert await run.announced() == published
    told = ledger(stack)
    assert (told["balanced"], told["difference"]) == (True, None)
    (row,) = (row for row in told["partners"] if row["partner"] == "stadtwerke")
    assert row["readings"]["stored"] == len(published)
    assert row["readings"]["quarantined"] == row["readings"]["corrected"] == 0
    await company.close()
    await operator.close()
