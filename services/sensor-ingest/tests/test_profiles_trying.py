"""Trying a profile before it is declared: what each vector yields, and all that would refuse it."""

from typing import Any

import pytest
from builders_sensor_ingest import Token
from httpx import AsyncClient

from oker_testkit.bus import TestBus

SCRIPT = "function decodeUplink(input) { return { data: { level: input.bytes[0] } }; }"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


def a_profile(**said: Any) -> dict[str, Any]:
    profile = {
        "profile": "pegel",
        "version": 1,
        "title": "Pegelsonde",
        "codec": "javascript",
        "script": SCRIPT,
        "measurements": [{"path": "level", "property": "level", "unit": "mm"}],
        "vectors": [{"bytes": "64", "data": {"level": 100}}],
    }
    return profile | said


LPP = [{"path": "temperature_1", "property": "air", "unit": "Cel"}]


@pytest.mark.parametrize(
    ("said", "data", "readings"),
    [
        ({}, {"level": 100}, [("level", 100, "mm")]),
        (
            {
                "codec": "cayenne_lpp",
                "script": "",
                "measurements": LPP,
                "vectors": [{"bytes": "016700e1", "data": {"air": 22.5}}],
            },
            {"air": 22.5},
            [("air", 22.5, "Cel")],
        ),
        (
            {
                "codec": "object",
                "script": "",
                "vectors": [{"body": '{"level": 5, "x": null}', "data": {"level": 5, "x": None}}],
            },
            {"level": 5, "x": None},
            [("level", 5, "mm")],
        ),
        (
            {"codec": "json", "script": "", "vectors": [{"body": '{"level": "7.5"}', "data": {"level": 7.5}}]},
            {"level": 7.5},
            [("level", 7.5, "mm")],
        ),
    ],
)
async def test_each_vector_shows_what_it_yields_and_nothing_is_declared(
    bus: TestBus, http: AsyncClient, company: dict[str, str], said: Any, data: Any, readings: Any
) -> None:
    tried = await http.post("/profiles/test", json=a_profile(**said), headers=company)
    await bus.settled()

    (vector,) = tried.json()["vectors"]
    assert (tried.status_code, tried.json()["passed"], tried.json()["faults"]) == (200, True, [])
    assert (vector["passed"], vector["data"]) == (True, data)
    assert [(each["property"], each["value"], each["unit"]) for each in vector["readings"]] == readings
    assert (await http.get("/profiles/pegel", headers=company)).status_code == 404


async def test_all_faults_are_named_at_once(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    await http.post("/profiles", json=a_profile(), headers=company)
    await bus.settled()
    wrong = a_profile(
        measurements=[{"path": "level", "property": "level", "unit": "zoll"}],
        vectors=[{"bytes": "64", "data": {"level": 7}}, {"bytes": "65", "errors": ["broken"]}],
    )

    said = (await http.post("/profiles/test", json=wrong, headers=company)).json()

    assert [fault.partition(": ")[0] for fault in said["faults"]] == [
        "version",
        "measurements[0].unit",
        "vectors[0].data.level",
        "vectors[1]",
    ]
    assert [vector["passed"] for vector in said["vectors"]] == [False, False]


async def test_a_codec_that_hangs_is_stopped_and_named(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    hanging = a_profile(script="function decodeUplink(input) { for (;;); }")

    said = (await http.post("/profiles/test", json=hanging, headers=company)).json()

    assert said["passed"] is False
    assert "needs more than 20 ms" in said["faults"][0]


async def test_only_a_company_may_try(http: AsyncClient, token: Token) -> None:
    """Others' scripts would run as if they had been shipped."""
    for authorization, status in (({}, 401), (token("u-1", "unit"), 403), (token("a-1", "auditor"), 403)):
        assert (await http.post("/profiles/test", json=a_profile(), headers=authorization)).status_code == status
