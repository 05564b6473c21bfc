"""What people said in a round, read line by line into columns: two million need about 300 MB.

A judgement counts if it is the newest version of its holder, voice and candidate that was on time, from somebody who
may speak with that voice, on a candidate of the round, and its holder is not recused from it, whether that was
declared before or after. What does not count stands in the fingerprint all the same.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oker_decision.model import Round, Tally
from oker_decision.reading import Invalid
from oker_decision.scoring import ASSESSMENTS, BOARD

Ints = NDArray[np.int64]
REASONS = ("", "late", "foreign", "unknown voice", "unknown candidate", "recused")
COUNTS, LATE, FOREIGN, NO_VOICE, NO_CANDIDATE, RECUSED = range(len(REASONS))
CHUNK = 65_536
HOLDERS = PROJECTS = 28
"""Bits of a key: voice, holder, candidate."""


@dataclass(slots=True)
class Numbers:
    """Names as small numbers, in the order they came."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        return self.known.setdefault(name, len(self.known))

    def names(self) -> list[str]:
        return list(self.known)


@dataclass(slots=True)
class Judgements:
    """Columns of all versions of all assessments and ballots of a round."""

    round: Round
    projects: Numbers
    """The candidates first, in their order; others that were named come behind them."""
    candidates: int
    voices: Numbers = field(default_factory=Numbers)
    holders: Numbers = field(default_factory=Numbers)
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    versions: "array[int]" = field(default_factory=lambda: array("l"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    scores: "array[int]" = field(default_factory=lambda: array("H"))
    reasons: "array[int]" = field(default_factory=lambda: array("B"))
    hashes: bytearray = field(default_factory=bytearray)
    recusals: dict[tuple[str, str], int] = field(default_factory=dict)
    """Holder and candidate to the line."""
    may_speak: Mapping[str, tuple[datetime, frozenset[str] | None]] = field(init=False)

    def __post_init__(self) -> None:
        round = self.round
        ballots_until = datetime.fromisoformat(round.ballots_until)
        self.may_speak = {
            **{row.voice: (ballots_until, None) for row in round.voices if row.kind == "scores"},
            BOARD: (ballots_until, frozenset(round.electorate)),
            ASSESSMENTS: (datetime.fromisoformat(round.assessments_until), frozenset(round.assessors)),
        }

    def add(
        self, line: int, voice: str, voter: str, project: str, version: int, scores: Sequence[int], at: str
    ) -> None:
        """One version of what a holder said on a candidate; its hash is added by :meth:`add_hash`.

        Raises:
            Invalid: the time is none.
        """
        number = self.projects.of(project)
        key = (self.voices.of(voice) << HOLDERS | self.holders.of(voter)) << PROJECTS | number
        self.keys.append(key)
        self.versions.append(version)
        self.lines.append(line)
        self.scores.extend(scores)
        self.reasons.append(self._reason(voice, voter, number, at))

    def _reason(self, voice: str, voter: str, project: int, at: str) -> int:
        """Why this cannot count; recusals are looked at when all are known."""
        if voice not in self.may_speak:
            return NO_VOICE
        until, voters = self.may_speak[voice]
        if voters is not None and voter not in voters:
            return FOREIGN
        if project >= self.candidates:
            return NO_CANDIDATE
        return LATE if moment(at) > until else COUNTS

    def add_hash(self, hexadecimal: str) -> None:
        """The fingerprint of any judgement, recusal or count."""
        self.hashes += bytes.fromhex(hexadecimal)

    @property
    def count(self) -> int:
        """How many fingerprints there are."""
        return len(self.hashes) // 32


def moment(said: Any) -> datetime:
    """A time with its offset.

    Raises:
        Invalid: it is none.
    """
    try:
        found = datetime.fromisoformat(said)
        if found.tzinfo is not None:
            return found
    except (ValueError, TypeError):
        pass
    raise Invalid("$", 'Write a time with its offset here, such as "2026-03-01T12:00:00Z".')


def fingerprint(hashes: bytes | bytearray) -> str:
    """SHA-256 of hashes of 32 bytes as lower case hexadecimal text, sorted and joined."""
    if not hashes:
        return sha256().hexdigest()
    rows = np.frombuffer(hashes, dtype=">u8").reshape(-1, 4)
    order = np.lexsort(rows.T[::-1])
    found = sha256()
    for start in range(0, len(order), CHUNK):
        found.update(rows[order[start : start + CHUNK]].tobytes().hex().encode())
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Counted:
    """What counts, and what does not."""

    tallies: dict[str, dict[str, Tally]]
    given: dict[str, int]
    """Versions of each voice in the file."""
    counted: dict[str, int]
    replaced: int
    """Versions on time that a later one replaced."""
    not_counted: dict[str, int]
    """By reason."""
    examples: tuple[tuple[int, str], ...]
    """Line and reason of the first that do not count."""
    complete_voters: int


def disorder(found: Judgements) -> Iterator[tuple[int, int, int]]:
    """Versions that stand twice or leave a gap: line, what is said, which version belongs there."""
    keys, versions, lines = _columns(found)
    order = np.lexsort((lines, versions, keys))
    first = np.ones(len(order), dtype=bool)
    first[1:] = keys[order][1:] != keys[order][:-1]
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(order)))
    expected = np.arange(len(order)) - np.repeat(starts, sizes) + 1
    for at in np.flatnonzero(versions[order] != expected):
        row = order[at]
        yield int(lines[row]), int(versions[row]), int(expected[at])


def count(found: Judgements, most_examples: int = 100) -> Counted:
    """Count them, see the head of this module."""
    keys, versions, lines = _columns(found)
    reasons = _with_recusals(found, keys)
    good = np.flatnonzero(reasons == COUNTS)
    order = good[np.lexsort((versions[good], keys[good]))]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = keys[order][1:] != keys[order][:-1]
    newest = order[last]
    bad = np.flatnonzero(reasons != COUNTS)
    examples = bad[np.argsort(lines[bad])][:most_examples]
    return Counted(
        tallies=_tallies(found, keys, newest),
        given=_by_voice(found, keys),
        counted=_by_voice(found, keys[newest]),
        replaced=len(good) - len(newest),
        not_counted=dict(Counter(REASONS[int(reason)] for reason in reasons[bad])),
        examples=tuple((int(lines[row]), REASONS[int(reasons[row])]) for row in examples),
        complete_voters=_complete(found, keys[(reasons == COUNTS) | (reasons == RECUSED)]),
    )


def _columns(found: Judgements) -> tuple[Ints, Ints, Ints]:
    keys = np.frombuffer(found.keys, dtype=np.int64) if found.keys else np.empty(0, dtype=np.int64)
    return keys, np.array(found.versions, dtype=np.int64), np.array(found.lines, dtype=np.int64)


def _with_recusals(found: Judgements, keys: Ints) -> NDArray[np.uint8]:
    reasons = np.array(found.reasons, dtype=np.uint8)
    pairs = [
        found.holders.known[holder] << PROJECTS | found.projects.known[project]
        for holder, project in found.recusals
        if holder in found.holders.known and project in found.projects.known
    ]
    pair = keys & ((1 << (HOLDERS + PROJECTS)) - 1)
    recused = np.isin(pair, np.array(pairs, dtype=np.int64)) & (reasons == COUNTS)
    reasons[recused] = RECUSED
    return reasons


def _by_voice(found: Judgements, keys: Ints) -> dict[str, int]:
    numbers = np.bincount(keys >> (HOLDERS + PROJECTS), minlength=len(found.voices.known))
    return {voice: int(number) for voice, number in zip(found.voices.names(), numbers, strict=True)}


def _tallies(found: Judgements, keys: Ints, newest: Ints) -> dict[str, dict[str, Tally]]:
    width = len(found.round.criteria)
    scores = np.array(found.scores, dtype=np.uint16).reshape(-1, width)
    names = found.projects.names()
    tallies: dict[str, dict[str, Tally]] = {}
    for voice, number in found.voices.known.items():
        rows = newest[keys[newest] >> (HOLDERS + PROJECTS) == number]
        projects = keys[rows] & ((1 << PROJECTS) - 1)
        order = np.argsort(projects, kind="stable")
        if len(order):
            tallies[voice] = _sums(names, projects[order], scores[rows[order]].astype(np.int64))
    return tallies


def _sums(names: Sequence[str], projects: Ints, scores: Ints) -> dict[str, Tally]:
    """Tallies by candidate; rows are sorted by it."""
    found, starts, counts = np.unique(projects, return_index=True, return_counts=True)
    parts = [
        np.add.reduceat(scores, starts),
        np.minimum.reduceat(scores, starts),
        np.maximum.reduceat(scores, starts),
        np.add.reduceat(scores * scores, starts),
    ]
    columns = [[tuple(row) for row in part.tolist()] for part in parts]
    return {
        names[project]: Tally(size, *row)
        for project, size, *row in zip(found.tolist(), counts.tolist(), *columns, strict=True)
    }


def _complete(found: Judgements, keys: Ints) -> int:
    """How many members of the electorate have judged each candidate, or are recused from it."""
    if BOARD not in found.voices.known:
        judged: set[int] = set()
    else:
        judged = set(np.unique(keys[keys >> (HOLDERS + PROJECTS) == found.voices.known[BOARD]]).tolist())
    board = found.voices.of(BOARD)
    number = Counter((key >> PROJECTS) & ((1 << HOLDERS) - 1) for key in judged)
    for holder, project in found.recusals:
        place = found.projects.known.get(project, found.candidates)
        who = found.holders.of(holder)
        if place < found.candidates and (board << HOLDERS | who) << PROJECTS | place not in judged:
            number[who] += 1
    return sum(number[found.holders.of(member)] >= found.candidates for member in found.round.electorate)
