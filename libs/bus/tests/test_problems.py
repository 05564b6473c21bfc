"""Every error of every API has one form: problem details (RFC 9457)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, HTTPException

from oker_bus import Bus, Reason, Refused
from oker_bus.service import Service
from oker_bus.settings import ClaimsSettings
from oker_identity import require

Token = Callable[..., dict[str, str]]


@pytest.fixture
def service(service: Service[ClaimsSettings]) -> Service[ClaimsSettings]:
    def build(_: Bus) -> APIRouter:
        router = APIRouter()

        @router.get("/conflict")
        async def conflict() -> None:
            raise HTTPException(409, "The round is closed.", {"Retry-After": "60"})

        @router.get("/refused")
        async def refused() -> None:
            raise Refused(Reason.DEVICE_UNKNOWN, "$.device", "Declare device 'd' first.")

        @router.get("/broken")
        async def broken() -> None:
            raise RuntimeError("the password is swordfish")

        @router.get("/numbers/{number}", dependencies=[Depends(require("unit"))])
        async def numbered(number: int) -> int:
            return number

        return router

    return replace(service, api=build)


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/conflict", 409, "Conflict"),
        ("GET", "/refused", 422, "The company has not declared this device."),
        ("GET", "/numbers/1", 401, "Unauthorized"),
        ("GET", "/quarantine", 401, "Unauthorized"),
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/conflict", 405, "Method Not Allowed"),
        ("GET", "/broken", 500, "Internal Server Error"),
    ],
)
async def test_an_error_is_told_as_problem_details(
    http: httpx.AsyncClient, method: str, path: str, status: int, title: str
) -> None:
    answer = await http.request(method, path)

    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (said["type"], said["title"], said["status"]) == ("about:blank", title, status)
    assert said["detail"]


async def test_a_role_that_is_missing_and_a_row_that_is_not_there_are_told_so_too(
    http: httpx.AsyncClient, token: Token
) -> None:
    unit = token("unit-1", "unit")
    answers = [
        await http.get("/numbers/1", headers=token("a-1", "auditor")),
        await http.get("/quarantine/99", headers=unit),
        await http.get("/numbers/one", headers=unit),
    ]

    assert [answer.json()["status"] for answer in answers] == [403, 404, 422]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="oker", error="insufficient_scope"'


async def test_a_path_that_is_not_there_is_named(http: httpx.AsyncClient) -> None:
    assert (await http.get("/nowhere")).json()["detail"].startswith("GET /nowhere is not served here")


async def test_the_headers_of_an_error_stay(http: httpx.AsyncClient) -> None:
    assert (await http.get("/conflict")).headers["retry-after"] == "60"


async def test_a_bug_tells_nothing_of_itself(http: httpx.AsyncClient) -> None:
    said: dict[str, Any] = (await http.get("/broken")).json()

    assert "swordfish" not in str(said)
    assert "RuntimeError" not in str(said)
