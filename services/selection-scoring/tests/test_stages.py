"""The stages of a round: what may follow on what, by whom, and when."""

from datetime import timedelta
from typing import Any

import pytest
from builders_selection_scoring import ASSESSORS, POOL, VOTERS, Board, Token, Watch, a_round
from httpx import AsyncClient

from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_testkit.bus import TestBus
from selection_scoring.domain.rounds import may_close, named

pytestmark = pytest.mark.usefixtures("pool")


async def test_only_the_content_that_was_frozen_is_opened(bus: TestBus, board: Board) -> None:
    frozen = (await board.freeze()).json()

    assert (await board.step("opening", {"frozen_sha256": "0" * 64})).status_code == 409
    opened = await board.step("opening", {"frozen_sha256": frozen["frozen_sha256"]})
    again = await board.step("opening", {"frozen_sha256": frozen["frozen_sha256"]})
    await bus.settled()
    assert (opened.status_code, opened.json()["stage"]) == (200, "assessment")
    assert again.json() == opened.json()
    assert [row.stage for row in await bus.announced(RoundMovedV1)] == ["assessment"]


async def test_the_board_waits_for_enough_assessments_of_every_candidate(bus: TestBus, board: Board) -> None:
    await board.open()
    for project_id in POOL:
        await board.assess("assessor-1", project_id, 3, 3, 3, 3)
    await board.assess("assessor-2", "bahnstadt", 5, 3, 3, 3)
    early = await board.step("ballots-opening", {"reason": "Keine Zeit."})
    for project_id in POOL[1:]:
        await board.assess("assessor-2", project_id, 4, 3, 3, 3)
    begun = await board.step("ballots-opening", {})
    again = await board.step("ballots-opening", {})
    await bus.settled()

    assert early.status_code == 409
    assert "Candidates with too few assessments: 2 (handyparken, stadtlexikon)." in early.json()["detail"]
    assert (begun.status_code, begun.json()["stage"], begun.json()["discuss"]) == (200, "ballot", ["bahnstadt"])
    assert again.json() == begun.json()
    assert [(row.stage, row.discuss) for row in await bus.announced(RoundMovedV1)] == [
        ("assessment", []),
        ("ballot", ["bahnstadt"]),
    ]


async def test_nobody_waits_for_an_assessor_who_is_recused(board: Board) -> None:
    await board.open()
    assert (await board.recuse(("assessor-1", "officer"), "bahnstadt")).status_code == 200
    for assessor in ASSESSORS:
        for project_id in POOL[1:]:
            await board.assess(assessor, project_id, 3, 3, 3, 3)

    early = await board.step("ballots-opening", {})
    assert "Candidates with too few assessments: 1 (bahnstadt)." in early.json()["detail"]
    spread = "/rounds/runde-2026/assessments"
    assert [row["short"] for row in (await board.say("GET", spread, ("u", "unit"))).json()] == [True, False, False]
    await board.assess("assessor-2", "bahnstadt", 3, 3, 3, 3)
    assert not (await board.say("GET", f"{spread}/bahnstadt", ("u", "unit"))).json()["short"]
    assert (await board.step("ballots-opening", {})).status_code == 200


async def test_the_assessment_of_who_is_recused_does_not_count_for_the_need(board: Board) -> None:
    await board.open(assessors=[*ASSESSORS, "assessor-3"])
    for assessor in ASSESSORS:
        for project_id in POOL:
            await board.assess(assessor, project_id, 3, 3, 3, 3)
    await board.recuse(("assessor-1", "officer"), "bahnstadt")

    assert "(bahnstadt)" in (await board.step("ballots-opening", {})).json()["detail"]


def test_a_sentence_names_ten_projects_and_how_many_more() -> None:
    assert named([f"p{number}" for number in range(12)]).endswith("p8, p9 and 2 more")


async def test_after_the_deadline_the_board_begins_with_a_reason_for_what_is_missing(
    board: Board, watch: Watch
) -> None:
    await board.open()
    watch.ahead = timedelta(days=8)

    assert (await board.step("ballots-opening", {})).status_code == 409
    begun = await board.step("ballots-opening", {"reason": "Ein Gutachten kommt nicht mehr."})
    assert (begun.status_code, begun.json()["stage"]) == (200, "ballot")


async def test_a_round_that_must_not_end_early_does_not(board: Board, watch: Watch) -> None:
    await board.open(may_end_early=False, min_assessments=0)
    assert (await board.step("ballots-opening", {})).status_code == 409
    watch.ahead = timedelta(days=8)
    assert (await board.step("ballots-opening", {})).status_code == 200
    await board.cast_all()
    assert (await board.step("closing")).status_code == 409
    watch.ahead = timedelta(days=15)
    assert (await board.step("closing")).status_code == 200


async def test_a_cancelled_round_takes_nothing_more(bus: TestBus, board: Board) -> None:
    await board.vote()
    cancelled = await board.step("cancellation", {"reason": "Der Haushalt fehlt."})
    again = await board.step("cancellation", {"reason": "Noch einmal."})
    await bus.settled()

    assert cancelled.json()["stage"] == again.json()["stage"] == "cancelled"
    assert (await board.cast("board-1", "bahnstadt", (1, 1, 1, 1))).status_code == 409
    assert (await board.step("closing")).status_code == 409
    assert [row.reason for row in await bus.announced(RoundMovedV1) if row.stage == "cancelled"] == [
        "Der Haushalt fehlt."
    ]


@pytest.mark.parametrize("step", ["ballots-opening", "closing", "decision"])
async def test_no_stage_is_left_out(board: Board, step: str) -> None:
    await board.freeze()

    answer = await board.step(step, {"result_sha256": "0" * 64} if step == "decision" else {})
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("The round is frozen and not open yet. ")


@pytest.mark.parametrize(
    ("complete", "days", "allowed"),
    [(3, 0, True), (2, 0, False), (2, 30, True), (1, 30, False)],
)
def test_a_round_is_closed_when_all_are_done_or_after_the_deadline_with_a_quorum(
    complete: int, days: int, allowed: bool
) -> None:
    round = a_round("ballot")
    denial = may_close(round, complete, round.ballots_until + timedelta(days=days - 1))

    assert (denial is None) == allowed


async def test_what_does_not_exist_is_not_found(board: Board) -> None:
    await board.vote(candidates=["bahnstadt"])
    known, board.round_id = board.round_id, "no-round"
    for path, body in (
        ("opening", {"frozen_sha256": "0" * 64}),
        ("ballots-opening", {}),
        ("closing", None),
        ("decision", {"result_sha256": "0" * 64}),
        ("cancellation", {"reason": "x"}),
    ):
        assert (await board.step(path, body)).status_code == 404
    assert (await board.cast("board-1", "bahnstadt", (1, 1, 1, 1))).status_code == 404
    assert (await board.say("GET", "/rounds/no-round", ("c", "cdo"))).status_code == 404
    board.round_id = known
    assert (await board.cast("board-1", "handyparken", (1, 1, 1, 1))).status_code == 404
    assert (await board.recuse(("board-1", "board"), "handyparken")).status_code == 404
    for path in ("result", "decision", "assessments/handyparken"):
        assert (await board.say("GET", f"/rounds/{known}/{path}", ("c", "cdo"))).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/rounds", {"cdo", "unit"}),
        ("POST", "/criteria-sets/a/versions", {"cdo", "unit"}),
        ("POST", "/rounds/runde-2026/opening", {"cdo"}),
        ("POST", "/rounds/runde-2026/ballots-opening", {"cdo"}),
        ("POST", "/rounds/runde-2026/cancellation", {"cdo"}),
        ("POST", "/rounds/runde-2026/closing", {"cdo"}),
        ("POST", "/rounds/runde-2026/decision", {"cdo"}),
        ("PUT", "/rounds/runde-2026/ballots/bahnstadt", {"board"}),
        ("PUT", "/rounds/runde-2026/voices/forum/ballots/bahnstadt", {"forum", "advisory_board"}),
        ("PUT", "/rounds/runde-2026/voices/citizens/votes", {"unit"}),
        ("GET", "/rounds/runde-2026/assessments", {"cdo", "unit", "board", "officer", "auditor"}),
    ],
)
async def test_each_role_does_its_own_part_only(
    http: AsyncClient, token: Token, method: str, path: str, allowed: set[str]
) -> None:
    assert (await http.request(method, path, json={})).status_code == 401
    roles = {"advisory_board", "auditor", "board", "cdo", "dezernent", "forum", "officer", "partner", "unit"}
    for role in roles:
        headers = token("x-1", role, **({"partner": "verkehr"} if role == "partner" else {}))
        answer = await http.request(method, path, json={}, headers=headers)
        assert (answer.status_code == 403) == (role not in allowed), (role, answer.text)


async def test_a_round_shows_how_far_it_is_and_never_who_voted_how(board: Board) -> None:
    shown: dict[str, Any] = await board.vote()
    assert (shown["stage"], shown["ballots"], shown["complete_voters"]) == ("ballot", 0, 0)
    await board.cast_all(VOTERS[:1])
    shown = await board.show()

    assert (shown["ballots"], shown["complete_voters"]) == (3, 1)
    assert "board-1" not in str({name: said for name, said in shown.items() if name != "content"})
