"""What a decision is computed from, and what a portfolio is; read from JSON values.

Amounts are whole EUR. Exact numbers are ``Fraction``, in JSON a text such as ``"2/5"``. Members nobody knows are passed
over, as everywhere in Oker; the fingerprint covers them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from oker_decision.canonical import digest
from oker_decision.reading import (
    Invalid,
    flag,
    get,
    instant,
    items,
    members,
    no_repeat,
    one_of,
    rational,
    text,
    texts,
    whole,
    whole_value,
)

DIRECTIONS = ("max", "min")
NORMALISATIONS = ("vector", "minmax", "max", "sum")
SHAPES = ("usual", "u_shape", "v_shape", "level", "v_shape_indifference", "gaussian")
METHODS = ("seats", "portfolio", "equal_shares", "phragmen", "greedy")
CITIZENS = ("equal_shares", "phragmen", "greedy")
MAX_SAMPLES = 10_000
MAX_SCALE = 1_000
MAX_CRITERIA = MAX_VOICES = 100


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion with its share of the total and the meaning of the marks of its scale."""

    criterion: str
    title: str
    weight: Fraction
    direction: str
    """``max``: more is better. ``min``: less is better; the mean is mirrored on the scale when it is weighted."""
    anchors: Mapping[str, str]

    @staticmethod
    def read(said: Any, path: str = "$") -> "Criterion":
        weight = rational(said, "weight", path)
        if weight <= 0:
            raise Invalid(f"{path}.weight", "A weight is greater than 0.")
        return Criterion(
            criterion=text(said, "criterion", path),
            title=text(said, "title", path),
            weight=weight,
            direction=one_of(said, "direction", path, DIRECTIONS),
            anchors={mark: str(meaning) for mark, meaning, _ in members(said, "anchors", path)},
        )


@dataclass(frozen=True, slots=True)
class Voice:
    """Who is heard with what weight: the board, the forum, an advisory board, the citizens."""

    voice: str
    title: str
    kind: str
    """``scores``: ballots with a mark for each criterion. ``votes``: a number of votes for each project."""
    weight: Fraction

    @staticmethod
    def read(said: Any, path: str = "$") -> "Voice":
        weight = rational(said, "weight", path)
        if weight < 0:
            raise Invalid(f"{path}.weight", "The weight of a voice is 0 or more.")
        return Voice(
            voice=text(said, "voice", path),
            title=text(said, "title", path),
            kind=one_of(said, "kind", path, ("scores", "votes")),
            weight=weight,
        )


@dataclass(frozen=True, slots=True)
class Preference:
    """A preference function of PROMETHEE (Brans and Vincke 1985): its shape and its thresholds, in points."""

    shape: str
    q: Fraction
    """Indifference threshold."""
    p: Fraction
    """Preference threshold; the deviation s of the Gaussian shape."""

    @staticmethod
    def read(said: Any, path: str = "$") -> "Preference":
        found = Preference(one_of(said, "shape", path, SHAPES), rational(said, "q", path), rational(said, "p", path))
        if found.q < 0:
            raise Invalid(f"{path}.q", "A threshold is 0 or more.")
        if found.shape in ("v_shape", "gaussian") and found.p <= 0:
            raise Invalid(f"{path}.p", f"The shape {found.shape} needs a threshold p greater than 0.")
        if found.shape in ("level", "v_shape_indifference") and found.p <= found.q:
            raise Invalid(f"{path}.p", f"The shape {found.shape} needs a threshold p greater than q.")
        return found


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Which other methods are shown beside the ranking; None is left out."""

    topsis: str | None
    """How the columns are normalised."""
    promethee_ii: Mapping[str, Preference] | None
    """The preference function of each criterion."""

    @staticmethod
    def read(said: Any, criteria: Sequence[str], path: str = "$") -> "Comparisons":
        topsis, promethee = get(said, "topsis", path), get(said, "promethee_ii", path)
        functions: dict[str, Preference] | None = None
        if promethee is not None:
            rows = members(promethee, "functions", f"{path}.promethee_ii")
            functions = {name: Preference.read(value, place) for name, value, place in rows}
            if set(functions) != set(criteria):
                raise Invalid(f"{path}.promethee_ii.functions", "Name one function for each criterion of the round.")
        normalisation = topsis and one_of(topsis, "normalisation", f"{path}.topsis", NORMALISATIONS)
        return Comparisons(normalisation, functions)


@dataclass(frozen=True, slots=True)
class Robustness:
    """How often the weights are drawn anew (SMAA), and from which seed."""

    samples: int
    seed: int

    @staticmethod
    def read(said: Any, path: str = "$") -> "Robustness":
        return Robustness(whole(said, "samples", path, 0, MAX_SAMPLES), whole(said, "seed", path))


@dataclass(frozen=True, slots=True)
class Selection:
    """How projects are taken from the ranking. What a method does not use is empty or None."""

    method: str
    """One of ``METHODS``."""
    seats: int | None = None
    """The greatest number of projects; None where only money limits."""
    budgets: tuple[tuple[str, int], ...] = ()
    """Budget lines with their limits in EUR, for ``portfolio``. A line that is not named has no limit."""
    exclusions: tuple[tuple[str, str], ...] = ()
    """At most one project of each pair is selected."""
    dependencies: tuple[tuple[str, str], ...] = ()
    """(project, needs): the first is selected only with the second."""
    minimum_per_field: tuple[tuple[str, int], ...] = ()
    """The least number of selected projects of a field of action."""
    part_funding: tuple[tuple[str, Fraction], ...] = ()
    """Shares between 0 and 1 at which a project may be funded instead of in full; costs and value go with the share."""
    budget_eur: int | None = None
    """What the citizens' methods may spend."""
    line: str | None = None
    """The budget line whose costs count in the citizens' methods."""

    @staticmethod
    def read(said: Any, path: str = "$") -> "Selection":
        method = one_of(said, "method", path, METHODS)
        if method == "seats":
            return Selection(method, seats=whole(said, "seats", path, 1))
        if method in CITIZENS:
            return Selection(method, budget_eur=whole(said, "budget_eur", path), line=text(said, "line", path))
        return _portfolio(said, path)


def _portfolio(said: Any, path: str) -> Selection:
    budgets = [
        (text(row, "line", place), whole(row, "limit_eur", place)) for row, place in items(said, "budgets", path)
    ]
    no_repeat([line for line, _ in budgets], f"{path}.budgets", ".line")
    needs = [
        (text(row, "project", place), text(row, "needs", place)) for row, place in items(said, "dependencies", path)
    ]
    fields = [(name, whole_value(value, place)) for name, value, place in members(said, "minimum_per_field", path)]
    return Selection(
        method="portfolio",
        seats=None if get(said, "seats", path) is None else whole(said, "seats", path, 1),
        budgets=tuple(budgets),
        exclusions=tuple(_pair(row, place) for row, place in items(said, "exclusions", path)),
        dependencies=tuple(needs),
        minimum_per_field=tuple(fields),
        part_funding=tuple(_part(row, place) for row, place in items(said, "part_funding", path)),
    )


def _pair(said: Any, path: str) -> tuple[str, str]:
    if not isinstance(said, list | tuple) or len(said) != 2 or not all(isinstance(name, str) for name in said):
        raise Invalid(path, "Write a pair of projects here.")
    if said[0] == said[1]:
        raise Invalid(path, "A project cannot exclude itself; name two projects.")
    return said[0], said[1]


def _part(said: Any, path: str) -> tuple[str, Fraction]:
    share = rational(said, "share", path)
    if not 0 < share < 1:
        raise Invalid(f"{path}.share", "A part is greater than 0 and less than 1.")
    return text(said, "project", path), share


@dataclass(frozen=True, slots=True)
class Candidate:
    """A project in the version that was frozen."""

    project_id: str
    version: int
    title: str
    fields_of_action: tuple[str, ...]
    costs: Mapping[str, int]
    """EUR of each budget line; a line that is not named costs nothing."""
    profile_sha256: str

    @staticmethod
    def read(said: Any, path: str = "$") -> "Candidate":
        return Candidate(
            project_id=text(said, "project_id", path),
            version=whole(said, "version", path, 1),
            title=text(said, "title", path),
            fields_of_action=texts(said, "fields_of_action", path),
            costs={line: whole_value(value, place) for line, value, place in members(said, "costs", path)},
            profile_sha256=text(said, "profile_sha256", path),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """The counted ballots of one voice for one candidate; the tuples in the order of the criteria.

    Each is of whole points: sum, least, greatest and sum of squares over ``count`` ballots.
    """

    count: int
    sums: tuple[int, ...]
    least: tuple[int, ...]
    greatest: tuple[int, ...]
    squares: tuple[int, ...]


Tallies = Mapping[str, Mapping[str, Tally | int]]
"""For each voice, and for ``assessments``: what each project got. Who got nothing is left out.

A ``Tally`` for a voice of kind ``scores`` and for assessments, the number of votes for a voice of kind ``votes``.
"""
Approvals = Mapping[frozenset[str], int]
"""How many citizens approved of exactly these projects. Only the citizens' methods need them."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The best set of projects under the budgets."""

    shares: Mapping[str, Fraction]
    """The share at which each selected project is funded, 1 in full; who is not selected is left out."""
    value: Fraction
    """Sum of score times share."""
    costs: Mapping[str, int | Fraction]
    """EUR of each budget line."""
    at_most: Fraction | None = None
    """What no other portfolio exceeds, where the search was broken off; None: there is none better.

    Equal to ``value``: none is better, but of those that are worth the same this may not be the first in the order.
    """


@dataclass(frozen=True, slots=True)
class Taken:
    """A portfolio as a result says it, to be looked at instead of searched."""

    shares: Mapping[str, Fraction]
    at_most: Fraction | None


@dataclass(frozen=True, slots=True)
class Round:
    """Everything a decision depends on besides the candidates and the ballots."""

    round_id: str
    title: str
    criteria: tuple[Criterion, ...]
    scale_min: int
    scale_max: int
    comparisons: Comparisons
    robustness: Robustness
    assessors: tuple[str, ...]
    min_assessments: int
    assessments_until: str
    discussion_spread: int
    electorate: tuple[str, ...]
    quorum: int
    ballots_until: str
    may_end_early: bool
    voices: tuple[Voice, ...]
    selection: Selection
    candidates: int
    candidates_sha256: str
    frozen_sha256: str
    """The fingerprint of the content as it was read; the lot is drawn from it."""

    @staticmethod
    def read(said: Any, path: str = "$") -> "Round":
        """Read the frozen content of a round.

        Raises:
            Invalid: naming the place, if the content is none or contradicts itself.
        """
        text(get(said, "criteria_set", path), "set", f"{path}.criteria_set")
        whole(said["criteria_set"], "version", f"{path}.criteria_set", 1)
        one_of(said, "tie_break", path, ("criteria_then_lot",))
        criteria = tuple(Criterion.read(row, place) for row, place in items(said, "criteria", path))
        names = [row.criterion for row in criteria]
        round = Round(
            round_id=text(said, "round_id", path),
            title=text(said, "title", path),
            criteria=criteria,
            scale_min=whole(said, "scale_min", path, 0, MAX_SCALE),
            scale_max=whole(said, "scale_max", path, 1, MAX_SCALE),
            comparisons=Comparisons.read(get(said, "comparisons", path), names, f"{path}.comparisons"),
            robustness=Robustness.read(get(said, "robustness", path), f"{path}.robustness"),
            assessors=texts(said, "assessors", path),
            min_assessments=whole(said, "min_assessments", path),
            assessments_until=instant(said, "assessments_until", path),
            discussion_spread=whole(said, "discussion_spread", path, 1),
            electorate=texts(said, "electorate", path),
            quorum=whole(said, "quorum", path, 1),
            ballots_until=instant(said, "ballots_until", path),
            may_end_early=flag(said, "may_end_early", path),
            voices=tuple(Voice.read(row, place) for row, place in items(said, "voices", path)),
            selection=Selection.read(get(said, "selection", path), f"{path}.selection"),
            candidates=whole(said, "candidates", path, 1),
            candidates_sha256=text(said, "candidates_sha256", path),
            frozen_sha256=digest(said),
        )
        _check(round, path)
        return round


def _check(round: Round, path: str) -> None:
    for name, most in (("criteria", MAX_CRITERIA), ("voices", MAX_VOICES)):
        if len(getattr(round, name)) > most:
            raise Invalid(f"{path}.{name}", f"A round has {most} of these at most.")
    no_repeat([row.criterion for row in round.criteria], f"{path}.criteria", ".criterion")
    no_repeat([row.voice for row in round.voices], f"{path}.voices", ".voice")
    for name, total in (
        ("criteria", sum(row.weight for row in round.criteria)),
        ("voices", sum(row.weight for row in round.voices)),
    ):
        if total != 1:
            raise Invalid(f"{path}.{name}", f"The weights add up to {total}; make them add up to exactly 1.")
    board = [row for row in round.voices if row.voice == "board"]
    if not board or board[0].weight == 0 or board[0].kind != "scores":
        raise Invalid(f"{path}.voices", 'The board decides: name a voice "board" of kind "scores", with a weight.')
    if any(row.voice == "assessments" for row in round.voices):
        raise Invalid(f"{path}.voices", "Assessments inform and are no voice; give this voice another name.")
    if round.scale_min >= round.scale_max:
        raise Invalid(f"{path}.scale_max", "The scale ends above where it begins.")
    if round.quorum > len(round.electorate):
        raise Invalid(f"{path}.quorum", "The quorum is larger than the electorate.")
    if round.min_assessments > len(round.assessors):
        raise Invalid(f"{path}.min_assessments", "There are fewer assessors than assessments needed.")
    citizens = [row for row in round.voices if row.voice == "citizens" and row.kind == "votes"]
    if round.selection.method in CITIZENS and not citizens:
        raise Invalid(f"{path}.voices", 'This way of selection needs a voice "citizens" of kind "votes".')
    for name in ("assessors", "electorate"):
        if list(getattr(round, name)) != sorted(getattr(round, name)):
            raise Invalid(f"{path}.{name}", "Sort this list: its order makes no difference.")
