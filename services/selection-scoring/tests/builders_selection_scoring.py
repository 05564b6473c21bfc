"""Things that tests of selection-scoring talk about."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx import AsyncClient, Response

from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from selection_scoring.domain.criteria import FOUR_CRITERIA
from selection_scoring.domain.rounds import Round

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOON, LATER = ((datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (7, 14))
"""The deadlines of assessments and ballots."""
CRITERIA = tuple(str(row["criterion"]) for row in FOUR_CRITERIA)
POOL = ("bahnstadt", "handyparken", "stadtlexikon")
VOTERS = ("board-1", "board-2", "board-3")
ASSESSORS = ("assessor-1", "assessor-2")
ROUND = "runde-2026"
SAID = {
    "bahnstadt": [(5, 3, 4, 2), (4, 4, 4, 4), (5, 5, 1, 1)],
    "handyparken": [(2, 3, 3, 3), (3, 3, 2, 5), (1, 1, 1, 1)],
    "stadtlexikon": [(4, 4, 2, 5), (5, 5, 5, 3), (2, 3, 3, 2)],
}
"""Of each candidate, what the three members say."""


def a_profile(project_id: str = "handyparken", **said: Any) -> ProfileRecordedV1:
    """What project-registry announces of a project that can be chosen."""
    profile = {
        "title": f"Projekt {project_id}",
        "fields_of_action": ["mobilitaet"],
        "budget": [
            {"line": "investiv", "year": 2026, "plan_eur": 40_000},
            {"line": "investiv", "year": 2027, "plan_eur": 10_000},
            {"line": "personal", "year": 2026, "plan_eur": 5_000},
        ],
        **said.pop("profile", {}),
    }
    default = {
        "project_id": project_id,
        "version": 3,
        "state": "eligible",
        "previous_state": "proposed",
        "profile": profile,
        "reason": "",
        "valid_from": NOON,
        "recorded_at": NOON,
    }
    return ProfileRecordedV1.model_validate({**default, **said})


def scores(*said: int) -> dict[str, int]:
    """Scores in the order of the four criteria."""
    return dict(zip(CRITERIA, said, strict=True))


def a_body(**said: Any) -> dict[str, Any]:
    """The body of POST /rounds."""
    default: dict[str, Any] = {
        "round_id": ROUND,
        "title": "Auswahlrunde 2026",
        "assessors": list(ASSESSORS),
        "assessments_until": SOON,
        "electorate": list(VOTERS),
        "quorum": 2,
        "ballots_until": LATER,
        "selection": {"method": "seats", "seats": 1},
    }
    return {**default, **said}


def a_round(stage: Any = "ballot", **content: Any) -> Round:
    """A round over the pool with the four criteria."""
    default: dict[str, Any] = {
        "round_id": ROUND,
        "title": "Auswahlrunde 2026",
        "criteria": list(FOUR_CRITERIA),
        "scale_min": 1,
        "scale_max": 5,
        "assessors": list(ASSESSORS),
        "min_assessments": 2,
        "assessments_until": "2026-03-10T12:00:00Z",
        "discussion_spread": 2,
        "electorate": list(VOTERS),
        "quorum": 2,
        "ballots_until": "2026-03-20T12:00:00Z",
        "may_end_early": True,
        "voices": [
            {"voice": "board", "title": "Board", "kind": "scores", "weight": "1"},
            {"voice": "forum", "title": "Forum", "kind": "scores", "weight": "0"},
            {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"},
        ],
        "candidates": 3,
    }
    return Round(ROUND, {**default, **content}, "ab" * 32, stage, 1, "cdo-1", NOON)


class Watch:
    """Now, and a little more if a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Board:
    """The API as its users call it."""

    def __init__(self, http: AsyncClient, token: Token, round_id: str = ROUND) -> None:
        self.http, self.token, self.round_id = http, token, round_id

    async def say(self, method: str, path: str, who: tuple[str, ...], body: Any = None) -> Response:
        """One request by a holder with roles."""
        return await self.http.request(method, path, json=body, headers=self.token(*who))

    async def freeze(self, **said: Any) -> Response:
        return await self.say("POST", "/rounds", ("cdo-1", "cdo"), a_body(**{"round_id": self.round_id, **said}))

    async def step(self, name: str, body: Any = None) -> Response:
        return await self.say("POST", f"/rounds/{self.round_id}/{name}", ("cdo-1", "cdo"), body)

    async def decide(self, **said: Any) -> Response:
        """Decide on the result as it was computed, if there is one."""
        seen = (await self.result()).get("result_sha256", "0" * 64)
        return await self.step("decision", {"result_sha256": seen, **said})

    async def open(self, **said: Any) -> dict[str, Any]:
        """Freeze a round and open it for assessments."""
        frozen = await self.freeze(**said)
        assert frozen.status_code == 201, frozen.text
        opened = await self.step("opening", {"frozen_sha256": frozen.json()["frozen_sha256"]})
        assert opened.status_code == 200, opened.text
        shown: dict[str, Any] = opened.json()
        return shown

    async def vote(self, **said: Any) -> dict[str, Any]:
        """Freeze a round without assessments and let the board begin."""
        await self.open(**{"min_assessments": 0, **said})
        begun = await self.step("ballots-opening", {})
        assert begun.status_code == 200, begun.text
        shown: dict[str, Any] = begun.json()
        return shown

    async def assess(self, who: str, project_id: str, *said: int, comment: str = "") -> Response:
        path = f"/rounds/{self.round_id}/assessments/{project_id}"
        return await self.say("PUT", path, (who, "officer"), {"scores": scores(*said), "comment": comment})

    async def cast(self, who: str, project_id: str, said: Any) -> Response:
        path = f"/rounds/{self.round_id}/ballots/{project_id}"
        body = said if isinstance(said, dict) else scores(*said)
        return await self.say("PUT", path, (who, "board"), {"scores": body})

    async def cast_all(self, voters: tuple[str, ...] = VOTERS) -> None:
        for voter in voters:
            for project_id in POOL:
                answer = await self.cast(voter, project_id, SAID[project_id][VOTERS.index(voter)])
                assert answer.status_code == 200, answer.text

    async def recuse(self, who: tuple[str, ...], project_id: str, **said: Any) -> Response:
        body = {"reason": "Verwandt mit dem Anbieter.", **said}
        return await self.say("PUT", f"/rounds/{self.round_id}/recusals/{project_id}", who, body)

    async def show(self) -> dict[str, Any]:
        answer = await self.say("GET", f"/rounds/{self.round_id}", ("a-1", "auditor"))
        shown: dict[str, Any] = answer.json()
        return shown

    async def result(self) -> dict[str, Any]:
        answer = await self.say("GET", f"/rounds/{self.round_id}/result?limit=1000", ("a-1", "auditor"))
        shown: dict[str, Any] = answer.json()
        return shown
