"""Devices over HTTP: who sees which, with their history; onboarding by CSV; replacing and moving."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    Token,
    a_declared_device,
    a_reading,
    an_mqtt_message,
    an_uplink,
    declared_stream,
    values,
)
from httpx import AsyncClient, Response

from oker_bus.edge import Sessions
from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2, ProfileRef
from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from oker_testkit.bus import TestBus

HEADER = "device,name,property,unit,dataset,observed_property"
TRAFO = "trafo-12,Trafostation,power_1,kW,grid,Wirkleistung"
WEATHER = "loewenwall,Wetterstation Löwenwall,temperature_1,Cel,environment,Lufttemperatur"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


async def import_file(http: AsyncClient, who: dict[str, str], *rows: str, **headers: str) -> Response:
    said = {"content-type": "text/csv", **headers}
    return await http.post("/devices/import", content="\n".join([HEADER, *rows]), headers=who | said)


async def seen(http: AsyncClient, who: dict[str, str], **query: Any) -> list[str]:
    return [row["device"] for row in (await http.get("/devices", headers=who, params=query)).json()]


async def declare(bus: TestBus, *names: str, partner: str = "stadtwerke", dataset: str = "grid") -> None:
    for name in names:
        await bus.publish(a_declared_device(name, declared_stream(dataset=dataset)), partner=partner)
    await bus.settled()


async def test_a_device_is_shown_with_its_place_as_geojson(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await declare(bus, "trafo-12")
    place = {"type": "Point", "coordinates": [10.5267, 52.2689]}

    (plain,) = (await http.get("/devices", headers=company)).json()
    shown = await http.get("/devices", headers=company | {"accept": "application/geo+json"})
    asked = await http.get("/devices", headers=company, params={"format": "geojson"})

    assert (plain["device"], plain["location"], plain["hardware"]) == ("trafo-12", place, "trafo-12")
    assert plain["datastreams"][0]["property"] == "power_1"
    assert shown.headers["content-type"] == "application/geo+json"
    assert shown.json() == asked.json()
    (feature,) = shown.json()["features"]
    assert (feature["type"], feature["id"], feature["geometry"]) == ("Feature", "stadtwerke/trafo-12", place)
    assert feature["properties"]["name"] == plain["name"]


async def test_devices_are_found_by_company_dataset_and_property_page_by_page(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await declare(bus, "a", "b", "c")
    await declare(bus, "z", dataset="environment")
    await declare(bus, "a", partner="verkehr", dataset="visitors")
    unit = token("u-1", "unit")

    assert await seen(http, unit) == ["a", "b", "c", "z", "a"]
    assert await seen(http, unit, partner="verkehr") == ["a"]
    assert await seen(http, company, dataset="environment") == ["z"]
    assert await seen(http, company, property="power_9") == []
    assert (await http.get("/devices", headers=company, params={"partner": "verkehr"})).status_code == 404

    page = await http.get("/devices", headers=unit, params={"limit": 2, "partner": "stadtwerke"})
    following = await http.get(page.links["next"]["url"], headers=unit)
    assert [row["device"] for row in page.json() + following.json()] == ["a", "b", "c", "z"]
    assert "next" not in following.links


async def test_a_company_cannot_tell_another_s_device_from_one_that_is_not_there(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await declare(bus, "trafo-12")
    stranger = token("verkehr-system", "partner", partner="verkehr")

    answers = [
        await http.get(f"/devices/stadtwerke/{device}", headers=stranger) for device in ("trafo-12", "nothing-1")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["detail"].replace("trafo-12", "nothing-1") == answers[1].json()["detail"]
    assert (await http.get("/devices/stadtwerke/trafo-12", headers=company)).status_code == 200


async def test_a_device_that_is_late_is_found(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    """Its newest value is older than three of its intervals."""
    stream = DeclaredDatastream(
        property="power_1", unit="kW", dataset="grid", observed_property="Wirkleistung", interval_seconds=60
    )
    for device in ("late", "never"):
        await bus.publish(
            DeviceDeclaredV2(device=device, name="Zähler", datastreams=[stream]),
            partner="stadtwerke",
            time=NOON + timedelta(days=1),
        )
    await bus.publish(a_declared_device("unsaid"), partner="stadtwerke")
    await bus.publish(a_reading(device="late", at=NOON), partner="stadtwerke")
    await bus.settled()

    assert await seen(http, company, late=True) == ["late", "never"]
    shown = (await http.get("/devices/stadtwerke/late", headers=company)).json()["datastreams"][0]
    assert (shown["late"], shown["last_seen"]) == (True, NOON.isoformat())
    shown = (await http.get("/devices/stadtwerke/unsaid", headers=company)).json()["datastreams"][0]
    assert (shown["late"], shown["last_seen"]) == (False, None)


# onboarding


async def test_right_rows_of_a_file_go_in_and_wrong_ones_are_named(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    wrong = "trafo-12,,power_2,kWh,grid,Arbeit"
    foreign = "trafo-13,Trafo,power_1,kW,visitors,Wirkleistung"

    said = (await import_file(http, company, TRAFO, wrong, WEATHER, foreign)).json()
    await bus.settled()

    assert {name: said[name] for name in ("rows", "accepted", "refused", "unchanged", "not_taken", "partly")} == {
        "rows": 4,
        "accepted": 2,
        "refused": 2,
        "unchanged": 0,
        "not_taken": 0,
        "partly": ["trafo-12"],
    }
    assert [(r["row"], r.get("code"), r.get("column")) for r in said["results"] if r["outcome"] == "refused"] == [
        (3, "unit_unknown", "unit"),
        (5, "dataset_unknown", "dataset"),
    ]
    assert await seen(http, company) == ["loewenwall", "trafo-12"]
    assert await bus.quarantined() == []


async def test_an_accepted_row_names_the_event_it_went_in(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    said = (await import_file(http, company, TRAFO)).json()
    await bus.settled()

    (fact,) = await bus.announced(DeviceRegisteredV2)
    assert (fact.declared_source, fact.declared_id) == (said["source"], said["results"][0]["id"])


async def test_a_file_that_comes_again_changes_nothing(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    first = (await import_file(http, company, TRAFO, WEATHER)).json()
    at_once = (await import_file(http, company, TRAFO, WEATHER)).json()
    await bus.settled()
    later = (await import_file(http, company, TRAFO, WEATHER)).json()
    await bus.settled()

    assert first["results"] == at_once["results"] or at_once["unchanged"] == 2
    assert (later["unchanged"], later["accepted"]) == (2, 0)
    assert len(await bus.announced(DeviceRegisteredV2)) == 2


async def test_a_file_may_take_back_what_another_said(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    for name in ("Old", "New", "Old"):
        said = (await import_file(http, company, TRAFO.replace("Trafostation", name))).json()
        assert said["accepted"] == 1
        await bus.settled()

    (device,) = (await http.get("/devices", headers=company)).json()
    assert device["name"] == "Old"


async def test_the_results_as_csv_are_safe_in_a_spreadsheet(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    answer = await import_file(http, company, TRAFO, "=1+1,n,p,kW,grid,w", accept="text/csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [(row["row"], row["device"], row["outcome"]) for row in rows] == [
        ("2", "trafo-12", "accepted"),
        ("3", "'=1+1", "refused"),
    ]


async def test_a_file_that_is_no_file_of_devices_is_refused_in_words(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    json = await http.post("/devices/import", content="[]", headers=company | {"content-type": "application/json"})
    empty = await import_file(http, company)
    large = await import_file(http, company, "x" * 5_000_000)
    unit = await import_file(http, token("u-1", "unit"), TRAFO)

    assert [answer.status_code for answer in (json, empty, large, unit)] == [422, 422, 422, 403]
    assert [answer.json()["code"] for answer in (json, empty, large)] == [
        "content_type_unsupported",
        "body_empty",
        "body_too_large",
    ]


async def test_a_company_imports_its_own_devices_only(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    stranger = token("verkehr-system", "partner", partner="verkehr")
    await import_file(http, company, TRAFO)
    await import_file(http, stranger, TRAFO.replace(",grid,", ",visitors,"))
    await bus.settled()

    assert [row["partner"] for row in (await http.get("/devices", headers=stranger)).json()] == ["verkehr"]


# replacing and moving

OTHER_EUI = "70b3d57ed0000002"


def a_weather_point() -> DeviceDeclaredV2:
    stream = declared_stream("temperature_1", "Cel", "environment")
    return DeviceDeclaredV2.model_validate_json(
        DeviceDeclaredV2(
            device="loewenwall",
            name="Wetterstation Löwenwall",
            hardware=EUI,
            profile=ProfileRef(name="cayenne-lpp"),
            datastreams=[DeclaredDatastream.model_validate(stream.model_dump())],
        ).model_dump_json()
    )


def an_uplink_of(eui: str, minute: int) -> Any:
    time = (NOON + timedelta(minutes=minute)).isoformat()
    body = an_uplink(
        bytes.fromhex("016700e1"), deduplicationId=f"{eui}-{minute}", time=time, deviceInfo={"devEui": eui}
    )
    return an_mqtt_message(body, f"application/a/device/{eui}/event/up")


async def replace(http: AsyncClient, who: dict[str, str], hardware: str, minute: int) -> Response:
    said = {"hardware": hardware, "replaced_at": (NOON + timedelta(minutes=minute)).isoformat()}
    return await http.post("/devices/loewenwall/replace", json=said, headers=who)


async def test_a_replaced_apparatus_measures_on_at_the_same_device(
    bus: TestBus, http: AsyncClient, company: dict[str, str], sessions: Sessions
) -> None:
    await bus.publish(a_weather_point(), partner="stadtwerke")
    await bus.settled()
    taken = await replace(http, company, OTHER_EUI.upper(), 10)
    await bus.settled()
    for eui, minute in ((OTHER_EUI, 12), (EUI, 5), (EUI, 11), (OTHER_EUI, 9)):
        await bus.publish(an_uplink_of(eui, minute), partner="stadtwerke")
    await bus.settled()

    assert taken.status_code == 202
    assert len(await values(sessions, device="loewenwall", property="temperature_1")) == 2
    assert {reason for reason, _ in await bus.quarantined()} == {"device_unknown"}
    shown = (await http.get("/devices/stadtwerke/loewenwall", headers=company)).json()
    at = (NOON + timedelta(minutes=10)).isoformat()
    assert shown["mountings"] == [
        {"hardware": EUI, "since": None, "until": at},
        {"hardware": OTHER_EUI, "since": at, "until": None},
    ]
    assert shown["hardware"] == OTHER_EUI


async def test_hardware_that_was_mounted_elsewhere_has_left_its_first_device(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await bus.publish(a_weather_point(), partner="stadtwerke")
    await declare(bus, "trafo-12")
    at = NOON.isoformat()
    said = {"hardware": EUI, "replaced_at": at}
    await http.post("/devices/trafo-12/replace", json=said, headers=company)
    await bus.settled()

    shown = [
        (await http.get(f"/devices/stadtwerke/{name}", headers=company)).json() for name in ("loewenwall", "trafo-12")
    ]
    assert [device["hardware"] for device in shown] == [None, EUI]
    assert [device["mountings"] for device in shown] == [
        [{"hardware": EUI, "since": None, "until": at}],
        [
            {"hardware": "trafo-12", "since": None, "until": at},
            {"hardware": EUI, "since": at, "until": None},
        ],
    ]


async def test_a_moved_device_keeps_its_places(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    await declare(bus, "trafo-12")
    there = {"type": "Point", "coordinates": [10.6, 52.3, 80.5]}
    for _ in range(2):
        said = {"location": there, "moved_at": NOON.isoformat(), "reason": "Baustelle"}
        assert (await http.post("/devices/trafo-12/move", json=said, headers=company)).status_code == 202
    await bus.settled()

    shown = (await http.get("/devices/stadtwerke/trafo-12", headers=company)).json()
    assert [(place["location"]["coordinates"], place["since"], place["until"]) for place in shown["placements"]] == [
        ([10.5267, 52.2689], None, NOON.isoformat()),
        ([10.6, 52.3, 80.5], NOON.isoformat(), None),
    ]
    assert shown["location"] == there
    assert len(await bus.announced(DeviceRegisteredV2)) == 2


async def test_a_change_may_be_taken_back(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    """The same words for the same time are another event, once something else was said in between."""
    await bus.publish(a_weather_point(), partner="stadtwerke")
    await bus.settled()
    for hardware in ("h-1", "h-2", "h-1"):
        assert (await replace(http, company, hardware, 1)).status_code == 202
        await bus.settled()

    shown = (await http.get("/devices/stadtwerke/loewenwall", headers=company)).json()
    assert shown["hardware"] == "h-1"


async def test_a_change_that_makes_no_sense_is_refused_in_words(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await bus.publish(a_weather_point(), partner="stadtwerke")
    await bus.settled()
    stranger = token("verkehr-system", "partner", partner="verkehr")

    assert (await replace(http, stranger, "h-1", 1)).status_code == 404
    assert (await replace(http, token("u-1", "unit"), "h-1", 1)).status_code == 403
    answers = [await http.post("/devices/loewenwall/move", content=body, headers=company) for body in ("{", "[]", "{}")]
    said = [(answer.status_code, answer.json()["code"], answer.json()["path"]) for answer in answers]
    assert said == [
        (422, "json_broken", "$"),
        (422, "field_type_wrong", "$"),
        (422, "field_missing", "$.location"),
    ]
