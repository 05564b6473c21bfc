"""The counting itself: what is lost is noticed and named, and a number is never lowered."""

from pathlib import Path

import pytest

from oker_testkit.counts import Counts, read_reached, write_reached


def three_of_four(reached: int) -> Counts:
    """Counts of one data set, of which one case is broken."""
    counts = Counts({"feeds": reached, "others": 7})
    tally = counts.of("feeds")
    for number in range(4):
        with tally.case(f"case {number}"):
            assert number != 2, "two is broken"
    return counts


def test_fewer_than_before_fails_and_names_what_is_broken() -> None:
    with pytest.raises(AssertionError, match=r"3 of 4 hold, 4 held before.*\n.*case 2: .*two is broken"):
        three_of_four(reached=4).of("feeds").check()


@pytest.mark.parametrize("reached", [0, 2, 3])
def test_as_many_as_before_is_enough(reached: int) -> None:
    counts = three_of_four(reached)

    counts.of("feeds").check()

    assert [line.split("hold")[0].split() for line in counts.table()] == [["feeds", "3", "of", "4"]]


def test_a_data_set_without_cases_fails() -> None:
    with pytest.raises(AssertionError, match="no case was tried"):
        Counts({}).of("feeds").check()


@pytest.mark.parametrize(("reached", "raised"), [(2, 3), (4, 4)])
def test_a_number_is_raised_and_never_lowered(tmp_path: Path, reached: int, raised: int) -> None:
    path = tmp_path / "reached.toml"

    write_reached(path, three_of_four(reached).raised())

    assert read_reached(path) == {"feeds": raised, "others": 7}
