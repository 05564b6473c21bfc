"""Projects from files: how cells are read, and what is said of those that cannot be."""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from builders_import import COLUMNS, DEFECTS, a_csv, a_row, a_workbook, judged
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Reason, Refused
from project_registry import domain, importing
from project_registry.importing.columns import BUDGET, GROUPS, PLAIN, key_of
from project_registry.importing.sheets import guarded, unguarded

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def an_entry(content: Mapping[str, Any], state: str = "proposed") -> domain.Entry:
    return domain.Entry("project", "radweg", 3, NOON, NOON, "u-1", "x", content, content["title"], state)


def faults(body: bytes, **said: Any) -> list[tuple[int, str]]:
    """Row and column of each fault."""
    return [(result.row, fault.column) for result in judged(body, **said)[0] for fault in result.faults]


def profile(**cells: str) -> dict[str, Any]:
    """The profile that one right row makes."""
    (result,), plans = judged(a_csv([a_row(1, **cells)], list({**dict.fromkeys(COLUMNS), **dict.fromkeys(cells)})))
    assert result.faults == ()
    return plans[0].profile.model_dump(mode="json", exclude_defaults=True)


@pytest.mark.parametrize(("cells", "column"), [defect[1:] for defect in DEFECTS], ids=[d[0] for d in DEFECTS])
def test_a_defect_is_named_with_its_row_and_column_and_harms_no_neighbour(
    cells: Mapping[str, str], column: str
) -> None:
    body = a_csv([a_row(1), a_row(2, **cells), a_row(3)])
    results, plans = judged(body)

    assert [result.outcome for result in results] == ["created", "refused", "created"]
    assert column in [named for row, named in faults(body) if row == 3]
    assert all(fault.detail and fault.detail_de for fault in results[1].faults)
    assert [plan.row for plan in plans] == [2, 4]


def test_german_and_english_files_say_the_same() -> None:
    english = a_csv([a_row(1, milestone_1="Start", milestone_1_due="2027-03-31", maturity="pilot")])
    names = ["Titel", "Kurzbeschreibung", "Handlungsfelder", "Plan 2027 Investition", "Meilenstein 1"]
    header = ";".join([*names, "Meilenstein 1 Fällig", "Reifegrad"])
    german = f"{header}\r\nProjekt 1;Worum es bei 1 geht.;Mobilitaet;1000;Start;31.03.2027;Pilot\r\n"

    assert judged(english)[1] == judged(german.encode("utf-8-sig"))[1]
    assert judged(english)[1] == judged(german.encode("cp1252"), charset="windows-1252")[1]


def test_every_column_has_a_german_and_an_english_name() -> None:
    for column in PLAIN:
        assert key_of(column.name) == key_of(column.name_de.replace("_", " ").upper()) == column.name
    for language in ("de", "en"):
        keys = [
            key_of(name)
            for name in importing.template_csv(language, 2027).strip("\ufeff\r\n").split(",;"[language == "de"])
        ]
        assert None not in keys
        assert len(set(keys)) == len(keys) == len(PLAIN) - 1 + len(GROUPS) + 3 * len(BUDGET)


def test_what_the_file_does_not_say_stays() -> None:
    before = {
        "title": "Radweg",
        "summary": "Alt.",
        "fields_of_action": ["mobilitaet"],
        "marks": {"daseinsvorsorge": "Wege."},
        "budget": [{"line": "betrieb", "year": 2026, "plan_eur": 5}],
    }
    row = {"title": "Radweg", "digital_technology": "Zähler.", "plan_2027_betrieb": "7"}
    (result,), (plan,) = judged(a_csv([row], list(row)), {"radweg": an_entry(before)})

    assert result.outcome == "changed"
    assert plan.profile.model_dump(mode="json", exclude_defaults=True) == {
        **before,
        "marks": {"digital_technology": "Zähler.", "daseinsvorsorge": "Wege."},
        "budget": [*before["budget"], {"line": "betrieb", "year": 2027, "plan_eur": 7}],
    }


def test_evidence_that_a_gate_needed_is_not_taken_away() -> None:
    content = {
        "title": "Radweg",
        "summary": "x",
        "fields_of_action": ["energie"],
        "department": "fb-66",
        "officer": "o-1",
    }
    row = {"title": "Radweg", "officer": "o-2"}
    in_term = domain.Facts(NOON.date(), True, frozenset({"o-1"}))
    known = {"radweg": an_entry(content, "eligible")}

    assert faults(a_csv([row], list(row)), projects=known, facts=lambda _: in_term) == [(2, "officer")]


def test_two_rows_about_one_project_are_not_both_taken() -> None:
    results, plans = judged(a_csv([a_row(1), a_row(2, title="PROJEKT 1!"), a_row(3, project_id="projekt-1")]))

    assert [result.outcome for result in results] == ["created", "refused", "refused"]
    assert "Row 2" in results[1].faults[0].detail
    assert len(plans) == 1


def test_another_project_under_the_same_id_is_not_overwritten_by_chance() -> None:
    known = {"radweg": an_entry({"title": "Radweg in der Weststadt", "summary": "x", "fields_of_action": ["energie"]})}

    assert faults(a_csv([a_row(1, title="Radweg")]), projects=known) == [(2, "title")]
    assert faults(a_csv([a_row(1, title="Radweg", project_id="radweg")]), projects=known) == []


def test_the_state_of_a_known_project_stays_and_the_result_says_so() -> None:
    known = {"radweg": an_entry({"title": "Radweg"}, "in_selection")}
    (result,), plans = judged(a_csv([{"title": "Radweg", "state": "proposed"}], ("title", "state")), known)

    assert (result.outcome, plans) == ("unchanged", [])
    assert "in_selection" in result.note
    assert "in_selection" in result.note_de


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.BODY_EMPTY),
        (b"title,summary\n", Reason.BODY_EMPTY),
        (b"title,nonsense\na,b\n", Reason.FIELD_VALUE_INVALID),
        (b"title,Titel\na,b\n", Reason.FIELD_VALUE_INVALID),
        (b"summary\na\n", Reason.FIELD_MISSING),
        ("title\nStraße\n".encode("cp1252"), Reason.ENCODING_INVALID),
        (b"title\na\0b\n", Reason.ENCODING_INVALID),
        (b'title\n"never ends\n', Reason.FIELD_VALUE_INVALID),
        (b"\xd0\xcf\x11\xe0old", Reason.ENCODING_INVALID),
        (b"PK\x03\x04broken", Reason.FIELD_VALUE_INVALID),
        (b"title\n" + b"a\n" * 10_001, Reason.BODY_TOO_LARGE),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(body: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        importing.read_file(body)

    assert refused.value.reason == reason
    assert refused.value.detail


@pytest.mark.parametrize("cell", ["'=1+1", "=1+1", "+49 531", "-", "@all", "\t=x", "plain", "’s"])
def test_a_guarded_cell_starts_no_formula_and_comes_back(cell: str) -> None:
    assert guarded(cell)[:1] not in tuple("=+-@\t")
    assert unguarded(guarded(cell)) == unguarded(cell)


def test_days_and_numbers_of_a_workbook_are_read_as_they_are() -> None:
    head = (
        "title",
        "summary",
        "fields_of_action",
        "plan_2027_betrieb",
        "milestone_1",
        "milestone_1_due",
        "longitude",
        "latitude",
    )
    body = a_workbook(head, ("A", "b", "energie", 120000, "Start", date(2027, 3, 31), 10.525, 52.268))
    (result,), (plan,) = judged(body)

    assert result.faults == ()
    assert (plan.profile.budget[0].plan_eur, plan.profile.milestones[0].due) == (120000, "2027-03-31")
    assert plan.profile.location is not None
    assert plan.profile.location.coordinates == (10.525, 52.268)


def test_a_formula_in_a_workbook_is_named() -> None:
    body = a_workbook(("title", "summary"), ("A", "=1+1"), ("B", "c"))

    assert (2, "summary") in faults(body)
    assert (3, "summary") not in faults(body)


def bomb(name: str, content: bytes, count: int = 1) -> bytes:
    out = io.BytesIO(a_workbook(("title",), ("A",)))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(name.format(number), content)
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        bomb("xl/big.xml", bytes(70_000_000)),
        bomb("xl/{}.xml", b"<a/>", 600),
        bomb("xl/entities.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'),
        bomb("xl/entities16.xml", '<?xml version="1.0"?><!DOCTYPE x []><x/>'.encode("utf-16")),
    ],
    ids=["large", "many", "entities", "utf-16"],
)
def test_a_workbook_that_would_grow_without_bounds_is_refused_before_it_is_read(body: bytes) -> None:
    assert len(body) < 200_000
    with pytest.raises(Refused):
        importing.read_file(body)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_reading_of_files(body: bytes) -> None:
    """Every file gives rows or a refusal."""
    for prefix in (b"", b"title,summary\n", b"PK\x03\x04"):
        try:
            header, rows = importing.read_file(prefix + body)
        except Refused:
            continue
        assert header.keys
        assert all(row.number > 1 for row in rows)


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(min_size=1, max_size=30), min_size=1))
def test_no_cells_break_the_judging_of_rows(cells: dict[str, str]) -> None:
    """Every row is taken, or refused with a fault that says why in both languages."""
    try:
        results, plans = judged(a_csv([{"title": "A", **cells}]))
    except Refused:
        return
    assert len(results) <= 1 or cells.get("title")
    for result in results:
        assert (result.outcome == "refused") == bool(result.faults)
        assert all(fault.detail and fault.detail_de for fault in result.faults)
    assert len(plans) == sum(result.outcome in ("created", "changed") for result in results)


def test_a_number_may_have_a_decimal_comma_or_point() -> None:
    criterion = {"criterion_1_direction": "höchstens", "criterion_1_unit": "%", "criterion_1_source": "Umfrage"}
    for said in ("12,5", "12.5", "12,50"):
        found = profile(criterion_1="Anteil", criterion_1_target=said, **criterion)
        assert found["success_criteria"][0]["target"] == 12.5
        assert found["success_criteria"][0]["criterion"] == "anteil"
