"""Reading a decision file: each line by itself, against its own hash, in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oker_decision.canonical import canonical, digest
from oker_decision.chain import linked_sha256
from oker_decision.file.differences import changed_digit, fingerprint, quick
from oker_decision.file.judgements import PROJECTS, Judgements, Numbers
from oker_decision.file.lines import Fault, Line, Stopped, Unreadable
from oker_decision.model import Candidate, Round
from oker_decision.reading import Invalid, get, instant, items, text, whole, whole_value
from oker_decision.scoring import ASSESSMENTS

CRITERIA = "selection.criteria_recorded.v1"
FROZEN = "selection.round_frozen.v1"
CANDIDATES = "selection.candidates_frozen.v1"
MOVED = "selection.round_moved.v1"
RECUSAL = "selection.recusal_declared.v1"
ASSESSMENT = "selection.assessment_given.v1"
BALLOT = "selection.ballot_cast.v2"
VOTES = "selection.votes_counted.v1"
CLOSED = "selection.round_closed.v1"
RESULT = "selection.result_recorded.v1"
DECISION = "selection.decision_taken.v2"
LOG = "log"
"""An entry of the decision log whose fact is not of this decision: its hashes only."""
JUDGEMENTS = (RECUSAL, ASSESSMENT, BALLOT, VOTES)
PHASES = {
    CRITERIA: 0,
    FROZEN: 1,
    CANDIDATES: 2,
    MOVED: 3,
    **dict.fromkeys(JUDGEMENTS, 4),
    CLOSED: 5,
    RESULT: 6,
    DECISION: 7,
    LOG: 8,
}
"""The order of the lines; among judgements any order is good."""
LINKED = (CRITERIA, FROZEN, MOVED, CLOSED, DECISION)
ONCE = (CRITERIA, FROZEN, CLOSED, DECISION)
IN_PART = ("round_id", "frozen_sha256", "part")
LONG = 64
MOST_FAULTS, MOST_VOICES = 50, 120
PLACE = {"round_id", "frozen_sha256", "project_id", "version", "scores"}
PLAIN = PLACE | {"voice", "voter", "cast_at"} | {"assessor", "comment", "given_at"}
"""Members of assessments and ballots, without their hash."""


@dataclass(slots=True)
class Read:
    """What was read so far, and what was found wrong."""

    procedures: tuple[str, ...]
    faults: list[Fault] = field(default_factory=list)
    phase: int = 0
    facts: dict[str, list[Line]] = field(default_factory=dict)
    """All but assessments and ballots, by type."""
    links: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Entries of the log with their lines."""
    round: Round | None = None
    judgements: Judgements | None = None

    def one(self, type: str) -> Line:
        """The only fact of a type; it was checked that there is one."""
        return self.facts[type][0]

    def fault(self, line: int, field: str, said: Any, computed: Any, sentence: str) -> None:
        """Keep what is wrong, each place once."""
        if not any((known.line, known.field) == (line, field) for known in self.faults):
            self.faults.append(Fault(line, field, said, computed, sentence))
        if len(self.faults) >= MOST_FAULTS:
            raise Stopped


def take(read: Read, line: Line) -> None:
    """Take a line to the others.

    Raises:
        Unreadable: nothing behind it can be understood without it.
        Stopped: the same, and the faults are kept.
    """
    phase = PHASES.get(line.type)
    if phase is None:
        raise Unreadable(Fault(line.number, "$.type", line.type, sorted(PHASES), "A decision file has no such line."))
    if phase < read.phase:
        read.fault(line.number, "$.type", line.type, None, "This line stands behind one that it belongs before.")
        return
    read.phase = phase
    try:
        if line.type not in (CRITERIA, FROZEN, LOG):
            _of_the_round(read, line)
        HANDLERS[line.type](read, line)
    except Invalid as invalid:
        raise Unreadable(_unreadable(line, invalid)) from None
    except UnicodeEncodeError:
        raise Unreadable(Fault(line.number, "$.data", None, None, "This holds half a character.")) from None
    except RecursionError:
        raise Unreadable(Fault(line.number, "$.data", None, None, "This is nested too deeply.")) from None


def _unreadable(line: Line, invalid: Invalid) -> Fault:
    return Fault(line.number, f"$.data{invalid.path[1:]}", None, None, invalid.sentence)


def _of_the_round(read: Read, line: Line) -> None:
    if read.round is None:
        raise Invalid("$", "The round must stand before this line (selection.round_frozen.v1).")
    for name, computed in (("round_id", read.round.round_id), ("frozen_sha256", read.round.frozen_sha256)):
        said = text(line.data, name, "$")
        if said != computed:
            read.fault(line.number, f"$.data.{name}", said, computed, "This is of another round.")


def _keep(read: Read, line: Line) -> None:
    rows = read.facts.setdefault(line.type, [])
    if rows and line.type in ONCE:
        read.fault(line.number, "$.type", line.type, None, f"This stands in line {rows[0].number} already.")
        return
    rows.append(line)


def _linked(read: Read, line: Line) -> None:
    """A fact of the log: its hash covers all of it."""
    link = get(line.data, "log", "$")
    whole(link, "number", "$.log", 1)
    _only(read, line, {"number", "previous_sha256", "sha256"}, "log")
    previous, said = text(link, "previous_sha256", "$.log"), text(link, "sha256", "$.log")
    data = {name: value for name, value in line.data.items() if name != "log"}
    data_sha256 = digest(data)
    entry = {"number": link["number"], "previous_sha256": previous, "type": line.type, "data_sha256": data_sha256}
    read.links.append((line.number, {**entry, "sha256": said}))
    computed = linked_sha256(**entry)
    if said != computed:
        _altered(read, line, "log.sha256", said, computed, "This line does not fit its hash in the log.")
    _keep(read, line)


def _criteria(read: Read, line: Line) -> None:
    text(line.data, "set", "$")
    whole(line.data, "version", "$", 1)
    _linked(read, line)


def _frozen(read: Read, line: Line) -> None:
    whole(line.data, "parts", "$", 1)
    _linked(read, line)
    said, content = text(line.data, "frozen_sha256", "$"), get(line.data, "content", "$")
    if digest(content) != said:
        sentence = "The content of the round does not fit its hash."
        _digit(read, line, "frozen_sha256", said, content, sentence, "$.content")
        raise Stopped
    if text(content, "procedure", "$.content") not in read.procedures:
        known = ", ".join(read.procedures)
        raise Invalid("$.content.procedure", f"This program computes by {known}; take a newer edition of it.")
    read.round = Round.read(content, "$.content")
    if text(line.data, "round_id", "$") != read.round.round_id:
        read.fault(line.number, "$.data.round_id", line.data["round_id"], read.round.round_id, "It is another round.")


def _candidates(read: Read, line: Line) -> None:
    _only(read, line, {*IN_PART, "candidates"})
    for row, path in items(line.data, "candidates", "$"):
        Candidate.read(row, path)
    canonical(line.data)
    _keep(read, line)
    _part(read, line)


def _only(read: Read, line: Line, names: set[str], member: str | None = None) -> None:
    """Nothing stands in a line, or in a member of it, that no hash covers."""
    said, path = (line.data, "$.data") if member is None else (line.data[member], f"$.data.{member}")
    for name in sorted(said.keys() - names):
        read.fault(line.number, f"{path}.{name}", said[name], None, "No hash covers this; it does not belong here.")


def _part(read: Read, line: Line) -> None:
    expected = len(read.facts[line.type])
    if whole(line.data, "part", "$", 1) != expected:
        sentence = "A part is missing, doubled or moved."
        read.fault(line.number, "$.data.part", line.data["part"], expected, sentence)


def _moved(read: Read, line: Line) -> None:
    text(line.data, "stage", "$")
    instant(line.data, "moved_at", "$")
    _linked(read, line)


def _closed(read: Read, line: Line) -> None:
    instant(line.data, "closed_at", "$")
    for name in ("parts", "judgements", "complete_voters"):
        whole(line.data, name, "$")
    _linked(read, line)


def _result(read: Read, line: Line) -> None:
    _only(read, line, {*IN_PART, "result_sha256", "lines"})
    for row, path in items(line.data, "lines", "$"):
        text(row, "project_id", path)
    _keep(read, line)
    _part(read, line)


def _log(read: Read, line: Line) -> None:
    _only(read, line, {"number", "previous_sha256", "type", "data_sha256", "sha256"})
    whole(line.data, "number", "$", 1)
    for name in ("previous_sha256", "type", "data_sha256", "sha256"):
        text(line.data, name, "$")
    entry = {name: line.data[name] for name in ("number", "previous_sha256", "type", "data_sha256")}
    computed = linked_sha256(**entry)
    if line.data["sha256"] != computed:
        found = changed_digit(entry, line.data["sha256"])
        _name(
            read, line, "sha256", line.data["sha256"], computed, "This entry of the log does not fit its hash.", found
        )
    read.links.append((line.number, line.data))


def _judged(read: Read, line: Line) -> None:
    """An assessment or a ballot."""
    found, data = _judgements(read), line.data
    assessed = line.type == ASSESSMENT
    voice = ASSESSMENTS if assessed else text(data, "voice", "$")
    if voice == ASSESSMENTS and not assessed:
        raise Invalid("$.voice", "An assessment is no ballot.")
    if assessed and not isinstance(data.get("comment"), str):
        raise Invalid("$.comment", "Write a text here.")
    if len(found.voices.known) >= MOST_VOICES and voice not in found.voices.known:
        raise Invalid("$.voice", f"Nobody has a round with more than {MOST_VOICES} voices.")
    voter = text(data, "assessor" if assessed else "voter", "$")
    at = text(data, "given_at" if assessed else "cast_at", "$")
    project, version = text(data, "project_id", "$"), whole(data, "version", "$", 1, 2**31 - 1)
    marks = _scores(found.round, data.get("scores"))
    _own_hash(read, line)
    found.add(line.number, voice, voter, project, version, marks, at)


def _scores(round: Round, said: Any) -> list[int]:
    if not isinstance(said, Mapping) or len(said) != len(round.criteria):
        raise Invalid("$.scores", "Each criterion of the round has one score.")
    least, most = round.scale_min, round.scale_max
    return [whole_value(said.get(row.criterion), f"$.scores.{row.criterion}", least, most) for row in round.criteria]


def _recused(read: Read, line: Line) -> None:
    found = _judgements(read)
    holder, project = text(line.data, "holder", "$"), text(line.data, "project_id", "$")
    _own_hash(read, line)
    before = found.recusals.setdefault((holder, project), line.number)
    if before != line.number:
        read.fault(line.number, "$.data", [holder, project], None, f"This recusal stands in line {before} already.")
    _keep(read, line)


def _votes(read: Read, line: Line) -> None:
    text(line.data, "voice", "$")
    whole(line.data, "version", "$", 1)
    instant(line.data, "recorded_at", "$")
    for row, path in items(line.data, "ballots", "$"):
        whole(row, "people", path, 1)
        for name, place in items(row, "approves", path):
            if not isinstance(name, str):
                raise Invalid(place, "Name a candidate here.")
    _own_hash(read, line)
    _keep(read, line)


def _judgements(read: Read) -> Judgements:
    if read.judgements is None:
        assert read.round is not None
        names = [row["project_id"] for line in read.facts.get(CANDIDATES, ()) for row in line.data["candidates"]]
        projects = Numbers({name: number for number, name in enumerate(names)})
        if not names or len(projects.known) != len(names) or len(names) >= 1 << PROJECTS:
            raise Invalid("$", "The candidates stand before this line, each once (selection.candidates_frozen.v1).")
        read.judgements = Judgements(read.round, projects, len(names))
    return read.judgements


def _own_hash(read: Read, line: Line) -> None:
    """Hold a judgement against its own hash, and keep the hash as it is said."""
    data = dict(line.data)
    said = data.pop("sha256", None)
    if not isinstance(said, str) or len(said) != LONG or not set(said) <= set("0123456789abcdef"):
        raise Invalid("$.sha256", "A SHA-256 has 64 lower case hexadecimal digits.")
    if fingerprint(quick(data) if _plain(data) else canonical(data)) != said:
        _digit(read, line, "sha256", said, data, "This line does not fit its own hash.", "$")
    _judgements(read).add_hash(said)


def _plain(data: Mapping[str, Any]) -> bool:
    """Whether the short way writes the canonical text: texts, and whole numbers that were looked at."""
    return data.keys() <= PLAIN and "".join(data.get("scores", "ß")).isascii()


def _altered(read: Read, line: Line, name: str, said: str, computed: str, sentence: str) -> None:
    """Name the digit that was changed in a fact of the log, if it is one alone."""
    link = line.data["log"]
    rest = {"number": link["number"], "previous_sha256": link["previous_sha256"], "type": line.type}
    data = {key: value for key, value in line.data.items() if key != "log"}

    def linked(text: bytes) -> str:
        return fingerprint(quick({**rest, "data_sha256": fingerprint(text)}))

    found = changed_digit(data, said, linked)
    if found is None:
        entry = {**rest, "data_sha256": digest(data)}
        inside = changed_digit(entry, said)
        found = inside and (f"$.log{inside[0][1:]}", *inside[1:])
    _name(read, line, name, said, computed, sentence, found)


def _digit(read: Read, line: Line, name: str, said: str, value: Any, sentence: str, root: str) -> None:
    found = changed_digit(value, said) if isinstance(value, dict) else None
    found = found and (root + found[0][1:], *found[1:])
    _name(read, line, name, said, digest(value), sentence, found)


def _name(
    read: Read, line: Line, name: str, said: str, computed: str, sentence: str, found: tuple[str, Any, Any] | None
) -> None:
    if found is None:
        read.fault(line.number, f"$.data.{name}", said, computed, sentence)
        return
    path, value, before = found
    hint = f"{sentence} It does with this one digit as computed."
    read.fault(line.number, f"$.data{path[1:]}", value, before, hint)


HANDLERS: Mapping[str, Callable[[Read, Line], None]] = {
    CRITERIA: _criteria,
    FROZEN: _frozen,
    CANDIDATES: _candidates,
    MOVED: _moved,
    RECUSAL: _recused,
    ASSESSMENT: _judged,
    BALLOT: _judged,
    VOTES: _votes,
    CLOSED: _closed,
    RESULT: _result,
    DECISION: _linked,
    LOG: _log,
}
