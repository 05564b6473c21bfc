"""The decision log as a chain: every entry holds on to the one before it by a hash.

An entry is an object of ``number`` (from 1, without gaps), ``previous_sha256`` (64 zeros before the first), ``type``
(the name of the fact), ``data_sha256`` (of the canonical JSON of the fact without its link) and ``sha256``, which is
that of the canonical JSON of the four others. ``data`` may stand beside them. Whoever knows the hash of a later entry,
the *head*, sees whether an earlier one was removed, altered or moved (Haber and Stornetta 1991).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from oker_decision.canonical import digest
from oker_decision.reading import text, whole

NOTHING = "0" * 64


def linked_sha256(number: int, previous_sha256: str, type: str, data_sha256: str) -> str:
    """The hash of an entry."""
    return digest({"number": number, "previous_sha256": previous_sha256, "type": type, "data_sha256": data_sha256})


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold."""

    place: int
    """Which of the entries that were read, from 1."""
    number: int
    """The number that belongs there."""
    field: str
    said: Any
    computed: Any
    sentence: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as far as it holds."""

    entries: int
    head: str
    """Hash of the last entry; 64 zeros without one."""
    broken: Break | None
    seen: bool
    """Whether the head that was known before stands in it; true where none was known."""


def follow(entries: Iterable[Mapping[str, Any]], known_head: str | None = None) -> Chain:
    """Follow the chain from its beginning to the first break.

    Args:
        entries: in their order.
        known_head: the hash of an entry that was seen earlier, to find out whether the end was cut off.

    Raises:
        Invalid: an entry lacks a member or has one of another kind.
    """
    head, count, seen = NOTHING, 0, known_head in (None, NOTHING)
    for count, entry in enumerate(entries, start=1):
        broken = _break(entry, count, head)
        if broken is not None:
            return Chain(count - 1, head, broken, seen)
        head = entry["sha256"]
        seen = seen or head == known_head
    return Chain(count, head, None, seen)


def _break(entry: Mapping[str, Any], number: int, head: str) -> Break | None:
    path = f"$[{number - 1}]"
    said = whole(entry, "number", path, 1)
    previous, own = text(entry, "previous_sha256", path), text(entry, "sha256", path)
    data_sha256, type = text(entry, "data_sha256", path), text(entry, "type", path)
    if said != number:
        sentence = "An entry was removed, doubled or moved."
        return Break(number, number, "number", said, number, sentence)
    if "data" in entry and digest(entry["data"]) != data_sha256:
        return Break(number, number, "data_sha256", data_sha256, digest(entry["data"]), "The fact was altered.")
    if previous != head:
        return Break(number, number, "previous_sha256", previous, head, "It does not follow the entry before it.")
    computed = linked_sha256(number, previous, type, data_sha256)
    if own != computed:
        return Break(number, number, "sha256", own, computed, "The entry was altered.")
    return None
