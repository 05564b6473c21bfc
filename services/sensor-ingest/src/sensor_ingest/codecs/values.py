"""Which values of foreign data are numbers that can be stored."""

import re
from math import isfinite
from typing import Any

from oker_contracts import Reason, Refused

LARGEST = 1e15
"""As in the contract of a reading."""
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?")
_NO_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})
_SHOWN = 60


def shown(text: str, limit: int = _SHOWN) -> str:
    """Foreign text for a sentence to its sender: one line, short."""
    line = "".join(char if char.isprintable() else "?" for char in text[: limit + 1])
    return line if len(line) <= limit else f"{line[:limit]}…"


def number(value: Any, path: str) -> float | None:
    """The number that a value stands for; ``None`` for nothing (``null``) and for text that is no number.

    ``true`` and ``false`` are 1 and 0; text such as ``"24.10"``, as several vendors write it, is its number.

    Raises:
        Refused: ``number_out_of_range`` for what is infinite, not a number, or larger than 1e15.
    """
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        if value not in _NO_NUMBER and not _NUMBER.fullmatch(value.strip()):
            return None
        value = float(value)
    if not isinstance(value, (int, float)):
        return None
    if abs(value) > LARGEST or not isfinite(value):  # in this order: isfinite fails on integers of 400 digits
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, path, f"Not finite, or larger than {LARGEST:g}.")
    return float(value)
