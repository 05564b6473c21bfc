"""Device profiles over HTTP: what is shipped, a company's own, and versions that never change."""

from typing import Any

import pytest
from builders_sensor_ingest import Token
from httpx import AsyncClient, Response

from oker_contracts.sensor.profile_registered_v1 import ProfileRegisteredV1
from oker_testkit.bus import TestBus

SCRIPT = "function decodeUplink(input) { return { data: { level: input.bytes[0] * 256 + input.bytes[1] } }; }"


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
        "vectors": [{"f_port": 1, "bytes": "0102", "data": {"level": 258}}],
    }
    return profile | said


async def declare(http: AsyncClient, who: dict[str, str], **said: Any) -> Response:
    return await http.post("/profiles", json=a_profile(**said), headers=who)


async def versions(http: AsyncClient, who: dict[str, str], name: str = "pegel") -> list[int]:
    answer = await http.get(f"/profiles/{name}", headers=who)
    return [row["version"] for row in answer.json()] if answer.status_code == 200 else []


async def test_a_profile_that_passes_its_vectors_is_registered_and_shown(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    assert (await declare(http, company)).status_code == 202
    assert (await declare(http, company, version=2, title="Neu")).status_code == 202
    await bus.settled()

    assert [fact.declared.version for fact in await bus.announced(ProfileRegisteredV1)] == [1, 2]
    (first, _) = (await http.get("/profiles/pegel", headers=company)).json()
    assert (first["partner"], first["script"], first["vectors"][0]["data"]) == ("stadtwerke", SCRIPT, {"level": 258})
    listed = (await http.get("/profiles", headers=company)).json()
    assert {"cayenne-lpp", "pegel"} <= {profile["profile"] for profile in listed}


async def test_what_is_shipped_is_shown_whole(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    listed = (await http.get("/profiles", headers=company)).json()

    for name in {profile["profile"] for profile in listed}:
        (shipped, *_) = (await http.get(f"/profiles/{name}", headers=company)).json()
        assert shipped["partner"] is None
        assert {"script", "vectors", "variables", "measurements"} <= set(shipped)


async def test_a_version_never_changes(bus: TestBus, http: AsyncClient, company: dict[str, str]) -> None:
    await declare(http, company)
    await bus.settled()
    again = await declare(http, company)
    other = await declare(http, company, title="Anders")
    await bus.settled()

    assert again.status_code == 202
    assert (other.status_code, other.json()["code"], other.json()["path"]) == (422, "profile_invalid", "$.version")
    assert len(await bus.announced(ProfileRegisteredV1)) == 1


@pytest.mark.parametrize(
    ("said", "code", "path"),
    [
        ({"vectors": [{"bytes": "0102", "data": {"level": 1}}]}, "profile_invalid", "$.vectors"),
        ({"vectors": []}, "profile_invalid", "$.vectors"),
        ({"script": "function decodeUplink("}, "profile_invalid", "$.vectors"),
        ({"measurements": [{"path": "a", "property": "a", "unit": "qm"}]}, "unit_unknown", "$.measurements[0].unit"),
        ({"codec": "python"}, "field_value_invalid", "$.codec"),
    ],
)
async def test_a_profile_that_cannot_be_used_is_refused_at_once(
    http: AsyncClient, company: dict[str, str], said: dict[str, Any], code: str, path: str
) -> None:
    answer = await declare(http, company, **said)

    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, code, path)


async def test_a_company_sees_its_own_profiles_and_what_is_shipped(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await declare(http, company)
    await bus.settled()
    stranger = token("verkehr-system", "partner", partner="verkehr")

    assert await versions(http, company) == [1]
    assert await versions(http, stranger) == []
    assert await versions(http, stranger, "cayenne-lpp") == [1]
    assert await versions(http, token("u-1", "unit")) == [1]
    assert (await declare(http, token("u-1", "unit"))).status_code == 403
