"""The recount of the ledger: streams against settlements, settlements against the ledger, the ledger against tables."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from oker_bus.router import matches
from oker_cli.failure import Failure
from oker_cli.services import Services
from oker_contracts import catalog

EVER = datetime(1970, 1, 1, tzinfo=UTC)
WINDOW = 100_000
"""Sequences that are looked at together."""
Range = tuple[int, int]


class Checked(NamedTuple):
    """What was counted again of one company, how many there were, and the first difference."""

    partner: str
    first: int = 1
    last: int = 0
    pending: int = 0
    gone: int = 0
    """sequences that are no longer on the stream and were never settled: deleted by hand"""
    settlements: int = 0
    days: int = 0
    observations: int = 0
    """values in the tables, with those erased"""
    difference: str | None = None


@dataclass(slots=True)
class Durable:
    """How far a durable had come when the recount began."""

    service: str
    consumer: str
    subjects: tuple[str, ...]
    acknowledged: int
    delivered: int
    unacknowledged: int
    open: int = 0
    """delivered messages that have not ended, as found"""

    def hears(self, subject: str) -> bool:
        """Whether one of its filters takes a subject."""
        return any(matches(pattern, subject) for pattern in self.subjects)


def settled_twice(settled: Mapping[str, list[Range]]) -> tuple[int, str, str] | None:
    """The first sequence that two services have settled, and their names."""
    last, by = 0, ""
    for first, end, service in sorted((a, b, service) for service, ranges in settled.items() for a, b in ranges):
        if first <= last:
            return first, by, service
        if end > last:
            last, by = end, service
    return None


def gaps(first: int, last: int, ranges: Iterable[Range]) -> Iterator[Range]:
    """The parts of ``first`` to ``last`` that no range covers."""
    at = first
    for begin, end in sorted(ranges):
        if begin > at:
            yield at, begin - 1
        at = max(at, end + 1)
    if at <= last:
        yield at, last


async def verified(js: JetStreamContext, services: Services, partner: str) -> Checked:
    """Count everything of one company again; the first difference ends it.

    What runs meanwhile makes no difference: how far the durables were is read first, then the stream, then the
    settlements, so that whatever was acknowledged must be settled.
    """
    checked = await _stream(js, services, partner)
    if checked.difference is None:
        checked = await _tables(services, checked)
    return checked


async def _stream(js: JetStreamContext, services: Services, partner: str) -> Checked:
    stream = f"IN_{partner}"
    try:
        durables = [await _durable(js, stream, consumer) for consumer in _claim_durables()]
        info = await js.stream_info(stream)
    except NotFoundError:
        raise Failure(f"the broker lacks {stream} or a durable on it; run: oker topology apply") from None
    since = (info.created or EVER).isoformat()
    first, last = max(info.state.first_seq, 1), info.state.last_seq
    checked = Checked(partner, first, last)
    for begin in range(first, last + 1, WINDOW):
        end = min(begin + WINDOW - 1, last)
        checked = await _window(js, services, durables, checked, (begin, end), since)
        if checked.difference:
            return checked
    for durable in durables:
        if durable.open > durable.unacknowledged:
            sentence = f"{durable.open} delivered messages have not ended, {durable.unacknowledged} are unacknowledged"
            return checked._replace(difference=f"{stream}, {durable.consumer}: {sentence}")
    return await _beyond(js, services, durables, checked, since)


def _claim_durables() -> list[tuple[str, str]]:
    return sorted({(entry.owner, consumer) for entry in catalog().claims() for consumer in entry.consumers})


async def _durable(js: JetStreamContext, stream: str, heard: tuple[str, str]) -> Durable:
    service, consumer = heard
    info = await js.consumer_info(stream, consumer)
    config = info.config
    subjects = tuple(config.filter_subjects or [config.filter_subject or ">"])
    acknowledged = info.ack_floor.stream_seq if info.ack_floor else 0
    delivered = info.delivered.stream_seq if info.delivered else 0
    return Durable(service, consumer, subjects, acknowledged, delivered, info.num_ack_pending or 0)


async def _settled(
    services: Services, durables: list[Durable], stream: str, window: Range, since: str
) -> tuple[dict[str, list[Range]], str | None]:
    """The settled sequences of a window by service; and a sequence that one of them has settled twice."""
    settled: dict[str, list[Range]] = {}
    for durable in durables:
        said = {"consumer": durable.consumer, "stream": stream, "first": window[0], "last": window[1], "since": since}
        answer = await services.get(durable.service, "/ledger/sequences", **said)
        if answer["twice"]:
            return {}, f"{stream}, sequence {answer['twice']}: {durable.service} has settled it twice"
        settled[durable.service] = [(begin, end) for begin, end in answer["ranges"]]
    if twice := settled_twice(settled):
        sequence, one, other = twice
        return {}, f"{stream}, sequence {sequence}: both {one} and {other} have settled it"
    return settled, None


async def _window(
    js: JetStreamContext, services: Services, durables: list[Durable], checked: Checked, window: Range, since: str
) -> Checked:
    """Each sequence of a window is settled once, waits, or is gone."""
    stream = f"IN_{checked.partner}"
    settled, difference = await _settled(services, durables, stream, window, since)
    if difference:
        return checked._replace(difference=difference)
    delivered = max(durable.delivered for durable in durables)
    for begin, end in gaps(*window, (r for ranges in settled.values() for r in ranges)):
        waiting = max(end - max(begin, delivered + 1) + 1, 0)
        checked = checked._replace(pending=checked.pending + waiting)
        for sequence in range(begin, min(end, delivered) + 1):
            checked = await _missing(js, durables, checked, sequence)
            if checked.difference:
                return checked
    return checked


async def _missing(js: JetStreamContext, durables: list[Durable], checked: Checked, sequence: int) -> Checked:
    """What it means that nobody has settled this sequence."""
    stream = f"IN_{checked.partner}"
    try:
        msg = await js.get_msg(stream, seq=sequence, direct=True)
    except NotFoundError:
        return checked._replace(gone=checked.gone + 1)
    subject = str(msg.subject)
    durable = next((durable for durable in durables if durable.hears(subject)), None)
    if durable is None:
        return checked._replace(difference=f"{stream}, sequence {sequence} ({subject}): no service hears it")
    if sequence <= durable.acknowledged:
        what = f"acknowledged, and {durable.service} has not settled it"
        return checked._replace(difference=f"{stream}, sequence {sequence} ({subject}): {what}")
    if sequence <= durable.delivered:
        durable.open += 1
    return checked._replace(pending=checked.pending + 1)


async def _beyond(
    js: JetStreamContext, services: Services, durables: list[Durable], checked: Checked, since: str
) -> Checked:
    """Nothing is settled that was never on the stream."""
    stream = f"IN_{checked.partner}"
    window = checked.last + 1, checked.last + WINDOW
    settled, difference = await _settled(services, durables, stream, window, since)
    last = (await js.stream_info(stream)).state.last_seq
    for service, ranges in settled.items():
        for begin, end in ranges:
            if end > last:
                where = f"{stream}, sequence {max(begin, last + 1)}"
                difference = f"{where}: {service} has settled it, and the stream ends at {last}"
                return checked._replace(difference=difference)
    return checked._replace(difference=difference)


async def _tables(services: Services, checked: Checked) -> Checked:
    """Each service's settlements against its ledger, day by day; then its totals against its tables."""
    seen: set[str] = set()
    for service in sorted({owner for owner, _ in _claim_durables()}):
        for row in (await services.get(service, "/ledger", by="day", partner=checked.partner))["rows"]:
            said = {"partner": checked.partner, "day": row["day"]}
            answer = await services.get(service, "/ledger/recount", **said)
            seen.add(row["day"])
            checked = _added(checked, service, answer, settlements=answer["settlements"])._replace(days=len(seen))
            if checked.difference:
                return checked
        answer = await services.get(service, "/ledger/recount", partner=checked.partner)
        checked = _added(checked, service, answer, observations=answer["readings"])
        if checked.difference:
            return checked
    return checked


def _added(checked: Checked, service: str, answer: dict[str, Any], **counts: int) -> Checked:
    whole = {name: getattr(checked, name) + count for name, count in counts.items()}
    difference = f"{service}: {answer['difference']}" if answer["difference"] else None
    return checked._replace(**whole, difference=difference)
