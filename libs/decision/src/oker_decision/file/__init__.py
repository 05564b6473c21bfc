"""Decision files: everything a decision rests on, in JSON Lines, checked by anybody with this library alone.

The first line is the header: ``format``, ``round_id``, ``frozen_sha256``, ``result_sha256``, ``log_sha256``. Each
further line is one fact as it was announced, ``type`` and ``data``, in the order of ``reading.PHASES``; among what
people said any order is good. Lines of the type ``log`` carry the hashes of those entries of the decision log that are
not of this decision, so that the log is whole from its beginning to the decision.

What is verified: each line against its own hash; round, candidates, criteria and stages against each other; that all
that was said is there; the result, computed anew by the procedure that the round was frozen with; the decision against
the result; the log. That the file is the one that was published is seen by its ``log_sha256``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from oker_decision.file import checking
from oker_decision.file.judgements import Counted, count
from oker_decision.file.lines import Fault, Stopped, Unreadable, read_facts, read_object
from oker_decision.file.reading import CANDIDATES, DECISION, FROZEN, RECUSAL, Read, take
from oker_decision.model import Approvals, Tallies
from oker_decision.reading import Invalid
from oker_decision.result import compute
from oker_decision.result import fingerprint as result_fingerprint

FORMAT = "oker-decision/1"
Compute = Callable[[Mapping[str, Any], Any, Tallies, Approvals], dict[str, Any]]
Procedure = tuple[Compute, Callable[[dict[str, Any]], str]]
PROCEDURES: Mapping[str, Procedure] = {"oker/1": (compute, result_fingerprint)}
"""Each edition of the rules with its own computation and fingerprint; an edition that was used is never changed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a decision rests on."""

    round_id: str
    title: str
    procedure: str
    candidates: int
    given: Mapping[str, int]
    """Versions of assessments and ballots, by voice."""
    counted: Mapping[str, int]
    replaced: int
    recusals: int
    not_counted: Mapping[str, int]
    examples: tuple[tuple[int, str], ...]
    """Line and reason of the first hundred that were not counted."""
    complete_voters: int
    quorum: int
    selected: int
    deferred: int
    overrides: int
    log_entries: int
    frozen_sha256: str
    result_sha256: str
    log_sha256: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: faults, or figures."""

    faults: tuple[Fault, ...]
    figures: Figures | None

    @property
    def holds(self) -> bool:
        """Whether the file is whole, and its result and decision follow from it."""
        return not self.faults


def verify(lines: Iterable[bytes]) -> Verified:
    """Read a decision file line by line, and compute the decision again.

    Needs about 200 bytes of memory for each assessment or ballot; an open binary file is a good argument.
    """
    read = Read(tuple(PROCEDURES))
    try:
        figures = _verify(read, iter(lines))
    except Unreadable as unreadable:
        read.faults.append(unreadable.fault)
    except Stopped:
        pass
    return Verified(tuple(read.faults), None if read.faults else figures)


def _verify(read: Read, lines: Iterator[bytes]) -> Figures:
    header = read_object(1, next(lines, b""))
    if header.get("format") != FORMAT:
        sentence = "This is no decision file that this program reads."
        raise Unreadable(Fault(1, "$.format", header.get("format"), FORMAT, sentence))
    last = 1
    for line in read_facts(lines, first=2):
        take(read, line)
        last = line.number
    _stop(read, checking.missing(read, last))
    _stop(read, checking.before_counting(read))
    found = read.judgements
    if found is None:
        raise Unreadable(Fault(last, "$", None, None, "Nobody said anything in this round."))
    _stop(read, checking.judgements(read, found))
    counted = count(found)
    computed, result_sha256 = _computed(read, counted)
    _stop(read, checking.result(read, computed, result_sha256, counted.complete_voters))
    _stop(read, checking.decision(read, computed, result_sha256))
    _stop(read, checking.header(read, header, result_sha256))
    return _figures(read, counted, result_sha256)


def _stop(read: Read, faults: Iterator[Fault]) -> None:
    """Keep what is wrong; what follows would only repeat it."""
    for fault in faults:
        read.fault(fault.line, fault.field, fault.said, fault.computed, fault.sentence)
    if read.faults:
        raise Stopped


def _computed(read: Read, counted: Counted) -> tuple[dict[str, Any], str]:
    """The result, by the procedure that the round was frozen with."""
    line = read.one(FROZEN)
    content = line.data["content"]
    candidates = [row for part in read.facts[CANDIDATES] for row in part.data["candidates"]]
    computing, fingerprint = PROCEDURES[content["procedure"]]
    try:
        result = computing(content, candidates, *checking.tallies(read, counted))
    except Invalid as invalid:
        raise Unreadable(Fault(line.number, "$.data.content", None, None, str(invalid))) from None
    return result, fingerprint(result)


def _figures(read: Read, counted: Counted, result_sha256: str) -> Figures:
    round, decided = read.round, read.one(DECISION).data
    assert round is not None
    outcomes = [row["decided"] for row in decided["lines"]]
    return Figures(
        round_id=round.round_id,
        title=round.title,
        procedure=read.one(FROZEN).data["content"]["procedure"],
        candidates=round.candidates,
        given=counted.given,
        counted=counted.counted,
        replaced=counted.replaced,
        recusals=len(read.facts.get(RECUSAL, ())),
        not_counted=counted.not_counted,
        examples=counted.examples,
        complete_voters=counted.complete_voters,
        quorum=round.quorum,
        selected=outcomes.count("selected"),
        deferred=outcomes.count("deferred"),
        overrides=sum(row["decided"] != row["computed"] for row in decided["lines"]),
        log_entries=len(read.links),
        frozen_sha256=round.frozen_sha256,
        result_sha256=result_sha256,
        log_sha256=decided["log"]["sha256"],
    )
