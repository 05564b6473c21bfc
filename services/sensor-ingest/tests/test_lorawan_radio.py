"""How LoRaWAN devices do, over HTTP; and kept uplinks decoded once more."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_sensor_ingest import (
    EUI,
    Token,
    an_mqtt_message,
    an_uplink,
    counted,
    history,
    ledger,
    say,
    topic,
    values,
)
from httpx import AsyncClient

from oker_bus.edge import Sessions
from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2, ProfileRef
from oker_contracts.sensor.device_replaced_v1 import DeviceReplacedV1
from oker_contracts.sensor.profile_declared_v1 import Measurement, ProfileDeclaredV1, Vector
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from oker_testkit.bus import TestBus, messages
from sensor_ingest.api import redecode

NOW = datetime.now(UTC).replace(microsecond=0)
OTHER = "70b3d57ed0000002"
REDECODED = f"ingest.stadtwerke.gateway.{UplinkRedecodedV1.TYPE}"
ASKED = "/devices/stadtwerke/level-7/redecode"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


def a_level_sensor(**said: Any) -> DeviceDeclaredV2:
    """A device with a profile of the company's own, whose hardware has another name than the device."""
    stream = DeclaredDatastream(
        property="level", unit="cm", dataset="environment", observed_property="Wasserstand", interval_seconds=600
    )
    named = {"device": "level-7", "name": "Pegel Wendenwehr", "hardware": EUI, "datastreams": [stream]}
    return DeviceDeclaredV2(**{**named, "profile": ProfileRef(name="level"), **said})


def a_profile(version: int = 1, divisor: int = 10) -> ProfileDeclaredV1:
    """The first byte of a frame, divided."""
    script = f"function decodeUplink(input) {{ return {{data: {{level: input.bytes[0] / {divisor}}}}}; }}"
    return ProfileDeclaredV1(
        profile="level",
        version=version,
        title="Pegelsonde",
        codec="javascript",
        script=script,
        measurements=[Measurement(path="level", property="level", unit="cm")],
        vectors=[Vector(f_port=2, bytes="64", data={"level": 100 / divisor})],
    )


def heard(minutes_ago: float, f_cnt: int, payload: bytes = b"\x64", eui: str = EUI, **said: Any) -> Any:
    """An uplink, as the gateway forwards it."""
    time = NOW - timedelta(minutes=minutes_ago)
    body = an_uplink(
        payload,
        time=time.isoformat(),
        fCnt=f_cnt,
        deduplicationId=f"{eui}-{f_cnt}-{minutes_ago}",
        deviceInfo={"devEui": eui},
        **said,
    )
    return an_mqtt_message(body, topic(eui=eui))


def status(minutes_ago: float, battery: float) -> Any:
    time = NOW - timedelta(minutes=minutes_ago)
    body = {"deduplicationId": "s-1", "time": time.isoformat(), "deviceInfo": {"devEui": EUI}, "batteryLevel": battery}
    return an_mqtt_message(json.dumps(body | {"margin": 7}).encode(), topic("status"))


async def asked(http: AsyncClient, path: str, authorization: dict[str, str]) -> Any:
    return (await http.get(path, headers=authorization)).raise_for_status().json()


async def test_a_device_tells_how_it_does(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    await say(bus, a_profile(), a_level_sensor())
    await say(bus, heard(50, 4), heard(40, 5), heard(10, 8), status(9, 12.5))

    by_name = await asked(http, "/devices/stadtwerke/level-7/radio", company)
    by_hardware = await asked(http, f"/devices/stadtwerke/{EUI.upper()}/radio", company)

    named = ("device", "hardware", "last_f_cnt", "uplinks", "missing", "battery", "margin", "late", "days")
    assert [by_name[name] for name in named] == ["level-7", EUI, 8, 3, 2, 12.5, 7, False, 7]
    assert by_name["troubles"] == ["frames_missing", "battery_low"]
    assert [(gap["from_f_cnt"], gap["to_f_cnt"]) for gap in by_name["last_gaps"]] == [(6, 7)]
    assert by_name["expected_interval_seconds"] == 600
    assert {**by_hardware, "device": "level-7", "expected_interval_seconds": 600} == by_name


async def test_a_device_that_was_replaced_tells_of_what_is_mounted_now(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await say(bus, a_profile(), a_level_sensor())
    replaced = DeviceReplacedV1(device="level-7", hardware=OTHER, replaced_at=NOW - timedelta(minutes=30))
    await say(bus, replaced, heard(50, 4), heard(10, 9, eui=OTHER))

    said = await asked(http, "/devices/stadtwerke/level-7/radio", company)

    assert (said["hardware"], said["last_f_cnt"], said["missing"]) == (OTHER, 9, 0)


async def test_the_devices_with_troubles_are_listed(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    silent = a_level_sensor(device="silent", hardware=OTHER)
    unheard = a_level_sensor(device="unheard", hardware="0000000000000004")
    await say(bus, a_profile(), a_level_sensor(), silent, unheard, heard(20, 4), heard(10, 5), heard(60, 1, eui=OTHER))
    await say(bus, heard(20, 4, eui="0000000000000003"), heard(10, 6, eui="0000000000000003"))

    troubled = await asked(http, "/radio", company)
    late = await asked(http, "/radio?trouble=late", company)
    all = await asked(http, "/radio?all=true", company)

    assert [(one["device"], one["troubles"]) for one in troubled] == [
        (None, ["frames_missing"]),
        ("silent", ["late"]),
    ]
    assert [one["device"] for one in late] == ["silent"]
    assert [one["device"] for one in all] == [None, "unheard", "level-7", "silent"]


async def test_a_company_sees_its_own_devices_only(
    bus: TestBus, http: AsyncClient, company: dict[str, str], token: Token
) -> None:
    await say(bus, a_profile(), a_level_sensor(), heard(10, 4))
    path = "/devices/stadtwerke/level-7/radio"
    stranger = token("verkehr-system", "partner", partner="verkehr")

    assert (await http.get(path, headers=stranger)).status_code == 404
    assert (await http.get("/radio?partner=stadtwerke", headers=stranger)).status_code == 404
    assert (await http.post(f"{ASKED}?from=2026-01-01T00:00:00Z", headers=stranger)).status_code == 404
    assert await asked(http, "/radio?all=true", stranger) == []
    for role in ("unit", "auditor"):
        assert (await asked(http, path, token("a-1", role)))["last_f_cnt"] == 4
        assert len(await asked(http, "/radio?partner=stadtwerke&all=true", token("a-1", role))) == 1
    assert (await http.get("/radio", headers=token("a-1", "auditor"))).status_code == 422
    assert (await http.get(path, headers=token("b-1", "board"))).status_code == 403
    assert (await http.get("/devices/stadtwerke/nobody/radio", headers=company)).status_code == 404


async def test_kept_uplinks_are_decoded_again_and_the_new_values_win(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await say(bus, a_profile(1, divisor=10), a_level_sensor())
    await say(bus, heard(30, 4, b"\x64"), heard(20, 5, b"\xc8"), heard(10, 6, b""))
    await say(bus, a_profile(2, divisor=4))
    since = (NOW - timedelta(hours=1)).isoformat().replace("+", "%2B")

    taken = (await http.post(f"{ASKED}?from={since}", headers=company)).json()
    await bus.settled()

    assert taken == {"profile": "level", "version": 2, "handed_in": 2, "complete": True, "next": None}
    assert await values(sessions, device="level-7", property="level") == [50.0, 25.0]
    assert sorted(value for value, _ in await history(sessions)) == [10.0, 20.0, 25.0, 50.0]


async def test_decoding_again_is_counted_once_however_often_it_is_asked_for(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await say(bus, a_profile(1), a_level_sensor(), heard(30, 4), a_profile(2, divisor=4))

    for _ in range(2):
        await http.post(f"{ASKED}?from=2026-01-01T00:00:00Z&version=2", headers=company)
    await bus.settled()

    assert await ledger(sessions) == {"stadtwerke": counted(read=3, stored=1, corrected=1, duplicate=1)}


async def test_each_version_decodes_anew(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await say(bus, a_profile(1), a_level_sensor(), heard(30, 4), a_profile(2, divisor=4), a_profile(3, divisor=5))

    for version in (2, 3):
        await http.post(f"{ASKED}?from=2026-01-01T00:00:00Z&version={version}", headers=company)
    await bus.settled()

    assert await values(sessions, device="level-7", property="level") == [20.0]
    assert len(await history(sessions)) == 3


async def test_only_what_was_measured_at_the_device_in_the_span_is_decoded_again(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await say(bus, a_profile(), a_level_sensor())
    replaced = DeviceReplacedV1(device="level-7", hardware=OTHER, replaced_at=NOW - timedelta(minutes=30))
    elsewhere = DeviceReplacedV1(device="level-8", hardware=EUI, replaced_at=NOW - timedelta(minutes=30))
    await say(bus, replaced, a_level_sensor(device="level-8", hardware="spare"), elsewhere)
    await say(bus, heard(50, 1), heard(40, 2), heard(20, 3), heard(45, 4, eui=OTHER), heard(15, 5, eui=OTHER))
    since, until = ((NOW - timedelta(minutes=m)).isoformat().replace("+", "%2B") for m in (45, 10))

    taken = await http.post(f"{ASKED}?from={since}&until={until}", headers=company)
    await bus.settled()

    assert taken.json()["handed_in"] == 2
    said = [json.loads(msg.data) async for msg in messages(bus.jetstream, "IN_stadtwerke", REDECODED)]
    assert [(claim["hardware"], claim["f_port"]) for claim in said] == [(EUI, 2), (OTHER, 2)]


async def test_a_long_span_is_decoded_in_several_requests(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redecode, "MOST", 4)
    monkeypatch.setattr(redecode, "PAGE", 2)
    await say(bus, a_profile(), a_level_sensor(), *(heard(60 - n, n) for n in range(6)), a_profile(2, divisor=4))

    first = (await http.post(f"{ASKED}?from=2026-01-01T00:00:00Z", headers=company)).json()
    since = first["next"].replace("+", "%2B")
    second = (await http.post(f"{ASKED}?from={since}", headers=company)).json()
    await bus.settled()

    assert (first["handed_in"], first["complete"], second["handed_in"], second["complete"]) == (4, False, 2, True)
    assert await values(sessions, device="level-7", property="level") == [25.0] * 6


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("version=7", 422, "profile_unknown"), ("", 202, None), ("from=1999-01-01T00:00:00Z", 422, "number_out_of_range")],
)
async def test_a_request_that_makes_no_sense_is_refused(
    bus: TestBus, http: AsyncClient, company: dict[str, str], query: str, status: int, code: str | None
) -> None:
    await say(bus, a_profile(), a_level_sensor())

    answer = await http.post(f"{ASKED}?from=2026-01-01T00:00:00Z&{query}", headers=company)

    assert (answer.status_code, answer.json().get("code")) == (status, code)
