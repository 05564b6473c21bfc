"""The decision log shows what was removed, altered or moved, and against a known head what was cut off."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oker_decision.canonical import digest
from oker_decision.chain import NOTHING, follow, linked_sha256
from oker_decision.reading import Invalid

Entries = list[dict[str, Any]]


def a_chain(length: int = 6) -> Entries:
    entries: Entries = []
    for number in range(1, length + 1):
        data = {"round_id": "runde-2026", "note": f"Nummer {number}"}
        previous = entries[-1]["sha256"] if entries else NOTHING
        type, data_sha256 = "selection.round_moved.v1", digest(data)
        said = {"number": number, "previous_sha256": previous, "type": type, "data_sha256": data_sha256}
        entries.append({**said, "sha256": linked_sha256(**said), "data": data})  # type: ignore[arg-type]
    return entries


CHAIN = a_chain()
HEAD = CHAIN[-1]["sha256"]


def test_a_whole_chain_holds_to_its_head() -> None:
    found = follow(CHAIN, known_head=HEAD)

    assert (found.entries, found.head, found.broken, found.seen) == (6, HEAD, None, True)


def test_without_the_facts_it_holds_as_well() -> None:
    bare = [{name: part for name, part in entry.items() if name != "data"} for entry in CHAIN]

    assert follow(bare, HEAD).broken is None


@given(st.integers(0, 4))
def test_a_removed_entry_shows_at_the_next(at: int) -> None:
    found = follow(CHAIN[:at] + CHAIN[at + 1 :])

    assert found.broken is not None
    assert (found.entries, found.broken.number, found.broken.field) == (at, at + 1, "number")


@given(st.permutations(range(6)).filter(lambda order: list(order) != sorted(order)))
def test_another_order_shows(order: list[int]) -> None:
    assert follow([CHAIN[at] for at in order]).broken is not None


@given(st.integers(0, 5), st.sampled_from(["number", "previous_sha256", "type", "data_sha256", "sha256", "data"]))
def test_an_altered_entry_shows_at_its_place(at: int, member: str) -> None:
    entries = copy.deepcopy(CHAIN)
    if member == "data":
        entries[at]["data"]["note"] = "anders"
    else:
        entries[at][member] = 9 if member == "number" else entries[at][member][:-1] + "~"

    found = follow(entries)

    assert found.broken is not None
    assert found.broken.number in (at + 1, at + 2)


def test_a_forged_entry_in_the_middle_shows_at_the_next() -> None:
    forged = copy.deepcopy(CHAIN)
    said = {name: forged[2][name] for name in ("number", "previous_sha256", "type", "data_sha256")}
    said["data_sha256"] = digest({"note": "gefälscht"})
    forged[2] = {**said, "sha256": linked_sha256(**said)}

    found = follow(forged)

    assert found.broken is not None
    assert (found.broken.number, found.broken.field) == (4, "previous_sha256")


def test_a_forged_end_shows_against_the_head_that_was_noted() -> None:
    forged = copy.deepcopy(CHAIN)
    last = {name: forged[-1][name] for name in ("number", "previous_sha256", "type", "data_sha256")}
    last["data_sha256"] = digest({"note": "gefälscht"})
    forged[-1] = {**last, "sha256": linked_sha256(**last)}

    assert (follow(forged).broken, follow(forged, HEAD).seen) == (None, False)


@given(st.integers(0, 5))
def test_an_end_that_was_cut_off_shows_against_the_head_that_was_noted(kept: int) -> None:
    found = follow(CHAIN[:kept], HEAD)

    assert (found.broken, found.seen) == (None, False)


def test_what_is_no_entry_is_named() -> None:
    with pytest.raises(Invalid, match=r"\$\[1\]\.sha256"):
        follow([CHAIN[0], {name: part for name, part in CHAIN[1].items() if name != "sha256"}])
