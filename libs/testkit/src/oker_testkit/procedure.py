"""From proposals to a decision that anyone can recompute, as one part of the story."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

REGISTRY, SELECTION = "project-registry", "selection-scoring"
BOARD = ["dezernat-2", "dezernat-3", "stadtwerke-vertretung"]
ASSESSORS = ["assessor-1", "assessor-2", "officer-66"]
OFFICER = "officer-66"
WISHED = ("umweltorientiertes-verkehrsmanagement-uvm", "handyparken")
"""Projects of the catalogue that compete, as long as nothing was decided about them."""
CRITERIA = ("buergernutzen", "kosten-nutzen-verhaeltnis", "strategische-wirkung", "aussenwirkung")
OVERRIDE = "Die Stadtwerke erneuern das Netz erst 2027; bis dahin zurückgestellt."


class StoryFailed(Exception):
    """A step did not lead to what must follow; says what was expected and what was seen."""


@dataclass(slots=True)
class Decided:
    """What happened on the way to the decision."""

    projects: list[str] = field(default_factory=list)
    """Who competes; the first is the one that the story follows."""
    refused_step: dict[str, Any] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    round: dict[str, Any] = field(default_factory=dict)
    spread: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] = field(default_factory=dict)
    session: dict[str, Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    file: Path = Path()
    verified: subprocess.CompletedProcess[str] | None = None
    altered: subprocess.CompletedProcess[str] | None = None
    """What the same command says of the file with one score changed."""


@dataclass(slots=True)
class Procedure:
    """The unit, the CDO, assessors and the board, over HTTP."""

    ask: Callable[..., Awaitable[Any]]
    answer: Callable[..., Awaitable[httpx.Response]]
    until: Callable[[Callable[[], Any], str], Awaitable[Any]]
    tell: Callable[[str], None]
    folder: Path
    run: str
    told: Decided = field(default_factory=Decided)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def department(self) -> str:
        """The department of the projects."""
        return f"fb-66-{self.run}"

    @property
    def round_id(self) -> str:
        """The round."""
        return f"round-{self.run}"

    async def play(self, project: str) -> Decided:
        """Profiles and gates, the frozen round, assessments, ballots, the decision and its file, in order."""
        await self.choose_projects(project)
        await self.fill_profiles()
        await self.pass_gates()
        await self.freeze()
        await self.assess()
        await self.vote()
        await self.decide()
        await self.verify()
        return self.told

    async def choose_projects(self, project: str) -> None:
        """The project of the story and two of the catalogue."""
        proposed = await self.ask(REGISTRY, "GET", "/projects?state=proposed&limit=1000", "unit-1", "unit")
        others = [row["project_id"] for row in proposed if row["origin"] == "catalogue"]
        wished = [name for name in WISHED if name in others]
        rivals = (wished + [name for name in others if name not in wished])[:2]
        self.told.projects = [project, *rivals]

    async def fill_profiles(self) -> None:
        """A step too early is refused with what is missing; a department without an officer is escalated."""
        first = self.told.projects[0]
        early = {"to": "eligible", "reason": "Für die Auswahlrunde 2026."}
        refused = await self.answer(REGISTRY, "POST", f"/projects/{first}/steps", "unit-1", "unit", json=early)
        self.told.refused_step = refused.json()
        self.tell(f"gate: {first} is not eligible yet, {len(self.told.refused_step['missing'])} pieces are missing")
        said = {"title": "Fachbereich Tiefbau und Verkehr", "kind": "department", "reason": "Gliederung 2026"}
        await self._put(REGISTRY, f"/organisations/{self.department}", "unit-1", "unit", json=said)
        for project in self.told.projects:
            await self._put_profile(project)
        self.told.gaps = await self.ask(REGISTRY, "GET", "/gaps?state=open", "unit-1", "unit")
        term: dict[str, Any] = {
            "holder": OFFICER,
            "role": "officer",
            "organisations": [self.department],
            "starts": "2026-01-01",
        }
        said = {**term, "reason": "Benennung durch den Dezernenten"}
        await self._put(REGISTRY, f"/terms/officer-{self.run}", "unit-1", "unit", json=said)
        self.tell(f"profiles: {', '.join(self.told.projects)}; the department had no officer, which was escalated")

    async def _put_profile(self, project: str) -> None:
        path = f"/projects/{project}"
        known = await self.answer(REGISTRY, "GET", path, "unit-1", "unit")
        profile = known.json()["profile"] | a_profile(self.department)
        headers = {"If-Match": known.headers["ETag"]}
        body = {"reason": "Projektsteckbrief zur Runde 2026", "profile": profile}
        await self._put(REGISTRY, f"{path}/profile", "unit-1", "unit", json=body, more=headers)

    async def _put(self, service: str, path: str, holder: str, *roles: str, **options: Any) -> Any:
        return await self.ask(service, "PUT", path, holder, *roles, **options)

    async def pass_gates(self) -> None:
        """Now the gate lets them through; the officer does it for the own department."""
        for project in self.told.projects:
            body = {"to": "eligible", "reason": "Der Steckbrief ist vollständig."}
            await self.ask(REGISTRY, "POST", f"/projects/{project}/steps", OFFICER, "officer", json=body)

        async def pooled() -> bool:
            pool = await self.ask(SELECTION, "GET", "/candidates?limit=1000", "cdo-1", "cdo")
            return set(self.told.projects) <= {row["project_id"] for row in pool}

        await self.until(pooled, "the candidates are in the pool")
        self.tell("gate: all three are eligible and in the pool")

    async def freeze(self) -> None:
        """The round is frozen, then opened by its hash; the candidates are in selection."""
        now = datetime.now(UTC)
        body: dict[str, Any] = {"round_id": self.round_id, "title": "Auswahlrunde 2026"}
        body |= {"candidates": self.told.projects, "assessors": ASSESSORS, "min_assessments": 2}
        body |= {"assessments_until": (now + timedelta(days=7)).isoformat()}
        body |= {"ballots_until": (now + timedelta(days=14)).isoformat()}
        body |= {"electorate": BOARD, "quorum": 2, "selection": {"method": "seats", "seats": 1}}
        body |= {"comparisons": {"topsis": {"normalisation": "vector"}}}
        frozen = await self.ask(SELECTION, "POST", "/rounds", "unit-1", "unit", json=body)
        seen = {"frozen_sha256": frozen["frozen_sha256"]}
        path = f"/rounds/{self.round_id}/opening"
        self.told.round = await self.ask(SELECTION, "POST", path, "cdo-1", "cdo", json=seen)
        await self._states("in_selection", "in_selection", "in_selection")
        self.tell(f"round: frozen as {frozen['frozen_sha256'][:16]}…, opened by the CDO")

    async def _states(self, *wanted: str) -> None:
        """Wait until the register has followed the round."""

        async def followed() -> bool:
            for project in self.told.projects:
                shown = await self.ask(REGISTRY, "GET", f"/projects/{project}", "unit-1", "unit")
                self.told.states[project] = shown["state"]
            return tuple(self.told.states.values()) == wanted

        await self.until(followed, f"the projects are {', '.join(wanted)}")

    async def assess(self) -> None:
        """Two assess each candidate; the officer is biased on the own project; on one they lie far apart."""
        first, second, third = self.told.projects
        bias = {"reason": "Das Projekt liegt im eigenen Fachbereich, und ich leite es."}
        await self._put(SELECTION, f"/rounds/{self.round_id}/recusals/{first}", OFFICER, "officer", json=bias)
        said = {"assessor-1": (5, 5, 2), "assessor-2": (4, 2, 2), OFFICER: (None, 4, 3)}
        for assessor, points in said.items():
            for project, point in zip((first, second, third), points, strict=True):
                if point is not None:
                    body = {"scores": dict.fromkeys(CRITERIA, point), "comment": "Nach Steckbrief und Rückfrage."}
                    path = f"/rounds/{self.round_id}/assessments/{project}"
                    await self._put(SELECTION, path, assessor, "officer", json=body)
        opened = await self.ask(
            SELECTION, "POST", f"/rounds/{self.round_id}/ballots-opening", "cdo-1", "cdo", json={"reason": ""}
        )
        path = f"/rounds/{self.round_id}/assessments"
        self.told.round = opened
        self.told.spread = await self.ask(SELECTION, "GET", path, BOARD[0], "board")
        self.tell(
            f"assessments: {opened['assessments']}; far apart, so discussed first: {', '.join(opened['discuss'])}"
        )

    async def vote(self) -> None:
        """The board scores; the member of the utility is biased on one candidate; one ballot is changed in time."""
        first, second, third = self.told.projects
        bias = {"reason": "Mitglied des Aufsichtsrats des Anbieters."}
        await self._put(SELECTION, f"/rounds/{self.round_id}/recusals/{third}", BOARD[2], "board", json=bias)
        await self._cast(BOARD[0], first, 1, 0)
        for position, member in enumerate(BOARD):
            for project, base in ((first, 5), (second, 4), (third, 2)):
                if (member, project) != (BOARD[2], third):
                    await self._cast(member, project, base, position)
        path = f"/rounds/{self.round_id}/closing"
        await self.ask(SELECTION, "POST", path, "cdo-1", "cdo")
        self.told.result = await self.ask(SELECTION, "GET", f"/rounds/{self.round_id}/result", "cdo-1", "cdo")
        winner = self.told.result["lines"][0]
        self.tell(f"result: {winner['project_id']} with a score of {winner['score']}, computed from the ballots")

    async def _cast(self, member: str, project: str, base: int, position: int) -> None:
        lower = max(1, base - position % 2)
        scores = dict(zip(CRITERIA, (base, lower, base, lower), strict=True))
        path = f"/rounds/{self.round_id}/ballots/{project}"
        await self._put(SELECTION, path, member, "board", json={"scores": scores})

    async def decide(self) -> None:
        """The board meets, follows the result but for one project, and says why; then the minutes are closed."""
        first, second, _ = self.told.projects
        convened = await self._meet("convened", 0, "cdo-1", "cdo")
        held = await self._meet("held", convened["version"], "unit-1", "unit")
        overrides = [{"project_id": second, "decided": "deferred", "reason": OVERRIDE}]
        staffing = [{"project_id": first, "kind": "release", "holder": OFFICER, "full_time_equivalents": 0.5}]
        body = {"result_sha256": self.told.result["result_sha256"], "overrides": overrides, "staffing": staffing}
        body |= {"session": held["session"], "note": "Einstimmig."}
        path = f"/rounds/{self.round_id}/decision"
        self.told.decision = await self.ask(SELECTION, "POST", path, "cdo-1", "cdo", json=body)
        self.told.session = await self._meet("closed", held["version"], "cdo-1", "cdo")
        await self._states("selected", "deferred", "rejected")
        self.tell(f"decision: {first} selected; {second} deferred against the computed result, with a reason")

    async def _meet(self, state: str, version: int, holder: str, role: str) -> Any:
        """The session of the board in its next state; ``version`` is the one that is known, 0 if there is none."""
        item: dict[str, Any] = {"item": "auswahl", "title": "Auswahlrunde 2026", "kind": "decision"}
        item |= {"round_id": self.round_id, "invited": BOARD}
        if state != "convened":
            item["attendance"] = [{"holder": member, "status": "present"} for member in BOARD]
            item["minutes"] = "Das Board folgt der Reihung bis auf eine Abweichung."
        if state == "closed":
            decided = {"decision": "d-1", "text": "Wie beschlossen.", "kind": "selection", "round_id": self.round_id}
            item["decisions"] = [decided]
        body = {"body": "board", "title": "Sitzung des Smart-City-Boards", "place": "Rathaus, Raum A1.63"}
        body |= {"starts": self.begun.isoformat(), "state": state, "reason": "Auswahlrunde 2026"}
        more = {"If-Match": f'"{version}"'} if version else {}
        path = f"/sessions/board-{self.run}"
        return await self._put(SELECTION, path, holder, role, json={**body, "agenda": [item]}, more=more)

    async def verify(self) -> None:
        """A stranger checks the published file, with one command and without the platform."""
        path = f"/rounds/{self.round_id}/decision-file"
        published = await self.answer(SELECTION, "GET", path, "auditor-1", "auditor")
        self.told.file = self.folder / f"{self.round_id}.jsonl"
        self.told.file.write_bytes(published.content)
        self.told.verified = verify_decision(self.told.file)
        altered = self.told.file.with_name(f"{self.round_id}-altered.jsonl")
        text = published.content.decode()
        score = self.told.result["lines"][0]["score"]
        altered.write_text(text.replace(f'"score":"{score}"', f'"score":"1{score}"', 1), "utf-8")
        self.told.altered = verify_decision(altered)
        if self.told.verified.returncode or not self.told.altered.returncode:
            seen = self.told.verified.stdout + self.told.verified.stderr
            raise StoryFailed(f"the decision file must hold, and the altered one must not: {seen}")
        self.tell(f"decision file: {len(text.splitlines())} lines, verified without the platform")


def a_profile(department: str) -> dict[str, Any]:
    """What every gate up to the selection asks for."""
    year = datetime.now(UTC).year
    risks = ("digital_divide", "data_protection", "data_security")
    criterion = {"criterion": "visitors", "title": "Besucher je Stunde", "target": 800.0, "direction": "at_least"}
    return {
        "summary": "Zahlen für Takt, Reinigung und Parken.",
        "marks": {
            "digital_technology": "Sensoren und offene Schnittstellen.",
            "daseinsvorsorge": "Verkehr ist Aufgabe der Stadt.",
            "liveable_city": "Weniger Suchverkehr, bessere Luft.",
        },
        "goals": [{"goal": "attraktivitaet-braunschweigs-foerdern", "contribution": "Gut erreichbar."}],
        "department": department,
        "officer": OFFICER,
        "budget": [{"line": "digital", "year": year, "plan_eur": 60_000}],
        "risks": [{"risk": risk, "assessment": "Vertretbar.", "measure": "Jährlich geprüft."} for risk in risks],
        "success_criteria": [{**criterion, "unit": "{visitors}", "source": "Laserzähler"}],
    }


def verify_decision(file: Path) -> subprocess.CompletedProcess[str]:
    """``oker verify decision FILE`` in a process that is told nothing of the platform."""
    command = [str(Path(sys.executable).parent / "oker"), "verify", "decision", str(file)]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OKER_")}
    return subprocess.run(command, env=bare, cwd=file.parent, capture_output=True, text=True, check=False, timeout=120)
