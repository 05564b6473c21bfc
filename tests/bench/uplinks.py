"""Uplinks as ChirpStack v4 sends them over MQTT, and as sensor-ingest's gateway hands them on: as claims.

An uplink has about 1,500 bytes of JSON, heard by two gateways; its 11 raw bytes are those of a Dragino LHT65.
As a claim it stands in Base64 in a CloudEvent.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.bench.readings import lines
from tests.bench.wire import Wire

from oker_contracts import TYPE_PREFIX, Envelope, catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

PROFILE = "dragino-lht65"
PROPERTIES = {"battery_voltage": "V", "temperature": "Cel", "relative_humidity": "%"}
DEVICES = 200
BEGIN = datetime(2021, 1, 1, tzinfo=UTC)
APPLICATION = "ca739e26-7b67-4f14-b69e-d568c22a5a75"
TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
DEVICE_PROFILE = "605d08d4-65f5-4d2c-8a5a-3d2457662f79"


def dev_eui(number: int) -> str:
    """The DevEUI of a device."""
    return f"a84041{number:010x}"


def uplink(number: int) -> tuple[str, bytes]:
    """Topic and body of the uplink of this number; the devices speak in turn, and their counters leave nothing out."""
    device, counter = number % DEVICES, number // DEVICES
    at = BEGIN + timedelta(seconds=number)
    body = {
        "deduplicationId": str(UUID(int=number, version=4)),
        "time": at.isoformat(),
        "deviceInfo": {
            "tenantId": TENANT,
            "tenantName": "Stadtwerke",
            "applicationId": APPLICATION,
            "applicationName": "Klimamessnetz",
            "deviceProfileId": DEVICE_PROFILE,
            "deviceProfileName": "Dragino LHT65",
            "deviceName": f"Klimastation {device}",
            "devEui": dev_eui(device),
            "deviceClassEnabled": "CLASS_A",
            "tags": {"quarter": "Nordstadt"},
        },
        "devAddr": f"{0x01000000 + device:08x}",
        "adr": True,
        "dr": 5,
        "fCnt": counter,
        "fPort": 2,
        "confirmed": False,
        "data": b64encode(_payload(number)).decode(),
        "rxInfo": [_heard(f"6a7e111a1000000{gateway}", 24_022 + number, at, gateway) for gateway in range(2)],
        "txInfo": {
            "frequency": 868_500_000,
            "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5"}},
        },
        "regionConfigId": "eu868",
    }
    said = {name: value for name, value in body.items() if value != 0}  # as proto3 in JSON: zero is left out
    return f"application/{APPLICATION}/device/{dev_eui(device)}/event/up", json.dumps(said).encode()


def _payload(number: int) -> bytes:
    """Battery, temperature, humidity, no external sensor; most significant byte first (Dragino's manual)."""
    temperature, humidity = 1500 + number % 970, 400 + number % 300
    return (0xCBB8).to_bytes(2) + temperature.to_bytes(2) + humidity.to_bytes(2) + bytes((0, 0x7F, 0xFF, 0x7F, 0xFF))


def _heard(gateway: str, uplink_id: int, at: datetime, channel: int) -> dict[str, Any]:
    return {
        "gatewayId": gateway,
        "uplinkId": uplink_id,
        "gwTime": at.isoformat(),
        "nsTime": at.isoformat(),
        "rssi": -97 - channel,
        "snr": 7.5,
        "channel": 2 + channel,
        "rfChain": 1,
        "location": {"latitude": 52.2689, "longitude": 10.5268, "altitude": 74},
        "context": "EFwMtA==",
        "metadata": {"region_common_name": "EU868", "region_config_id": "eu868"},
        "crcStatus": "CRC_OK",
    }


def frames(wire: Wire, partner: str, first: int, count: int) -> Iterator[bytes]:
    """Uplinks as bytes of the protocol, ready to be published over a connection that may do what the gateway does."""
    subject = catalog().events[MqttMessageReceivedV1.TYPE].claim_subject(partner)
    for number in range(first, first + count):
        said = claim(number, partner)
        yield wire.frame(subject, lines(said.headers()), said.data)


def claim(number: int, partner: str) -> Envelope:
    """The uplink of this number as the gateway hands it on."""
    topic, body = uplink(number)
    at = BEGIN + timedelta(seconds=number)
    said = MqttMessageReceivedV1(topic=topic, payload=b64encode(body), received_at=at)
    id = f"{number + 1}-{int(at.timestamp() * 1e6)}"
    type = TYPE_PREFIX + MqttMessageReceivedV1.TYPE
    return Envelope(id, f"/oker/mqtt/{partner}", type, at, said.model_dump_json().encode())
