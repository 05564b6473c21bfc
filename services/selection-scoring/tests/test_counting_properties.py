"""What counts, found by search: facts are folded into the real tables in any order, and held against a plain count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from builders_selection_scoring import ASSESSORS, CRITERIA, NOON, POOL, ROUND, VOTERS, a_round
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oker_bus.edge import Sessions
from oker_contracts import Contract
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.criteria_recorded_v1 import LogLink
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from selection_scoring import store
from selection_scoring.api.answers import sealed
from selection_scoring.api.counting import assessed, complete_voters, counted
from selection_scoring.fold import FOLDS

ON_TIME = datetime(2026, 3, 9, tzinfo=UTC)
LATE = datetime(2026, 3, 21, tzinfo=UTC)
PLACE = {"round_id": ROUND, "frozen_sha256": "ab" * 32}


@dataclass(frozen=True)
class Spoken:
    """A version of a judgement; its scores follow from all the rest."""

    voice: str
    voter: str
    project_id: str
    version: int
    late: bool

    @property
    def points(self) -> int:
        return sha256(repr(self).encode()).digest()[0] % 5 + 1

    def fact(self) -> Contract:
        scores = dict.fromkeys(CRITERIA, self.points)
        at = LATE if self.late else ON_TIME
        said = {"project_id": self.project_id, "version": self.version, "scores": scores}
        if self.voice == "assessments":
            return sealed(AssessmentGivenV1, **PLACE, **said, assessor=self.voter, comment="", given_at=at)
        return sealed(BallotCastV2, **PLACE, **said, voice=self.voice, voter=self.voter, cast_at=at)


spoken = st.builds(
    Spoken,
    voice=st.sampled_from(["assessments", "board", "forum"]),
    voter=st.sampled_from([*VOTERS, *ASSESSORS, "stranger"]),
    project_id=st.sampled_from(POOL),
    version=st.integers(1, 3),
    late=st.booleans(),
)
recusals = st.sets(st.tuples(st.sampled_from([*VOTERS, *ASSESSORS]), st.sampled_from(POOL)), max_size=3)


def recused(holder: str, project_id: str) -> Contract:
    said = {"holder": holder, "project_id": project_id, "reason": "x"}
    return sealed(RecusalDeclaredV1, **PLACE, **said, declared_by=holder, declared_at=NOON)


def begun() -> list[Contract]:
    """The facts of a round in which people judge."""
    link = LogLink(number=1, previous_sha256="0" * 64, sha256="0" * 64)
    content = dict(a_round().content)
    frozen = RoundFrozenV1(**PLACE, content=content, parts=1, frozen_by="cdo-1", frozen_at=NOON, log=link)
    rows = [
        {
            "project_id": name,
            "version": 3,
            "title": name,
            "fields_of_action": [],
            "costs": {},
            "profile_sha256": "ab" * 32,
        }
        for name in POOL
    ]
    return [frozen, CandidatesFrozenV1.model_validate({**PLACE, "part": 1, "candidates": rows})]


def counts(row: Spoken) -> bool:
    """Whether it is on time and not foreign."""
    return not row.late and row.voter in {"assessments": ASSESSORS, "board": VOTERS}.get(row.voice, (row.voter,))


def plain(said: Sequence[Spoken], biased: set[tuple[str, str]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Count and sum of what counts, by voice and candidate: the newest version that is on time and not foreign."""
    newest: dict[tuple[str, str, str], Spoken] = {}
    for row in said:
        key = (row.voice, row.voter, row.project_id)
        if counts(row) and (key not in newest or row.version > newest[key].version):
            newest[key] = row
    found: dict[str, dict[str, tuple[int, int]]] = {"assessments": {}, "board": {}, "forum": {}}
    for (voice, voter, project_id), row in newest.items():
        if (voter, project_id) in biased:
            continue
        count, points = found[voice].get(project_id, (0, 0))
        found[voice][project_id] = (count + 1, points + row.points)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(said=st.lists(spoken, max_size=25), biased=recusals, chance=st.randoms(use_true_random=False))
async def test_recused_late_and_foreign_judgements_never_count_and_order_and_repetition_never_matter(
    sessions: Sessions, said: list[Spoken], biased: set[tuple[str, str]], chance: Any
) -> None:
    unique = list({(row.voice, row.voter, row.project_id, row.version): row for row in said}.values())
    facts = [row.fact() for row in unique] + [recused(*pair) for pair in biased]
    seen: list[Any] = []
    for _ in range(2):
        shuffled = chance.sample(facts, len(facts)) + chance.sample(facts, len(facts) // 2)
        async with sessions() as session:
            for fact in [*begun(), *shuffled]:
                await FOLDS[type(fact)](session, fact)
            round = await store.rounds.find(session, ROUND)
            assert round is not None
            tallies, _ = await counted(session, round)
            assert tallies["assessments"] == await assessed(session, round, POOL)
            found = {
                voice: {name: (tally.count, tally.sums[0]) for name, tally in tallies[voice].items()}  # type: ignore[union-attr]
                for voice in ("assessments", "board", "forum")
            }
            assert found == plain(unique, biased)
            number, fingerprint = await store.counting.fingerprint(session, ROUND)
            hashes = sorted(str(fact.sha256) for fact in facts)  # type: ignore[attr-defined]
            assert (number, fingerprint) == (len(facts), sha256("".join(hashes).encode()).hexdigest())
            seen.append((tallies, fingerprint, await complete_voters(session, round)))
    assert seen[0] == seen[1]
    done = {(row.voter, row.project_id) for row in unique if row.voice == "board" and counts(row)} | biased
    assert seen[0][2] == sum(all((voter, name) in done for name in POOL) for voter in VOTERS)


@pytest.mark.parametrize("versions", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
async def test_the_newest_version_counts_whatever_came_first(sessions: Sessions, versions: tuple[int, ...]) -> None:
    async with sessions() as session:
        for fact in begun():
            await FOLDS[type(fact)](session, fact)
        for version in versions:
            fact = Spoken("board", "board-1", "bahnstadt", version, late=False).fact()
            await FOLDS[type(fact)](session, fact)
        known = await store.judgements.current(session, ROUND, "board", "bahnstadt", "board-1")
        assert known is not None
        assert known.version == 3
        assert (await store.counting.given(session, ROUND)) == {"board": 1}


async def test_a_bulk_load_leaves_what_folding_one_by_one_leaves(sessions: Sessions) -> None:
    said = [Spoken("board", voter, name, 1, late=False) for voter in VOTERS for name in POOL]
    found = []
    for bulk in (False, True):
        async with sessions() as session:
            for fact in begun():
                await FOLDS[type(fact)](session, fact)
            for row in said:
                fact = row.fact()
                if not bulk:
                    await FOLDS[type(fact)](session, fact)
            if bulk:
                raw = (await (await session.connection()).get_raw_connection()).driver_connection
                await store.judgements.load(raw, ROUND, [_judgement(row) for row in said])
            round = await store.rounds.find(session, ROUND)
            assert round is not None
            figures = (await store.counting.fingerprint(session, ROUND), await store.counting.given(session, ROUND))
            found.append((await counted(session, round), figures, await complete_voters(session, round)))
    assert found[0] == found[1]


def _judgement(row: Spoken) -> Any:
    fact: Any = row.fact()
    place = (ROUND, row.voice, row.voter, row.project_id, row.version)
    return store.judgements.Judgement(*place, (row.points,) * 4, "", ON_TIME + timedelta(), fact.sha256)
