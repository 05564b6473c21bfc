"""Decision files: everything a decision rests on, in JSON Lines, checked by anybody with this library alone.

The first line is the header: ``format``, ``round_id``, ``frozen_sha256``, ``result_sha256``, ``log_sha256``. Each
further line is one fact as it was announced, ``type`` and ``data``, in the order of ``reading.PHASES``; among what
people said any order is good. Lines of the type ``log`` carry the hashes of those entries of the decision log that are
not of this decision, so that the log is whole from its beginning to the decision.

Of a portfolio whose search was broken off the solver's next version may find another. Then the one in the file is held
against all constraints and against what is found here, and a note says so. A file shows of other entries of the log
their hashes only; that none of them is a second decision on the same round is seen in the log (``oker verify log``).

What is verified: each line against its own hash; round, candidates, criteria and stages against each other; that all
that was said is there; the result, computed anew by the procedure that the round was frozen with; the decision against
the result; the log. That the file is the one that was published is seen by its ``log_sha256``; an earlier hash of the
log shows the same of all entries up to it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from oker_decision.file import checking
from oker_decision.file.judgements import Counted, count
from oker_decision.file.lines import Fault, Stopped, Unreadable, bounded, read_facts, read_object
from oker_decision.file.reading import CANDIDATES, CLOSED, DECISION, FROZEN, RECUSAL, Read, take
from oker_decision.portfolio import Unsolved
from oker_decision.reading import Invalid
from oker_decision.result import compute
from oker_decision.result import fingerprint as result_fingerprint

FORMAT = "oker-decision/1"
Compute = Callable[..., dict[str, Any]]
"""As ``oker_decision.result.compute``."""
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
    declared_by_others: int
    """Recusals that somebody else declared, which is the CDO's right."""
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
    known_entry: int | None = None
    """Number of the log's entry with the hash that was known before; none if it is not there, or none was known."""
    notes: tuple[str, ...] = ()
    """What a reader should know although the file holds."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: faults, or figures."""

    faults: tuple[Fault, ...]
    figures: Figures | None

    @property
    def holds(self) -> bool:
        """Whether the file is whole, and its result and decision follow from it."""
        return not self.faults


def verify(lines: Iterable[bytes], known_sha256: str | None = None) -> Verified:
    """Read a decision file line by line, and compute the decision again.

    Needs about 200 bytes of memory for each assessment or ballot.

    Args:
        lines: an open binary file is a good argument.
        known_sha256: a hash of the log that was published or noted before, at the decision or earlier.
    """
    read = Read(tuple(PROCEDURES))
    try:
        figures = _verify(read, bounded(lines), known_sha256)
    except Unreadable as unreadable:
        read.faults.append(unreadable.fault)
    except Stopped:
        pass
    return Verified(tuple(read.faults), None if read.faults else figures)


def _verify(read: Read, lines: Iterator[bytes], known_sha256: str | None) -> Figures:
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
    computed, notes = _computed(read, counted)
    result_sha256 = _procedure(read)[1](computed)
    notes += tuple(checking.worded_otherwise(read, computed))
    _stop(read, checking.result(read, computed, result_sha256, counted.complete_voters))
    _stop(read, checking.decision(read, computed, result_sha256))
    _stop(read, checking.header(read, header, result_sha256))
    known = next((entry["number"] for _, entry in read.links if entry["sha256"] == known_sha256), None)
    return replace(_figures(read, counted, result_sha256, notes), known_entry=known)


def _stop(read: Read, faults: Iterator[Fault]) -> None:
    """Keep what is wrong; what follows would only repeat it."""
    for fault in faults:
        read.fault(fault.line, fault.field, fault.said, fault.computed, fault.sentence)
    if read.faults:
        raise Stopped


def _procedure(read: Read) -> Procedure:
    return PROCEDURES[read.one(FROZEN).data["content"]["procedure"]]


def _computed(read: Read, counted: Counted) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The result, by the procedure that the round was frozen with, and what is to be said about it."""
    line = read.one(FROZEN)
    candidates = [row for part in read.facts[CANDIDATES] for row in part.data["candidates"]]
    computing, fingerprint = _procedure(read)
    asked = (line.data["content"], candidates, *checking.tallies(read, counted))
    try:
        result = computing(*asked)
    except Unsolved as unsolved:
        return _taken(read, computing, asked, None, str(unsolved))
    except Invalid as invalid:
        raise Unreadable(Fault(line.number, "$.data.content", None, None, str(invalid))) from None
    if fingerprint(result) != read.one(CLOSED).data.get("result_sha256") and _broken_off(read, result):
        return _taken(read, computing, asked, result, "The search was broken off here or there.")
    return result, ()


def _broken_off(read: Read, result: Mapping[str, Any]) -> bool:
    """Whether another solver may have found another portfolio: a search was broken off, here or where it was closed."""
    said = read.one(CLOSED).data.get("summary")
    portfolios = (result["portfolio"], said.get("portfolio") if isinstance(said, Mapping) else None)
    return read.one(FROZEN).data["content"]["selection"]["method"] == "portfolio" and any(
        isinstance(portfolio, Mapping) and portfolio.get("at_most") is not None for portfolio in portfolios
    )


def _taken(
    read: Read, computing: Compute, asked: tuple[Any, ...], result: Mapping[str, Any] | None, why: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The result over the portfolio that the file says, if that keeps all constraints and is good enough."""
    closed = read.one(CLOSED)
    try:
        again = computing(*asked, checking.taken(read))
    except (Invalid, Unsolved) as error:
        own = None if result is None else result["portfolio"]
        raise Unreadable(Fault(closed.number, "$.data.summary.portfolio", None, own, str(error))) from None
    value, here = again["portfolio"]["value"], "none" if result is None else result["portfolio"]["value"]
    note = (
        f"the portfolio is that of the file: it keeps all constraints, its value is {value} (found here: {here}). {why}"
    )
    return again, (note,)


def _figures(read: Read, counted: Counted, result_sha256: str, notes: tuple[str, ...]) -> Figures:
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
        declared_by_others=sum(
            row.data["holder"] != row.data.get("declared_by") for row in read.facts.get(RECUSAL, ())
        ),
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
        notes=notes,
    )
