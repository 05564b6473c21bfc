"""Sets of criteria: versions that are never changed."""

from typing import Any

import pytest
from builders_selection_scoring import CRITERIA, Board

from oker_contracts.selection.criteria_recorded_v1 import CriteriaRecordedV1
from oker_testkit.bus import TestBus
from selection_scoring.domain.criteria import FOUR_CRITERIA, fault

BODY: dict[str, Any] = {
    "title": "Kriterien 2027",
    "criteria": [
        {
            "criterion": "buergernutzen",
            "title": "Bürgernutzen",
            "weight": "4/6",
            "anchors": {"1": "keiner", "5": "groß"},
        },
        {"criterion": "aufwand", "title": "Aufwand", "weight": "1/3", "direction": "min"},
    ],
    "reason": "Nach der Evaluation 2026.",
}


async def record(board: Board, body: dict[str, Any], set: str = "strategie-2020", role: str = "unit") -> Any:
    return await board.say("POST", f"/criteria-sets/{set}/versions", ("unit-1", role), body)


def test_the_four_criteria_are_those_of_the_strategy_with_buergernutzen_first() -> None:
    assert [(row["title"], row["weight"]) for row in FOUR_CRITERIA] == [
        ("Bürgernutzen", "2/5"),
        ("Kosten-Nutzen-Verhältnis", "1/5"),
        ("Strategische Wirkung", "1/5"),
        ("Außenwirkung", "1/5"),
    ]
    assert fault(FOUR_CRITERIA, 1, 5) is None
    assert all(set(row["anchors"]) == {"1", "2", "3", "4", "5"} for row in FOUR_CRITERIA)


async def test_the_criteria_of_the_strategy_are_there_when_first_needed_and_recorded_once(
    bus: TestBus, board: Board
) -> None:
    for _ in range(2):
        (shown,) = (await board.say("GET", "/criteria-sets", ("b-1", "board"))).json()
    await bus.settled()

    assert (shown["set"], shown["version"]) == ("strategie-2020", 1)
    assert tuple(row["criterion"] for row in shown["criteria"]) == CRITERIA
    (fact,) = await bus.announced(CriteriaRecordedV1)
    assert (fact.recorded_by, fact.log.number) == (None, 1)


async def test_a_new_version_stands_beside_the_old_one(bus: TestBus, board: Board) -> None:
    answer = await record(board, BODY)
    await bus.settled()

    assert (answer.status_code, answer.json()["version"]) == (201, 2)
    versions = (await board.say("GET", "/criteria-sets/strategie-2020/versions", ("b-1", "board"))).json()
    assert [(row["version"], len(row["criteria"])) for row in versions] == [(1, 4), (2, 2)]
    fact = (await bus.announced(CriteriaRecordedV1))[-1]
    assert [(row.weight, row.direction) for row in fact.criteria] == [("2/3", "max"), ("1/3", "min")]


async def test_the_same_version_again_changes_nothing(bus: TestBus, board: Board) -> None:
    first = await record(board, BODY, "neu")
    again = await record(board, {**BODY, "reason": "Noch einmal."}, "neu")
    await bus.settled()

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(await bus.announced(CriteriaRecordedV1)) == 2


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"criteria": [{"criterion": "a", "title": "A", "weight": "1/2"}]}, "$.criteria"),
        (
            {"criteria": [{"criterion": name, "title": "A", "weight": "1/2"} for name in "aa"]},
            "$.criteria[1].criterion",
        ),
        (
            {
                "criteria": [
                    {"criterion": "a", "title": "A", "weight": "2"},
                    {"criterion": "b", "title": "B", "weight": "-1"},
                ]
            },
            "$.criteria[1].weight",
        ),
        (
            {"criteria": [{"criterion": "a", "title": "A", "weight": "1", "anchors": {"6": "x"}}]},
            "$.criteria[0].anchors.6",
        ),
        ({"scale_min": 5, "scale_max": 5}, "$.scale_max"),
    ],
)
async def test_a_faulty_set_is_refused_with_its_path(board: Board, said: dict[str, Any], path: str) -> None:
    answer = await record(board, {**BODY, **said})

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["path"]) == ("field_value_invalid", path)


async def test_a_round_stands_on_the_version_it_was_frozen_with(pool: None, board: Board) -> None:
    first = (await board.freeze()).json()
    await record(board, BODY)
    again = await board.freeze()
    board.round_id = "runde-2027"
    await board.say("POST", "/rounds/runde-2026/cancellation", ("cdo-1", "cdo"), {"reason": "Neue Kriterien."})
    second = (await board.freeze()).json()

    assert (again.status_code, again.json()["frozen_sha256"]) == (200, first["frozen_sha256"])
    assert first["content"]["criteria_set"] == {"set": "strategie-2020", "version": 1}
    assert second["content"]["criteria_set"] == {"set": "strategie-2020", "version": 2}
