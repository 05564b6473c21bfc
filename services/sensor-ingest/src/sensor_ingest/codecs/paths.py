"""Paths in decoded data: ``TempC_SHT``, ``sensors[0].value``, ``["odd name"]``, ``messages[type=4097].value``.

``[*]`` goes through a list: ``readings[*].value``. ``[name=value]`` takes the first element of a list whose member
``name`` is ``value``, compared as text. ``$.`` in front is allowed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

_STEP = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"=*$]+) | \[(?P<index>\d{1,6})\] | \["(?P<quoted>[^"]*)"\] | (?P<each>\[\*\])
      | \[(?P<field>[^\s.\[\]"=*]+)=(?P<value>[^\]"]*)\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: into a member, to an element, through all elements, or to the first that fits."""

    kind: Literal["member", "element", "each", "first"]
    name: str | int = ""
    value: str = ""


class PathBroken(ValueError):
    """A path that cannot be read; says at which character."""


@lru_cache(4096)
def steps(path: str) -> tuple[Step, ...]:
    """Read a path.

    Raises:
        PathBroken: with the character where it is not understood.
    """
    at = 2 if path.startswith("$.") else 1 if path.startswith("$[") else 0
    found: list[Step] = []
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (found and match["name"] and path[at] != ".") or (not found and path[at] == "."):
            raise PathBroken(f"{path!r} is no path: not understood at character {at}")
        found.append(_step(match))
        at = match.end()
    if not found:
        raise PathBroken(f"{path!r} is no path: it names nothing")
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    if match["index"]:
        return Step("element", int(match["index"]))
    if match["each"]:
        return Step("each")
    if match["field"]:
        return Step("first", match["field"], match["value"])
    return Step("member", match["name"] if match["name"] is not None else match["quoted"])


def find(data: Any, path: str) -> Iterator[tuple[tuple[int, ...], Any]]:
    """What stands at the path: for each place the numbers that stand for ``[*]``, and the value; nothing if absent."""
    return _walk(data, steps(path), ())


def _walk(data: Any, left: tuple[Step, ...], at: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    while left:
        step, left = left[0], left[1:]
        if step.kind == "member":
            if not isinstance(data, dict) or step.name not in data:
                return
            data = data[step.name]
        elif not isinstance(data, list):
            return
        elif step.kind == "each":
            for number, element in enumerate(data):
                yield from _walk(element, left, (*at, number))
            return
        else:
            fitting = [element for element in data if _fits(element, step)] if step.kind == "first" else data
            number = 0 if step.kind == "first" else int(step.name)
            if number >= len(fitting):
                return
            data = fitting[number]
    yield at, data


def _fits(element: Any, step: Step) -> bool:
    return isinstance(element, dict) and step.name in element and _text(element[step.name]) == step.value


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
