"""The choice of a portfolio as a program of whole numbers, checked without rounding.

A column is a project at one share: in full, or at a part that was frozen. A row bounds a sum over columns from above.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from oker_decision.model import Candidate, Portfolio, Selection
from oker_decision.reading import Invalid

EXACT = 2**46
"""Gains are whole numbers with a sum up to this: floats hold them, and differences of 1, without rounding."""
FULL = Fraction(1)


@dataclass(frozen=True, slots=True)
class Column:
    """A project that may be funded at a share."""

    project: str
    share: Fraction


@dataclass(frozen=True, slots=True)
class Row:
    """The sum of coefficient times column is at most ``most``.

    Attributes:
        path: where the constraint stands in the content of the round, a JSON path.
        said: the constraint in words.
        kind: ``level``, ``seats``, ``budget``, ``exclusion``, ``dependency``, ``minimum``, or ``cut``.
    """

    path: str
    said: str
    kind: str
    coefficients: Mapping[int, int]
    most: int

    def over(self, chosen: Sequence[int]) -> int:
        """By how much the chosen columns break this row; 0 or less if they keep it."""
        return sum(self.coefficients.get(column, 0) for column in chosen) - self.most


@dataclass(frozen=True, slots=True)
class Program:
    """Columns in the frozen order (a project's greater share first), what each gains, and the rows.

    ``unit``: the value of a gain of 1. ``exact``: every gain times ``unit`` is the value itself; otherwise each was
    rounded down to the unit (what has a value gains 1 at
    least), and it is by these that portfolios are compared.
    """

    columns: Sequence[Column]
    values: Sequence[Fraction]
    gains: Sequence[int]
    unit: Fraction
    exact: bool
    rows: Sequence[Row]

    def gain(self, chosen: Sequence[int]) -> int:
        """What the chosen columns gain together."""
        return sum(self.gains[column] for column in chosen)


def program(
    candidates: Sequence[Candidate], values: Mapping[str, Fraction], selection: Selection, order: Sequence[str]
) -> Program:
    """Write the selection as a program.

    Raises:
        Invalid: if the order is not that of the candidates, or a cost is below 0.
    """
    known = {row.project_id: row for row in candidates}
    if sorted(order) != sorted(known):
        raise Invalid("$", "The order names each candidate once; it names others, or not all.")
    levels: dict[str, set[Fraction]] = {project: {FULL} for project in order}
    for project, share in selection.part_funding:
        if project in levels:
            levels[project].add(share)
    columns = [Column(name, share) for name in order for share in sorted(levels[name], reverse=True)]
    worth = [values[column.project] * column.share for column in columns]
    gains, unit, exact = _whole(worth)
    return Program(columns, worth, gains, unit, exact, list(_rows(columns, known, selection)))


def portfolio(
    found: Program, chosen: Sequence[int], candidates: Sequence[Candidate], at_most: Fraction | None
) -> Portfolio:
    """What the chosen columns stand for."""
    shares = {found.columns[column].project: found.columns[column].share for column in chosen}
    spent: dict[str, Fraction] = {}
    for candidate in candidates:
        for line, cost in candidate.costs.items():
            spent[line] = spent.get(line, Fraction(0)) + cost * shares.get(candidate.project_id, Fraction(0))
    return Portfolio(
        shares=shares,
        value=sum((found.values[column] for column in chosen), Fraction(0)),
        costs={line: int(cost) if cost.denominator == 1 else cost for line, cost in sorted(spent.items())},
        at_most=at_most,
    )


def _whole(values: Sequence[Fraction]) -> tuple[list[int], Fraction, bool]:
    common = 1
    total = sum((abs(value) for value in values), Fraction(0))
    for value in values:
        common = lcm(common, value.denominator)
        if total * common > EXACT:
            break
    else:
        return [int(value * common) for value in values], Fraction(1, common), True
    scale = Fraction(2 ** (EXACT.bit_length() - 1))
    while total * scale > EXACT:
        scale /= 2
    return [max((value * scale).__floor__(), 1 if value > 0 else 0) for value in values], 1 / scale, False


def _rows(columns: Sequence[Column], known: Mapping[str, Candidate], selection: Selection) -> Iterator[Row]:
    of: dict[str, list[int]] = {}
    for index, column in enumerate(columns):
        of.setdefault(column.project, []).append(index)
    for project, places in of.items():
        if len(places) > 1:
            path = "$.selection.part_funding"
            yield Row(path, f"{project} at one share only", "level", dict.fromkeys(places, 1), 1)
    if selection.seats is not None:
        every = dict.fromkeys(range(len(columns)), 1)
        yield Row("$.selection.seats", f"{selection.seats} seats", "seats", every, selection.seats)
    for index, (line, limit) in enumerate(selection.budgets):
        yield _budget(f"$.selection.budgets[{index}]", line, limit, columns, known)
    for index, (one, other) in enumerate(selection.exclusions):
        path = f"$.selection.exclusions[{index}]"
        pair = dict.fromkeys(of[one] + of[other], 1)
        yield Row(path, f"{one} and {other} exclude each other", "exclusion", pair, 1)
    for index, (project, needs) in enumerate(selection.dependencies):
        if project != needs:
            path = f"$.selection.dependencies[{index}]"
            both = dict.fromkeys(of[project], 1) | dict.fromkeys(of[needs], -1)
            yield Row(path, f"{project} needs {needs}", "dependency", both, 0)
    for field, least in selection.minimum_per_field:
        inside = [place for place, column in enumerate(columns) if field in known[column.project].fields_of_action]
        path = f"$.selection.minimum_per_field.{field}"
        said = f"at least {least} of the field {field}"
        yield Row(path, said, "minimum", dict.fromkeys(inside, -1), -least)


def _budget(path: str, line: str, limit: int, columns: Sequence[Column], known: Mapping[str, Candidate]) -> Row:
    costs = {index: known[column.project].costs.get(line, 0) * column.share for index, column in enumerate(columns)}
    for index, cost in costs.items():
        if cost < 0:
            raise Invalid(path, f"{columns[index].project} costs less than 0 EUR in the line {line}.")
    common = lcm(*(cost.denominator for cost in costs.values()))
    whole = {index: int(cost * common) for index, cost in costs.items() if cost}
    return Row(path, f"{limit} EUR in the line {line}", "budget", whole, limit * common)
