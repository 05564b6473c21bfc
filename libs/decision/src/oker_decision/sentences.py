"""One true sentence for each project, in German and English.

Points are written with two decimals, or with as many more as it takes to tell two different numbers apart; what was
rounded says so (rund, about). EUR have their thousands apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from oker_decision.reasons import (
    BelowCut,
    BetterWithout,
    ExcludedBy,
    LineTooSmall,
    NeedMissing,
    Reason,
    SeatsFull,
    TieByCriterion,
    TieByLot,
    TooFewVotes,
)

MOST_DECIMALS = 12
WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Sentence:
    """The same in two languages."""

    de: str
    en: str


@dataclass(frozen=True, slots=True)
class Names:
    """What projects and criteria are called, by their ids."""

    projects: Mapping[str, str]
    criteria: Mapping[str, str]
    mirrored: frozenset[str] = frozenset()
    """Criteria of which less is better; their means are spoken of as they are weighted."""


def numbers(*values: Fraction) -> list[Sentence]:
    """Numbers as they are written side by side; different ones look different."""
    decimals = 2
    while decimals < MOST_DECIMALS and len({_rounded(value, decimals) for value in values}) < len(set(values)):
        decimals += 1
    return [_number(value, decimals) for value in values]


def _rounded(value: Fraction, decimals: int) -> Decimal:
    exact = WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return exact.quantize(Decimal(1).scaleb(-decimals), context=WIDE)


def _number(value: Fraction, decimals: int) -> Sentence:
    shown = _rounded(value, decimals)
    about = Fraction(shown) != value
    english = f"{shown:,f}"
    german = english.translate(str.maketrans(",.", ".,"))
    return Sentence(f"rund {german}" if about else german, f"about {english}" if about else english)


def euros(value: int | Fraction) -> Sentence:
    """An amount of money; cents only where there are any."""
    if Fraction(value).denominator == 1:
        english = f"{int(value):,}"
        return Sentence(f"{english.replace(',', '.')} EUR", f"EUR {english}")
    number = _number(Fraction(value), 2)
    return Sentence(
        f"{number.de} EUR", f"{'about ' if number.en.startswith('about') else ''}EUR {number.en.split()[-1]}"
    )


def selected(rank: int, score: Fraction, share: Fraction) -> Sentence:
    """Why a project was selected."""
    (points,) = numbers(score)
    if share == 1:
        return Sentence(
            f"Ausgewählt: Rang {rank} mit {points.de} Punkten.", f"Selected: rank {rank} with {points.en} points."
        )
    return Sentence(
        f"Ausgewählt mit einer Teilförderung von {share} der Kosten: Rang {rank} mit {points.de} Punkten.",
        f"Selected and funded in part, at {share} of its costs: rank {rank} with {points.en} points.",
    )


def elected(votes: int, cost: int) -> Sentence:
    """Why the citizens' method funds a project."""
    cast, paid = _votes(votes), euros(cost)
    return Sentence(
        f"Von den Bürgerinnen und Bürgern ausgewählt mit {cast.de}; es kostet {paid.de}.",
        f"Selected by the citizens with {cast.en}; it costs {paid.en}.",
    )


def rejected(reason: Reason, names: Names) -> Sentence:
    """Why a project was not selected."""
    match reason:
        case BelowCut():
            return _below_cut(reason)
        case TieByCriterion():
            return _tie_by_criterion(reason, names)
        case TieByLot():
            return _tie_by_lot(reason, names)
        case SeatsFull():
            return _seats_full(reason)
        case BetterWithout():
            return _better_without(reason)
        case TooFewVotes():
            return _too_few_votes(reason)
        case LineTooSmall(line, cost, left):
            needed, free = euros(cost), euros(left)
            return Sentence(
                f"Nach den ausgewählten Projekten sind in der Budgetlinie {line} {free.de} übrig; "
                f"das Projekt kostet dort {needed.de}.",
                f"After the selected projects {free.en} are left in the budget line {line}; "
                f"the project costs {needed.en} there.",
            )
        case ExcludedBy(project):
            title = names.projects[project]
            return Sentence(
                f"Es schließt sich mit dem ausgewählten Projekt „{title}“ gegenseitig aus.",
                f"It and the selected project “{title}” exclude each other.",
            )
        case NeedMissing(needs):
            title = names.projects[needs]
            return Sentence(
                f"Es setzt das Projekt „{title}“ voraus, das nicht ausgewählt wurde.",
                f"It needs the project “{title}”, which was not selected.",
            )


def _seats(seats: int) -> Sentence:
    if seats == 1:
        return Sentence("Der eine Platz ging", "The one seat went")
    return Sentence(f"Die {seats} Plätze gingen", f"The {seats} seats went")


def _below_cut(reason: BelowCut) -> Sentence:
    seats, (own, last) = _seats(reason.seats), numbers(reason.score, reason.last_score)
    german, english = ("Projekte bis hinab zu", "projects down to")
    if reason.seats == 1:
        german, english = ("ein Projekt mit", "a project with")
    return Sentence(
        f"{seats.de} an {german} {last.de} Punkten; dieses hat {own.de} Punkte.",
        f"{seats.en} to {english} {last.en} points; this one has {own.en} points.",
    )


def _tie_by_criterion(reason: TieByCriterion, names: Names) -> Sentence:
    (score,), (own, winners) = numbers(reason.score), numbers(reason.own, reason.winners)
    winner, criterion = names.projects[reason.winner], names.criteria[reason.criterion]
    mirrored = reason.criterion in names.mirrored
    return Sentence(
        f"Es hat wie „{winner}“ {score.de} Punkte; den letzten Platz entschied das Kriterium „{criterion}“ mit "
        f"{own.de} gegen {winners.de} Punkte{' (gespiegelt, weil weniger besser ist)' if mirrored else ''}.",
        f"It has {score.en} points, as has “{winner}”; the last seat was decided by the criterion “{criterion}” with "
        f"{own.en} against {winners.en} points{' (mirrored, as less is better)' if mirrored else ''}.",
    )


def _tie_by_lot(reason: TieByLot, names: Names) -> Sentence:
    (score,), winner = numbers(reason.score), names.projects[reason.winner]
    return Sentence(
        f"Es hat wie „{winner}“ {score.de} Punkte, und vom Board in jedem Kriterium dasselbe Mittel; den letzten Platz "
        "entschied das Los, das mit dem Einfrieren der Runde feststand.",
        f"It has {score.en} points, as has “{winner}”, and from the board the same mean in each criterion; the last "
        "seat was decided by the lot that was fixed when the round was frozen.",
    )


def _seats_full(reason: SeatsFull) -> Sentence:
    seats, (own, last) = _seats(reason.seats), numbers(reason.score, reason.last_score)
    german, english = "andere Projekte, das am niedrigsten bewertete hat", "other projects, the lowest of which has"
    if reason.seats == 1:
        german, english = "ein anderes Projekt, es hat", "another project, which has"
    return Sentence(
        f"{seats.de} an {german} {last.de} Punkte; dieses hat {own.de} Punkte.",
        f"{seats.en} to {english} {last.en} points; this one has {own.en} points.",
    )


def _better_without(reason: BetterWithout) -> Sentence:
    best, other = numbers(reason.value, reason.value_with)
    if reason.value == reason.value_with:
        return Sentence(
            f"Das Projekt hat keine Punkte; mit ihm ergäbe sich dieselbe Summe von {best.de} Punkten.",
            f"The project has no points; with it the sum would be the same, {best.en} points.",
        )
    return Sentence(
        f"Die beste Auswahl mit diesem Projekt erreicht zusammen {other.de} Punkte, die getroffene {best.de}.",
        f"The best selection with this project reaches {other.en} points in all, the one that was made {best.en}.",
    )


def _too_few_votes(reason: TooFewVotes) -> Sentence:
    if reason.votes == 0:
        return Sentence("Niemand stimmte für das Projekt.", "Nobody voted for the project.")
    votes, needed, free = _votes(reason.votes), euros(reason.cost), euros(reason.left)
    return Sentence(
        f"Mit {votes.de} kam es nicht zum Zug: es kostet {needed.de}, am Ende waren {free.de} übrig.",
        f"With {votes.en} its turn did not come: it costs {needed.en}, and {free.en} were left at the end.",
    )


def _votes(votes: int) -> Sentence:
    if votes == 1:
        return Sentence("einer Stimme", "one vote")
    return Sentence(f"{votes:,} Stimmen".replace(",", "."), f"{votes:,} votes")
