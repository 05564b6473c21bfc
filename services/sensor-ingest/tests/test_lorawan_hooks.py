"""Network servers that call over HTTP."""

import json
from datetime import timedelta

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    Token,
    a_things_stack_message,
    a_things_stack_uplink,
    a_weather_station,
    an_mqtt_message,
    an_uplink,
    counted,
    ledger,
    say,
    values,
)
from httpx import AsyncClient, Response

from oker_bus.edge import Sessions
from oker_contracts import Refused, reader
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1
from oker_testkit.bus import TestBus
from sensor_ingest.api import hooks

CHIRPSTACK, THINGS_STACK = "/lorawan/chirpstack?event=up", "/lorawan/things-stack"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-network-server", "partner", partner="stadtwerke")


async def post(http: AsyncClient, path: str, body: bytes, authorization: dict[str, str]) -> Response:
    return await http.post(path, content=body, headers=authorization)


@pytest.mark.parametrize(("path", "body"), [(CHIRPSTACK, an_uplink()), (THINGS_STACK, a_things_stack_uplink())])
async def test_an_uplink_over_http_becomes_observations(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions, path: str, body: bytes
) -> None:
    await say(bus, a_weather_station())

    taken = await post(http, path, body, company)
    await bus.settled()

    assert (taken.status_code, taken.json()["stream"], "refused" in taken.json()) == (202, "IN_stadtwerke", False)
    assert taken.headers["location"].startswith(f"/outcomes?source=%2Florawan%2F{EUI}&id=")
    assert await values(sessions, device=EUI, property="temperature_1") == [22.5]


@pytest.mark.parametrize(("path", "body"), [(CHIRPSTACK, an_uplink()), (THINGS_STACK, a_things_stack_uplink())])
async def test_a_network_server_that_tries_again_is_counted_once(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions, path: str, body: bytes
) -> None:
    await say(bus, a_weather_station())

    first, again = [await post(http, path, body, company) for _ in range(2)]
    await bus.settled()

    assert first.json()["id"] == again.json()["id"]
    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, duplicate=2)}


async def test_the_same_uplink_over_mqtt_and_http_is_one(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await say(bus, a_weather_station(), an_mqtt_message())

    await post(http, CHIRPSTACK, an_uplink(), company)
    await bus.settled()

    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, duplicate=2)}


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (CHIRPSTACK, b"not JSON", "json_broken"),
        (CHIRPSTACK, a_things_stack_uplink(), "dialect_foreign"),
        (CHIRPSTACK, b"\n$57433366-50a6-4dc2-8145-2df1bbc70d9e\x12\x0c", "dialect_foreign"),
        ("/lorawan/chirpstack?event=unheard", an_uplink(), "topic_unmapped"),
        (THINGS_STACK, b'{"cmd": "rx", "EUI": "70B3D57ED0000001"}', "dialect_foreign"),
    ],
)
async def test_what_cannot_be_read_is_named_at_once_and_kept(
    bus: TestBus, http: AsyncClient, company: dict[str, str], path: str, body: bytes, code: str
) -> None:
    """A network server does not send it again, so its bytes go to quarantine."""
    taken = await post(http, path, body, company)
    await bus.settled()

    assert (taken.status_code, taken.json()["refused"]["code"]) == (202, code)
    assert [reason for reason, _ in await bus.quarantined()] == [code]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHIRPSTACK, b"", 422),
        (CHIRPSTACK, b" " * 64_001, 422),
        (THINGS_STACK, b"", 422),
        ("/lorawan/chirpstack", an_uplink(), 422),
        ("/lorawan/chirpstack?event=UP%00", an_uplink(), 422),
    ],
)
async def test_a_request_that_can_never_be_kept_is_refused(
    bus: TestBus, http: AsyncClient, company: dict[str, str], path: str, body: bytes, status: int
) -> None:
    assert (await post(http, path, body, company)).status_code == status


async def test_only_a_company_may_call(http: AsyncClient, token: Token) -> None:
    for authorization, status in (({}, 401), (token("c-1", "cdo"), 403), (token("u-1", "unit"), 403)):
        for path in (CHIRPSTACK, THINGS_STACK):
            assert (await post(http, path, an_uplink(), authorization)).status_code == status


async def test_without_a_confirmation_of_the_broker_the_network_server_shall_try_again(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await bus.jetstream.delete_stream("IN_stadtwerke")

    refused = await post(http, CHIRPSTACK, an_uplink(), company)

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("network", "event", "body"),
    [
        ("chirpstack", "up", an_uplink()),
        ("chirpstack", "log", b"\xff\x00"),
        ("things-stack", "", a_things_stack_uplink()),
        ("things-stack", "", a_things_stack_message("join_accept", {})),
    ],
)
def test_the_claim_holds_the_bytes_as_they_came(network: hooks.Network, event: str, body: bytes) -> None:
    claim, _ = hooks.claim_of("stadtwerke", network, event, body, NOON)

    said = reader().event(claim, NOON).data
    assert said == WebhookReceivedV1.model_construct(network=network, event=event, payload=body, received_at=NOON)


def test_the_id_of_a_claim_follows_from_what_is_said_and_not_from_how_or_when() -> None:
    body = an_uplink()
    other_spelling = json.dumps(json.loads(body), indent=2).encode()

    ids = {
        hooks.claim_of("stadtwerke", "chirpstack", "up", said, NOON + timedelta(hours=hours))[0].id
        for hours, said in enumerate((body, other_spelling))
    }

    assert len(ids) == 1
    unread = [
        hooks.claim_of("stadtwerke", "chirpstack", "up", b"?", NOON + timedelta(seconds=seconds))
        for seconds in (0, 59, 61)
    ]
    assert [claim.id == unread[0][0].id for claim, _ in unread] == [True, True, False]
    assert all(isinstance(heard, Refused) for _, heard in unread)
