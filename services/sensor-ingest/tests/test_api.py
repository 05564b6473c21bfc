"""The HTTP side: what a company hands in and what each may read."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from builders_sensor_ingest import NOON, Token, a_declared_device, a_reading, declared_stream, minutes, values
from httpx import AsyncClient, Response

from oker_bus.edge import Sessions
from oker_contracts import TYPE_PREFIX, Contract
from oker_contracts.sensor.device_registered_v1 import DeviceRegisteredV1
from oker_testkit.bus import TestBus
from sensor_ingest import api

OBSERVATIONS = "/devices/stadtwerke/trafo-12/power_1/observations"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


def binary(data: Contract, id: str = "r-1") -> tuple[dict[str, str], bytes]:
    headers = {"ce-specversion": "1.0", "ce-id": id, "ce-source": "/cloud", "ce-type": TYPE_PREFIX + data.TYPE}
    return {**headers, "content-type": "application/json"}, data.model_dump_json().encode()


def structured(data: Contract, id: str = "r-1") -> tuple[dict[str, str], bytes]:
    attributes = {"specversion": "1.0", "id": id, "source": "/cloud", "type": TYPE_PREFIX + data.TYPE}
    body = json.dumps({**attributes, "data": data.model_dump(mode="json")}).encode()
    return {"content-type": "application/cloudevents+json; charset=utf-8"}, body


async def post(http: AsyncClient, said: tuple[dict[str, str], bytes], authorization: dict[str, str]) -> Response:
    headers, body = said
    return await http.post("/events", content=body, headers=headers | authorization)


@pytest.mark.parametrize("mode", [binary, structured])
async def test_an_event_is_taken_once_it_is_stored(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions, mode: Any
) -> None:
    declared = await post(http, mode(a_declared_device(), "d-1"), company)
    taken = await post(http, mode(a_reading(412.5)), company)

    assert (declared.status_code, taken.status_code) == (202, 202)
    assert taken.json() == {
        "id": "r-1",
        "source": "/cloud",
        "stream": "IN_stadtwerke",
        "sequence": 2,
    }
    await bus.settled()
    assert await values(sessions) == [412.5]


async def test_an_event_sent_again_is_the_same_event_in_either_mode(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await post(http, binary(a_declared_device(), "d-1"), company)
    await post(http, binary(a_reading(412.5)), company)
    again = await post(http, structured(a_reading(412.5)), company)
    await bus.settled()

    assert again.status_code == 202
    assert await values(sessions) == [412.5]


async def test_an_event_that_was_refused_is_taken_when_it_comes_again(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    """Its device was declared meanwhile; the id may stay the same."""
    await post(http, binary(a_reading(412.5)), company)
    await post(http, binary(a_declared_device(), "d-1"), company)
    await post(http, binary(a_reading(412.5)), company)
    await bus.settled()

    assert await values(sessions) == [412.5]
    assert await bus.quarantined() == [("device_unknown", "$.device")]


async def test_the_company_is_the_token_s_whatever_the_event_says(
    bus: TestBus, http: AsyncClient, token: Token, sessions: Sessions
) -> None:
    headers, body = binary(a_declared_device("trafo-12", declared_stream(dataset="visitors")))
    forged = headers | {"ce-partner": "stadtwerke", "ce-source": "/stadtwerke"}
    await post(http, (forged, body), token("verkehr-system", "partner", partner="verkehr"))
    await bus.settled()

    assert [fact.partner for fact in await bus.announced(DeviceRegisteredV1)] == ["verkehr"]


async def test_only_a_company_hands_in(bus: TestBus, http: AsyncClient, token: Token) -> None:
    nobody = await post(http, binary(a_reading()), {})
    forged = await post(http, binary(a_reading()), {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    unit = await post(http, binary(a_reading()), token("u-1", "unit", "cdo", "auditor"))

    assert [answer.status_code for answer in (nobody, forged, unit)] == [401, 401, 403]
    assert (await bus.jetstream.stream_info("IN_stadtwerke")).state.messages == 0


@pytest.mark.parametrize(
    "type", ["sensor.observations_recorded.v1", "sensor.mqtt_message_received.v1", "project.registered.v1"]
)
async def test_facts_and_the_gateway_s_own_claims_cannot_be_handed_in(
    http: AsyncClient, company: dict[str, str], type: str
) -> None:
    headers, body = binary(a_reading())

    answer = await post(http, (headers | {"ce-type": TYPE_PREFIX + type}, body), company)

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["path"]) == ("type_not_claimable", "ce-type")


async def test_a_refusal_names_code_path_and_sentence(http: AsyncClient, company: dict[str, str]) -> None:
    headers, body = binary(a_reading())

    answer = await post(http, (headers, body.replace(b"412.5", b'"412.5"')), company)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "A field has the wrong JSON type.",
        "status": 422,
        "detail": "Input should be a valid number",
        "code": "field_type_wrong",
        "path": "$.results[0].value",
    }


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_while_it_is_read(
    bus: TestBus, http: AsyncClient, company: dict[str, str], chunked: bool
) -> None:
    read: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            read.append(number)
            yield b" " * 100_000

    headers, _ = binary(a_reading())
    body: Any = chunks() if chunked else b" " * (api.MAX_BODY + 1)
    answer = await http.post("/events", content=body, headers=headers | company)

    assert (answer.status_code, answer.json()["code"]) == (422, "body_too_large")
    assert len(read) <= 10
    assert (await bus.jetstream.stream_info("IN_stadtwerke")).state.messages == 0


async def test_nothing_is_taken_that_the_broker_does_not_confirm(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await bus.jetstream.delete_stream("IN_stadtwerke")

    answer = await post(http, binary(a_reading()), company)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


async def test_a_full_stream_is_an_error_for_the_sender(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    config = (await bus.jetstream.stream_info("IN_stadtwerke")).config
    await bus.jetstream.update_stream(config.evolve(max_bytes=1_000))

    answers = [(await post(http, binary(a_reading(), str(number)), company)).status_code for number in range(6)]

    assert answers[0] == 202
    assert answers[-1] == 503


# reading


async def declare_everywhere(bus: TestBus) -> None:
    await bus.publish(a_declared_device(), partner="stadtwerke")
    await bus.publish(a_declared_device("laser", declared_stream("visitors", "1", "visitors")), partner="verkehr")
    await bus.settled()


async def test_a_company_sees_its_own_devices_the_unit_and_the_auditor_all(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await declare_everywhere(bus)

    async def seen(headers: dict[str, str]) -> list[str]:
        return [row["device"] for row in (await http.get("/devices", headers=headers)).json()]

    assert await seen(company) == ["trafo-12"]
    assert await seen(token("verkehr-system", "partner", partner="verkehr")) == ["laser"]
    assert await seen(token("u-1", "unit")) == ["trafo-12", "laser"]
    assert await seen(token("a-1", "auditor")) == ["trafo-12", "laser"]
    assert (await http.get("/devices", headers=token("b-1", "board"))).status_code == 403
    assert (await http.get("/devices")).status_code == 401


async def test_a_device_is_shown_with_its_place_as_geojson(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await declare_everywhere(bus)

    assert (await http.get("/devices", headers=company)).json() == [
        {
            "partner": "stadtwerke",
            "device": "trafo-12",
            "name": "Trafostation Bültenweg",
            "codec": "none",
            "location": {"type": "Point", "coordinates": [10.5267, 52.2689]},
            "datastreams": [
                {"property": "power_1", "unit": "kW", "dataset": "grid", "observed_property": "Wirkleistung"}
            ],
        }
    ]


async def test_values_are_read_as_they_count_now_and_as_they_were_known(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await declare_everywhere(bus)
    await bus.publish(a_reading(400.0, determined=NOON), partner="stadtwerke", id="1")
    await bus.settled()
    (before,) = (await http.get(OBSERVATIONS, headers=company)).json()
    await bus.publish(a_reading(412.5, determined=NOON + minutes(1)), partner="stadtwerke", id="2")
    await bus.settled()

    (now,) = (await http.get(OBSERVATIONS, headers=company)).json()
    known = {"known_at": before["recorded_at"]}
    (then,) = (await http.get(OBSERVATIONS, headers=company, params=known)).json()

    assert (now["value"], now["unit"], now["event_id"]) == (412.5, "kW", "2")
    assert then == before
    assert (before["value"], before["event_id"]) == (400.0, "1")


async def test_a_company_cannot_tell_another_s_device_from_one_that_is_not_there(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    await declare_everywhere(bus)
    other = token("verkehr-system", "partner", partner="verkehr")

    there = await http.get(OBSERVATIONS, headers=other)
    missing = await http.get(OBSERVATIONS.replace("power_1", "power_9"), headers=other)

    assert (there.status_code, missing.status_code) == (404, 404)
    assert there.json()["detail"].replace("power_1", "power_9") == missing.json()["detail"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        (OBSERVATIONS, {"known_at": "2026-01-01T00:00:00"}),
        (OBSERVATIONS, {"known_at": "0001-01-01T00:00:00+14:00"}),
        (OBSERVATIONS, {"known_at": "9999-12-31T23:59:59-14:00"}),
        (OBSERVATIONS, {"limit": "0"}),
        (OBSERVATIONS, {"limit": "10001"}),
        (OBSERVATIONS.replace("trafo-12", "trafo%00"), {}),
        (OBSERVATIONS.replace("power_1", "'; DROP TABLE device"), {}),
        (OBSERVATIONS.replace("stadtwerke", "%ff"), {}),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_in_words(
    bus: TestBus, http: AsyncClient, token: Token, path: str, parameters: dict[str, str]
) -> None:
    await declare_everywhere(bus)

    answer = await http.get(path, params=parameters, headers=token("u-1", "unit"))

    assert answer.status_code == 422
