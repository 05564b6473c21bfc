"""Sessions of board, forum and advisory boards (strategy, 5.1): prepared → convened → held → closed, or cancelled.

The unit prepares a session and keeps its minutes, the CDO convenes and closes it. Who is invited is said for each item,
and so is who was there. A closed session is never changed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from selection_scoring.domain.rounds import Denial, Fault

STEPS: dict[str | None, tuple[str, ...]] = {
    None: ("prepared", "convened"),
    "prepared": ("prepared", "convened", "cancelled"),
    "convened": ("convened", "held", "cancelled"),
    "held": ("held", "closed"),
    "closed": (),
    "cancelled": (),
}
BY_CHIEF = {"convened", "closed", "cancelled"}
"""States into which only the CDO takes a session."""


@dataclass(frozen=True, slots=True)
class Attended:
    """Who was there for an item, or not."""

    holder: str
    status: str
    stands_in_for: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided under an item."""

    decision: str
    kind: str
    round_id: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the agenda, as far as rules look at it."""

    item: str
    kind: str
    round_id: str | None
    invited: Sequence[str]
    attendance: Sequence[Attended]
    minutes: str
    decisions: Sequence[Decided]


def may_record(before: str | None, state: str, chief: bool) -> Denial | None:
    """Whether a session may go from one state to the next, or change within one.

    Args:
        before: the state it is in, None where it is new.
    """
    steps = STEPS[before]
    if not steps:
        return Denial("conflict", f"The session is {before}; it is not changed any more.")
    if state not in steps:
        now = "new" if before is None else before
        return Denial("conflict", f"The session is {now}; from here it becomes {' or '.join(steps)}.")
    if state != before and state in BY_CHIEF and not chief:
        return Denial("forbidden", f"Only the CDO makes a session {state}.")
    return None


def fault_in_times(starts: datetime, ends: datetime | None) -> Fault | None:
    """A session ends after it starts."""
    if ends is not None and ends <= starts:
        return Fault("FIELD_VALUE_INVALID", "$.ends", "The session ends after it starts.")
    return None


def fault_in_agenda(state: str, agenda: Sequence[Item], before: Iterable[str] = ()) -> Fault | None:
    """Why this is no agenda for a session in this state.

    Args:
        before: the items that a held session had already; they stay.
    """
    return next(_faults(state, agenda, before), None)


def _faults(state: str, agenda: Sequence[Item], before: Iterable[str]) -> Iterator[Fault]:
    yield from _repeated([(row.item, f"$.agenda[{place}].item") for place, row in enumerate(agenda)])
    names = [
        (row.decision, f"$.agenda[{place}].decisions[{number}].decision")
        for place, item in enumerate(agenda)
        for number, row in enumerate(item.decisions)
    ]
    yield from _repeated(names)
    if gone := sorted(set(before) - {row.item for row in agenda}):
        yield _invalid("$.agenda", f"The session was held with the item {gone[0]}; it stays on the agenda.")
    for place, item in enumerate(agenda):
        yield from _in_item(state, f"$.agenda[{place}]", item)


def _in_item(state: str, path: str, item: Item) -> Iterator[Fault]:
    yield from _repeated([(name, f"{path}.invited[{place}]") for place, name in enumerate(item.invited)])
    yield from _repeated(
        [(row.holder, f"{path}.attendance[{place}].holder") for place, row in enumerate(item.attendance)]
    )
    if state not in ("held", "closed"):
        for name in ("attendance", "minutes", "decisions"):
            if getattr(item, name):
                yield _invalid(f"{path}.{name}", "This is recorded when the session is held.")
    for place, row in enumerate(item.attendance):
        yield from _attended(f"{path}.attendance[{place}]", item, row)
    for place, decided in enumerate(item.decisions):
        yield from _decided(f"{path}.decisions[{place}]", item, decided)
    if state == "closed":
        yield from _open_ends(path, item)


def _attended(path: str, item: Item, row: Attended) -> Iterator[Fault]:
    if row.stands_in_for is None:
        if row.holder not in item.invited:
            yield _invalid(
                f"{path}.holder", "Who was there was invited to the item, or stands in for somebody who was."
            )
    elif row.stands_in_for not in item.invited:
        yield _invalid(f"{path}.stands_in_for", "Nobody of this id was invited to the item.")
    elif row.status != "present":
        yield _invalid(f"{path}.status", "Who stands in for somebody is present.")


def _decided(path: str, item: Item, row: Decided) -> Iterator[Fault]:
    if item.kind != "decision":
        yield _invalid(path, "Decisions are taken under items of the kind decision.")
    if row.kind == "selection" and row.round_id is None:
        yield _invalid(f"{path}.round_id", "Name the round whose projects were selected.")


def _open_ends(path: str, item: Item) -> Iterator[Fault]:
    said = {row.holder for row in item.attendance} | {row.stands_in_for for row in item.attendance}
    for place, name in enumerate(item.invited):
        if name not in said:
            yield _invalid(f"{path}.invited[{place}]", f"Say whether {name} was present, excused or absent.")
    if item.kind == "decision" and not item.minutes.strip():
        yield _invalid(f"{path}.minutes", "An item of the kind decision has minutes when the session is closed.")


def _repeated(names: Sequence[tuple[str, str]]) -> Iterator[Fault]:
    counts = Counter(name for name, _ in names)
    seen: set[str] = set()
    for name, path in names:
        if counts[name] > 1 and name in seen:
            yield _invalid(path, "This stands there twice.")
        seen.add(name)


def _invalid(path: str, sentence: str) -> Fault:
    return Fault("FIELD_VALUE_INVALID", path, sentence)


def may_decide(state: str) -> Denial | None:
    """A decision on a round names a session that was held."""
    if state in ("held", "closed"):
        return None
    return Denial("conflict", f"The session is {state}; decisions are taken in a session that was held.")
