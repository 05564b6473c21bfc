"""The arithmetic of the ledger: what balances, what does not, and what is only under way."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_cli.ledger import Account, Counted, Ledger, Line, Mqtt, Waiting, counted, steady

READINGS = {"read": 10, "stored": 5, "duplicate": 2, "corrected": 1, "quarantined": 2}
RECOUNTED = {"stored": 5, "corrected": 1, "quarantined": 2}


def an_account(**changes: Any) -> Account:
    whole = Account(
        partner="stadtwerke",
        accepted=10,
        waiting=Waiting(pending=1, unacknowledged=1),
        counted=Counted(6, 2, tuple(READINGS.items()), tuple(RECOUNTED.items())),
        mqtt=Mqtt(stored=4, forwarded=3, waiting=Waiting(1, 0)),
    )
    return replace(whole, **changes)


def counts(**changes: int) -> Counted:
    """Readings that were counted otherwise."""
    return Counted(6, 2, tuple((READINGS | changes).items()), tuple(RECOUNTED.items()))


def test_a_whole_account_balances_in_every_line() -> None:
    account = an_account()

    assert [line.equation for line in account.lines] == [
        "10 accepted = 6 settled + 2 quarantined + 2 pending",
        "10 read = 5 stored + 2 duplicate + 1 corrected + 2 quarantined",
        "5 stored = 5 recounted",
        "1 corrected = 1 recounted",
        "2 quarantined = 2 recounted",
        "4 stored = 3 forwarded + 1 pending",
    ]
    assert Ledger((account,)).difference is None


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (an_account(accepted=11), "per message does not balance: 11 accepted ≠ 6 settled + 2 quarantined + 2 pending"),
        (
            an_account(accepted=8, waiting=Waiting(1, 0)),
            "6 settled + 2 quarantined + 1 pending (1 too many)",
        ),
        (an_account(counted=counts(read=11)), "per reading does not balance: 11 read ≠"),
        (an_account(counted=counts(read=9, stored=4)), "recount (stored) does not balance: 4 stored ≠ 5 recounted"),
        (an_account(mqtt=Mqtt(4, 2, Waiting(1, 0))), "per MQTT message does not balance: 4 stored ≠ 2 forwarded"),
        (an_account(mqtt=Mqtt(4, 5)), "4 stored ≠ 5 forwarded + 0 pending (1 too many)"),
    ],
)
def test_what_does_not_add_up_is_named(account: Account, sentence: str) -> None:
    ledger = Ledger((an_account(), account))

    assert sentence in str(ledger.difference)
    assert str(ledger.difference).startswith("stadtwerke: ")
    assert ledger.figures()["balanced"] is False


def test_the_first_difference_is_named() -> None:
    wrong = an_account(partner="verkehr", accepted=11)

    assert str(Ledger((an_account(), wrong, an_account(accepted=12))).difference).startswith("verkehr: ")


def test_mqtt_messages_that_the_intake_stream_forgot_by_age_are_a_part_of_their_own() -> None:
    account = an_account(mqtt=Mqtt(100, 30, Waiting(1, 0), intake_is_complete=False))

    assert account.forwarding.equation == "100 stored = 30 forwarded + 1 pending + 69 forgotten by age"
    assert an_account(mqtt=Mqtt(4, 5, intake_is_complete=False)).forwarding.balances is False


@settings(deadline=None)
@given(st.data())
def test_messages_balance_whatever_is_under_way(data: st.DataObject) -> None:
    """Each message is undelivered, delivered and open, ended with its acknowledgement under way, or acknowledged."""
    states = st.sampled_from(["undelivered", "open", "settled", "settled, acknowledged", "quarantined, acknowledged"])
    messages = data.draw(st.lists(states))
    account = an_account(
        accepted=len(messages),
        waiting=Waiting(messages.count("undelivered"), messages.count("open") + messages.count("settled")),
        counted=Counted(
            messages.count("settled") + messages.count("settled, acknowledged"),
            messages.count("quarantined, acknowledged"),
        ),
    )

    line = account.messages
    assert line.balances
    assert dict(line.parts)["pending"] == messages.count("undelivered") + messages.count("open")


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_lost_messages_do_not_balance(settled: int, undelivered: int, open: int, lost: int) -> None:
    accepted = settled + undelivered + open + lost
    account = an_account(accepted=accepted, waiting=Waiting(undelivered, open), counted=Counted(settled))

    assert f"({lost} missing)" in account.messages.difference
    assert not account.messages.balances


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_messages_that_ended_twice_do_not_balance(settled: int, undelivered: int, twice: int) -> None:
    account = an_account(
        accepted=settled + undelivered, waiting=Waiting(undelivered, 0), counted=Counted(settled + twice)
    )

    assert f"({twice} too many)" in account.messages.difference


def a_row(stream: str = "IN_stadtwerke", **counts: int) -> dict[str, Any]:
    names = ["messages_settled", "messages_quarantined", *(f"readings_{name}" for name in READINGS)]
    return {"stream": stream, "partner": "stadtwerke", **dict.fromkeys(names, 0), **counts}


def test_the_answers_of_all_services_are_added_up_for_one_company() -> None:
    ingest = {
        "settlements": [
            a_row(
                messages_settled=3, messages_quarantined=1, readings_read=4, readings_stored=3, readings_quarantined=1
            ),
            a_row("IN_verkehr", messages_settled=50, readings_read=50, readings_stored=50),
            a_row("SENSOR", messages_settled=70),
        ],
        "quarantine": {"stadtwerke": {"readings": 1, "messages": 2}, "": {"readings": 9, "messages": 9}},
        "recounted": {"stadtwerke": {"stored": 3, "corrected": 0}, "verkehr": {"stored": 50, "corrected": 0}},
    }
    registry = {"settlements": [a_row(messages_settled=2)], "quarantine": {}, "recounted": {}}

    found = counted([ingest, registry], "stadtwerke")

    assert (found.settled, found.quarantined) == (5, 1)
    assert dict(found.readings) == {"read": 4, "stored": 3, "duplicate": 0, "corrected": 0, "quarantined": 1}
    assert dict(found.recounted) == {"stored": 3, "corrected": 0, "quarantined": 1}


def test_a_company_that_said_nothing_balances() -> None:
    empty: dict[str, Any] = {"settlements": [], "quarantine": {}, "recounted": {}}
    account = Account("verkehr", 0, Waiting(), counted([empty], "verkehr"), Mqtt())

    assert Ledger((account,)).balanced
    assert Ledger((account,)).figures()["partners"][0]["readings"] == dict.fromkeys(READINGS, 0)


def test_figures_are_plain_numbers_by_name() -> None:
    figures = Ledger((an_account(),)).figures()

    assert figures["partners"] == [
        {
            "partner": "stadtwerke",
            "balanced": True,
            "messages": {"accepted": 10, "settled": 6, "quarantined": 2, "pending": 2},
            "readings": READINGS,
            "recounted": RECOUNTED,
            "mqtt": {"stored": 4, "forwarded": 3, "pending": 1},
        }
    ]


class Moving:
    """A running system: each look sees the next figures, each pause lasts a second."""

    def __init__(self, *figures: int) -> None:
        self.figures, self.seconds, self.looks = list(figures), 0.0, 0

    async def take(self) -> int:
        self.looks += 1
        return self.figures.pop(0) if len(self.figures) > 1 else self.figures[0]

    def now(self) -> float:
        return self.seconds

    async def pause(self) -> None:
        self.seconds += 1.0


@pytest.mark.parametrize(
    ("figures", "right", "seen", "looks"),
    [
        ((7,), {7}, 7, 2),
        ((1, 2, 3, 3, 4), {1, 2, 3, 4}, 3, 4),
        ((1, 2, 1, 2, 5), {5}, 5, 6),
        ((8, 8, 8, 9), {9}, 9, 5),
        ((6,), set(), 6, 11),
        (tuple(range(100)), set(range(100)), 10, 11),
    ],
)
async def test_figures_are_taken_until_two_are_equal_and_right_or_time_is_over(
    figures: tuple[int, ...], right: set[int], seen: int, looks: int
) -> None:
    moving = Moving(*figures)

    found = await steady(moving.take, right.__contains__, moving.now, moving.pause, seconds=10.0)

    assert (found, moving.looks) == (seen, looks)


def test_a_line_says_how_many_are_missing() -> None:
    line = Line("per message", "accepted", 3, (("settled", 1),))

    assert line.difference == "per message does not balance: 3 accepted ≠ 1 settled (2 missing)"
