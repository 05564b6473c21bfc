"""TOPSIS, PROMETHEE II and the weighted sum come out as published, and as a kept library computes them."""

import json
import os
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymcdm import methods, normalizations

from oker_decision import comparison
from oker_decision.comparison import promethee_ii, topsis, weighted_sum, written
from oker_decision.model import NORMALISATIONS, Preference
from oker_decision.reading import Invalid

REPOSITORY = Path(__file__).resolve().parents[3]
USUAL = Preference("usual", Fraction(0), Fraction(0))
FLOATS = 1e-9
"""How far the floats of the kept library may lie from exact values."""

marks = st.fractions(0, 5, max_denominator=12)
parts_of_weight = st.lists(st.integers(1, 9), min_size=4, max_size=4)
four = st.lists(st.booleans(), min_size=4, max_size=4)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(marks, min_size=width, max_size=width), min_size=2, max_size=6)
)


def folder() -> Path:
    found = Path(os.environ.get("OKER_REALWORLD_DATA", REPOSITORY.parent / "shared" / "data")) / "mcda-benchmarks"
    if not found.is_dir():
        pytest.skip(f"no published tables in {found}; name the folder in OKER_REALWORLD_DATA")
    return found


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder() / "cases.json").read_text("utf-8"))
    return [case for case in found if case.get("weights") and case.get("computed_reference_pymcdm")]


def exact(numbers: list[float]) -> list[Fraction]:
    return [Fraction(repr(number)) for number in numbers]


def table(case: dict[str, Any]) -> tuple[list[list[Fraction]], list[Fraction], list[str]]:
    """The matrix, the weights as the paper has them, the directions."""
    directions = ["max" if kind == 1 else "min" for kind in case["types"]]
    return [exact(row) for row in case["matrix"]], exact(case["weights"]), directions


def shares(weights: list[Fraction]) -> list[Fraction]:
    return [weight / sum(weights) for weight in weights]


def computed(method: str, matrix: list[list[Fraction]], weights: list[Fraction], directions: list[str]) -> list[float]:
    name, normalisation = method.rsplit("_", 1)
    if name == "wsm":
        return [float(value) for value in weighted_sum(matrix, weights, directions, normalisation)]
    if name == "topsis":
        return [float(value) for value in topsis(matrix, weights, directions, normalisation)]
    assert method == "promethee_ii_usual"
    return [float(value) for value in promethee_ii(matrix, weights, directions, [USUAL] * len(weights))]


def test_every_reference_of_the_published_tables_comes_out_to_its_digits() -> None:
    held = 0
    for case in cases():
        matrix, weights, directions = table(case)
        for method, reference in case["computed_reference_pymcdm"].items():
            found = computed(method, matrix, shares(weights), directions)
            assert [round(value, 8) for value in found] == pytest.approx(reference, abs=1.1e-8), (case["id"], method)
            held += 1

    assert held == 64


def test_the_published_topsis_table_comes_out_as_printed() -> None:
    (case,) = [case for case in cases() if case["method"] == "TOPSIS"]
    matrix, weights, directions = table(case)

    found = topsis(matrix, weights, directions, "minmax")

    assert [round(float(value), 3) for value in found] == case["published_or_reference_output"]


def test_weights_of_papers_that_do_not_add_up_are_refused_with_their_sum() -> None:
    refused = []
    for case in cases():
        matrix, weights, directions = table(case)
        if sum(weights) == 1:
            continue
        with pytest.raises(Invalid, match=r"\$\.weights: The weights add up to [0-9/]+; make them") as fault:
            topsis(matrix, weights, directions)
        assert fault.value.path == "$.weights"
        refused.append(case["id"])

    assert {"TestARAS.test_output", "TestMARCOS.test_output", "TestWPM.test_output"} <= set(refused)


@pytest.mark.parametrize("normalisation", ["vector", "minmax", "max", "sum"])
@given(matrix=tables, parts=parts_of_weight, less=st.lists(st.booleans(), min_size=4))
def test_topsis_is_what_the_kept_library_computes(
    normalisation: str, matrix: list[list[Fraction]], parts: list[int], less: list[bool]
) -> None:
    matrix = [[value + 1 for value in row] for row in matrix]
    assume(any(row != matrix[0] for row in matrix))
    weights = shares([Fraction(part) for part in parts[: len(matrix[0])]])
    directions = ["min" if down else "max" for down in less[: len(weights)]]
    library = methods.TOPSIS(getattr(normalizations, f"{normalisation}_normalization"))

    found = topsis(matrix, weights, directions, normalisation)

    assert [float(value) for value in found] == pytest.approx(
        by_library(library, matrix, weights, directions), abs=FLOATS
    )


def by_library(
    library: Any, matrix: list[list[Fraction]], weights: list[Fraction], directions: list[str]
) -> list[float]:
    types = np.array([1 if direction == "max" else -1 for direction in directions])
    values = np.array([[float(value) for value in row] for row in matrix])
    return list(library(values, np.array([float(weight) for weight in weights]), types, validation=False))


LIBRARY_SHAPES = {
    "usual": "usual",
    "u_shape": "ushape",
    "v_shape": "vshape",
    "level": "level",
    "v_shape_indifference": "vshape_2",
}


@pytest.mark.parametrize("shape", LIBRARY_SHAPES)
@given(matrix=tables, parts=parts_of_weight)
def test_promethee_is_what_the_kept_library_computes(
    shape: str, matrix: list[list[Fraction]], parts: list[int]
) -> None:
    """Thresholds that no difference meets exactly: there a float may fall on either side."""
    q, p = Fraction(7, 10_007), Fraction(20_000, 10_007)
    weights = shares([Fraction(part) for part in parts[: len(matrix[0])]])
    thresholds = {"p": [float(p)] * len(weights)} if shape not in ("usual", "u_shape") else {}
    thresholds |= {"q": [float(q)] * len(weights)} if shape not in ("usual", "v_shape") else {}
    library = methods.PROMETHEE_II(LIBRARY_SHAPES[shape], **thresholds)

    found = promethee_ii(matrix, weights, ["max"] * len(weights), [Preference(shape, q, p)] * len(weights))

    expected = by_library(library, matrix, weights, ["max"] * len(weights))
    assert [float(value) for value in found] == pytest.approx(expected, abs=FLOATS)


def test_a_gaussian_preference_grows_with_the_square_of_the_difference() -> None:
    bell = Preference("gaussian", Fraction(0), Fraction(2))

    with localcontext(Context(prec=3)):  # what others set for themselves makes no difference
        flows = promethee_ii([[Fraction(5)], [Fraction(3)], [Fraction(3)]], [Fraction(1)], ["max"], [bell])

    assert [written(flow) for flow in flows] == ["0.393469340", "-0.196734670", "-0.196734670"]


@given(tables)
def test_net_flows_add_up_to_nothing(matrix: list[list[Fraction]]) -> None:
    weights = shares([Fraction(1)] * len(matrix[0]))
    ramp = Preference("v_shape_indifference", Fraction(1, 3), Fraction(2))

    flows = promethee_ii(matrix, weights, ["min"] * len(weights), [ramp] * len(weights))

    assert abs(sum(map(Fraction, flows))) < Fraction(1, 10**35)


@given(tables)
def test_numbers_too_large_for_a_machine_word_give_the_same_flows(matrix: list[list[Fraction]]) -> None:
    huge = Fraction(2) ** 70
    weights = shares([Fraction(1)] * len(matrix[0]))
    small = Preference("level", Fraction(1), Fraction(2))
    large = Preference("level", huge, 2 * huge)

    flows = promethee_ii(matrix, weights, ["max"] * len(weights), [small] * len(weights))
    grown = [[value * huge + Fraction(1, 7) for value in row] for row in matrix]

    assert promethee_ii(grown, weights, ["max"] * len(weights), [large] * len(weights)) == flows


def test_equal_alternatives_are_halfway_and_without_flow() -> None:
    matrix = [[Fraction(0), Fraction(3)]] * 2
    half = [Fraction(1, 2)] * 2

    for normalisation in NORMALISATIONS:
        assert topsis(matrix, half, ["max", "max"], normalisation) == [Decimal("0.5")] * 2
    assert [written(flow) for flow in promethee_ii(matrix, half, ["max", "min"], [USUAL] * 2)] == ["0.000000000"] * 2
    assert promethee_ii(matrix[:1], half, ["max", "max"], [USUAL] * 2) == [Decimal(0)]


@pytest.mark.parametrize(
    ("matrix", "weights", "directions", "path"),
    [
        ([[1, 2], [1]], [1, 1], ["max", "max"], "$.matrix[1]"),
        ([[1, 2]], [1, 0], ["max", "max"], "$.weights[1]"),
        ([[1, 2]], [1, 1], ["max"], "$.directions"),
        ([[1, 2]], [1, 1], ["max", "up"], "$.directions[1]"),
        ([[0, 1], [1, 1]], [1, 1], ["min", "max"], "$.matrix[*][0]"),
    ],
)
def test_a_table_that_is_none_is_refused_at_its_place(
    matrix: list[list[int]], weights: list[int], directions: list[str], path: str
) -> None:
    halves = [Fraction(weight, 2) for weight in weights]
    with pytest.raises(Invalid) as fault:
        topsis([[Fraction(value) for value in row] for row in matrix], halves, directions, "sum")

    assert fault.value.path == path


def test_a_gaussian_shape_compares_fewer_candidates() -> None:
    bell = Preference("gaussian", Fraction(0), Fraction(1))

    assert comparison.comparable(1000, [USUAL])
    assert not comparison.comparable(1001, [USUAL])
    assert not comparison.comparable(251, [USUAL, bell])
