"""A result from the content, the candidates and the tallies: what it holds, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from builders_decision import CRITERIA, a_candidate, a_criterion, a_tally, content

from oker_decision.canonical import canonical, digest
from oker_decision.model import Round, Tally
from oker_decision.reading import Invalid
from oker_decision.result import compute, fingerprint

PROJECTS = [a_candidate(f"p{number}") for number in range(1, 4)]
BOARD: dict[str, Tally | int] = {
    "p1": a_tally([[5, 4, 4, 4], [4, 4, 4, 4]]),
    "p2": a_tally([[3, 3, 3, 3], [3, 3, 3, 3]]),
    "p3": a_tally([[2, 3, 2, 3]]),
}


def lines(said: dict[str, Any], **tallies: Any) -> dict[str, dict[str, Any]]:
    rows = compute(said, PROJECTS, {"board": BOARD, **tallies})["lines"]
    return {row["project_id"]: row for row in rows}


def test_a_line_holds_score_means_voices_and_a_sentence() -> None:
    row = lines(content(PROJECTS))["p1"]

    assert row["score"] == "21/5"
    assert row["means"] == dict(zip(CRITERIA, ("9/2", "4", "4", "4"), strict=True))
    assert (row["rank"], row["ballots"], row["voices"], row["outcome"], row["share"]) == (
        1,
        2,
        {"board": "21/5"},
        "selected",
        "1",
    )
    assert row["why_de"] == "Ausgewählt: Rang 1 mit 4,20 Punkten."
    assert row["comparisons"]["topsis"]["rank"] == 1
    assert row["comparisons"]["promethee_ii"] is None
    assert row["acceptability"] == {"first": "50/50", "selected": "50/50"}


def test_assessments_are_shown_with_their_spread_and_sent_to_discussion() -> None:
    assessed = {"p1": a_tally([[1, 3, 3, 3], [3, 3, 3, 3]]), "p2": a_tally([[3, 3, 3, 3], [4, 3, 3, 3]])}

    found = lines(content(PROJECTS), assessments=assessed)

    assert found["p1"]["score"] == lines(content(PROJECTS))["p1"]["score"]
    assert found["p1"]["assessments"]["count"] == 2
    assert found["p1"]["assessments"]["means"]["buergernutzen"] == "2"
    assert found["p1"]["assessments"]["variance"]["buergernutzen"] == "1"
    assert (found["p1"]["assessments"]["least"]["buergernutzen"], found["p1"]["discussed"]) == (1, True)
    assert (found["p2"]["discussed"], found["p3"]["discussed"]) == (False, False)


def test_where_less_is_better_the_mean_is_mirrored_and_shown_as_cast() -> None:
    criteria = [a_criterion("nutzen", "1/2"), a_criterion("risiko", "1/2", "min")]
    said = content(PROJECTS, criteria=criteria)

    row = compute(said, PROJECTS, {"board": {"p1": a_tally([[4, 1], [4, 2]])}})["lines"][0]

    assert row["means"] == {"nutzen": "4", "risiko": "3/2"}
    assert row["score"] == "17/4"


def test_votes_are_put_on_the_scale_and_enter_by_their_frozen_weight() -> None:
    voices = [
        {"voice": "board", "title": "Board", "kind": "scores", "weight": "3/4"},
        {"voice": "citizens", "title": "Bürger", "kind": "votes", "weight": "1/4"},
    ]
    found = lines(content(PROJECTS, voices=voices), citizens={"p2": 10, "p1": 5})

    assert found["p2"]["voices"] == {"board": "3", "citizens": "5"}
    assert found["p2"]["score"] == "7/2"
    assert found["p1"]["voices"]["citizens"] == "3"
    assert found["p3"]["voices"]["citizens"] == "0"


def test_a_portfolio_keeps_the_budget_and_says_what_it_costs() -> None:
    rules = {
        "method": "portfolio",
        "seats": None,
        "budgets": [{"line": "digital", "limit_eur": 25_000}],
        "exclusions": [["p1", "p2"]],
        "dependencies": [],
        "minimum_per_field": {},
        "part_funding": [{"project": "p3", "share": "1/2"}],
    }
    result = compute(content(PROJECTS, selection=rules), PROJECTS, {"board": BOARD})
    found = {row["project_id"]: row for row in result["lines"]}

    assert {name: row["outcome"] for name, row in found.items()} == {
        "p1": "selected",
        "p2": "rejected",
        "p3": "selected",
    }
    assert result["portfolio"]["costs"] == {"digital": 20_000}
    assert result["portfolio"]["limits"] == {"digital": 25_000}
    assert found["p2"]["why_en"] == (
        "The best selection with this project reaches 5.40 points in all, the one that was made 6.60."
    )
    assert result["stability"]["buergernutzen"]["selection"] is None
    assert found["p1"]["acceptability"] == {"first": "50/50", "selected": None}


def test_citizens_select_by_their_approvals() -> None:
    voices = [
        {"voice": "board", "title": "Board", "kind": "scores", "weight": "1"},
        {"voice": "citizens", "title": "Bürger", "kind": "votes", "weight": "0"},
    ]
    rules = {"method": "greedy", "budget_eur": 10_000, "line": "digital"}
    approvals = {frozenset({"p3"}): 1, frozenset({"p3", "p2"}): 1}

    result = compute(content(PROJECTS, voices=voices, selection=rules), PROJECTS, {"board": BOARD}, approvals)
    found = {row["project_id"]: row for row in result["lines"]}

    assert [name for name, row in found.items() if row["outcome"] == "selected"] == ["p3"]
    assert found["p3"]["why_en"] == "Selected by the citizens with 2 votes; it costs EUR 10,000."
    assert found["p2"]["why_en"].startswith("With one vote its turn did not come")
    assert result["portfolio"]["costs"] == {"digital": 10_000}


def test_another_process_with_other_hashes_computes_the_same_bytes() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import decimal; decimal.getcontext().prec = 5;"
        "import test_result as t; from oker_decision.canonical import digest;"
        "print(digest(t.compute(t.content(t.PROJECTS), t.PROJECTS, {'board': t.BOARD})))"
    )
    folder = __file__.rsplit("/", 1)[0]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program, folder],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert printed == {digest(compute(content(PROJECTS), PROJECTS, {"board": BOARD}))}


def test_the_fingerprint_covers_the_fact_and_not_the_wording() -> None:
    result = compute(content(PROJECTS), PROJECTS, {"board": BOARD})
    before = fingerprint(result)
    row = result["lines"][2]

    assert row["why"] == {"fact": "below_cut", "score": "12/5", "seats": 1, "last_score": "21/5"}
    row["why_de"] = "Anders gesagt."
    assert fingerprint(result) == before
    row["why"]["seats"] = 2
    assert fingerprint(result) != before


def test_other_candidates_than_the_frozen_ones_are_refused() -> None:
    changed = [a_candidate("p1", version=2), *PROJECTS[1:]]

    with pytest.raises(Invalid, match="candidates_sha256"):
        compute(content(PROJECTS), changed, {})


Change = Callable[[dict[str, Any]], object]
REFUSED: list[tuple[str, Change]] = [
    ("$.criteria[0].weight", lambda said: said["criteria"][0].update(weight=0.4)),
    ("$.criteria[1].weight", lambda said: said["criteria"][1].update(weight="0")),
    ("$.criteria", lambda said: said["criteria"][0].update(weight="1/2")),
    ("$.criteria[1].criterion", lambda said: said["criteria"][1].update(criterion=CRITERIA[0])),
    ("$.criteria[0].direction", lambda said: said["criteria"][0].update(direction="up")),
    ("$.criteria", lambda said: said.update(criteria=[])),
    ("$.scale_max", lambda said: said.update(scale_max=1)),
    ("$.quorum", lambda said: said.update(quorum=4)),
    ("$.quorum", lambda said: said.update(quorum=True)),
    ("$.min_assessments", lambda said: said.update(min_assessments=3)),
    ("$.electorate", lambda said: said.update(electorate=["m-2", "m-1", "m-3"])),
    ("$.electorate[1]", lambda said: said.update(electorate=["m-1", "m-1", "m-3"])),
    ("$.ballots_until", lambda said: said.update(ballots_until="2026-03-01T12:00:00")),
    ("$.voices", lambda said: said.update(voices=[])),
    ("$.voices[0].kind", lambda said: said["voices"][0].update(kind="likes")),
    ("$.voices", lambda said: said["voices"][0].update(kind="votes")),
    ("$.tie_break", lambda said: said.update(tie_break="age")),
    ("$.selection.method", lambda said: said.update(selection={"method": "best"})),
    ("$.selection.seats", lambda said: said.update(selection={"method": "seats", "seats": 0})),
    ("$.selection.line", lambda said: said.update(selection={"method": "greedy", "budget_eur": 5})),
    ("$.voices", lambda said: said.update(selection={"method": "greedy", "budget_eur": 5, "line": "digital"})),
    ("$.robustness.samples", lambda said: said["robustness"].update(samples=10**9)),
    ("$.comparisons.topsis.normalisation", lambda said: said["comparisons"]["topsis"].update(normalisation="log")),
    ("$.comparisons.topsis", lambda said: said["comparisons"].update(topsis="vector")),
    ("$.comparisons.promethee_ii.functions", lambda said: said["comparisons"].update(promethee_ii={"functions": {}})),
    ("$.criteria_set.version", lambda said: said.update(criteria_set={"set": "vier"})),
    ("$.discussion_spread", lambda said: said.pop("discussion_spread")),
    ("$.voices[0]", lambda said: said.update(voices=["board"])),
    ("$.more", lambda said: said.update(more=2**60)),
]


@pytest.mark.parametrize(("path", "change"), REFUSED)
def test_content_that_is_none_is_refused_at_its_place(path: str, change: Change) -> None:
    said = content(PROJECTS)
    said["comparisons"] = {name: value and dict(value) for name, value in said["comparisons"].items()}
    said["voices"] = [dict(row) for row in said["voices"]]
    change(said)

    with pytest.raises(Invalid) as fault:
        Round.read(said)

    assert fault.value.path == path


@pytest.mark.parametrize(
    ("path", "tallies"),
    [
        ("$.mayor", {"mayor": {}}),
        ("$.board.p9", {"board": {"p9": BOARD["p1"]}}),
        ("$.board.p1", {"board": {"p1": 3}}),
        ("$.board.p1", {"board": {"p1": Tally(1, (5,), (5,), (5,), (25,))}}),
        ("$.board.p1", {"board": {"p1": a_tally([[6, 1, 1, 1]])}}),
    ],
)
def test_tallies_no_ballots_could_have_are_refused(path: str, tallies: dict[str, dict[str, Tally | int]]) -> None:
    with pytest.raises(Invalid) as fault:
        compute(content(PROJECTS), PROJECTS, tallies)

    assert fault.value.path == path


def test_what_has_no_canonical_form_is_named() -> None:
    with pytest.raises(Invalid) as fault:
        canonical({"rows": [1, {"size": 2**53}]})

    assert fault.value.path == "$.rows[1].size"
    assert canonical({"b": 1, "a": "ä"}) == '{"a":"ä","b":1}'.encode()
