"""Who is told, in which words, and when again: pure functions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from builders_notification import NOON
from hypothesis import given
from hypothesis import strategies as st

from notification import domain
from notification.domain import Addressee, Decided, Decision, Gap, KpiChange, Progress, Recipient, Reply


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


def a_line(rank: int, title: str, score: str, *outcomes: domain.Outcome, share: str = "1", reason: str = "") -> Decided:
    """``outcomes`` are what was computed and what was decided, where that is something else."""
    return Decided(rank, title, score, outcomes[0], outcomes[-1], share, reason)


DECISION = Decision(
    "Runde 2026",
    (
        a_line(1, "Stadtputz\nOpen", "22/7", "selected"),
        a_line(2, "Mobil", "3", "selected", share="1/2"),
    ),
    3,
    NOON,
)
OVERRIDDEN = Decision(
    "Runde 2026",
    (
        a_line(1, "Licht", "4", "selected", "deferred", share="0", reason="Das Netz wird 2027\nerneuert."),
        a_line(2, "Parken", "3", "rejected", "selected", reason="Rückt nach."),
    ),
    2,
    NOON,
)


def test_a_decision_in_german() -> None:
    letter = domain.decision_letter(DECISION, "de", "event-1")

    assert letter.subject == "Entscheidung: Runde 2026"
    assert letter.body == (
        "die Auswahl „Runde 2026“ ist entschieden.\n\n"
        "Ausgewählt (2 von 3 Projekten):\n\n"
        "- Platz 1: Stadtputz Open (3,14 Punkte)\n"
        "- Platz 2: Mobil (3,00 Punkte, gefördert zu 50 %)\n\n"
        "Entschieden: 21.03.2026, 13:00 Uhr MEZ.\n\n"
        "Diese Nachricht ist automatisch entstanden. Kennung für Rückfragen: event-1\n"
    )


def test_a_decision_in_english() -> None:
    letter = domain.decision_letter(DECISION, "en", "event-1")

    assert letter.subject == "Decision: Runde 2026"
    assert "Selected (2 of 3 projects):\n\n- Rank 1: Stadtputz Open (3.14 points)\n" in letter.body
    assert "Decided: 21 March 2026, 13:00 CET." in letter.body


def test_where_the_board_departs_from_the_computed_result_the_letter_says_why() -> None:
    german = domain.decision_letter(OVERRIDDEN, "de", "event-1")
    english = domain.decision_letter(OVERRIDDEN, "en", "event-1")

    assert german.body.startswith(
        "die Auswahl „Runde 2026“ ist entschieden.\n\n"
        "Ausgewählt (1 von 2 Projekten):\n\n- Platz 2: Parken (3,00 Punkte)\n\n"
        "Zurückgestellt (1):\n\n- Platz 1: Licht (4,00 Punkte)\n\n"
        "Anders entschieden als berechnet (2):\n\n"
        "- Licht: berechnet „ausgewählt“, entschieden „zurückgestellt“. Begründung: Das Netz wird 2027 erneuert.\n"
        "- Parken: berechnet „nicht ausgewählt“, entschieden „ausgewählt“. Begründung: Rückt nach.\n\n"
    )
    assert "Deferred (1):\n\n- Rank 1: Licht (4.00 points)\n" in english.body
    assert "- Licht: computed “selected”, decided “deferred”. Reason: Das Netz wird 2027 erneuert.\n" in english.body


def test_the_first_ten_that_were_not_selected_are_named_with_their_rank() -> None:
    rejected = [a_line(n, f"Projekt {n}", "1", "rejected", share="0") for n in range(2, 14)]
    decision = Decision("Runde", (a_line(1, "Licht", "4", "selected"), *rejected[:11]), 40, NOON)

    german, english = (domain.decision_letter(decision, locale, "e").body for locale in ("de", "en"))

    assert "Nicht ausgewählt (39):\n\n- Platz 2: Projekt 2 (1,00 Punkte)\n" in german
    assert "- Platz 11: Projekt 11 (1,00 Punkte)\n… und 29 weitere\n" in german
    assert "Not selected (39):\n\n- Rank 2: Projekt 2 (1.00 points)\n" in english
    assert "… and 29 more\n" in english


def test_a_long_list_is_cut_and_says_how_many_are_missing() -> None:
    many = tuple(a_line(n, f"Projekt {n}", "1", "selected") for n in range(1, domain.LISTED + 6))

    body = domain.decision_letter(Decision("Runde", many, 200, NOON), "de", "e").body

    assert "Ausgewählt (105 von 200 Projekten)" in body
    assert body.count("- Platz") == 100
    assert "… und 5 weitere\n" in body


GAP = Gap("Fachbereich Tiefbau", True, ("Licht", "Parken"), NOON, NOON + timedelta(days=9))


def test_a_gap_in_german() -> None:
    letter = domain.gap_letter(GAP, "de", "event-1")

    assert letter.subject == "Niemand zuständig: Fachbereich Tiefbau"
    assert letter.body == (
        "„Fachbereich Tiefbau“ hat Projekte, aber niemanden als Smart-City-Beauftragten und keine Vertretung.\n\n"
        "Projekte (2):\n\n- Licht\n- Parken\n\n"
        "Seit: 21.03.2026, 13:00 Uhr MEZ\nBitte in der Dezernentensitzung klären, wer zuständig ist.\n\n"
        "Diese Nachricht ist automatisch entstanden. Kennung für Rückfragen: event-1\n"
    )


def test_a_gap_that_is_closed_says_how_long_it_was_open() -> None:
    german = domain.gap_letter(replace(GAP, open=False), "de", "e")
    english = domain.gap_letter(replace(GAP, open=False), "en", "e")

    assert german.subject == "Wieder besetzt: Fachbereich Tiefbau"
    assert "Offen seit: 21.03.2026, 13:00 Uhr MEZ\nGeschlossen: 30.03.2026, 14:00 Uhr MESZ\n" in german.body
    assert "Closed: 30 March 2026, 14:00 CEST\n" in english.body


def test_a_gap_is_for_the_dezernentensitzung_and_the_cdo_each_once() -> None:
    people = [a_person("a", "dezernent"), a_person("b", "dezernent", "cdo"), a_person("c", "unit", "board")]

    assert told(domain.for_gap(people)) == [("a", "dezernent"), ("b", "cdo")]


@pytest.mark.parametrize(
    ("locale", "expected"), [("de", "Kein Projekt ist ausgewählt."), ("en", "No project is selected.")]
)
def test_a_decision_for_nothing_says_so(locale: domain.Locale, expected: str) -> None:
    assert expected in domain.decision_letter(Decision("Runde", (), 2, NOON), locale, "e").body


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
    letter = domain.decision_letter(Decision(title, (), 1, NOON), "de", title)

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
