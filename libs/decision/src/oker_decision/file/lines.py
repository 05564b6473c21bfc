"""The lines of a decision file, one JSON object each; what is wrong with one is a fault that names it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

from oker_decision.reading import Invalid

MOST_BYTES = 8_000_000
"""Of a line; an event of the broker has 1 MB at most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a file does not hold."""

    line: int
    """From 1."""
    field: str
    """JSON path in the line."""
    said: Any
    computed: Any
    sentence: str

    def __str__(self) -> str:
        said = f"said {shown(self.said)}, computed {shown(self.computed)}"
        return f"line {self.line}, {self.field}: {said}. {self.sentence}"


def shown(value: Any) -> str:
    """A value in one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:117]}..."


@dataclass(frozen=True, slots=True)
class Line:
    """A fact: its line, the name of its event, its data."""

    number: int
    type: str
    data: dict[str, Any]


class Unreadable(Exception):
    """A line that is no fact; holds the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Stopped(Exception):
    """What is wrong is known, and nothing behind it can be understood."""


def bounded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file or a list; of a line that is too long only as much as tells that it is."""
    if isinstance(lines, BufferedIOBase):
        yield from iter(lambda: lines.readline(MOST_BYTES + 1), b"")
    else:
        yield from lines


def read_object(number: int, raw: bytes) -> dict[str, Any]:
    """The object in a line.

    Raises:
        Unreadable: it is too long, not JSON (RFC 8259), no object, or names a member twice.
    """
    if len(raw) > MOST_BYTES:
        sentence = f"A line has {MOST_BYTES} bytes at most; a fact is much shorter."
        raise Unreadable(Fault(number, "$", len(raw), MOST_BYTES, sentence))
    try:
        said = DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        why = error.sentence if isinstance(error, Invalid) else "This is not JSON."
        raise Unreadable(Fault(number, "$", raw[:60].decode("utf-8", "replace"), None, why)) from None
    if not isinstance(said, dict):
        raise Unreadable(Fault(number, "$", said, {}, "A line holds an object."))
    return said


def read_facts(lines: Iterable[bytes], first: int) -> Iterator[Line]:
    """The facts behind the header.

    Raises:
        Unreadable: a line is no object of ``type`` and ``data``.
    """
    for number, raw in enumerate(lines, start=first):
        said = read_object(number, raw)
        type, data = said.get("type"), said.get("data")
        if not isinstance(type, str) or not isinstance(data, dict) or len(said) != 2:
            raise Unreadable(
                Fault(number, "$", sorted(said), ["data", "type"], "A line holds one fact: type and data.")
            )
        yield Line(number, type, data)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("$", "A member is named twice.")
    return found


def _no_number(said: str) -> Any:
    raise Invalid("$", f"{said} is no number.")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
