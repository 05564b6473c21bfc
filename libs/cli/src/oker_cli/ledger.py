"""The arithmetic of the ledger: every message and every reading of a company has ended in exactly one way."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
MESSAGES = ("messages_settled", "messages_duplicate", "messages_quarantined")
READINGS = ("stored", "duplicate", "corrected", "quarantined")
RECOUNTED = ("stored", "corrected", "quarantined")


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: a total, and the parts that must add up to it."""

    name: str
    of: str
    total: int
    parts: tuple[tuple[str, int], ...]

    @property
    def balances(self) -> bool:
        """Whether total and parts agree."""
        return self.total == self._sum

    @property
    def _sum(self) -> int:
        return sum(count for _, count in self.parts)

    @property
    def equation(self) -> str:
        """``7 accepted = 5 settled + 2 pending``"""
        sign = "=" if self.balances else "≠"
        parts = " + ".join(f"{count} {name}" for name, count in self.parts)
        return f"{self.total} {self.of} {sign} {parts}"

    @property
    def difference(self) -> str:
        """What does not add up, as a sentence without its subject."""
        gap = self.total - self._sum
        return f"{self.name} does not balance: {self.equation} ({abs(gap)} {'missing' if gap > 0 else 'too many'})"

    def figures(self) -> dict[str, int]:
        """Total and parts by name."""
        return {self.of: self.total, **dict(self.parts)}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the broker says of one or several durables."""

    pending: int = 0
    """not yet delivered"""
    unacknowledged: int = 0
    """delivered; some of them may have ended, their acknowledgement is under way"""

    def __add__(self, other: "Waiting") -> "Waiting":
        return Waiting(self.pending + other.pending, self.unacknowledged + other.unacknowledged)

    def without(self, ended: int, total: int) -> int:
        """How many of ``total`` have not ended.

        A message ends with a commit and is acknowledged after it; killed in between, it is delivered again up to
        30 seconds later and changes nothing. So an unacknowledged message may be counted as ended already: as
        many of them as stand above the total are left out, and no more.
        """
        above = max(ended + self.pending + self.unacknowledged - total, 0)
        return self.pending + self.unacknowledged - min(above, self.unacknowledged)


@dataclass(frozen=True, slots=True)
class Mqtt:
    """What came over MQTT, and how much of it stands on the company's intake stream."""

    stored: int = 0
    forwarded: int = 0
    waiting: Waiting = Waiting()
    intake_is_complete: bool = True
    """Whether the intake stream still holds its first message; what it forgot by age cannot be counted."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How a company's messages and readings ended, as the services say."""

    settled: int = 0
    quarantined: int = 0
    readings: tuple[tuple[str, int], ...] = tuple((name, 0) for name in ("read", *READINGS))
    recounted: tuple[tuple[str, int], ...] = tuple((name, 0) for name in RECOUNTED)
    erased: tuple[tuple[str, int], ...] = ()
    """deleted because their time is over"""


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger of one company at one moment."""

    partner: str
    accepted: int
    waiting: Waiting
    counted: Counted
    mqtt: Mqtt

    @property
    def messages(self) -> Line:
        """Each message that the broker accepted is settled, quarantined or pending."""
        ended = self.counted.settled + self.counted.quarantined
        pending = self.waiting.without(ended, self.accepted)
        parts = (("settled", self.counted.settled), ("quarantined", self.counted.quarantined), ("pending", pending))
        return Line("per message", "accepted", self.accepted, parts)

    @property
    def readings(self) -> Line:
        """Each reading is stored, a duplicate, corrected or quarantined."""
        counted = dict(self.counted.readings)
        return Line("per reading", "read", counted["read"], tuple((name, counted[name]) for name in READINGS))

    @property
    def recount(self) -> list[Line]:
        """What the settlements say stands in the tables."""
        said, found = dict(self.counted.readings), dict(self.counted.recounted)
        erased = {name: (("erased", count),) for name, count in self.counted.erased if count}
        return [
            Line(f"recount ({name})", name, said[name], (("recounted", found[name]), *erased.get(name, ())))
            for name in RECOUNTED
        ]

    @property
    def forwarding(self) -> Line:
        """Each MQTT message was forwarded to the intake stream or is pending."""
        pending = self.mqtt.waiting.without(self.mqtt.forwarded, self.mqtt.stored)
        parts = [("forwarded", self.mqtt.forwarded), ("pending", pending)]
        forgotten = self.mqtt.stored - self.mqtt.forwarded - pending
        if forgotten > 0 and not self.mqtt.intake_is_complete:
            parts.append(("forgotten by age", forgotten))
        return Line("per MQTT message", "stored", self.mqtt.stored, tuple(parts))

    @property
    def lines(self) -> list[Line]:
        """All that must balance."""
        return [self.messages, self.readings, *self.recount, self.forwarding]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accounts of all companies at one moment."""

    accounts: tuple[Account, ...]

    @property
    def balanced(self) -> bool:
        """Whether every line of every company adds up."""
        return self.difference is None

    @property
    def difference(self) -> str | None:
        """The first line that does not add up, as a sentence."""
        for account in self.accounts:
            for line in account.lines:
                if not line.balances:
                    return f"{account.partner}: {line.difference}"
        return None

    def figures(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {
            "balanced": self.balanced,
            "difference": self.difference,
            "partners": [_figures(account) for account in self.accounts],
        }


def _figures(account: Account) -> dict[str, Any]:
    return {
        "partner": account.partner,
        "balanced": all(line.balances for line in account.lines),
        "messages": account.messages.figures(),
        "readings": account.readings.figures(),
        "recounted": dict(account.counted.recounted),
        "mqtt": account.forwarding.figures(),
    }


def counted(answers: Iterable[Mapping[str, Any]], partner: str) -> Counted:
    """Add up what the services say about one company; an answer is the body of ``GET /ledger``."""
    said = list(answers)
    rows = [row for answer in said for row in answer["settlements"] if row["stream"] == f"IN_{partner}"]
    found = [answer["recounted"].get(partner, {}) for answer in said]
    refused = [answer["quarantine"].get(partner, {}) for answer in said]
    recounted = {name: _sum(found, name) for name in ("stored", "corrected")} | {
        "quarantined": _sum(refused, "readings")
    }
    return Counted(
        settled=_sum(rows, "messages_settled"),
        quarantined=_sum(rows, "messages_quarantined"),
        readings=tuple((name, _sum(rows, f"readings_{name}")) for name in ("read", *READINGS)),
        recounted=tuple((name, recounted[name]) for name in RECOUNTED),
        erased=tuple((name, _sum(rows, f"erased_{name}")) for name in ("stored", "corrected")),
    )


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(row.get(name, 0)) for row in rows)


def rows_of(answers: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The rows that several services say, added up by company and keys; answers of ``GET /ledger?by=…``."""
    added: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in (row for answer in answers for row in answer["rows"] if row["partner"] is not None):
        place = tuple(str(row[key]) for key in ("partner", *keys))
        whole = added.setdefault(place, dict(zip(("partner", *keys), place, strict=True)))
        for name in (*MESSAGES, "read", *READINGS, "erased_stored", "erased_corrected"):
            whole[name] = whole.get(name, 0) + row[name]
    return [added[place] for place in sorted(added)]


def lines_of(row: Mapping[str, Any]) -> list[Line]:
    """Both levels of one row."""
    messages = tuple((name.removeprefix("messages_"), row[name]) for name in MESSAGES)
    ended = sum(count for _, count in messages)
    return [
        Line("per message", "ended", ended, messages),
        Line("per reading", "read", row["read"], tuple((name, row[name]) for name in READINGS)),
    ]


async def steady(
    take: Callable[[], Awaitable[T]],
    is_right: Callable[[T], bool],
    now: Callable[[], float],
    pause: Callable[[], Awaitable[None]],
    seconds: float,
) -> T:
    """Figures of a running system: taken until two in a row are equal and right, or the time is over.

    The parts are asked one after the other, so that a single look may see a message in two places or in none.
    """
    deadline = now() + seconds
    last = await take()
    while now() < deadline:
        await pause()
        seen = await take()
        if seen == last and is_right(seen):
            return seen
        last = seen
    return last
