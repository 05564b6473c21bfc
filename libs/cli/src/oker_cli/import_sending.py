"""Events of a history over HTTP: sent some at a time, and what became of each asked afterwards."""

import asyncio
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from oker_cli.failure import Failure
from oker_cli.import_rows import Chunk, Fault, Row
from oker_contracts import TYPE_PREFIX
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1

IN_FLIGHT = 4
TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
ASK_SECONDS = 0.5
ACCEPTED = {"stored", "corrected", "duplicate", "settled"}
"""Outcomes of an event of which nothing is to be sent again."""
READING = re.compile(r"\$\.readings\[[0-9]+\](?:\.results\[[0-9]+\])?\.(\w+)")
COUNTS = ("stored", "corrected", "duplicate", "quarantined")


@dataclass(frozen=True, slots=True)
class Place:
    """Where sensor-ingest is, who speaks, and under which source."""

    http: httpx.AsyncClient
    source: str


@dataclass(slots=True)
class Sent:
    """One event on its way: where it lies, and how it ended."""

    chunk: Chunk
    id: str
    sequence: int | None = None
    """On the company's stream; ``None`` if it was there from an earlier run and was not sent now."""
    end: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    """How an earlier run left it, where some of its rows were in quarantine; these are taken from there again."""


@dataclass(slots=True)
class Totals:
    """Rows by what became of them."""

    rows: int = 0
    refused: int = 0
    repeated: int = 0
    """That say what another row of the file has said."""
    known: int = 0
    """In events that an earlier run brought in."""
    unknown: int = 0
    """In events that had not ended when the waiting was over."""
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    @property
    def is_whole(self) -> bool:
        """Whether every row ended well."""
        return not (self.refused or self.unknown or self.outcomes["quarantined"])


async def send(place: Place, chunks: Sequence[Chunk]) -> list[Sent]:
    """Send those events that are not there, and wait until each lies on the company's stream.

    Of those that are there and were refused wholly or in part, what lies in quarantine is taken once more: sent again,
    it would lie there a second time.

    Raises:
        Failure: the service is away for long, or refuses the token or an event.
    """
    group = [Sent(chunk, chunk.id) for chunk in chunks]
    for sent, said in zip(group, await _ask(place, group), strict=True):
        if said["outcome"] in ACCEPTED:
            sent.end = said["ends"][-1]
        else:
            sent.before = next((end for end in said["ends"] if _open(end)), None)
    window = asyncio.Semaphore(IN_FLIGHT)

    async def one(sent: Sent) -> None:
        async with window:
            if sent.before:
                sent.end = await _take_again(place, sent, sent.before)
            else:
                sent.sequence = await _hand_in(place, sent)

    try:
        async with asyncio.TaskGroup() as tasks:
            for sent in group:
                if sent.end is None:
                    tasks.create_task(one(sent))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return group


async def _hand_in(place: Place, sent: Sent) -> int:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": TYPE_PREFIX + ReadingsReportedV1.TYPE,
        "ce-source": place.source,
        "ce-id": sent.id,
    }
    answer = await _request(place, "POST", "/events", content=sent.chunk.data, headers=headers)
    return int(answer.json()["sequence"])


def _open(end: dict[str, Any]) -> list[int]:
    """What of an event lies in quarantine."""
    return [refusal["quarantine"] for refusal in end["refusals"] if not refusal["mended_at"]]


async def _take_again(place: Place, sent: Sent, before: dict[str, Any]) -> dict[str, Any]:
    """Take what lies in quarantine once more, all of an event at once; refused again (422) or mended by somebody else
    meanwhile (409), it is counted as it is.
    """
    await _request(place, "POST", f"/quarantine/{_open(before)[0]}/resend", allowed=(409, 422))
    (said,) = await _ask(place, [sent])
    found: dict[str, Any] = next(end for end in said["ends"] if end["sequence"] == before["sequence"])
    return found


async def _ask(place: Place, group: Sequence[Sent]) -> list[dict[str, Any]]:
    asked = [{"source": place.source, "id": sent.id} for sent in group]
    answer = await _request(place, "POST", "/outcomes", json=asked)
    said: list[dict[str, Any]] = answer.json()
    return said


async def settle(place: Place, group: Sequence[Sent], seconds: float) -> None:
    """Ask until every event that was sent has ended, or the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while waiting := [sent for sent in group if sent.end is None]:
        for sent, said in zip(waiting, await _ask(place, waiting), strict=True):
            sent.end = next((end for end in said["ends"] if _is_of(end, sent)), None)
        if loop.time() > until:
            return
        if any(sent.end is None for sent in waiting):
            await asyncio.sleep(ASK_SECONDS)


def _is_of(end: dict[str, Any], sent: Sent) -> bool:
    return bool(end["outcome"] != "pending" and end["sequence"] == sent.sequence)


def count(group: Sequence[Sent], totals: Totals) -> Iterator[tuple[Row, Fault]]:
    """Add up what became of events, and name the rows that the platform put into quarantine."""
    for sent in group:
        if sent.end is None:
            totals.unknown += sent.chunk.count
        elif sent.sequence is None and sent.before is None:
            totals.known += sent.chunk.count
        else:
            yield from _count_one(sent.chunk, sent.end, sent.before, totals)


def _count_one(
    chunk: Chunk, end: dict[str, Any], before: dict[str, Any] | None, totals: Totals
) -> Iterator[tuple[Row, Fault]]:
    readings = end["readings"]
    for name in COUNTS:
        there = before["readings"][name] if before and name != "quarantined" else 0
        totals.known += there
        totals.outcomes[name] += readings[name] - there
    if not readings["read"]:  # refused as a whole: none of its readings was even counted
        totals.outcomes["quarantined"] += chunk.count
    for refusal in (refusal for refusal in end["refusals"] if not refusal["mended_at"]):
        column, rows = _rows_of(chunk, refusal)
        for row in rows:
            yield row, Fault(column, f"{refusal['code']}: {refusal['detail']}")


def _rows_of(chunk: Chunk, refusal: dict[str, Any]) -> tuple[str, list[Row]]:
    """The column and the rows that a refusal speaks of: all of the event, or some by their number in it."""
    rows = [row for of_reading in chunk.rows for row in of_reading]
    column = READING.match(refusal["path"])
    if not refusal["part"]:
        return refusal["path"], rows
    numbers = _numbers(refusal.get("parts") or str(refusal["part"]))
    return (column and column[1]) or "row", [rows[number - 1] for number in numbers if number <= len(rows)]


def _numbers(said: str) -> Iterator[int]:
    """``1, 3-7`` as numbers."""
    for part in said.split(","):
        first, _, last = part.strip().partition("-")
        yield from range(int(first), int(last or first) + 1)


async def _request(place: Place, method: str, path: str, allowed: Collection[int] = (), **said: Any) -> httpx.Response:
    """Ask, and ask again while the service is away or full; ``allowed`` are statuses that are an answer as well."""
    pause, problem = FIRST_PAUSE, ""
    for attempt in range(TRIES):
        try:
            answer = await place.http.request(method, path, **said)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            problem = f"does not answer ({type(error).__name__})"
        else:
            if answer.is_success or answer.status_code in allowed:
                return answer
            _give_up_on(answer, path)
            problem = f"answers {answer.status_code}: {_detail(answer)}"
            pause = max(pause, float(answer.headers.get("retry-after", "0")))
        if attempt < TRIES - 1:
            await asyncio.sleep(min(pause, LONGEST_PAUSE))
            pause *= 2
    way_out = "run the same command again to go on where it stopped"
    raise Failure(f"{str(place.http.base_url).rstrip('/')}{path} {problem}; {way_out}")


def _give_up_on(answer: httpx.Response, path: str) -> None:
    """What does not get better by waiting."""
    if answer.status_code in (401, 403):
        raise Failure("the service refuses OKER_TOKEN: it must be valid, hold the role partner and name the company", 2)
    if answer.status_code < 500:
        raise Failure(f"{path} answers {answer.status_code}: {_detail(answer)}; is this sensor-ingest?")


def _detail(answer: httpx.Response) -> str:
    try:
        said = answer.json()
        return str(said.get("detail", said))[:200]
    except (ValueError, AttributeError):
        return answer.text[:100]
