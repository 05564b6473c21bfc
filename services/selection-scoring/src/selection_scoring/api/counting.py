"""What a round has so far, and what is counted in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from oker_decision.model import Approvals, Tallies, Tally
from selection_scoring import store
from selection_scoring.domain.rounds import ASSESSMENTS, Round, needed

MOST_DISCUSSED = 1000


async def counted(session: store.Session, round: Round) -> tuple[Tallies, Approvals]:
    """Everything that counts in a round: by voice and candidate, and the approvals of the citizens."""
    tallies: dict[str, Mapping[str, Tally | int]] = {ASSESSMENTS: await assessed(session, round)}
    votes = await store.votes.newest(session, round.round_id, round.ballots_until)
    for voice in round.content["voices"]:
        name = voice["voice"]
        if voice["kind"] == "votes":
            tallies[name] = _votes(votes[name]["ballots"]) if name in votes else {}
        else:
            tallies[name] = await store.counting.tallies(session, round.round_id, name, len(round.criteria))
    return tallies, _approvals(votes.get("citizens", {}).get("ballots", []))


def _votes(ballots: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for ballot in ballots:
        for project in set(ballot["approves"]):
            found[project] = found.get(project, 0) + ballot["people"]
    return found


def _approvals(ballots: Sequence[Mapping[str, Any]]) -> Approvals:
    found: Counter[frozenset[str]] = Counter()
    for ballot in ballots:
        found[frozenset(ballot["approves"])] += ballot["people"]
    return found


async def assessed(session: store.Session, round: Round, projects: Sequence[str] | None = None) -> dict[str, Tally]:
    """The assessments that count, by candidate."""
    return await store.counting.tallies(session, round.round_id, ASSESSMENTS, len(round.criteria), projects)


async def short_of_assessments(
    session: store.Session, round: Round, project_ids: Sequence[str], tallies: Mapping[str, Tally]
) -> list[str]:
    """Those of the candidates that have fewer assessments than they need."""
    assessors = set(round.content["assessors"])
    said = await store.judgements.recusals(session, round.round_id)
    recused = Counter(row["project_id"] for row in said if row["holder"] in assessors)
    given = {name: tally.count for name, tally in tallies.items()}
    return [name for name in project_ids if given.get(name, 0) < needed(round, recused[name])]


def far_apart(round: Round, tally: Tally) -> bool:
    """Whether assessors lie so far apart in a criterion that the board talks about it first."""
    spread = int(round.content["discussion_spread"])
    pairs = zip(tally.least, tally.greatest, strict=True)
    return tally.count > 0 and any(greatest - least >= spread for least, greatest in pairs)


async def complete_voters(session: store.Session, round: Round) -> int:
    """How many members of the electorate have scored every candidate, or recused themselves."""
    members, candidates = round.content["electorate"], int(round.content["candidates"])
    return await store.counting.complete_voters(session, round.round_id, members, candidates)
