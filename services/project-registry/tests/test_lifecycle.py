"""The life of a project: which steps there are, and what each gate needs."""

from datetime import date
from typing import Any

import pytest
from builders_project_registry import TODAY, a_profile, eligible_profile, without
from hypothesis import given
from hypothesis import strategies as st

from project_registry import domain
from project_registry.domain import lifecycle

FACTS = domain.Facts(TODAY)
states = st.sampled_from(sorted(domain.STEPS))


def paths(profile: dict[str, Any], step: str, facts: domain.Facts = FACTS) -> list[str]:
    """Where a profile lacks evidence for a step."""
    return [missing.path for missing in domain.missing(profile, step, facts)]


def test_a_whole_profile_passes_the_gate_to_eligible() -> None:
    assert paths(eligible_profile(), "eligible") == []


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("summary", "$.summary"),
        ("fields_of_action", "$.fields_of_action"),
        ("goals", "$.goals"),
        ("department", "$.department"),
        ("officer", "$.officer"),
        ("budget", "$.budget"),
        ("success_criteria", "$.success_criteria"),
    ],
)
def test_each_part_that_the_gate_to_eligible_needs_is_named_when_it_is_missing(part: str, path: str) -> None:
    assert paths(without(eligible_profile(), part), "eligible") == [path]


@pytest.mark.parametrize("mark", ["digital_technology", "daseinsvorsorge", "liveable_city"])
def test_each_of_the_three_marks_of_a_smart_city_project_needs_its_evidence(mark: str) -> None:
    profile = eligible_profile()
    profile["marks"] = {**profile["marks"], mark: "  "}

    assert paths(profile, "eligible") == [f"$.marks.{mark}"]


@pytest.mark.parametrize("risk", ["digital_divide", "data_protection", "data_security"])
def test_each_named_risk_of_the_strategy_must_be_assessed(risk: str) -> None:
    profile = eligible_profile()
    profile["risks"] = [row for row in profile["risks"] if row["risk"] != risk]

    (missing,) = domain.missing(profile, "eligible", FACTS)
    assert missing.path == "$.risks"
    assert missing.sentence_en.endswith(f"{risk.replace('_', ' ')}.")


def test_a_goal_without_a_described_contribution_does_not_count() -> None:
    profile = eligible_profile() | {"goals": [{"goal": "energiewende", "contribution": ""}]}

    assert paths(profile, "eligible") == ["$.goals"]


def test_an_officer_without_a_term_does_not_answer_for_a_project_once_terms_are_known() -> None:
    known = domain.Facts(TODAY, terms_known=True, in_term=frozenset({"o-2"}))

    assert paths(eligible_profile(), "eligible", known) == ["$.officer"]
    assert paths(eligible_profile() | {"officer": "o-2"}, "eligible", known) == []


def test_implementation_needs_staffing_milestones_an_officer_and_a_budget() -> None:
    assert paths({}, "in_implementation") == ["$.staffing", "$.department", "$.officer", "$.milestones", "$.budget"]


def test_a_project_is_completed_when_every_milestone_is_reached_and_every_past_year_has_its_cost() -> None:
    profile = {
        "milestones": [
            {"milestone": "a", "title": "Anfang", "due": "2026-01-01", "reached": "2026-02-01"},
            {"milestone": "b", "title": "Betrieb", "due": "2026-06-01"},
        ],
        "budget": [
            {"line": "invest", "year": 2025, "plan_eur": 10, "actual_eur": 0},
            {"line": "invest", "year": 2026, "plan_eur": 10},
            {"line": "invest", "year": 2027, "plan_eur": 10},
        ],
    }

    found = domain.missing(profile, "completed", domain.Facts(date(2026, 3, 2)))
    assert [missing.path for missing in found] == ["$.milestones[1].reached", "$.budget[1].actual_eur"]
    assert "„Betrieb“" in found[0].sentence_de
    assert "2026, invest" in found[1].sentence_en


def test_every_missing_thing_is_said_in_german_and_in_english() -> None:
    for step in domain.STEPS:
        for missing in domain.missing({"milestones": [{"title": "x"}], "budget": []}, step, FACTS):
            assert missing.sentence_de != missing.sentence_en
            assert missing.sentence_de.endswith(".")
            assert missing.sentence_en.endswith(".")


@given(states, states)
def test_people_take_the_listed_steps_and_no_other(state: str, to: str) -> None:
    assert (domain.wrong_step(state, to) is None) == (to in domain.STEPS[state])


@given(states, states)
def test_what_a_round_does_nobody_does_by_hand(state: str, to: str) -> None:
    if to in ("in_selection", "selected", "deferred", "rejected"):
        assert domain.wrong_step(state, to) is not None
    assert not (domain.decided(state, to) and domain.wrong_step(state, to) is None)


def test_every_state_can_be_reached_and_only_evaluated_is_an_end() -> None:
    reached = {"idea"}
    for _ in domain.STEPS:
        reached |= {to for s in reached for to in (*domain.STEPS[s], *lifecycle.ROUND_STEPS.get(s, ()))}

    assert reached == set(domain.STEPS)
    ends = [state for state, steps in domain.STEPS.items() if not steps and state not in lifecycle.ROUND_STEPS]
    assert ends == ["evaluated"]


@given(st.sets(st.sampled_from(sorted(eligible_profile()))), st.sets(st.sampled_from(sorted(eligible_profile()))))
def test_evidence_behind_a_gate_is_kept_and_what_was_never_there_is_not_asked_for(
    gone: set[str], also_gone: set[str]
) -> None:
    before = without(eligible_profile(), *gone)
    after = without(before, *also_gone)

    taken = {missing.path.split(".")[1] for missing in domain.taken_away("eligible", before, after, FACTS, FACTS)}
    needed = {missing.path.split(".")[1] for missing in domain.missing({}, "eligible", FACTS)}
    assert taken == (also_gone - gone) & needed


def test_a_proposed_project_may_lose_what_only_later_gates_need() -> None:
    assert domain.taken_away("proposed", eligible_profile(), a_profile(), FACTS, FACTS) == []
    assert [m.path for m in domain.taken_away("proposed", a_profile(), {"title": "x"}, FACTS, FACTS)] == [
        "$.summary",
        "$.fields_of_action",
    ]


def test_an_officer_of_the_old_department_is_no_evidence_for_the_new_one() -> None:
    before, after = eligible_profile(), eligible_profile(department="fb-67")
    own, other = domain.Facts(TODAY, True, frozenset({"o-1"})), domain.Facts(TODAY, True, frozenset({"o-9"}))

    assert [m.path for m in domain.taken_away("eligible", before, after, own, other)] == ["$.officer"]
    assert domain.taken_away("eligible", before, after, own, own) == []


def test_a_department_that_is_dissolved_carries_no_project_through_a_gate() -> None:
    assert paths(eligible_profile(), "eligible", domain.Facts(TODAY, dissolved=True)) == ["$.department"]


def test_an_evaluated_project_keeps_what_its_completion_needed() -> None:
    paid = {"line": "invest", "year": 2026, "plan_eur": 5, "actual_eur": 4}
    before = eligible_profile(budget=[paid], evaluation="Gut.")
    after = eligible_profile(budget=[{**paid, "actual_eur": None}], evaluation="Gut.")

    assert [m.path for m in domain.taken_away("evaluated", before, after, FACTS, FACTS)] == ["$.budget[0].actual_eur"]
    assert domain.taken_away("evaluated", after, after, FACTS, FACTS) == []
