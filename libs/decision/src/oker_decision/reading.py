"""Reading JSON values: each error names the place as a JSON path (RFC 9535) and says what to do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

RATIONAL = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,39})?")
SAFE = 2**53 - 1
"""The greatest whole number that every JSON reader takes exactly (RFC 8785, 3.2.2.3)."""


class Invalid(ValueError):
    """What was read cannot be taken.

    Attributes:
        path: where it stands, a JSON path such as ``$.criteria[1].weight``.
        sentence: what is wrong and the way out.
    """

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(f"{path}: {sentence}")
        self.path = path
        self.sentence = sentence


def get(said: Any, name: str, path: str) -> Any:
    """Member ``name`` of the object that stands at ``path``."""
    if not isinstance(said, Mapping):
        raise Invalid(path, "Write an object here.")
    if name not in said:
        raise Invalid(f"{path}.{name}", "This is missing.")
    return said[name]


def text(said: Any, name: str, path: str) -> str:
    """A text that is not empty."""
    value = get(said, name, path)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{path}.{name}", "Write a text here that is not empty.")
    return value


def one_of(said: Any, name: str, path: str, words: Sequence[str]) -> str:
    """One of the words."""
    value = text(said, name, path)
    if value not in words:
        raise Invalid(f"{path}.{name}", f"Write one of these: {', '.join(words)}.")
    return value


def whole(said: Any, name: str, path: str, least: int = 0, most: int = SAFE) -> int:
    """A whole number from ``least`` to ``most``."""
    return whole_value(get(said, name, path), f"{path}.{name}", least, most)


def whole_value(value: Any, path: str, least: int = 0, most: int = SAFE) -> int:
    """The whole number that stands at ``path``."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(path, f"Write a whole number from {least} to {most}.")
    return value


def flag(said: Any, name: str, path: str) -> bool:
    """True or false."""
    value = get(said, name, path)
    if not isinstance(value, bool):
        raise Invalid(f"{path}.{name}", "Write true or false.")
    return value


def rational(said: Any, name: str, path: str) -> Fraction:
    """An exact number, written as text: ``2/5``."""
    value = get(said, name, path)
    if not isinstance(value, str) or not RATIONAL.fullmatch(value):
        raise Invalid(f"{path}.{name}", 'Write a fraction as text here, such as "2/5".')
    return Fraction(value)


def instant(said: Any, name: str, path: str) -> str:
    """A point in time with its offset (RFC 3339), as it was written."""
    value = text(said, name, path)
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise Invalid(f"{path}.{name}", 'Write a time with its offset here, such as "2026-03-01T12:00:00Z".')
    return value


def items(said: Any, name: str, path: str) -> Iterator[tuple[Any, str]]:
    """Each element of the array ``name``, with its path."""
    value = get(said, name, path)
    if not isinstance(value, list | tuple):
        raise Invalid(f"{path}.{name}", "Write an array here.")
    for index, item in enumerate(value):
        yield item, f"{path}.{name}[{index}]"


def members(said: Any, name: str, path: str) -> Iterator[tuple[str, Any, str]]:
    """Each member of the object ``name``: its key, its value, its path; sorted by key."""
    value = get(said, name, path)
    if not isinstance(value, Mapping):
        raise Invalid(f"{path}.{name}", "Write an object here.")
    for key in sorted(value):
        yield key, value[key], f"{path}.{name}.{key}"


def texts(said: Any, name: str, path: str) -> tuple[str, ...]:
    """An array of texts, none of them empty or twice; in the order that was written."""
    found: list[str] = []
    for value, place in items(said, name, path):
        if not isinstance(value, str) or not value:
            raise Invalid(place, "Write a text here that is not empty.")
        found.append(value)
    no_repeat(found, f"{path}.{name}")
    return tuple(found)


def no_repeat(names: Sequence[str], path: str, member: str = "") -> None:
    """Refuse a name that stands in a list twice; ``member`` is the part of an element that holds it."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise Invalid(f"{path}[{index}]{member}", f"{name} stands in the list twice; leave one out.")
        seen.add(name)
