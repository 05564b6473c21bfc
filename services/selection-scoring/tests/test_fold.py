"""The tables follow from the facts: folded anew they are the same, old facts and all."""

from typing import Any

from builders_selection_scoring import ASSESSORS, NOON, POOL, Board, a_profile

from oker_bus.rebuild import rebuild
from oker_bus.service import Service
from oker_bus.settings import ServiceSettings
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.candidate_listed_v2 import NO_PROFILE, CandidateListedV2
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2, upcast_v1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_testkit.bus import TestBus
from selection_scoring import store
from selection_scoring.fold import record


async def tell(bus: TestBus, board: Board) -> None:
    """A story with everything in it: versions, a recusal, voices, votes, overrides, a cancelled round, new criteria."""
    for project_id in (*POOL, "zurueckgezogen"):
        await bus.publish(a_profile(project_id))
    await bus.settled()
    await bus.publish(a_profile("zurueckgezogen", version=4, state="stopped", previous_state="eligible"))
    await bus.settled()
    voices = [
        {"voice": "board", "title": "Board", "weight": "3/4"},
        {"voice": "forum", "title": "Forum", "weight": "1/4"},
        {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"},
    ]
    await board.open(voices=voices)
    for number, assessor in enumerate(ASSESSORS):
        for project_id in POOL:
            await board.assess(assessor, project_id, 2, 3, 3, 3)
            await board.assess(assessor, project_id, 2 + 2 * number, 3, 3, 3, comment="Nach Rückfrage.")
    await board.step("ballots-opening", {})
    await board.cast_all()
    await board.cast("board-3", "handyparken", (5, 5, 5, 5))
    await board.recuse(("board-1", "board"), "bahnstadt")
    path = "/rounds/runde-2026/voices"
    for people in (10, 11):
        votes = {"ballots": [{"approves": ["handyparken"], "people": people}], "advice": "Gern."}
        await board.say("PUT", f"{path}/citizens/votes", ("u-1", "unit"), votes)
    scores = dict.fromkeys([row["criterion"] for row in (await board.show())["content"]["criteria"]], 4)
    await board.say("PUT", f"{path}/forum/ballots/bahnstadt", ("f-1", "forum"), {"scores": scores})
    await board.step("closing")
    override = {"project_id": "stadtlexikon", "decided": "deferred", "reason": "Erst 2027."}
    staffing = {"project_id": "bahnstadt", "kind": "staffing", "full_time_equivalents": 1}
    decided = await board.decide(overrides=[override], staffing=[staffing])
    assert decided.status_code == 200, decided.text
    other = Board(board.http, board.token, "runde-2027")
    await other.freeze(candidates=["handyparken"])
    await other.step("cancellation", {"reason": "Zu früh."})
    await bus.settled()


async def test_the_tables_folded_anew_equal_the_originals(
    bus: TestBus, board: Board, service: Service[Any], settings: ServiceSettings
) -> None:
    await tell(bus, board)

    found = await rebuild(settings, service.name, service.fold, service.folded)

    assert found.equal, found.lines()
    filled = {table.table for table in found.tables if table.rows}
    own = {"judgement", "progress", "recusal", "votes", "closing", "result_line", "decision", "log_entry"}
    assert filled >= own | {"candidate", "criteria_set", "selection_round", "round_candidate"}


async def test_facts_of_the_first_edition_can_be_read_and_nothing_more(bus: TestBus, board: Board) -> None:
    old: dict[str, Any] = {"round_id": "runde-2020", "title": "Runde 2020", "frozen_sha256": "ab" * 32}
    opened = RoundOpenedV1.model_validate(
        {
            **old,
            "criteria": [{"criterion": "a", "title": "A", "weight": "1"}],
            "candidates": ["bahnstadt"],
            "electorate": ["board-1"],
            **{"scale_min": 1, "scale_max": 5, "quorum": 1, "seats": 1, "opened_at": NOON},
        }
    )
    place = {"round_id": "runde-2020", "frozen_sha256": "ab" * 32, "project_id": "bahnstadt"}
    cast = BallotCastV1(**place, voter="board-1", version=1, scores={"a": 5}, cast_at=NOON)
    line = {"rank": 1, "project_id": "bahnstadt", "title": "Bahnstadt", "score": "5", "ballots": 1, "selected": True}
    lifted = upcast_v1({**old, "ballots_sha256": "cd" * 32, "ranking": [line], "decided_by": "c", "decided_at": NOON})
    listed = CandidateListedV2(
        project_id="bahnstadt",
        version=1,
        title="Bahnstadt",
        fields_of_action=[],
        costs={},
        profile_sha256=NO_PROFILE,
        listed_at=NOON,
    )
    async with bus.bus.transaction() as tx:
        for fact in (opened, cast, DecisionTakenV2.model_validate(lifted), listed):
            await record(tx, fact)
    board.round_id = "runde-2020"

    assert (await board.show())["stage"] == "archived"
    shown = (await board.say("GET", "/rounds/runde-2020/decision", ("o-1", "officer"))).json()
    assert [(row["project_id"], row["decided"]) for row in shown["lines"]] == [("bahnstadt", "selected")]
    for step, body in (
        ("opening", {"frozen_sha256": "ab" * 32}),
        ("closing", None),
        ("decision", {"result_sha256": "ab" * 32}),
    ):
        assert (await board.step(step, body)).status_code == 409
    assert (await board.cast("board-1", "bahnstadt", {"a": 5})).status_code in (404, 409)
    async with bus.bus.sessions() as session:
        assert await store.pool.candidates(session) == []
