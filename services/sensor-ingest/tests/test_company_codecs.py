"""Uplinks that are read by a company's own codec: many in one go, and each for itself."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    Token,
    a_things_stack_uplink,
    an_mqtt_message,
    an_uplink,
    minutes,
    say,
    topic,
    values,
)
from httpx import AsyncClient

from oker_bus import Delivery
from oker_bus.edge import Edge, Sessions
from oker_bus.partners import PartnersFile
from oker_contracts import TYPE_PREFIX, Contract, Envelope, catalog
from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2, ProfileRef
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.profile_declared_v1 import Measurement, ProfileDeclaredV1, Vector
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1
from oker_testkit.bus import TestBus
from sensor_ingest import handlers
from sensor_ingest.app import CONSUMER
from sensor_ingest.codecs import javascript
from sensor_ingest.codecs.sandbox import Sandbox

Network = Literal["chirpstack", "things-stack"]
Take = Callable[..., Awaitable[list[str]]]
OTHER = "70b3d57ed0000002"
HANGS, FAILS, INFINITE = 255, 254, 253
CODEC = """
function decodeUplink(input) {
  while (input.bytes[0] === 255);
  if (input.bytes[0] === 254) return { errors: ["sensor broken"] };
  return { data: { level: input.bytes[0] === 253 ? 1e300 : input.bytes[0] } };
}
"""
FRAME = {"chirpstack": "$.data", "things-stack": "$.uplink_message.frm_payload"}
OBJECT = {"chirpstack": "$.object", "things-stack": "$.uplink_message.decoded_payload"}


@pytest.fixture(autouse=True)
def rested() -> None:
    """No codec rests for what it did in another test."""
    javascript._accounts().clear()


def a_profile(version: int = 1, **said: Any) -> ProfileDeclaredV1:
    """The first byte is the level; some bytes stand for what goes wrong."""
    named = {
        "profile": "level",
        "version": version,
        "title": "Pegelsonde",
        "codec": "javascript",
        "script": CODEC,
        "measurements": [Measurement(path="level", property="level", unit="cm")],
        "vectors": [Vector(f_port=2, bytes="64", data={"level": 100})],
    }
    return ProfileDeclaredV1(**(named | said))


def an_object_profile(version: int = 1, path: str = "level") -> ProfileDeclaredV1:
    """What the network server has decoded is read."""
    measurements = [Measurement(path=path, property="level", unit="cm")]
    return a_profile(version, codec="object", script="", vectors=[], measurements=measurements)


def a_level_sensor(device: str = EUI, profile: str = "level", maximum: float | None = None) -> DeviceDeclaredV2:
    stream = DeclaredDatastream(
        property="level", unit="cm", dataset="environment", observed_property="Wasserstand", maximum=maximum
    )
    return DeviceDeclaredV2(device=device, name="Pegel", profile=ProfileRef(name=profile), datastreams=[stream])


def heard(
    number: int, level: int | None = None, network: Network = "chirpstack", decoded: Any = None
) -> MqttMessageReceivedV1:
    """The uplink of this number, as the gateway forwards it."""
    time, payload = (NOON + minutes(number)).isoformat(), bytes([number if level is None else level])
    if network == "things-stack":
        body = a_things_stack_uplink(payload, received_at=time, f_cnt=number, decoded_payload=decoded)
        return an_mqtt_message(body, f"v3/weather@ttn/devices/eui-{EUI}/up")
    return an_mqtt_message(an_uplink(payload, time=time, fCnt=number, deduplicationId=f"u-{number}", object=decoded))


@pytest.fixture
def taken_at_once(sessions: Sessions, partners_file: Path) -> Callable[..., Awaitable[list[str]]]:
    """Takes claims of the company in one batch, in their order; says what became of each: outcome, or code and path."""
    ingest = handlers.Ingest(
        CONSUMER, Edge("sensor-ingest", sessions, lambda: NOON + timedelta(days=1)), PartnersFile(partners_file)
    )
    sequences = count(1)

    async def take(*said: Contract) -> list[str]:
        batch = [delivered(one, next(sequences)) for one in said]
        prepared = handlers.prepare(batch)
        ended = await ingest.write(prepared)
        told = [
            refused for claim in prepared for refused in (claim.refused, *(r for _, r in claim.rejected)) if refused
        ]
        return [str(end) for end in ended] + [f"{refused.reason} at {refused.path}" for refused in told]

    return take


def delivered(said: Contract, sequence: int) -> Delivery:
    """A claim as it lies on the stream."""
    body = said.model_dump_json().encode()
    headers = Envelope(f"e-{sequence}", "/test", TYPE_PREFIX + said.TYPE, NOON, body).headers()
    subject = catalog().events[said.TYPE].claim_subject("stadtwerke")
    return Delivery(CONSUMER, "IN_stadtwerke", sequence, "stadtwerke", subject, headers, body, NOON, 1)


async def test_the_uplinks_of_a_batch_are_decoded_in_few_calls(
    taken_at_once: Take, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a process that has just been started, and has to load the codec."""
    await taken_at_once(a_profile(), a_level_sensor())
    javascript._sandbox().end()
    calls = count()
    run, run_some = Sandbox.run, Sandbox.run_some
    monkeypatch.setattr(Sandbox, "run", lambda *call: (next(calls), run(*call))[1])
    monkeypatch.setattr(Sandbox, "run_some", lambda *call: (next(calls), run_some(*call))[1])

    ended = await taken_at_once(*(heard(number) for number in range(200)))

    assert ended == ["settled"] * 200
    assert await values(sessions, device=EUI, property="level") == [float(n) for n in reversed(range(200))]
    assert next(calls) <= 3


@pytest.mark.parametrize("how", [HANGS, FAILS])
async def test_in_a_batch_a_frame_that_makes_its_codec_fail_harms_itself_only(
    taken_at_once: Take, sessions: Sessions, how: int
) -> None:
    await taken_at_once(a_profile(), a_level_sensor())

    ended = await taken_at_once(*(heard(number, how if number in (3, 7) else None) for number in range(10)))

    assert ended[:10] == ["quarantined" if number in (3, 7) else "settled" for number in range(10)]
    assert ended[10:] == ["payload_undecodable at $.data"] * 2
    assert await values(sessions, device=EUI, property="level") == [9.0, 8.0, 6.0, 5.0, 4.0, 2.0, 1.0, 0.0]


async def test_a_codec_that_always_hangs_rests_and_the_codecs_of_others_go_on(
    taken_at_once: Take, sessions: Sessions
) -> None:
    other = {"deviceInfo": {"devEui": OTHER}}
    await taken_at_once(a_profile(), a_profile(profile="other", script=CODEC + "// other"), a_level_sensor())
    await taken_at_once(a_level_sensor(OTHER, "other"))
    hanging = [heard(number, HANGS) for number in range(20)]
    well = [an_mqtt_message(an_uplink(b"\x07", **other), topic(eui=OTHER))]

    ended = await taken_at_once(*hanging, *well)

    assert ended[20] == "settled"
    refused = Counter(ended[21:])
    assert set(refused) == {"payload_undecodable at $.data", "codec_suspended at $.data"}
    assert refused["codec_suspended at $.data"] >= 5
    assert await values(sessions, device=OTHER, property="level") == [7.0]


async def test_what_is_declared_in_a_batch_counts_for_the_uplinks_after_it(
    taken_at_once: Take, sessions: Sessions
) -> None:
    doubled = a_profile(
        2, script=CODEC.replace("1e300 : ", "1e300 : 2 * "), vectors=[Vector(f_port=2, bytes="64", data={"level": 200})]
    )

    ended = await taken_at_once(heard(1), a_profile(), heard(2), a_level_sensor(), heard(3))
    await taken_at_once(heard(4), doubled, heard(5), heard(6))

    assert ended[5:] == ["device_unknown at $.deviceInfo.devEui"] * 2
    assert await values(sessions, device=EUI, property="level") == [12.0, 10.0, 4.0, 3.0]


@pytest.mark.parametrize("network", ["chirpstack", "things-stack"])
@pytest.mark.parametrize(
    ("level", "reason"),
    [(FAILS, "payload_undecodable"), (INFINITE, "number_out_of_range"), (HANGS, "payload_undecodable")],
)
async def test_what_is_wrong_with_a_frame_is_told_by_its_place_in_the_sender_s_body(
    taken_at_once: Take, network: Network, level: int, reason: str
) -> None:
    await taken_at_once(a_profile(), a_level_sensor())

    assert (await taken_at_once(heard(1, level, network)))[1:] == [f"{reason} at {FRAME[network]}"]


@pytest.mark.parametrize("network", ["chirpstack", "things-stack"])
@pytest.mark.parametrize(
    ("decoded", "path"), [(None, ""), ({"level": 1e300}, ".level"), ({"level": 1e17}, ".level"), ({"level": 30000}, "")]
)
async def test_what_is_wrong_with_a_decoded_object_is_told_by_its_place_too(
    taken_at_once: Take, network: Network, decoded: Any, path: str
) -> None:
    """The last one is refused by the plausible range of the datastream."""
    await taken_at_once(an_object_profile(), a_level_sensor(maximum=2_000))

    (told,) = (await taken_at_once(heard(1, None, network, decoded)))[1:]

    assert told.partition(" at ")[2] == OBJECT[network] + path


async def test_what_a_network_server_has_decoded_is_read_again_by_another_profile(
    bus: TestBus, http: AsyncClient, token: Token, sessions: Sessions
) -> None:
    await say(bus, an_object_profile(1, "wrong"), a_level_sensor())
    nul = {"level": 7, "wrong": 8, "note": "\x00"}
    await say(bus, heard(1, None, decoded={"level": 5, "wrong": 6}), heard(2, None, "things-stack", nul), heard(3))
    await say(bus, an_object_profile(2))

    path = f"/devices/stadtwerke/{EUI}/redecode?from=2026-01-01T00:00:00Z"
    taken = await http.post(path, headers=token("stadtwerke-scada", "partner", partner="stadtwerke"))
    await bus.settled()

    assert taken.json()["handed_in"] == 3
    assert await values(sessions, device=EUI, property="level") == [7.0, 5.0]
    refused = ("payload_undecodable", "$.object"), ("payload_undecodable", "$.uplink")
    assert await bus.quarantined() == list(refused)


@pytest.mark.parametrize("gateways", [[{"received_at": NOON.isoformat(), "rssi": -35}], None])
async def test_an_uplink_of_the_things_stack_that_comes_again_is_one_reading(
    taken_at_once: Take, sessions: Sessions, gateways: Any
) -> None:
    """Also where neither it nor its message names a time, and the broker has forgotten the first: within a day."""

    def called(number: int, f_cnt: int = 4) -> WebhookReceivedV1:
        body = json.loads(a_things_stack_uplink(b"\x07", received_at=None, rx_metadata=gateways, f_cnt=f_cnt))
        del body["received_at"]
        payload = b64encode(json.dumps(body).encode())
        return WebhookReceivedV1(network="things-stack", event="", payload=payload, received_at=NOON + minutes(number))

    await taken_at_once(a_profile(), a_level_sensor())

    assert await taken_at_once(called(1), called(2)) == ["settled", "duplicate"]
    assert await taken_at_once(called(9)) == ["duplicate"]
    assert await values(sessions, device=EUI, property="level") == [7.0]


async def test_copies_of_an_uplink_without_a_time_that_are_taken_at_once_are_one(
    bus: TestBus, sessions: Sessions
) -> None:
    """Two batches are decided at a time, and neither sees what the other has not committed."""
    body = json.loads(a_things_stack_uplink(b"\x07", received_at=None))
    del body["received_at"]
    await say(bus, a_profile(), a_level_sensor())
    for number in range(60):
        claim = MqttMessageReceivedV1(
            topic=f"v3/weather@ttn/devices/eui-{EUI}/up",
            payload=b64encode(json.dumps(body).encode()),
            received_at=NOON + timedelta(seconds=number),
        )
        await bus.publish(claim, partner="stadtwerke")
    await bus.settled()

    assert await values(sessions, device=EUI, property="level") == [7.0]
