"""The command `oker trail` reads streams only; the name that it finds in a message is the one this service gives."""

import json
from base64 import b64encode
from typing import Any

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    a_things_stack_message,
    a_things_stack_uplink,
    an_mqtt_message,
    an_uplink,
    topic,
)
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import RawStreamMsg

from oker_bus import Delivery
from oker_cli.told import told
from oker_contracts import TYPE_PREFIX, Contract, Envelope, catalog
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1
from sensor_ingest import handlers

THINGS_STACK = f"v3/weather@ttn/devices/eui-{EUI}/up"
NAMED = {"device_id": "l-7", "application_ids": {"application_id": "weather"}}
"""A device without a DevEUI."""
SAID = ("/oker/test", "claim-1")


def timeless(**changes: Any) -> bytes:
    """An uplink without the times of uplink and message."""
    said = json.loads(a_things_stack_uplink(received_at=None, **changes))
    return json.dumps({name: value for name, value in said.items() if name != "received_at"}).encode()


def named(claim: Contract) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """Source and id of the reading inside of a claim: by the service, and by the command; ``None`` for the claim's."""
    body = claim.model_dump_json().encode()
    headers = Envelope(SAID[1], SAID[0], TYPE_PREFIX + claim.TYPE, NOON, body).headers()
    subject = catalog().events[claim.TYPE].claim_subject("stadtwerke")
    delivery = Delivery("c", "IN_stadtwerke", 1, "stadtwerke", subject, headers, body, NOON, 1)
    found = told("IN_stadtwerke", RawStreamMsg(subject=subject, seq=1, data=body, headers=headers, time=NOON))
    ours = handlers.said(delivery)
    (theirs,) = [key[1:] for key in found.carries] or [None]
    return None if ours == SAID else ours, theirs


@pytest.mark.parametrize(
    ("body", "at_topic"),
    [
        (an_uplink(deviceInfo={"devEui": EUI.upper()}), topic()),
        (a_things_stack_uplink(), THINGS_STACK),
        (a_things_stack_uplink(f_cnt=None, session_key_id=None), THINGS_STACK),
        (a_things_stack_uplink(received_at="2026-01-15T13:00:00.1234567+01:00"), THINGS_STACK),
        (a_things_stack_uplink(received_at=None), THINGS_STACK),
        (timeless(), THINGS_STACK),
        (timeless(rx_metadata=None, f_port=None, frm_payload=None), THINGS_STACK),
        (timeless(rx_metadata=["?", {}, {"received_at": "2026-01-15T12:00:00+01:00"}]), THINGS_STACK),
        (a_things_stack_uplink(end_device_ids=NAMED), "v3/weather@ttn/devices/l-7/up"),
        (b'{"id": "m-1", "power_1": 5}', "readings/trafo-12"),
        (b'{"id": 17, "value": 5}', "readings/trafo-12/power_1"),
    ],
)
def test_a_reading_over_mqtt_has_one_name(body: bytes, at_topic: str) -> None:
    ours, theirs = named(an_mqtt_message(body, at_topic))

    assert ours is not None
    assert theirs == ours


@pytest.mark.parametrize(
    ("network", "event", "body"), [("chirpstack", "up", an_uplink()), ("things-stack", "", a_things_stack_uplink())]
)
def test_a_reading_over_http_has_one_name(network: Any, event: str, body: bytes) -> None:
    ours, theirs = named(WebhookReceivedV1(network=network, event=event, payload=b64encode(body), received_at=NOON))

    assert ours is not None
    assert theirs == ours


@pytest.mark.parametrize(
    ("body", "at_topic"),
    [
        (an_uplink(acknowledged=True), topic("ack")),
        (a_things_stack_message("join_accept", {}), f"v3/weather@ttn/devices/eui-{EUI}/join"),
        (b'{"power_1": 5}', "readings/trafo-12"),
        (b"5", "readings/trafo-12/power_1"),
    ],
)
def test_what_carries_no_reading_of_another_name_carries_nothing(body: bytes, at_topic: str) -> None:
    """An ack has the identity of the uplink that it came with, and is not that uplink."""
    assert named(an_mqtt_message(body, at_topic))[1] is None


WORDS = st.none() | st.text(max_size=3) | st.integers(-1, 3) | st.just([]) | st.just({})


@given(st.sampled_from([an_uplink(), a_things_stack_uplink()]), st.data())
def test_a_hostile_body_stops_no_scan(body: bytes, data: st.DataObject) -> None:
    said = json.loads(body)
    inner = data.draw(st.sampled_from([said, *(part for part in said.values() if isinstance(part, dict))]))
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(WORDS)
    at_topic = topic() if "deviceInfo" in body.decode() else THINGS_STACK

    ours, theirs = named(an_mqtt_message(json.dumps(said).encode(), at_topic))

    assert ours is None or theirs == ours
