"""Where two JSON values differ, and which single digit makes a fingerprint wrong."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any

from oker_decision.canonical import canonical
from oker_decision.file.lines import Fault
from oker_decision.reading import Invalid

SENTENCES = ("why_de", "why_en")
NUMBER = re.compile(r"\d+")
HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
NOTHING = "nothing"
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
WORK = 200_000_000
"""Bytes that are hashed at most in search of a changed digit: about a second."""


def differences(said: Any, computed: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Each place where the two differ: its JSON path, both values.

    Sentences may be worded otherwise, since wordings are mended; their numbers may not differ.
    """
    if isinstance(said, Mapping) and isinstance(computed, Mapping):
        for key in sorted(said.keys() | computed.keys()):
            yield from _member(said, computed, key, f"{path}.{key}")
    elif isinstance(said, list) and isinstance(computed, list) and len(said) == len(computed):
        for index, (one, other) in enumerate(zip(said, computed, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif type(said) is not type(computed) or said != computed:
        yield path, said, computed


def _member(
    said: Mapping[str, Any], computed: Mapping[str, Any], key: str, path: str
) -> Iterator[tuple[str, Any, Any]]:
    one, other = said.get(key, NOTHING), computed.get(key, NOTHING)
    worded = key in SENTENCES and isinstance(one, str) and isinstance(other, str)
    if worded and sorted(NUMBER.findall(one)) == sorted(NUMBER.findall(other)):
        return
    yield from differences(one, other, path)


def first_differences(line: int, said: Any, computed: Any, path: str, sentence: str, most: int = 3) -> list[Fault]:
    """The first few, as faults of a line."""
    return [Fault(line, *found, sentence) for found in islice(differences(said, computed, path), most)]


def quick(value: Any) -> bytes:
    """The canonical text of values whose names are ASCII and whose numbers are whole and safe; three times as fast."""
    return ENCODER.encode(value).encode()


def fingerprint(text: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return sha256(text).hexdigest()


def changed_digit(
    value: dict[str, Any], wanted: str, hash_of: Callable[[bytes], str] = fingerprint, tries: int | None = None
) -> tuple[str, Any, Any] | None:
    """The one digit (or truth value) that was changed in a value, found by trying all.

    Args:
        wanted: the fingerprint of the value as it was.
        hash_of: from the canonical text to the fingerprint.
        tries: how often at most; without it, for about a second.

    Returns:
        JSON path, what stands there, what stood there; None if not one digit alone was changed, or the search is long.
    """
    try:
        same = quick(value) == canonical(value)
    except (Invalid, UnicodeEncodeError):
        return None
    write = quick if same else canonical
    left = WORK // (len(write(value)) + 200) if tries is None else tries
    for path, holder, key in _leaves(value, "$"):
        before = holder[key]
        for other in _others(before):
            holder[key] = other
            if _tried(write, value, hash_of) == wanted:
                holder[key] = before
                return path, before, other
            left -= 1
            if left < 0:
                break
        holder[key] = before
        if left < 0:
            return None
    return None


def changed_in_list(rows: list[dict[str, Any]], wanted: str) -> tuple[int, str, Any, Any] | None:
    """The same for the fingerprint of a whole list: the index of the row, its JSON path in the row, both values."""
    texts = [canonical(row) for row in rows]
    tries = WORK // (len(rows) * sum(map(len, texts)) + 1)
    for index, row in enumerate(rows):
        before = sha256(b"[" + b"".join(text + b"," for text in texts[:index]))
        after = b"".join(b"," + text for text in texts[index + 1 :]) + b"]"

        def whole(text: bytes, before: Any = before, after: bytes = after) -> str:
            found = before.copy()
            found.update(text + after)
            return str(found.hexdigest())

        if found := changed_digit(row, wanted, whole, tries):
            return index, *found
    return None


def _tried(write: Callable[[Any], bytes], value: Any, hash_of: Callable[[bytes], str]) -> str:
    try:
        return hash_of(write(value))
    except Invalid:
        return ""


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        part = value[key]
        place = f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]"
        if isinstance(part, dict | list):
            yield from _leaves(part, place)
        else:
            yield place, value, key


def _others(value: Any) -> Iterator[Any]:
    """The value with one digit changed, in every way."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (int(text) for text in _digits(str(value), "0123456789"))
    elif isinstance(value, float):
        yield from (float(text) for text in _digits(repr(value), "0123456789"))
    elif isinstance(value, str):
        yield from _digits(value, "0123456789abcdef" if HEXADECIMAL.fullmatch(value) else "0123456789")


def _digits(text: str, alphabet: str) -> Iterator[str]:
    for at, digit in enumerate(text):
        if digit in alphabet:
            yield from (text[:at] + other + text[at + 1 :] for other in alphabet if other != digit)
