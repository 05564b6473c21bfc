"""The way of a round, from freezing to decision."""

from typing import Any

import pytest
from builders_selection_scoring import ASSESSORS, POOL, Board

from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_decision.result import fingerprint
from oker_testkit.bus import TestBus

pytestmark = pytest.mark.usefixtures("pool")


async def test_a_round_goes_from_freezing_to_decision(bus: TestBus, board: Board) -> None:
    await board.open()
    for assessor, points in zip(ASSESSORS, (5, 3), strict=True):
        for project_id in POOL:
            answer = await board.assess(assessor, project_id, points, 3, 3, 3, comment="Gut begründet.")
            assert answer.status_code == 200, answer.text
    begun = await board.step("ballots-opening", {})
    assert begun.json()["discuss"] == list(POOL)
    await board.cast_all()
    closed = await board.step("closing")
    assert closed.status_code == 200, closed.text
    result = await board.result()
    decided = await board.decide(
        overrides=[{"project_id": "stadtlexikon", "decided": "deferred", "reason": "Erst 2027."}]
    )
    assert decided.status_code == 200, decided.text
    await bus.settled()

    (fact,) = await bus.announced(RoundClosedV1)
    lines: list[dict[str, Any]] = [line for part in await bus.announced(ResultRecordedV1) for line in part.lines]
    assert [(line["rank"], line["project_id"], line["score"], line["outcome"]) for line in lines] == [
        (1, "bahnstadt", "56/15", "selected"),
        (2, "stadtlexikon", "18/5", "rejected"),
        (3, "handyparken", "34/15", "rejected"),
    ]
    assert result["lines"] == lines
    assert fact.result_sha256 == result["result_sha256"] == fingerprint({"lines": lines, **fact.summary})
    assert fact.judgements == 6 + 9
    (decision,) = await bus.announced(DecisionTakenV2)
    assert [(row.project_id, row.computed, row.decided, row.reason) for row in decision.lines] == [
        ("bahnstadt", "selected", "selected", ""),
        ("stadtlexikon", "rejected", "deferred", "Erst 2027."),
        ("handyparken", "rejected", "rejected", ""),
    ]
    assert (await board.show())["stage"] == "decided"
