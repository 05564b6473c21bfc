"""References of a profile to the rest of the register."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from project_registry.domain.proposals import Fault


def dangling(
    profile: Mapping[str, Any],
    before: Mapping[str, Any],
    fields: Collection[str],
    goals: Collection[str],
    organisations: Collection[str],
) -> list[Fault]:
    """References to what the register does not have or has retired, save what ``before`` referred to already.

    Args:
        fields: the active fields of action.
        goals: the active strategic goals.
        organisations: the active organisations.
    """
    old = set(_references(before))
    known = {"field of action": fields, "strategic goal": goals, "organisation": organisations}
    ways = {
        "field of action": "GET /catalogue/fields lists them.",
        "strategic goal": "GET /goals lists them.",
        "organisation": "GET /organisations lists them; PUT /organisations/{organisation} adds one.",
    }
    return [
        Fault(path, f"The register has no active {kind} {name!r}. {ways[kind]}")
        for path, kind, name in _placed(profile)
        if name not in known[kind] and (kind, name) not in old
    ]


def _references(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((kind, name) for _, kind, name in _placed(profile))


def _placed(profile: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for index, field in enumerate(profile.get("fields_of_action", ())):
        yield f"$.fields_of_action[{index}]", "field of action", field
    for index, goal in enumerate(profile.get("goals", ())):
        yield f"$.goals[{index}].goal", "strategic goal", goal["goal"]
    if profile.get("department"):
        yield "$.department", "organisation", profile["department"]
    for index, partner in enumerate(profile.get("partners", ())):
        yield f"$.partners[{index}].organisation", "organisation", partner["organisation"]
    for index, work in enumerate(profile.get("staffing", ())):
        if work.get("organisation"):
            yield f"$.staffing[{index}].organisation", "organisation", work["organisation"]


def doubled(profile: Mapping[str, Any]) -> list[Fault]:
    """What stands twice in a profile where it can stand once only."""
    keys: dict[str, Callable[[Any], Any]] = {
        "fields_of_action": lambda row: row,
        "goals": lambda row: row["goal"],
        "partners": lambda row: row["organisation"],
        "budget": lambda row: (row["line"], row["year"]),
        "milestones": lambda row: row["milestone"],
        "success_criteria": lambda row: row["criterion"],
    }
    faults = []
    for name, key in keys.items():
        seen = set()
        for index, row in enumerate(profile.get(name, ())):
            if key(row) in seen:
                faults.append(Fault(f"$.{name}[{index}]", "The same stands here twice; leave one out."))
            seen.add(key(row))
    return faults


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The parts of a profile that differ, by name."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
