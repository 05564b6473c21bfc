"""What a history's sender says when the platform does not answer."""

from typing import Any

import httpx
import pytest

from oker_cli import import_sending
from oker_cli.failure import Failure
from oker_cli.import_rows import Chunk, Row
from oker_cli.import_sending import Place, Sent, Totals, count, send


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:9/"])
async def test_an_address_that_does_not_answer_is_named_as_it_is(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sending, "TRIES", 1)

    async with httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(Failure, match=r"http://127\.0\.0\.1:9/outcomes does not answer"):
            await send(Place(http, "/s"), [Chunk()])


async def test_what_an_earlier_run_left_in_quarantine_is_taken_again_and_not_sent_again() -> None:
    asked: list[str] = []
    left = {"read": 2, "stored": 1, "duplicate": 0, "corrected": 0, "quarantined": 1}
    refusal = {"part": 2, "code": "device_unknown", "path": "$", "detail": "", "quarantine": 17, "mended_at": None}
    end = {"outcome": "partly", "readings": left, "refusals": [refusal], "sequence": 5}
    mended = {
        "outcome": "stored",
        "readings": left | {"stored": 2, "quarantined": 0},
        "refusals": [refusal | {"mended_at": "2026-01-31T12:00:00Z"}],
        "sequence": 5,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        if request.url.path != "/outcomes":
            return httpx.Response(200, json={"outcome": "stored"})
        now = mended if "POST /quarantine/17/resend" in asked else end
        return httpx.Response(200, json=[{"outcome": now["outcome"], "ends": [now]}])

    totals = Totals()
    async with httpx.AsyncClient(base_url="http://ingest", transport=httpx.MockTransport(answer)) as http:
        group = await send(Place(http, "/s"), [Chunk()])
    named = list(count(group, totals))

    assert asked == ["POST /outcomes", "POST /quarantine/17/resend", "POST /outcomes"]
    assert (named, totals.known, totals.outcomes["stored"], totals.is_whole) == ([], 1, 1, True)


def test_a_refusal_names_its_own_rows_also_where_it_stands_for_several() -> None:
    rows = [Row(line, {}) for line in range(2, 8)]
    chunk = Chunk(rows=[rows[:2], rows[2:]])

    def refused(**said: Any) -> list[tuple[int, str]]:
        refusal = {"code": "device_unknown", "detail": "", "mended_at": None, **said}
        readings = dict.fromkeys(("read", "stored", "duplicate", "corrected", "quarantined"), 1)
        end = {"outcome": "partly", "readings": readings, "refusals": [refusal], "sequence": 5}
        return [(row.line, fault.column) for row, fault in count([Sent(chunk, "e", 5, end)], Totals())]

    assert refused(part=2, path="$.readings[0].device") == [(3, "device")]
    assert refused(part=3, path="$.readings[1].results[0].unit") == [(4, "unit")]
    assert refused(part=1, parts="1, 3-5", path="$.readings[0].device") == [(line, "device") for line in (2, 4, 5, 6)]
    assert refused(part=0, path="ce-type") == [(line, "ce-type") for line in range(2, 8)]
