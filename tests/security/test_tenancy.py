"""Neither company can speak or listen as the other: over NATS, MQTT and HTTP, held by the server."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import nats
import paho.mqtt.client as mqtt
import pytest
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from paho.mqtt.enums import CallbackAPIVersion

from oker_bus.accounts import services, users
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_testkit.bus import eventually
from oker_testkit.company import Company
from oker_testkit.stack import Stack

BOTH = [("stadtwerke", "verkehr"), ("verkehr", "stadtwerke")]


def complaints() -> tuple[list[str], Callable[[Exception], Any]]:
    """What the server complains about on a connection."""
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    return said, note


async def last_sequence(stack: Stack, stream: str) -> int:
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    try:
        return int((await operator.jetstream().stream_info(stream)).state.last_seq)
    finally:
        await operator.close()


@pytest.mark.parametrize(("company", "other"), BOTH)
@pytest.mark.parametrize(
    "subject",
    ["ingest.{other}.sensor.reading_reported.v1", "ingest.{company}.sensor.reading_reported.v1",
     "sensor.observations_recorded.v2.{other}.x", "project.registered.v1.x", "quarantine.sensor-ingest.{other}",
     "$JS.API.STREAM.DELETE.IN_{other}", "$JS.API.CONSUMER.CREATE.SENSOR", "$OKER.API.STREAM.INFO.SENSOR"],
)  # fmt: skip
async def test_a_company_cannot_publish_beside_its_own_events(
    stack: Stack, company: str, other: str, subject: str
) -> None:
    said, note = complaints()
    before = await last_sequence(stack, f"IN_{other}")
    connection = await stack.connect(company, error_cb=note)
    try:
        await connection.publish(subject.format(company=company, other=other), b"{}")
        await connection.flush()
        await connection.flush()
    finally:
        await connection.close()

    assert any("permissions violation" in line.lower() for line in said)
    assert await last_sequence(stack, f"IN_{other}") == before


@pytest.mark.parametrize(("company", "other"), BOTH)
@pytest.mark.parametrize(
    "subject", [">", "ingest.>", "events.>", "sensor.>", "$JS.>", "_INBOX_sensor-ingest.>", "$MQTT.>"]
)
async def test_a_company_cannot_listen_beside_its_inbox(stack: Stack, company: str, other: str, subject: str) -> None:
    said, note = complaints()
    connection = await stack.connect(company, error_cb=note)
    try:
        await connection.subscribe(subject)
        await connection.flush()
        await connection.flush()
    finally:
        await connection.close()

    assert any("permissions violation" in line.lower() for line in said)


@pytest.mark.parametrize(("company", "other"), BOTH)
async def test_what_a_company_says_is_attributed_by_the_server(stack: Stack, company: str, other: str) -> None:
    """Whatever the headers claim, the message lies on the company's own stream."""
    headers = {"ce-specversion": "1.0", "ce-id": "t-1", "ce-source": f"/{other}/scada", "partner": other}
    headers["ce-type"] = "de.oker.sensor.reading_reported.v1"

    ack = await Company(company, stack).say_raw("events.sensor.reading_reported.v1", b"{}", headers)

    assert ack.stream == f"IN_{company}"


@pytest.mark.parametrize(("company", "other"), BOTH)
async def test_a_company_cannot_read_the_feed_of_the_other(stack: Stack, company: str, other: str) -> None:
    connection = await stack.connect(company)
    try:
        js = connection.jetstream(prefix="$OKER.API", timeout=1)
        with pytest.raises((NatsError, APIError, asyncio.TimeoutError)):
            await js.consumer_info("SENSOR", f"feed-{other}")
        assert (await js.consumer_info("SENSOR", f"feed-{company}")).name == f"feed-{company}"
    finally:
        await connection.close()


async def test_the_grant_decides_whose_observations_a_company_reads(stack: Stack) -> None:
    """verkehr may read stadtwerke's dataset environment, and not its dataset grid."""
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    try:
        info = await operator.jetstream().consumer_info("SENSOR", "feed-verkehr")
    finally:
        await operator.close()

    assert sorted(info.config.filter_subjects or []) == [
        "sensor.observations_recorded.*.stadtwerke.environment",
        "sensor.observations_recorded.*.verkehr.visitors",
    ]


@pytest.mark.parametrize("user", ["stadtwerke", "verkehr-devices", "sensor-ingest", "topology"])
async def test_a_wrong_password_is_refused(stack: Stack, user: str) -> None:
    with pytest.raises(NatsError, match=r"(?i)authorization"):
        await nats.connect(stack.nats_url, user=user, password="wrong", allow_reconnect=False, max_reconnect_attempts=1)


async def test_a_device_user_cannot_use_the_nats_port(stack: Stack) -> None:
    with pytest.raises(NatsError, match=r"(?i)authorization"):
        await stack.connect("stadtwerke-devices", allow_reconnect=False, max_reconnect_attempts=1)


def mqtt_client(stack: Stack, user: str, password: str) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"matrix-{user}")
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", stack.ports.mqtt)
    client.loop_start()
    return client


@pytest.mark.parametrize(("company", "other"), BOTH)
@pytest.mark.parametrize("topic", ["ingest/{other}/sensor/x", "events/sensor/x", "oker/x", "a/b"])
async def test_mqtt_of_a_company_lands_on_its_own_stream_only(
    stack: Stack, company: str, other: str, topic: str
) -> None:
    """Whatever the topic, what was acknowledged is there."""
    before = await last_sequence(stack, f"IN_{other}"), await last_sequence(stack, f"IN_{company}")

    await Company(company, stack).publish_mqtt(topic.format(other=other), b"{}")

    async def arrived() -> bool:
        return await last_sequence(stack, f"IN_{company}") > before[1]

    await eventually(arrived, "the MQTT message is on the company's stream")
    assert await last_sequence(stack, f"IN_{other}") == before[0]


@pytest.mark.parametrize(("company", "other"), BOTH)
def test_mqtt_devices_hear_nothing_of_the_other_company(stack: Stack, company: str, other: str) -> None:
    heard: list[str] = []
    listener = mqtt_client(stack, f"{other}-devices", stack.password(f"{other}-devices"))
    listener.on_message = lambda _client, _data, message: heard.append(message.topic)
    subscribed = []
    listener.on_subscribe = lambda *_: subscribed.append(True)
    listener.subscribe("#", qos=1)
    speaker = mqtt_client(stack, f"{company}-devices", stack.password(f"{company}-devices"))
    speaker.publish("private/topic", b"x", qos=1).wait_for_publish(5)
    echo = listener.publish("own/topic", b"x", qos=1)
    echo.wait_for_publish(5)
    for client in (listener, speaker):
        client.disconnect()
        client.loop_stop()

    assert "private/topic" not in heard


@pytest.mark.parametrize(("company", "other"), BOTH)
def test_mqtt_with_the_other_s_user_needs_the_other_s_password(stack: Stack, company: str, other: str) -> None:
    codes: list[Any] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="matrix-thief")
    client.username_pw_set(f"{other}-devices", stack.password(f"{company}-devices"))
    client.on_connect = lambda _c, _d, _f, code, _p: codes.append(code)
    client.connect("127.0.0.1", stack.ports.mqtt)
    for _ in range(200):
        client.loop(timeout=0.05)
        if codes:
            break

    assert codes
    assert codes[0].is_failure


@pytest.mark.parametrize("user", ["stadtwerke", "verkehr", "sensor-ingest", "operator"])
def test_only_devices_connect_over_mqtt(stack: Stack, user: str) -> None:
    """An MQTT publish that a user may not make is acknowledged and dropped, so nobody else may come in that way."""
    codes: list[Any] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"matrix-{user}-in")
    client.username_pw_set(user, stack.password(user))
    client.on_connect = lambda _c, _d, _f, code, _p: codes.append(code)
    client.connect("127.0.0.1", stack.ports.mqtt)
    for _ in range(200):
        client.loop(timeout=0.05)
        if codes:
            break

    assert codes
    assert codes[0].is_failure


@pytest.mark.parametrize(("company", "other"), BOTH)
async def test_http_attributes_by_the_token(stack: Stack, company: str, other: str) -> None:
    reading = ReadingReportedV1.model_validate_json(
        '{"device": "x", "phenomenon_time": "2026-01-01T00:00:00Z",'
        ' "results": [{"property": "a", "value": 1, "unit": "1"}]}'
    )

    answer = await Company(company, stack).post(reading, f"http-{company}")

    assert answer.status_code == 202
    assert answer.json()["stream"] == f"IN_{company}"


@pytest.mark.parametrize(("company", "other"), BOTH)
async def test_http_shows_a_company_nothing_of_the_other(stack: Stack, company: str, other: str) -> None:
    headers = stack.token(f"{company}-system", "partner", partner=company)
    async with httpx.AsyncClient(base_url=stack.url("sensor-ingest"), headers=headers) as http:
        devices = (await http.get("/devices")).json()
        foreign = await http.get(f"/devices/{other}/laser-burgplatz/visitors_1/observations")

    assert all(device["partner"] == company for device in devices)
    assert foreign.status_code == 404


async def test_a_service_holds_no_right_to_create_or_delete(stack: Stack) -> None:
    for name in services():
        said, note = complaints()
        connection = await stack.connect(name, error_cb=note, inbox_prefix=f"_INBOX_{name}")
        try:
            for subject in (
                "$JS.API.STREAM.CREATE.X",
                "$JS.API.STREAM.DELETE.SENSOR",
                "$JS.API.CONSUMER.CREATE.SENSOR",
            ):
                await connection.publish(subject, b"{}")
            await connection.flush()
            await connection.flush()
        finally:
            await connection.close()
        assert len([line for line in said if "permissions violation" in line.lower()]) == 3


async def test_a_service_cannot_open_the_database_of_another(stack: Stack) -> None:
    url = stack.database_url("notification").replace("+asyncpg", "", 1).replace("/notification?", "/sensor_ingest?")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url)


def test_no_password_stands_in_a_log(stack: Stack) -> None:
    secrets = [stack.password(user) for user in users(stack.partners)]
    logs = [path.read_text("utf-8", "replace") for path in (stack.folder / "logs").glob("*.log")]

    assert logs
    assert not [True for log in logs for secret in secrets if secret in log]


@pytest.mark.parametrize(("company", "other"), BOTH)
async def test_a_company_learns_and_mends_nothing_of_the_other(stack: Stack, company: str, other: str) -> None:
    """Ledger, outcomes and quarantine of each service that hears companies."""
    headers = {"ce-specversion": "1.0", "ce-id": f"own-{other}", "ce-source": "/own"}
    headers["ce-type"] = "de.oker.sensor.reading_reported.v1"
    began = datetime.now(UTC)
    await Company(other, stack).say_raw("events.sensor.reading_reported.v1", b"{}", headers)
    unit = stack.token("unit-1", "unit")
    own = stack.token(f"{company}-system", "partner", partner=company)
    async with httpx.AsyncClient(base_url=stack.url("sensor-ingest"), timeout=10) as http:

        async def refused() -> list[Any]:
            since = {"partner": other, "from": began.isoformat(), "limit": "1000"}
            rows = (await http.get("/quarantine", params=since, headers=unit)).json()
            return [row["id"] for row in rows if row["event_id"] == f"own-{other}"]

        (id, *_) = await eventually(refused, "the other's message is in quarantine")
        asked = {"source": "/own", "id": f"own-{other}"}
        answers = {
            "read": await http.get(f"/quarantine/{id}", headers=own),
            "resend": await http.post(f"/quarantine/{id}/resend", headers=own),
            "mend": await http.post(f"/quarantine/{id}/mend", headers=own, json={"data": {}}),
            "outcome": await http.get("/outcomes", params=asked, headers=own),
            "as other": await http.get("/outcomes", params=asked | {"partner": other}, headers=own),
            "ledger": await http.get("/ledger", params={"partner": other}, headers=own),
            "recount": await http.get("/ledger/recount", params={"partner": other}, headers=own),
        }
        listed = (await http.get("/quarantine", params={"partner": other}, headers=own)).json()
        ledger = (await http.get("/ledger", headers=own)).json()

    codes = {name: answer.status_code for name, answer in answers.items()}
    assert codes == dict.fromkeys(("read", "resend", "mend", "outcome"), 404) | dict.fromkeys(
        ("as other", "ledger", "recount"), 403
    )
    assert {row["partner"] for row in listed} <= {company}
    assert {row["partner"] for row in ledger["settlements"]} <= {company}
    assert set(ledger["quarantine"]) | set(ledger["recounted"]) <= {company}
