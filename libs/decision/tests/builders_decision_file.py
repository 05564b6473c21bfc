"""Decision files, made by hand: a round of three candidates, or of as many as wanted."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from builders_decision import CRITERIA, a_candidate, a_tally, content

from oker_decision.canonical import digest
from oker_decision.chain import NOTHING, linked_sha256
from oker_decision.model import Approvals, Taken, Tally
from oker_decision.result import compute, fingerprint

Facts = list[dict[str, Any]]
Ballot = tuple[str, str, int, Sequence[int]]
"""Voter, project, version, scores."""
BEFORE, AFTER = "2026-03-01T11:00:00Z", "2026-03-01T13:00:00Z"
POOL = ("bahnstadt", "handyparken", "stadtlexikon")
BALLOTS: Sequence[Ballot] = (
    ("m-1", "bahnstadt", 1, (5, 4, 4, 3)),
    ("m-1", "handyparken", 1, (2, 2, 3, 3)),
    ("m-1", "stadtlexikon", 1, (1, 5, 3, 3)),
    ("m-2", "bahnstadt", 1, (1, 1, 1, 1)),
    ("m-2", "bahnstadt", 2, (4, 4, 2, 3)),
    ("m-2", "handyparken", 1, (3, 3, 4, 3)),
    ("m-3", "handyparken", 1, (3, 4, 4, 2)),
)
ASSESSMENTS: Sequence[Ballot] = (
    ("a-1", "bahnstadt", 1, (5, 4, 4, 3)),
    ("a-2", "bahnstadt", 1, (2, 4, 4, 3)),
    ("a-1", "handyparken", 1, (3, 3, 3, 3)),
)
RECUSALS = (("m-2", "stadtlexikon"),)
Votes = Sequence[tuple[Sequence[str], int]]
VOTES: Votes = ((("bahnstadt", "handyparken"), 7), (("stadtlexikon",), 3))
FORUM = {"voice": "forum", "title": "Forum", "kind": "votes", "weight": "1/5"}
BOARD = {"voice": "board", "title": "Smart-City-Board", "kind": "scores", "weight": "4/5"}


def a_frozen_round(candidates: Sequence[Mapping[str, Any]], **said: Any) -> dict[str, Any]:
    """The content of a round with an edition of the rules and the forum's votes."""
    return {**content(candidates, voices=[BOARD, FORUM]), "procedure": "oker/1", **said}


def scores(marks: Sequence[int]) -> dict[str, int]:
    """Scores by criterion."""
    return dict(zip(CRITERIA, marks, strict=True))


def sealed(data: dict[str, Any]) -> dict[str, Any]:
    """With the hash of its other fields."""
    return {**data, "sha256": digest(data)}


def a_ballot(place: Mapping[str, Any], ballot: Ballot, voice: str = "board", at: str = BEFORE) -> dict[str, Any]:
    """A line with a ballot."""
    voter, project, version, marks = ballot
    said = {**place, "voice": voice, "voter": voter, "project_id": project, "version": version}
    return {"type": "selection.ballot_cast.v2", "data": sealed({**said, "scores": scores(marks), "cast_at": at})}


def an_assessment(place: Mapping[str, Any], ballot: Ballot, at: str = BEFORE) -> dict[str, Any]:
    """A line with an assessment."""
    assessor, project, version, marks = ballot
    said = {**place, "assessor": assessor, "project_id": project, "version": version, "comment": "Gründlich."}
    return {"type": "selection.assessment_given.v1", "data": sealed({**said, "scores": scores(marks), "given_at": at})}


def a_recusal(place: Mapping[str, Any], holder: str, project: str) -> dict[str, Any]:
    """A line with a recusal."""
    said = {"holder": holder, "project_id": project, "reason": "Aufsichtsrat", "declared_by": holder}
    data = sealed({**place, **said, "declared_at": AFTER})
    return {"type": "selection.recusal_declared.v1", "data": data}


def a_count(
    place: Mapping[str, Any], voice: str = "forum", version: int = 1, votes: Votes = VOTES, at: str = BEFORE
) -> dict[str, Any]:
    """A line with counted votes."""
    ballots = [{"approves": list(names), "people": people} for names, people in votes]
    said = {"voice": voice, "version": version, "ballots": ballots, "advice": "", "recorded_by": "unit-1"}
    return {"type": "selection.votes_counted.v1", "data": sealed({**place, **said, "recorded_at": at})}


def judgements_sha256(judgements: Facts) -> str:
    """As the contract says."""
    return sha256("".join(sorted(line["data"]["sha256"] for line in judgements)).encode()).hexdigest()


class Log:
    """Links facts as the service does."""

    def __init__(self) -> None:
        self.number, self.head = 0, NOTHING

    def link(self, type: str, data: dict[str, Any]) -> dict[str, Any]:
        """A line with the fact and its link."""
        self.number += 1
        before, data_sha256 = self.head, digest(data)
        self.head = linked_sha256(self.number, before, type, data_sha256)
        return {"type": type, "data": {**data, "log": {**self._names(before), "sha256": self.head}}}

    def other(self, type: str, data: dict[str, Any]) -> dict[str, Any]:
        """A line with an entry of something else."""
        said = self.link(type, data)["data"]["log"]
        return {"type": "log", "data": {**said, "type": type, "data_sha256": digest(data)}}

    def _names(self, before: str) -> dict[str, Any]:
        return {"number": self.number, "previous_sha256": before}


def a_file(
    ballots: Sequence[Ballot] = BALLOTS,
    more: Sequence[Any] = (),
    tallies: dict[str, Any] | None = None,
    taken: Taken | None = None,
    approvals: Approvals | None = None,
    overrides: Mapping[str, tuple[str, str]] = {"handyparken": ("deferred", "Erst nach 2 Jahren.")},
    complete: int = 2,
    **said: Any,
) -> Facts:
    """A whole decision file, as objects.

    Args:
        more: functions from the place of the round to further lines of what people said.
        tallies: what must count; without it, all ballots.
        taken: a portfolio that was found elsewhere.
        approvals: of the citizens, for their methods.
    """
    candidates = [a_candidate(name) for name in POOL]
    frozen = a_frozen_round(candidates, **said)
    place = {"round_id": frozen["round_id"], "frozen_sha256": digest(frozen)}
    judgements = [a_ballot(place, row) for row in ballots]
    judgements += [an_assessment(place, row) for row in ASSESSMENTS]
    judgements += [a_recusal(place, *row) for row in RECUSALS]
    judgements += [a_count(place), *(make(place) for make in more)]
    result = compute(frozen, candidates, tallies or counted(ballots), approvals, taken)
    log = Log()
    lines = [log.link("selection.criteria_recorded.v1", _criteria(frozen))]
    others = [log.other("selection.session_recorded.v1", {"session": name}) for name in ("sitzung-1", "sitzung-2")]
    hashed = {"round_id": place["round_id"], "content": frozen, "frozen_sha256": place["frozen_sha256"], "parts": 2}
    lines += [log.link("selection.round_frozen.v1", {**hashed, "frozen_by": "cdo-1", "frozen_at": BEFORE})]
    lines += _parts("candidates_frozen", place, candidates[:2], candidates[2:])
    lines += [log.link("selection.round_moved.v1", _moved(place, stage)) for stage in ("assessment", "ballot")]
    lines += judgements
    closed = {**place, "judgements": len(judgements), "judgements_sha256": judgements_sha256(judgements)}
    closed |= {"complete_voters": complete, "result_sha256": fingerprint(result), "parts": 2}
    closed |= {"summary": {name: part for name, part in result.items() if name != "lines"}}
    lines += [log.link("selection.round_closed.v1", {**closed, "closed_by": "cdo-1", "closed_at": AFTER})]
    named = {**place, "result_sha256": fingerprint(result)}
    lines += _parts("result_recorded", named, result["lines"][:1], result["lines"][1:])
    decided = {**named, "title": frozen["title"], "lines": _decided(result, overrides), "candidates": 3}
    staffing = [{"project_id": "bahnstadt", "kind": "staffing", "full_time_equivalents": 1.5, "note": ""}]
    decided |= {"staffing": staffing, "session": "sitzung-1", "note": "", "decided_by": "cdo-1", "decided_at": AFTER}
    lines += [log.link("selection.decision_taken.v2", decided), *others]
    header = {"format": "oker-decision/1", **named, "log_sha256": log.head}
    return [header, *lines]


def counted(ballots: Sequence[Ballot]) -> dict[str, Any]:
    """What the usual ballots add up to: the newest versions, without the recused."""
    return {
        "board": _tallies(ballots),
        "forum": {"bahnstadt": 7, "handyparken": 7, "stadtlexikon": 3},
        "assessments": _tallies(ASSESSMENTS),
    }


def _tallies(ballots: Sequence[Ballot]) -> dict[str, Tally]:
    newest = {(voter, project): marks for voter, project, _, marks in sorted(ballots, key=lambda row: row[2])}
    kept = {pair: marks for pair, marks in newest.items() if pair not in RECUSALS}
    projects = {project for _, project in kept}
    return {name: a_tally([marks for (_, project), marks in kept.items() if project == name]) for name in projects}


def _criteria(frozen: dict[str, Any]) -> dict[str, Any]:
    said = {name: frozen[name] for name in ("criteria", "scale_min", "scale_max")}
    return {**frozen["criteria_set"], **said, "title": "", "reason": "", "recorded_by": None, "recorded_at": BEFORE}


def _moved(place: dict[str, Any], stage: str) -> dict[str, Any]:
    return {**place, "stage": stage, "discuss": [], "reason": "", "moved_by": "cdo-1", "moved_at": BEFORE}


def _parts(name: str, place: dict[str, Any], *parts: Sequence[Any]) -> Facts:
    member = "candidates" if name == "candidates_frozen" else "lines"
    return [
        {"type": f"selection.{name}.v1", "data": {**place, "part": number, member: list(rows)}}
        for number, rows in enumerate(parts, start=1)
    ]


def _decided(result: dict[str, Any], overrides: Mapping[str, tuple[str, str]]) -> Facts:
    lines: Facts = []
    for row in result["lines"]:
        decided, reason = overrides.get(row["project_id"], (row["outcome"], ""))
        if decided == "rejected" and not reason:
            continue
        share = row["share"] if not reason else "1" if decided == "selected" else "0"
        said = {"rank": row["rank"], "project_id": row["project_id"], "title": f"Projekt {row['project_id']}"}
        said |= {"score": row["score"], "computed": row["outcome"], "decided": decided, "share": share}
        lines.append({**said, "reason": reason})
    return lines


def as_lines(facts: Facts) -> list[bytes]:
    """As they stand in a file."""
    return [json.dumps(fact, ensure_ascii=False).encode() + b"\n" for fact in facts]
