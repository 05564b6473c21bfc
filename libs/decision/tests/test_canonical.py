"""The canonical text is that of RFC 8785, whichever way it is written."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from oker_decision import canonical as written
from oker_decision.canonical import canonical
from oker_decision.reading import Invalid

TEXTS = st.text() | st.sampled_from(["\u2028", "\x7f", '"', "\\", "/", "ä", "👍", "\ud7ff", "\t"])
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e30, 1e30) | TEXTS
VALUES = st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(TEXTS, part), max_leaves=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(max_codepoint=0x17F)),
    lambda part: st.lists(part) | st.dictionaries(st.text(st.characters(min_codepoint=32, max_codepoint=126)), part),
    max_leaves=20,
)


@given(VALUES | PLAIN)
def test_the_short_way_writes_what_the_standard_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_large_results_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written.rfc8785, "dumps", lambda _: b"the long way")

    assert (
        canonical({"b": ["56/15", 3, None, True], "a": "Größe"}) == '{"a":"Größe","b":["56/15",3,null,true]}'.encode()
    )
    assert canonical({"a": 1.5}) == b"the long way"


@pytest.mark.parametrize("value", ["\ud800", 2**53, float("nan")])
def test_what_has_no_canonical_text_is_named_with_its_place(value: Any) -> None:
    with pytest.raises(Invalid) as found:
        canonical({"a": [1, {"b": value}]})

    assert found.value.path == "$.a[1].b"


def test_what_is_nested_too_deeply_is_named() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(Invalid, match="nested too deeply"):
        canonical(deep)
