"""Hostile corpora through every intake of a running Oker: each is stored or explained, and no process dies.

Each corpus is a list of JSON texts. An intake says each of them twice: as the whole of what it says, and as a text in
the midst of something good. Over HTTP the answer is taken or tells what is wrong and where; everything that was
taken must end, and none of it as `handler_failed`, which is the code of our own bugs.
"""

import csv
import io
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from oker_contracts import TYPE_PREFIX, Envelope
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_testkit.bus import eventually
from oker_testkit.company import Company
from oker_testkit.counts import Counts, Tally
from oker_testkit.sender import Letter, Sender
from oker_testkit.stack import Stack

SERVICE = "sensor-ingest"
EUI = "70b3d57ed00000ff"
MARK = b'"@"'
"""Where the hostile text is put in."""
STREAMS = [{"property": "t", "unit": "Cel", "dataset": "environment", "observed_property": "Lufttemperatur"}]
DECLARED = json.dumps({"device": "hostile", "name": "@", "datastreams": STREAMS}).encode()
EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "hostile",
        "source": "/hostile",
        "type": TYPE_PREFIX + DeviceDeclaredV2.TYPE,
        "data": {"device": "hostile", "name": "@", "datastreams": STREAMS},
    }
).encode()
UPLINK = json.dumps(
    {
        "deduplicationId": "@",
        "time": "2026-01-15T12:00:00Z",
        "deviceInfo": {"devEui": EUI, "deviceName": "@"},
        "devAddr": "@",
        "fCnt": 4,
        "fPort": 2,
        "data": b64encode(bytes.fromhex("016700e1")).decode(),
    }
).encode()
THINGS = json.dumps(
    {
        "end_device_ids": {"device_id": "@", "dev_eui": EUI.upper(), "application_ids": {"application_id": "@"}},
        "received_at": "2026-01-15T12:00:00Z",
        "uplink_message": {"session_key_id": "@", "f_cnt": 4, "f_port": 2, "frm_payload": "AWcA4Q=="},
    }
).encode()
BUGS = "SELECT left(encode(body, 'escape'), 200) AS body FROM quarantine WHERE reason = 'handler_failed'"
PLAIN = b'{"id": "@", "temperature": "@"}'


@dataclass(frozen=True, slots=True)
class Hostile:
    """One text of a corpus: JSON, or nearly."""

    name: str
    text: bytes

    def within(self, good: bytes) -> list[bytes]:
        """The text alone, and in the midst of something good."""
        return [self.text, good.replace(MARK, self.text)]


def torture(folder: Path) -> list[Hostile]:
    """The JSON parsing test suite: what parsers disagree about."""
    return [Hostile(file.name, file.read_bytes()) for file in sorted((folder / "json-torture").glob("*/*.json"))]


def naughty(folder: Path) -> list[Hostile]:
    """Texts that break what others wrote."""
    texts = json.loads((folder / "naughty-strings" / "blns.json").read_text("utf-8"))
    return [Hostile(f"{number} {text!r:.60}", json.dumps(text).encode()) for number, text in enumerate(texts)]


def unstorable(_folder: Path) -> list[Hostile]:
    """What the corpora leave out: texts that JSON and Python take and PostgreSQL does not, and numbers beyond all."""
    texts = [
        "\\u0000",
        "a\\u0000b",
        "\\ufffe",
        "\\ud83d\\ude00",
        "\\ud83d",
        "x" * 3_000,
        "\\u2028",
        "\\r\\nce-id: 2",
        "a" * 513,
    ]
    quoted = [f'"{text}"' for text in texts]
    numbers = [
        "1e400",
        "-1e400",
        "9" * 400,
        "9223372036854775808",
        "-0.0",
        "1e-400",
        "NaN",
        "-Infinity",
        "true",
        "null",
    ]
    nested = ['{"\\u0000": 1}', '[["\\u0000"]]', "{" + '"a":{' * 300 + "}" * 301, "[" * 5_000]
    return [Hostile(f"{n} {text:.40}", text.encode()) for n, text in enumerate([*quoted, *numbers, *nested])]


CORPORA = {"json-torture": torture, "naughty-strings": naughty, "beyond the corpora": unstorable}


@dataclass(frozen=True, slots=True)
class Door:
    """The company stadtwerke before all doors of a stack."""

    stack: Stack
    http: httpx.AsyncClient

    async def ask(self, tally: Tally, hostile: Hostile, path: str, type: str, bodies: list[bytes]) -> None:
        """Send over HTTP; the case holds if each answer takes it or explains."""
        with tally.case(hostile.name):
            for body in bodies:
                answer = await self.http.post(path, content=body, headers={"content-type": type})
                assert_explained(answer)

    async def rows(self, query: str) -> list[Any]:
        """Ask the database of sensor-ingest."""
        assert self.stack.postgres is not None
        folder = self.stack.postgres.socket_dir
        connection = await asyncpg.connect(host=folder, user="postgres", database="sensor_ingest")
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()


def assert_explained(answer: httpx.Response) -> None:
    """Taken, or refused with code, path and a sentence; the items of a batch as well."""
    said = answer.json()
    assert answer.status_code in (200, 202, 207, 413, 422), f"{answer.status_code} {answer.text[:200]}"
    items = said.get("items", [said] if answer.status_code in (413, 422) else [])
    for item in items:
        assert item.get("status") == 202 or all(item.get(name) for name in ("code", "path", "detail")), item


async def over_nats(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    connection = await door.stack.connect("stadtwerke")
    letters = [
        Letter(
            f"events.{type}", body, Envelope(f"{tally.data_set} {n} {m}", "/h", TYPE_PREFIX + type, None, b"").headers()
        )
        for n, hostile in enumerate(corpus)
        for m, (type, body) in enumerate(
            zip((ReadingReportedV1.TYPE, DeviceDeclaredV2.TYPE), hostile.within(DECLARED), strict=True)
        )
    ]
    await Sender(connection.jetstream(), window=20, patience=5).say(letters)
    await connection.close()


async def over_nats_as_id(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    """The text as id and source of the event, unquoted."""
    connection = await door.stack.connect("stadtwerke")
    texts = [hostile.text.decode("utf-8", "replace").strip('"')[:400] for hostile in corpus]
    envelopes = [Envelope(t, t, TYPE_PREFIX + ReadingReportedV1.TYPE, None, b"{}", t) for t in texts]
    await Sender(connection.jetstream(), window=20, patience=5).say(
        Letter(f"events.{ReadingReportedV1.TYPE}", e.data, e.headers()) for e in envelopes
    )
    await connection.close()


async def over_http(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    for hostile in corpus:
        await door.ask(tally, hostile, "/events", "application/cloudevents+json", hostile.within(EVENT))


async def over_http_in_a_batch(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    good = EVENT.replace(MARK, b'"Trafostation"')
    for hostile in corpus:
        bodies = [b"[" + good + b"," + body + b"]" for body in hostile.within(EVENT)]
        await door.ask(tally, hostile, "/events", "application/cloudevents-batch+json", [hostile.text, *bodies])


async def over_chirpstack_hook(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    for hostile in corpus:
        await door.ask(tally, hostile, "/lorawan/chirpstack?event=up", "application/json", hostile.within(UPLINK))


async def over_things_stack_hook(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    for hostile in corpus:
        await door.ask(tally, hostile, "/lorawan/things-stack", "application/json", hostile.within(THINGS))


async def over_mqtt(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    topics = {f"application/h/device/{EUI}/event/{{}}": UPLINK, "v3/a@t/devices/d/{}": THINGS}
    await Company("stadtwerke", door.stack).publish_all_mqtt(
        (topic.format(event), body)
        for topic, good in topics.items()
        for hostile in corpus
        for event in ("up", "join")
        for body in hostile.within(good)
    )


async def over_plain_mqtt(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    await Company("stadtwerke", door.stack).publish_all_mqtt(
        (topic, body)
        for topic in ("readings/hostile", "readings/hostile/t")
        for hostile in corpus
        for body in hostile.within(PLAIN)
    )


async def over_device_import(door: Door, tally: Tally, corpus: list[Hostile]) -> None:
    """The text as a whole file, and as every cell of a row in turn."""
    columns = ["device", "name", "property", "unit", "dataset", "observed_property"]
    good = ["hostile", "Trafostation", "t", "Cel", "environment", "Lufttemperatur"]
    for hostile in corpus:
        text = hostile.text.decode("utf-8", "replace")
        cell = text
        with suppress(ValueError, RecursionError):
            cell = str(json.loads(text))
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerows([columns, *([*good[:at], cell, *good[at + 1 :]] for at in range(len(good)))])
        bodies = [hostile.text, file.getvalue().encode("utf-8", "replace")]
        await door.ask(tally, hostile, "/devices/import", "text/csv", bodies)


Intake = Callable[[Door, Tally, list[Hostile]], Awaitable[None]]
INTAKES: dict[str, Intake] = {
    "NATS": over_nats,
    "NATS, as id": over_nats_as_id,
    "HTTP": over_http,
    "HTTP, batch": over_http_in_a_batch,
    "ChirpStack webhook": over_chirpstack_hook,
    "The Things Stack webhook": over_things_stack_hook,
    "MQTT": over_mqtt,
    "MQTT, plain JSON": over_plain_mqtt,
    "CSV of devices": over_device_import,
}


@pytest.fixture
async def door(stack: Stack) -> Any:
    """A client of the company."""
    token = stack.token("stadtwerke-system", "partner", partner="stadtwerke")
    async with httpx.AsyncClient(base_url=stack.url(SERVICE), headers=token, timeout=30) as http:
        yield Door(stack, http)


async def settled(door: Door) -> None:
    """Wait until each message that the broker took has ended, those that still wait in its MQTT stream too."""
    operator = await door.stack.connect("operator", inbox_prefix="_INBOX_operator")
    mqtt = operator.jetstream(prefix="mqtt.stadtwerke.API")

    async def quiet() -> bool:
        waiting = await mqtt.consumer_info("$MQTT_msgs", "oker-intake")
        if waiting.num_pending or waiting.num_ack_pending:
            return False
        accepted = (await operator.jetstream().stream_info("IN_stadtwerke")).state.last_seq
        ended = await door.rows("SELECT count(*) FROM settlement WHERE stream = 'IN_stadtwerke'")
        return bool(ended[0][0] == accepted)

    try:
        await eventually(quiet, "every message has ended", 60)
    finally:
        await operator.close()


def cases() -> Iterator[Any]:
    """Each corpus through each intake."""
    for corpus in CORPORA:
        for intake in INTAKES:
            yield pytest.param(corpus, intake, id=f"{corpus} over {intake}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("corpus", "intake"), [*cases()])
async def test_hostile_input_is_stored_or_explained(
    door: Door, realworld: Path, counts: Counts, corpus: str, intake: str
) -> None:
    tally = counts.of(f"{corpus} over {intake}")
    said = CORPORA[corpus](realworld)
    before = len(await door.rows(BUGS))

    await INTAKES[intake](door, tally, said)
    await settled(door)

    if not tally.total:  # nobody answers over NATS and MQTT: taken is all, and each must end
        tally.held = len(said)
    assert [dict(row) for row in (await door.rows(BUGS))[before:]] == []
    assert [name for name, process in door.stack.processes.items() if process.poll() is not None] == []
    tally.check()
