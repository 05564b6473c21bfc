"""What a company hands in over HTTP: one event, or a batch."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from builders_sensor_ingest import NOON, Token, a_declared_device, a_reading, declared_stream, minutes, values
from httpx import AsyncClient, Response

from oker_bus.edge import Sessions
from oker_contracts import TYPE_PREFIX, Contract
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from oker_testkit.bus import TestBus
from sensor_ingest import gateway
from sensor_ingest.api import events

IN = "IN_stadtwerke"


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


async def test_a_claim_of_another_service_names_the_service_that_says_what_became_of_it(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    proposed = ProjectProposedV2(proposal="p", title="P", fields_of_action=["digitale-infrastruktur"])

    taken = await post(http, binary(proposed, "p-1"), company)

    said = taken.json()
    assert (taken.status_code, said["taken_by"]) == (202, "project-registry")
    assert "project-registry: ask there for /outcomes?source=%2Fcloud&id=p-1" in said["detail"]
    assert "outcome" not in said
    assert "location" not in taken.headers


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
        "outcome": "/outcomes?source=%2Fcloud&id=r-1",
    }
    assert taken.headers["location"] == taken.json()["outcome"]
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

    assert [fact.partner for fact in await bus.announced(DeviceRegisteredV2)] == ["verkehr"]


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
    body: Any = chunks() if chunked else b" " * (events.MAX_BODY + 1)
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


# a batch


def event(data: Contract, id: str, **changes: Any) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "id": id, "source": "/cloud", "type": TYPE_PREFIX + data.TYPE}
    said = {**attributes, "data": data.model_dump(mode="json")} | changes
    return {name: value for name, value in said.items() if value is not ...}


def a_batch(*items: Any) -> tuple[dict[str, str], bytes]:
    return {"content-type": "application/cloudevents-batch+json; charset=UTF-8"}, json.dumps(list(items)).encode()


def readings(count: int) -> list[dict[str, Any]]:
    return [event(a_reading(float(n), at=NOON + minutes(n)), f"r-{n}") for n in range(count)]


def statuses(answer: Response) -> list[int]:
    return [item["status"] for item in answer.json()["items"]]


async def stored(bus: TestBus) -> int:
    return int((await bus.jetstream.stream_info(IN)).state.messages)


async def test_a_batch_is_taken_in_its_order_once_all_of_it_is_stored(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    said = [event(a_declared_device(), "d-1"), *readings(400)]

    answer = await post(http, a_batch(*said), company)

    assert answer.status_code == 202
    assert {name: answer.json()[name] for name in ("taken", "refused", "not_taken")} == {
        "taken": 401,
        "refused": 0,
        "not_taken": 0,
    }
    items = answer.json()["items"]
    assert [(item["index"], item["id"]) for item in items] == [(at, one["id"]) for at, one in enumerate(said)]
    assert [item["sequence"] for item in items] == list(range(1, 402))
    assert items[400]["outcome"] == "/outcomes?source=%2Fcloud&id=r-399"
    await bus.settled()
    assert await values(sessions) == [float(n) for n in reversed(range(400))]


async def test_what_is_right_goes_in_although_others_are_wrong(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    first, second, third = readings(3)
    wrong = {**second, "data": {**second["data"], "device": 7}}

    answer = await post(
        http, a_batch(event(a_declared_device(), "d-1"), first, wrong, 17, event(a_reading(), ""), third), company
    )

    assert answer.status_code == 207
    assert statuses(answer) == [202, 202, 422, 422, 422, 202]
    assert (answer.json()["taken"], answer.json()["refused"]) == (3, 3)
    refused = [(item["code"], item["path"]) for item in answer.json()["items"] if item["status"] == 422]
    assert refused == [("field_type_wrong", "$.device"), ("field_type_wrong", "$"), ("attribute_missing", "$.id")]
    await bus.settled()
    assert await values(sessions) == [2.0, 0.0]


async def test_digits_of_a_batch_stay_as_they_were_written(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    headers, body = a_batch(*readings(1))

    await post(http, (headers, body.replace(b'"value": 0.0', b'"value":  0.10')), company)

    assert b'"value":  0.10' in (await bus.jetstream.get_msg(IN, 1)).data


async def test_a_batch_without_events_is_a_batch(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    answer = await post(http, a_batch(), company)

    assert (answer.status_code, answer.json()["items"]) == (202, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b"{}", "field_type_wrong"),
        (b'[{"specversion": "1.0"},]', "json_broken"),
        (b"[" * 200_000, "json_too_deep"),
        (b"[" + b"1," * 1_000 + b"1]", "body_too_large"),
        (b"[" + b" " * 5_000_000 + b"]", "body_too_large"),
        (b"[\xff]", "encoding_invalid"),
    ],
)
async def test_a_batch_that_cannot_be_taken_apart_is_refused_as_a_whole(
    bus: TestBus, http: AsyncClient, company: dict[str, str], body: bytes, code: str
) -> None:
    answer = await post(http, (a_batch()[0], body), company)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await stored(bus) == 0


async def test_a_batch_of_nothing_but_faults_is_refused_item_by_item(
    http: AsyncClient, company: dict[str, str]
) -> None:
    fact = event(a_reading(), "f-1", type=TYPE_PREFIX + "sensor.observations_recorded.v1")
    large = event(a_reading(), "l-1", padding="x" * events.MAX_BODY)

    answer = await post(http, a_batch(fact, large), company)

    assert (answer.status_code, statuses(answer)) == (422, [422, 422])
    assert [item["code"] for item in answer.json()["items"]] == ["type_not_claimable", "body_too_large"]


async def test_of_a_batch_that_fills_the_stream_the_rest_is_named_and_can_be_sent_again(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    config = (await bus.jetstream.stream_info(IN)).config
    await bus.jetstream.update_stream(config.evolve(max_bytes=60_000))

    answer = await post(http, a_batch(*readings(500)), company)

    taken = statuses(answer).count(202)
    assert answer.status_code == 207
    assert (answer.json()["taken"], answer.json()["not_taken"]) == (taken, 500 - taken)
    assert 0 < taken == await stored(bus)
    assert answer.headers["retry-after"] == "60"
    await bus.jetstream.update_stream(config)
    rest = [said for said, status in zip(readings(500), statuses(answer), strict=True) if status == 503]
    assert (await post(http, a_batch(*rest), company)).status_code == 202
    assert await stored(bus) == 500


async def test_after_the_first_event_that_has_no_room_none_is_stored_although_it_would_fit(
    bus: TestBus, http: AsyncClient, company: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "WINDOW", 1)
    config = (await bus.jetstream.stream_info(IN)).config
    await bus.jetstream.update_stream(config.evolve(max_bytes=5_000))
    first, second, third = readings(3)
    second["data"]["remark"] = "x" * 6_000

    answer = await post(http, a_batch(first, second, third), company)

    assert statuses(answer) == [202, 503, 503]
    assert await stored(bus) == 1


async def test_nothing_of_a_batch_is_taken_that_the_broker_does_not_confirm(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await bus.jetstream.delete_stream(IN)

    answer = await post(http, a_batch(*readings(3), 17), company)

    assert (answer.status_code, statuses(answer)) == (503, [503, 503, 503, 422])
    assert answer.headers["retry-after"] == "5"


async def test_a_batch_is_of_the_token_s_company_and_of_companies_only(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    verkehr = token("verkehr-system", "partner", partner="verkehr")

    answer = await post(http, a_batch(*readings(1)), verkehr)
    unit = await post(http, a_batch(*readings(1)), token("u-1", "unit"))

    assert answer.json()["items"][0]["stream"] == "IN_verkehr"
    assert unit.status_code == 403
    assert await stored(bus) == 0
