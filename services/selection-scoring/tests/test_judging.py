"""Assessments, ballots, votes and recusals: what is taken, what is refused, what changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from builders_selection_scoring import POOL, ROUND, Board, Watch, a_round, scores

from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from oker_decision.canonical import digest
from oker_testkit.bus import TestBus
from selection_scoring.domain.judging import Said, fault_in_scores, may_judge

pytestmark = pytest.mark.usefixtures("pool")
VOICES = [
    {"voice": "board", "title": "Board", "weight": "4/5"},
    {"voice": "forum", "title": "Forum", "weight": "1/5"},
    {"voice": "ethik", "title": "Fachbeirat Ethik", "weight": "0"},
    {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"},
]


async def test_a_ballot_is_cast_and_announced_with_its_hash(bus: TestBus, board: Board) -> None:
    opened = await board.vote()
    answer = await board.cast("board-1", "bahnstadt", (5, 4, 3, 2))
    await bus.settled()

    assert answer.status_code == 200
    (cast,) = await bus.announced(BallotCastV2)
    assert (cast.voice, cast.voter, cast.project_id, cast.version) == ("board", "board-1", "bahnstadt", 1)
    assert cast.scores == scores(5, 4, 3, 2)
    assert cast.frozen_sha256 == opened["frozen_sha256"]
    assert cast.sha256 == digest(cast.model_dump(mode="json", exclude={"sha256"}))


async def test_changed_scores_are_a_new_version_and_the_same_are_nothing(bus: TestBus, board: Board) -> None:
    await board.vote()
    said = [(5, 4, 3, 2), (5, 4, 3, 2), (1, 4, 3, 2)]
    answers = [(await board.cast("board-1", "bahnstadt", row)).json() for row in said]
    await bus.settled()

    assert [answer["version"] for answer in answers] == [1, 1, 2]
    assert answers[0] == answers[1]
    assert [(row.version, row.scores["buergernutzen"]) for row in await bus.announced(BallotCastV2)] == [(1, 5), (2, 1)]
    assert (await board.show())["ballots"] == 1


async def test_an_assessment_can_be_changed_with_its_comment_and_every_version_is_kept(
    bus: TestBus, board: Board
) -> None:
    await board.open()
    for points, comment in ((3, "a"), (3, "a"), (3, "b"), (4, "b")):
        assert (await board.assess("assessor-1", "bahnstadt", points, 3, 3, 3, comment=comment)).status_code == 200
    await bus.settled()

    facts = await bus.announced(AssessmentGivenV1)
    assert [(row.version, row.comment) for row in facts] == [(1, "a"), (2, "b"), (3, "b")]
    shown = await board.say("GET", f"/rounds/{ROUND}/assessments/bahnstadt", ("u-1", "unit"))
    (row,) = shown.json()["assessments"]
    assert (row["assessor"], row["version"], row["comment"]) == ("assessor-1", 3, "b")


@pytest.mark.parametrize(
    ("said", "code", "path"),
    [
        ({"buergernutzen": 3}, "field_missing", "$.scores.kosten-nutzen-verhaeltnis"),
        ({**scores(1, 2, 3, 4), "glanz": 5}, "field_value_invalid", "$.scores.glanz"),
        (scores(6, 2, 3, 4), "field_value_invalid", "$.scores.buergernutzen"),
        (scores(1, 2, 3, 0), "field_value_invalid", "$.scores.aussenwirkung"),
    ],
)
async def test_faulty_scores_are_refused_with_their_path(
    bus: TestBus, board: Board, said: dict[str, int], code: str, path: str
) -> None:
    await board.vote()
    answer = await board.cast("board-1", "bahnstadt", said)
    await bus.settled()

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["path"]) == (code, path)
    assert await bus.announced(BallotCastV2) == []


@pytest.mark.parametrize("score", ["5", 4.5, True, None, 10**30])
async def test_a_score_is_a_whole_number_on_the_scale(board: Board, score: Any) -> None:
    await board.vote()

    assert (await board.cast("board-1", "bahnstadt", {**scores(1, 2, 3, 4), "aussenwirkung": score})).status_code == 422


def test_scores_on_the_ends_of_the_scale_are_taken() -> None:
    assert fault_in_scores(a_round(), scores(1, 5, 1, 5)) is None


async def test_foreign_judgements_are_refused(bus: TestBus, board: Board) -> None:
    await board.open(min_assessments=0)
    assert (await board.assess("board-1", "bahnstadt", 5, 5, 5, 5)).status_code == 403
    await board.step("ballots-opening", {})
    assert (await board.cast("board-9", "bahnstadt", (5, 5, 5, 5))).status_code == 403
    path = f"/rounds/{ROUND}/ballots/bahnstadt"
    assert (await board.say("PUT", path, ("board-1", "forum"), {"scores": scores(5, 5, 5, 5)})).status_code == 403
    await bus.settled()
    assert await bus.announced(BallotCastV2) == []
    assert await bus.announced(AssessmentGivenV1) == []


async def test_late_judgements_are_refused(bus: TestBus, board: Board, watch: Watch) -> None:
    await board.open(min_assessments=0)
    watch.ahead = timedelta(days=8)
    assert (await board.assess("assessor-1", "bahnstadt", 5, 5, 5, 5)).status_code == 409
    await board.step("ballots-opening", {})
    watch.ahead = timedelta(days=15)
    assert (await board.cast("board-1", "bahnstadt", (5, 5, 5, 5))).status_code == 409
    await bus.settled()
    assert await bus.announced(BallotCastV2) == []
    assert await bus.announced(AssessmentGivenV1) == []


async def test_judgements_are_taken_in_their_own_stage_only(board: Board) -> None:
    await board.open(min_assessments=0)
    assert (await board.cast("board-1", "bahnstadt", (5, 5, 5, 5))).status_code == 409
    await board.step("ballots-opening", {})
    assert (await board.assess("assessor-1", "bahnstadt", 5, 5, 5, 5)).status_code == 409


def test_a_judgement_at_the_very_deadline_is_on_time() -> None:
    round = a_round("ballot")
    said = Said("board", "board-1", frozenset({"board"}), "bahnstadt", recused=False, listed=True)

    assert may_judge(round, said, round.ballots_until) is None
    assert may_judge(round, said, round.ballots_until + timedelta(microseconds=1)) is not None


async def test_who_is_recused_cannot_judge_any_more(bus: TestBus, board: Board) -> None:
    await board.vote()
    first = await board.recuse(("board-1", "board"), "bahnstadt")
    again = await board.recuse(("board-1", "board"), "bahnstadt", reason="Anders gesagt.")
    answer = await board.cast("board-1", "bahnstadt", (5, 5, 5, 5))
    await bus.settled()

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert answer.status_code == 409
    (fact,) = await bus.announced(RecusalDeclaredV1)
    assert (fact.holder, fact.declared_by, fact.reason) == ("board-1", "board-1", "Verwandt mit dem Anbieter.")
    assert (await board.cast("board-1", "handyparken", (5, 5, 5, 5))).status_code == 200


async def test_only_the_cdo_declares_the_bias_of_others(bus: TestBus, board: Board) -> None:
    await board.vote()
    assert (await board.recuse(("board-2", "board"), "bahnstadt", holder="board-1")).status_code == 403
    assert (await board.recuse(("cdo-1", "cdo"), "bahnstadt", holder="nobody")).status_code == 422
    assert (await board.recuse(("o-1", "officer"), "bahnstadt")).status_code == 403
    assert (await board.recuse(("cdo-1", "cdo"), "bahnstadt", holder="board-1")).status_code == 200
    assert (await board.recuse(("board-1", "board"), "bahnstadt", reason=" ")).status_code == 422
    await bus.settled()
    assert [(row.holder, row.declared_by) for row in await bus.announced(RecusalDeclaredV1)] == [("board-1", "cdo-1")]


async def test_voices_beside_the_board_speak_by_their_own_role(bus: TestBus, board: Board) -> None:
    await board.vote(voices=VOICES)

    async def advise(voice: str, role: str) -> int:
        path = f"/rounds/{ROUND}/voices/{voice}/ballots/bahnstadt"
        return (await board.say("PUT", path, ("x-1", role), {"scores": scores(5, 5, 5, 5)})).status_code

    assert [await advise("forum", "forum"), await advise("ethik", "advisory_board")] == [200, 200]
    assert [await advise("forum", "advisory_board"), await advise("ethik", "forum")] == [403, 403]
    assert [await advise("wirtschaft", "advisory_board"), await advise("board", "forum")] == [404, 404]
    assert await advise("citizens", "advisory_board") == 409
    await bus.settled()
    assert [row.voice for row in await bus.announced(BallotCastV2)] == ["forum", "ethik"]


async def test_votes_are_counted_in_versions(bus: TestBus, board: Board) -> None:
    await board.vote(voices=VOICES)

    async def count(voice: str = "citizens", **said: Any) -> Any:
        return await board.say("PUT", f"/rounds/{ROUND}/voices/{voice}/votes", ("u-1", "unit"), said)

    ballots = [{"approves": ["bahnstadt", "handyparken"], "people": 40}, {"approves": [], "people": 2}]
    first = await count(ballots=ballots)
    again = await count(ballots=ballots)
    mended = await count(ballots=ballots[:1], advice="Zwei ungültige gestrichen.")
    advice = await count("forum", advice="Das Forum rät zu.")
    await bus.settled()

    assert [row.status_code for row in (first, again, mended, advice)] == [200] * 4
    assert [row.json()["version"] for row in (first, again, mended)] == [1, 1, 2]
    facts = await bus.announced(VotesCountedV1)
    assert [(row.voice, row.version) for row in facts] == [("citizens", 1), ("citizens", 2), ("forum", 1)]
    wrong = await count(ballots=[{"approves": ["mondlandung"], "people": 1}])
    assert (wrong.status_code, wrong.json()["path"]) == (422, "$.ballots[0].approves[0]")
    assert (await count("forum", ballots=ballots)).status_code == 422
    assert (await count("wirtschaft", ballots=ballots)).status_code == 404


async def test_the_spread_of_assessments_is_shown_when_the_board_begins(board: Board) -> None:
    await board.open()
    for project_id in POOL:
        await board.assess("assessor-1", project_id, 5, 3, 3, 3, comment="Sehr gut.")
        await board.assess("assessor-2", project_id, 3, 3, 3, 3, comment="Naja.")
    path = f"/rounds/{ROUND}/assessments"
    assert (await board.say("GET", path, ("b-1", "board"))).status_code == 403
    await board.step("ballots-opening", {})
    await board.recuse(("assessor-2", "officer"), "stadtlexikon")
    lines = (await board.say("GET", path, ("b-1", "board"))).json()
    one = (await board.say("GET", f"{path}/bahnstadt", ("b-1", "board"))).json()
    told = (await board.say("GET", f"{path}/stadtlexikon", ("a-1", "auditor"))).json()

    assert [(row["project_id"], row["count"], row["discussed"], row["short"]) for row in lines] == [
        ("bahnstadt", 2, True, False),
        ("handyparken", 2, True, False),
        ("stadtlexikon", 1, False, False),
    ]
    assert (one["means"]["buergernutzen"], one["least"]["buergernutzen"], one["greatest"]["buergernutzen"]) == (
        "4",
        3,
        5,
    )
    assert [row["comment"] for row in one["assessments"]] == ["Sehr gut.", "Naja."]
    assert "assessor-1" not in str(one)
    assert [(row["assessor"], row["counts"]) for row in told["assessments"]] == [
        ("assessor-1", True),
        ("assessor-2", False),
    ]
    page = (await board.say("GET", f"{path}?after=bahnstadt&limit=1", ("b-1", "board"))).json()
    assert [row["project_id"] for row in page] == ["handyparken"]
