"""Who is told, in which words, and when again: pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from builders_notification import NOON
from hypothesis import given
from hypothesis import strategies as st

from notification import domain
from notification.domain import Addressee, Decision, KpiChange, Progress, Ranked, Recipient, Reply


def a_person(holder: str, *roles: str) -> Recipient:
    return Recipient(holder, frozenset(roles), "de")


def told(addressees: list[Addressee]) -> list[tuple[str, str]]:
    return [(addressee.holder, addressee.role) for addressee in addressees]


def test_a_decision_is_for_the_cdo_and_the_board_each_once() -> None:
    people = [a_person("a", "board"), a_person("b", "board", "cdo"), a_person("c", "unit", "officer")]

    assert told(domain.for_decision(people)) == [("a", "board"), ("b", "cdo")]


@pytest.mark.parametrize(
    ("officer", "expected"),
    [
        ("o", [("m", "cdo"), ("o", "officer")]),
        ("m", [("m", "cdo")]),
        (None, [("m", "cdo"), ("u", "unit")]),
        ("gone", [("m", "cdo"), ("u", "unit")]),
    ],
)
def test_a_kpi_is_for_the_cdo_and_the_officer_or_the_unit_instead(
    officer: str | None, expected: list[tuple[str, str]]
) -> None:
    people = [a_person("m", "cdo", "unit"), a_person("o", "officer"), a_person("u", "unit")]

    assert told(domain.for_kpi(people, officer)) == expected


DECISION = Decision(
    "Runde 2026",
    (
        Ranked(1, "Stadtputz\nOpen", "22/7", True),
        Ranked(2, "Mobil", "3", True),
        Ranked(3, "Drei", "0", False),
    ),
    NOON,
)


def test_a_decision_in_german() -> None:
    letter = domain.decision_letter(DECISION, "de", "event-1")

    assert letter.subject == "Entscheidung: Runde 2026"
    assert letter.body == (
        "die Auswahl „Runde 2026“ ist entschieden.\n\n"
        "Ausgewählt (2 von 3 Projekten):\n\n"
        "- Platz 1: Stadtputz Open (3,14 Punkte)\n"
        "- Platz 2: Mobil (3,00 Punkte)\n\n"
        "Entschieden: 21.03.2026, 13:00 Uhr MEZ.\n\n"
        "Diese Nachricht ist automatisch entstanden. Kennung für Rückfragen: event-1\n"
    )


def test_a_decision_in_english() -> None:
    letter = domain.decision_letter(DECISION, "en", "event-1")

    assert letter.subject == "Decision: Runde 2026"
    assert "Selected (2 of 3 projects):\n\n- Rank 1: Stadtputz Open (3.14 points)\n" in letter.body
    assert "Decided: 21 March 2026, 13:00 CET." in letter.body


@pytest.mark.parametrize(
    ("locale", "expected"), [("de", "Kein Projekt ist ausgewählt."), ("en", "No project is selected.")]
)
def test_a_decision_for_nothing_says_so(locale: domain.Locale, expected: str) -> None:
    assert expected in domain.decision_letter(Decision("Runde", (), NOON), locale, "e").body


CHANGE = KpiChange(
    title="Besucher",
    project="Besucherzählung",
    status="off_track",
    previous_status=None,
    value=1234.5,
    unit="{visitors}",
    target=2000.0,
    direction="at_least",
    since=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
)


def test_a_kpi_in_german() -> None:
    letter = domain.kpi_letter(CHANGE, "de", "event-1")

    assert letter.subject == "Ziel verfehlt: Besucher"
    assert letter.body.startswith(
        "die Kennzahl „Besucher“ hat ihr Ziel verfehlt.\n\n"
        "Projekt: Besucherzählung\n"
        "Wert: 1.234,5 visitors\n"
        "Ziel: mindestens 2.000 visitors\n"
        "Seit: 02.07.2026, 00:30 Uhr MESZ\n"
        "Vorher: noch nicht bewertet\n\n"
    )


def test_a_kpi_in_english() -> None:
    letter = domain.kpi_letter(CHANGE, "en", "event-1")

    assert letter.subject == "Target missed: Besucher"
    assert letter.body.startswith(
        "The key figure “Besucher” has missed its target.\n\n"
        "Project: Besucherzählung\n"
        "Value: 1,234.5 visitors\n"
        "Target: at least 2,000 visitors\n"
        "Since: 2 July 2026, 00:30 CEST\n"
        "Before: not assessed yet\n\n"
    )


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "25.10.2026, 02:30 Uhr MESZ"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "25.10.2026, 02:30 Uhr MEZ"),
    ],
)
def test_the_hour_that_comes_twice_is_told_apart(moment: datetime, expected: str) -> None:
    assert domain.local_time(moment, "de") == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(21.4, "Cel", "21,4 °C"), (-0.0, "%", "0 %"), (1e15, "1", "1e+15"), (0.1 + 0.2, "kW.h", "0,3 kWh")],
)
def test_amounts_as_people_write_them(value: float, unit: str, expected: str) -> None:
    assert domain.amount(value, unit, "de") == expected


@given(st.text())
def test_no_title_makes_a_second_line(title: str) -> None:
    letter = domain.decision_letter(Decision(title, (), NOON), "de", title)

    assert len(letter.subject.splitlines()) == 1
    assert len(letter.body.splitlines()) == 7
    assert "\x00" not in letter.body


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(250), "sent"),
        (Reply(451), "queued"),
        (Reply(550), "failed"),
        (Reply(530), "queued"),
        (Reply(550, to_the_mail=False), "queued"),
        (Reply(220, to_the_mail=False), "queued"),
        (Reply(None), "queued"),
        (Reply(-1), "queued"),
    ],
)
def test_what_a_reply_means(reply: Reply, state: str) -> None:
    assert domain.after(reply, 1, NOON, NOON).state == state


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    assert [domain.pause(attempt).total_seconds() for attempt in (1, 2, 3, 10, 11, 10_000)] == [
        *(1, 2, 4, 512),
        *(900, 900),
    ]
    assert domain.after(Reply(451), 3, NOON, NOON) == Progress("queued", 3, NOON + timedelta(seconds=4), 451)


def test_a_mail_is_given_up_after_five_days() -> None:
    almost = domain.after(Reply(451), 500, NOON, NOON + timedelta(days=5, seconds=-1))
    late = domain.after(Reply(451), 500, NOON, NOON + timedelta(days=5))

    assert (almost.state, late.state, late.code) == ("queued", "failed", 451)
