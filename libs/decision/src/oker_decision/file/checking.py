"""A decision file as a whole: whether its facts fit each other, and whether the result follows from them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

from oker_decision.canonical import digest
from oker_decision.chain import follow
from oker_decision.file.differences import changed_in_list, first_differences
from oker_decision.file.judgements import Counted, Judgements, disorder, fingerprint, moment
from oker_decision.file.lines import Fault, Line
from oker_decision.file.reading import (
    CANDIDATES,
    CLOSED,
    CRITERIA,
    DECISION,
    FROZEN,
    MOVED,
    RESULT,
    VOTES,
    Read,
)
from oker_decision.model import Approvals, Taken, Tallies, Tally
from oker_decision.reading import get, items, rational
from oker_decision.scoring import ASSESSMENTS

NEEDED = {
    CRITERIA: "the criteria",
    FROZEN: "the round",
    CANDIDATES: "the candidates",
    MOVED: "the stages",
    CLOSED: "the closing",
    RESULT: "the result",
    DECISION: "the decision",
}
STAGES = ["assessment", "ballot"]


def missing(read: Read, last: int) -> Iterator[Fault]:
    """Facts that a decision cannot be without."""
    for type, name in NEEDED.items():
        if type not in read.facts:
            yield Fault(last, "$", None, type, f"The file ends without {name}.")


def before_counting(read: Read) -> Iterator[Fault]:
    """What must fit before anything is counted: criteria, candidates, stages, parts, the log."""
    yield from _criteria(read)
    yield from _candidates(read)
    stages = [line.data["stage"] for line in read.facts[MOVED]]
    if stages != STAGES:
        yield Fault(read.facts[MOVED][-1].number, "$.data.stage", stages, STAGES, "The stages of a round are these.")
    yield from _too_early(read)
    for type, said in ((CANDIDATES, read.one(FROZEN)), (RESULT, read.one(CLOSED))):
        if said.data.get("parts") != len(read.facts[type]):
            found = len(read.facts[type])
            yield Fault(said.number, "$.data.parts", said.data.get("parts"), found, f"So many lines are {type}.")
    yield from _log(read)


def _too_early(read: Read) -> Iterator[Fault]:
    """No stage ends before its deadline unless the round allows it."""
    round = read.round
    assert round is not None
    if round.may_end_early:
        return
    ends = (
        (read.facts[MOVED][-1], "moved_at", round.assessments_until),
        (read.one(CLOSED), "closed_at", round.ballots_until),
    )
    for line, name, until in ends:
        if moment(line.data.get(name)) <= datetime.fromisoformat(until):
            sentence = "The stage ended before its deadline, which the round does not allow."
            yield Fault(line.number, f"$.data.{name}", line.data[name], until, sentence)


def _criteria(read: Read) -> Iterator[Fault]:
    line, content = read.one(CRITERIA), read.one(FROZEN).data["content"]
    names = ("criteria", "scale_min", "scale_max")
    frozen = {**content["criteria_set"], **{name: content[name] for name in names}}
    said = {name: line.data.get(name) for name in frozen}
    yield from first_differences(line.number, said, frozen, "$.data", "The round was frozen with other criteria.")


def _candidates(read: Read) -> Iterator[Fault]:
    round = read.round
    assert round is not None
    rows = [row for line in read.facts[CANDIDATES] for row in line.data["candidates"]]
    last = read.facts[CANDIDATES][-1].number
    if len(rows) != round.candidates:
        yield Fault(last, "$.data.candidates", len(rows), round.candidates, "The round was frozen with so many.")
    places = [
        (line.number, f"$.data.candidates[{index}].project_id", row["project_id"])
        for line in read.facts[CANDIDATES]
        for index, row in enumerate(line.data["candidates"])
    ]
    for (_, _, before), (number, path, name) in pairwise(places):
        if name <= before:
            yield Fault(number, path, name, None, f"Candidates are sorted; this stands behind {before}.")
            return
    if digest(rows) != round.candidates_sha256:
        yield from _altered(read, rows, round.candidates_sha256)


def _altered(read: Read, rows: list[dict[str, Any]], wanted: str) -> Iterator[Fault]:
    """The digit that was changed among the candidates; where it is not one alone, all lines it can be in."""
    lines = [(line.number, index) for line in read.facts[CANDIDATES] for index in range(len(line.data["candidates"]))]
    sentence = "These are not the candidates that the round was frozen with."
    if found := changed_in_list(rows, wanted):
        row, path, said, before = found
        number, index = lines[row]
        hint = f"{sentence} They are with this one digit as computed."
        yield Fault(number, f"$.data.candidates[{index}]{path[1:]}", said, before, hint)
        return
    for number in sorted({number for number, _ in lines}):
        yield Fault(number, "$.data.candidates", digest(rows), wanted, sentence)


def _log(read: Read) -> Iterator[Fault]:
    """The log from its beginning to the decision, without gaps."""
    facts = {line.number for type in (CRITERIA, FROZEN, MOVED, CLOSED, DECISION) for line in read.facts[type]}
    for group in (True, False):
        rows = [(line, entry["number"]) for line, entry in read.links if (line in facts) == group]
        for (_, before), (line, number) in pairwise(rows):
            if number <= before:
                yield Fault(line, "$.data", number, None, f"Entries of the log ascend; this stands behind {before}.")
                return
    ordered = sorted(read.links, key=lambda row: row[1]["number"])
    chain = follow(entry for _, entry in ordered)
    if chain.broken is not None:
        at = chain.broken
        yield Fault(ordered[at.place - 1][0], f"$.data.{at.field}", at.said, at.computed, f"The log: {at.sentence}")
    elif ordered[-1][0] != read.one(DECISION).number:
        yield Fault(ordered[-1][0], "$.data.number", ordered[-1][1]["number"], None, "The log ends with the decision.")


def votes(read: Read) -> Iterator[Fault]:
    """Counts of votes: versions without gaps, of voices that are counted."""
    newest: dict[str, int] = {}
    for line in sorted(read.facts.get(VOTES, ()), key=lambda row: int(row.data["version"])):
        voice, version = line.data["voice"], line.data["version"]
        expected = newest.get(voice, 0) + 1
        if version != expected:
            yield Fault(line.number, "$.data.version", version, expected, "A version is missing or doubled.")
        newest[voice] = version


def judgements(read: Read, found: Judgements) -> Iterator[Fault]:
    """All that was said is there, as it was when the round was closed."""
    for number, (line, said, expected) in zip(range(10), disorder(found), strict=False):
        del number
        yield Fault(line, "$.data.version", said, expected, "A version is missing or doubled.")
    yield from votes(read)
    closed = read.one(CLOSED)
    computed = {"judgements": found.count, "judgements_sha256": fingerprint(found.hashes)}
    said_all = {name: closed.data.get(name) for name in computed}
    sentence = "An assessment, ballot, count or recusal was added, removed or altered."
    yield from first_differences(closed.number, said_all, computed, "$.data", sentence)


def tallies(read: Read, counted: Counted) -> tuple[Tallies, Approvals]:
    """What counts, as the library takes it."""
    assert read.round is not None
    assert read.judgements is not None
    known = set(read.judgements.projects.names()[: read.judgements.candidates])
    found: dict[str, Mapping[str, Tally | int]] = {ASSESSMENTS: counted.tallies.get(ASSESSMENTS, {})}
    newest = newest_votes(read)
    for voice in read.round.voices:
        if voice.kind == "votes":
            found[voice.voice] = _votes(newest.get(voice.voice, ()), known)
        else:
            found[voice.voice] = counted.tallies.get(voice.voice, {})
    return found, _approvals(newest.get("citizens", ()))


def newest_votes(read: Read) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The newest count of each voice that was recorded in time."""
    assert read.round is not None
    until = datetime.fromisoformat(read.round.ballots_until)
    on_time = [line for line in read.facts.get(VOTES, ()) if moment(line.data.get("recorded_at")) <= until]
    rows = sorted(on_time, key=lambda line: int(line.data["version"]))
    return {line.data["voice"]: line.data["ballots"] for line in rows}


def _votes(ballots: Sequence[Mapping[str, Any]], known: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for ballot in ballots:
        for project in known.intersection(ballot["approves"]):
            found[project] = found.get(project, 0) + ballot["people"]
    return found


def _approvals(ballots: Sequence[Mapping[str, Any]]) -> Approvals:
    found: Counter[frozenset[str]] = Counter()
    for ballot in ballots:
        found[frozenset(ballot["approves"])] += ballot["people"]
    return found


def taken(read: Read) -> Taken:
    """The portfolio that the result in the file says.

    Raises:
        Invalid: a share is none.
    """
    shares: dict[str, Fraction] = {}
    for part in read.facts[RESULT]:
        for row, path in items(part.data, "lines", "$"):
            if share := rational(row, "share", path):
                shares[row["project_id"]] = share
    said = get(get(read.one(CLOSED).data, "summary", "$"), "portfolio", "$.summary")
    at_most = get(said, "at_most", "$.summary.portfolio")
    return Taken(shares, None if at_most is None else rational(said, "at_most", "$.summary.portfolio"))


def worded_otherwise(read: Read, computed: Mapping[str, Any]) -> Iterator[str]:
    """A note where sentences are not those of this program; no hash covers them, only their numbers are checked."""
    own = [(row["why_de"], row["why_en"]) for row in computed["lines"]]
    lines = [
        (line.number, (row.get("why_de"), row.get("why_en")))
        for line in read.facts[RESULT]
        for row in line.data["lines"]
    ]
    others = [number for (number, said), sentences in zip(lines, own, strict=False) if said != sentences]
    if others:
        yield (
            f"{len(others)} results are worded otherwise than by this program, the first in line {others[0]}; "
            "the facts they stand for are the same"
        )


def result(read: Read, computed: Mapping[str, Any], result_sha256: str, complete: int) -> Iterator[Fault]:
    """The recorded result is the computed one, line by line."""
    at = 0
    for line in read.facts[RESULT]:
        said = line.data["lines"]
        own = computed["lines"][at : at + len(said)]
        yield from first_differences(line.number, said, own, "$.data.lines", "The ballots give another result.")
        yield from _named(line, result_sha256)
        at += len(said)
    if at != len(computed["lines"]):
        sentence = "The result has so many lines."
        yield Fault(read.facts[RESULT][-1].number, "$.data.lines", at, len(computed["lines"]), sentence)
    closed = read.one(CLOSED)
    summary = {name: part for name, part in computed.items() if name != "lines"}
    said_summary = closed.data.get("summary")
    yield from first_differences(closed.number, said_summary, summary, "$.data.summary", "The ballots give another.")
    yield from _named(closed, result_sha256)
    if closed.data.get("complete_voters") != complete:
        sentence = "So many members have scored every candidate, or are recused."
        yield Fault(closed.number, "$.data.complete_voters", closed.data.get("complete_voters"), complete, sentence)
    round = read.round
    assert round is not None
    early = moment(closed.data.get("closed_at")) <= datetime.fromisoformat(round.ballots_until)
    if early and complete < len(round.electorate):
        sentence = "The round was closed before its deadline, though not all members were done."
        yield Fault(closed.number, "$.data.closed_at", closed.data["closed_at"], round.ballots_until, sentence)
    if complete < round.quorum:
        sentence = "The quorum was not reached."
        yield Fault(closed.number, "$.data.complete_voters", complete, round.quorum, sentence)


def _named(line: Line, result_sha256: str) -> Iterator[Fault]:
    said = line.data.get("result_sha256")
    if said != result_sha256:
        yield Fault(line.number, "$.data.result_sha256", said, result_sha256, "The computed result has another hash.")


def decision(read: Read, computed: Mapping[str, Any], result_sha256: str) -> Iterator[Fault]:
    """The decision says what was computed, and gives a reason wherever it departs from that."""
    line, content = read.one(DECISION), read.one(FROZEN).data["content"]
    yield from _named(line, result_sha256)
    said = {name: line.data.get(name) for name in ("title", "candidates")}
    own = {name: content[name] for name in said}
    yield from first_differences(line.number, said, own, "$.data", "The round was frozen otherwise.")
    titles = {row["project_id"]: row["title"] for part in read.facts[CANDIDATES] for row in part.data["candidates"]}
    rows = {row["project_id"]: row for row in computed["lines"]}
    decided = line.data.get("lines")
    if not isinstance(decided, list) or not all(isinstance(row, dict) for row in decided):
        yield Fault(line.number, "$.data.lines", None, None, "A decision has lines.")
        return
    for index, row in enumerate(decided):
        yield from _decided(line.number, f"$.data.lines[{index}]", row, rows.get(str(row.get("project_id"))), titles)
    names = [row.get("project_id") for row in decided]
    expected = [name for name, row in rows.items() if name in names or row["outcome"] == "selected"]
    sentence = "These are the selected, the deferred, the overrides and the first of the others, by rank."
    yield from first_differences(line.number, names, expected, "$.data.lines[*].project_id", sentence, 1)


def _decided(
    number: int, path: str, said: Mapping[str, Any], row: Mapping[str, Any] | None, titles: Mapping[str, str]
) -> Iterator[Fault]:
    if row is None:
        yield Fault(number, f"{path}.project_id", said.get("project_id"), None, "The round has no such candidate.")
        return
    follows = said.get("decided") == row["outcome"]
    share = row["share"] if follows else "1" if said.get("decided") == "selected" else "0"
    own = {"rank": row["rank"], "score": row["score"], "computed": row["outcome"], "share": share}
    own["title"] = titles[row["project_id"]]
    yield from first_differences(
        number, {name: said.get(name) for name in own}, own, path, "It was computed otherwise."
    )
    if said.get("decided") not in ("selected", "deferred", "rejected"):
        yield Fault(number, f"{path}.decided", said.get("decided"), None, "There is no such decision.")
    if bool(str(said.get("reason") or "").strip()) == follows:
        sentence = "A reason stands where the board decides otherwise than computed, and only there."
        yield Fault(number, f"{path}.reason", said.get("reason"), None, sentence)


def header(read: Read, said: Mapping[str, Any], result_sha256: str) -> Iterator[Fault]:
    """The first line names what follows."""
    assert read.round is not None
    own = {
        "round_id": read.round.round_id,
        "frozen_sha256": read.round.frozen_sha256,
        "result_sha256": result_sha256,
        "log_sha256": read.one(DECISION).data["log"]["sha256"],
    }
    for name in sorted(said.keys() - own.keys() - {"format"}):
        yield Fault(1, f"$.{name}", said[name], None, "No hash covers this; it does not belong here.")
    given = {name: said.get(name) for name in own}
    yield from first_differences(1, given, own, "$", "The lines below say otherwise.", 4)
