"""`kill -9` of any service, at the two points where a naive service loses or doubles: nothing lost, nothing doubled."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from oker_bus.accounts import services
from oker_contracts import catalog
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit import die_at
from oker_testkit.bus import messages
from oker_testkit.procedure import a_profile
from oker_testkit.stack import Stack, new_test_stack
from oker_testkit.story import Story, read_mails

POINTS = {
    "between commit and ack": die_at.BETWEEN_COMMIT_AND_ACK,
    "between commit and relay": die_at.BETWEEN_COMMIT_AND_RELAY,
    "between relay and delete": die_at.BETWEEN_RELAY_AND_DELETE,
}
DEPARTMENT = "fb-66-chaos"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of this module's own: its services are killed."""
    folder = Path(tempfile.mkdtemp(prefix="oker-chaos-"))
    folder.chmod(0o755)
    started = new_test_stack(folder)
    try:
        asyncio.run(prepare(started))
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def prepare(stack: Stack) -> None:
    await stack.start()
    story = Story(stack, tell=lambda _line: None, run="chaos")
    await story.import_catalogue()
    await story.register_people()
    department = {"title": "Fachbereich Tiefbau und Verkehr", "kind": "department", "reason": "Gliederung 2026"}
    await story.ask("project-registry", "PUT", f"/organisations/{DEPARTMENT}", "unit-1", "unit", json=department)
    term = {"holder": "officer-66", "role": "officer", "organisations": [DEPARTMENT], "starts": "2026-01-01"}
    said = {**term, "reason": "Benennung durch den Dezernenten"}
    await story.ask("project-registry", "PUT", "/terms/officer-chaos", "unit-1", "unit", json=said)


async def kill_and_revive(stack: Stack, name: str, point: tuple[str, str]) -> "asyncio.Task[int]":
    """Restart a service armed at a point; the task ends with the code of its death, after it runs again, unarmed."""
    stack.processes[name].terminate()
    await asyncio.to_thread(stack.processes[name].wait, 15)
    stack.wrapper[name] = ["-m", "oker_testkit.die_at", *point]
    stack.start_service(name)
    await stack.ready(name)
    armed = stack.processes[name]

    async def revive() -> int:
        code = await asyncio.to_thread(armed.wait, 30)
        stack.wrapper.pop(name)
        stack.start_service(name)
        await stack.ready(name)
        return code

    return asyncio.create_task(revive())


class Flow:
    """One small story through all five services, patient with a service that is down."""

    def __init__(self, stack: Stack, run: str) -> None:
        self.stack, self.run = stack, run
        self.story = Story(stack, tell=lambda _line: None, run=run)
        self.project = f"verkehr-p-{run}"
        self.device = f"counter-{run}"

    async def ask(self, *args: Any, **options: Any) -> Any:
        for _ in range(300):
            try:
                return await self.story.ask(*args, **options)
            except httpx.TransportError:
                await asyncio.to_thread(signal.sigtimedwait, [], 0.1)
        raise AssertionError(f"{args[0]} did not come back")

    async def eventually(self, look: Any, what: str) -> Any:
        return await self.story.until(look, f"{self.run}: {what}")

    async def play(self) -> None:
        verkehr = self.story.verkehr
        proposal = ProjectProposedV2(
            proposal=f"p-{self.run}", title=self.run, summary="Laser zählen.", fields_of_action=["mobilitaet"]
        )
        await verkehr.say(proposal, f"proposal-{self.run}")
        stream = DeclaredDatastream(property="visitors_1", unit="1", dataset="visitors", observed_property="visitors")
        await verkehr.say(DeviceDeclaredV1(device=self.device, name="x", datastreams=[stream]), f"device-{self.run}")

        async def received() -> bool:
            proposals = await self.ask("project-registry", "GET", "/proposals", "unit-1", "unit")
            return any(row["project_id"] == self.project for row in proposals)

        await self.eventually(received, "the proposal is received")
        path = f"/proposals/{self.project}/acceptance"
        await self.ask("project-registry", "POST", path, "unit-1", "unit", json={"officer": "officer-66"})

        await self.make_eligible()

        async def listed() -> bool:
            pool = await self.ask("selection-scoring", "GET", "/candidates", "cdo-1", "cdo")
            return any(row["project_id"] == self.project for row in pool)

        await self.eventually(listed, "the candidate is listed")
        kpi: dict[str, Any] = {
            "project_id": self.project,
            "title": self.run,
            "partner": "verkehr",
            "device": self.device,
        }
        kpi |= {"property": "visitors_1", "unit": "1", "target": 10.0, "direction": "at_least"}
        await self.ask("evaluation-scheduler", "PUT", f"/kpis/kpi-{self.run}", "cdo-1", "cdo", json=kpi)
        result = ReportedResult(property="visitors_1", value=1, unit="1")
        reading = ReadingReportedV1(device=self.device, phenomenon_time=datetime.now(UTC), results=[result])
        await verkehr.say(reading, f"reading-{self.run}")

    async def make_eligible(self) -> None:
        """The profile, then the step; an answer that a kill has cut off is looked up, not guessed."""
        path = f"/projects/{self.project}"
        known = await self.ask("project-registry", "GET", path, "unit-1", "unit")
        if known["profile"].get("department") != DEPARTMENT:
            said = {"reason": "Projektsteckbrief", "profile": known["profile"] | a_profile(DEPARTMENT)}
            headers = {"If-Match": f'"{known["version"]}"'}
            await self.ask("project-registry", "PUT", f"{path}/profile", "unit-1", "unit", json=said, more=headers)
        step = {"to": "eligible", "reason": "Der Steckbrief ist vollständig."}
        await self.ask("project-registry", "POST", f"{path}/steps", "unit-1", "unit", json=step)

    async def mails(self) -> bool:
        found = [mail for mail in read_mails(self.stack) if self.run in str(mail.get_body())]
        return len({mail["Message-ID"] for mail in found}) == 2


async def facts_of(stack: Stack, run: str) -> Counter[str]:
    """How often each fact of a run stands on the streams, by its name."""
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    try:
        js = operator.jetstream(timeout=5)
        return Counter(
            [
                msg.headers["ce-type"].removeprefix("de.oker.")
                for stream in catalog().streams
                if stream != "QUARANTINE"
                async for msg in messages(js, stream)
                if run.encode() in msg.data or run in json.dumps(msg.headers)
            ]
        )
    finally:
        await operator.close()


def ledger(stack: Stack) -> Any:
    command = [str(Path(sys.executable).parent / "oker"), "ledger", "--json"]
    environment = {**os.environ, "OKER_ENV_FILE": str(stack.folder / "env")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return json.loads(result.stdout)


@pytest.mark.parametrize("point", POINTS)
async def test_services_killed_at_a_point_lose_nothing_and_double_nothing(stack: Stack, point: str) -> None:
    """All five services die in the same story, each at its first message past the point."""
    run = point.replace(" ", "-")
    dying = await asyncio.gather(*(kill_and_revive(stack, name, POINTS[point]) for name in services()))
    flow = Flow(stack, run)

    await flow.play()
    await flow.eventually(flow.mails, "CDO and officer have their mail")

    assert await asyncio.gather(*dying) == [-signal.SIGKILL] * len(services())
    facts = await facts_of(stack, run)
    assert {fact: count for fact, count in facts.items() if not fact.startswith("notification")} == {
        "project.proposal_received.v1": 1,
        "project.registered.v2": 1,
        "project.profile_recorded.v1": 2,
        "selection.candidate_listed.v2": 1,
        "sensor.device_registered.v2": 1,
        "sensor.lorawan_events_recorded.v1": 1,
        "sensor.observations_recorded.v2": 1,
        "evaluation.kpi_bound.v1": 1,
        "evaluation.kpi_assessed.v1": 1,
    }
    assert ledger(stack)["balanced"] is True
