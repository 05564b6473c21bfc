"""Recorded uplinks and events of network servers: read right, or refused by their names.

EUI, port, counter, time and bytes are taken from the recorded bodies themselves, and once more from what a converter of
another project made of them. The ids of the set are anonymised: of 136 uplinks four differ.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oker_contracts import Refused
from oker_contracts.base import parse_instant
from oker_testkit.counts import Counts
from sensor_ingest.lorawan import Network, NetworkEvent, read_message, read_webhook

RECEIVED = datetime(2026, 1, 15, 12, tzinfo=UTC)
UPLINKS = "lorawan-uplinks-thingsboard"
EVENTS = "lorawan-events"
SAID = ("f_cnt", "f_port", "payload", "hardware", "time")


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    for line in (folder / UPLINKS / name).read_text("utf-8").splitlines():
        yield json.loads(line)


def instant(said: str) -> datetime:
    return parse_instant(said).astimezone(UTC)


def chirpstack(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a ChirpStack v4 body says of the frame; what is left out is zero."""
    return {
        "hardware": body["deviceInfo"]["devEui"].lower(),
        "time": instant(body["time"]),
        "f_cnt": body.get("fCnt", 0),
        "f_port": body.get("fPort", 0),
        "payload": b64decode(body.get("data", "")),
    }


def things_stack(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body of The Things Stack v3 says of the frame; what is left out is zero."""
    uplink = body["uplink_message"]
    return {
        "hardware": body["end_device_ids"]["dev_eui"].lower(),
        "time": instant(uplink["received_at"]),
        "f_cnt": uplink.get("f_cnt", 0),
        "f_port": uplink.get("f_port", 0),
        "payload": b64decode(uplink.get("frm_payload", "")),
    }


def said(event: NetworkEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in SAID}


def both_ways(network: Network, kind: str, body: Mapping[str, Any]) -> NetworkEvent:
    """Over HTTP, and the same over MQTT."""
    raw = json.dumps(body).encode()
    if network == "chirpstack":
        topic = f"application/x/device/{body['deviceInfo']['devEui']}/event/{kind}"
    else:
        ids = body["end_device_ids"]
        topic = f"v3/{ids['application_ids']['application_id']}@ttn/devices/{ids['device_id']}/{kind}"
    over_mqtt = read_message(topic, raw, RECEIVED)
    assert over_mqtt == read_webhook(network, kind, raw, RECEIVED)
    return over_mqtt


def agrees(event: NetworkEvent, body: Mapping[str, Any], expected: Any) -> None:
    """Hold an event against what the other project's converter gave, where it gave the like.

    Of The Things Stack some of its converters take the time of the application server, not of the network server.
    """
    first = expected[0] if isinstance(expected, list) else expected
    telemetry, attributes = first["telemetry"], first.get("attributes", {})
    newest = telemetry[0] if isinstance(telemetry, list) else telemetry
    values = newest.get("values", {})
    if "ts" in newest and network_time(values):
        application_time = instant(body["received_at"]) if "received_at" in body else event.time
        assert moment(newest["ts"]) in (milliseconds(event.time), milliseconds(application_time))
    if "fPort" in attributes:
        assert attributes["fPort"] == event.f_port
    if "lora_frame_counter" in values:
        assert (values["lora_frame_counter"], values["lora_frame_port"]) == (event.f_cnt, event.f_port)
    if "eui" in attributes:
        assert attributes["eui"].lower() == event.hardware


def moment(said: Any) -> int:
    """Milliseconds since 1970, which some converters say as a text."""
    return said if isinstance(said, int) else milliseconds(instant(said))


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def network_time(values: Mapping[str, Any]) -> bool:
    """Some payloads say a time of their own, which the converter takes instead."""
    return not any("time" in name.lower() or "history" in name.lower() for name in values)


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("chirpstack_v4.jsonl", "chirpstack"),
        ("tts_v3_community.jsonl", "things-stack"),
        ("tts_v3_industries.jsonl", "things-stack"),
    ],
)
def test_every_recorded_uplink_is_read(realworld: Path, counts: Counts, file: str, network: Network) -> None:
    tally, converted = counts.of(f"{UPLINKS}/{file}"), counts.of(f"{UPLINKS}/{file}: as the converter says")
    for row in rows(realworld, file):
        body = row["payload"]
        kind = "status" if "margin" in body else "up"
        with tally.case(row["id"]):
            event = both_ways(network, kind, body)
            assert event.kind == kind
            if kind == "up":
                assert said(event) == (chirpstack if network == "chirpstack" else things_stack)(body)
                with converted.case(row["id"]):
                    agrees(event, body, row["expected"])
            else:
                assert event.payload is None
    tally.check()
    converted.check()


def everywhere(body: bytes) -> list[Refused]:
    """What each intake says to a body that none reads."""
    found = []
    for read in (
        partial(read_webhook, "chirpstack", "up"),
        partial(read_webhook, "things-stack", ""),
        partial(read_message, "application/x/device/70b3d57ed0000001/event/up"),
    ):
        with pytest.raises(Refused) as caught:
            read(body, RECEIVED)
        found.append(caught.value)
    return found


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("chirpstack_v3_legacy.jsonl", "ChirpStack v3"),
        ("other_loriot.jsonl", "LORIOT"),
        ("other_thingpark.jsonl", "ThingPark"),
        ("other_thingpark_enterprise.jsonl", "ThingPark"),
        ("other_http.jsonl", "ChirpStack v3"),
    ],
)
def test_every_recorded_message_of_another_dialect_is_refused_by_name(
    realworld: Path, counts: Counts, file: str, name: str
) -> None:
    tally = counts.of(f"{UPLINKS}/{file}")
    for row in rows(realworld, file):
        body = json.dumps(row["payload"]).encode()
        with tally.case(row["id"]):
            for refusal in everywhere(body):
                assert refusal.reason == "dialect_foreign"
                assert f"This is {name}" in refusal.detail
    tally.check()


def test_recorded_events_never_become_readings(realworld: Path, counts: Counts) -> None:
    """Only uplinks have bytes to decode; a body without time, DevEUI or port is read as well."""
    tally = counts.of(EVENTS)
    for path in sorted((realworld / EVENTS).glob("*/*.json")):
        network: Network = "chirpstack" if path.parent.name == "chirpstack_v4" else "things-stack"
        body = json.loads(path.read_text("utf-8"))
        is_uplink = path.stem == "up" or "uplink_message" in body
        kind = "join" if "join_accept" in body else path.stem if network == "chirpstack" else "up"
        with tally.case(f"{path.parent.name}/{path.stem}"):
            event = both_ways(network, kind, body)
            assert (event.kind == "up", event.payload is not None) == (is_uplink, is_uplink)
            assert event.kind == kind
            assert event.time.tzinfo is UTC
    tally.check()
