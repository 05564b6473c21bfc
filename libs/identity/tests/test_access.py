"""The door of a route, from outside: a real app, asked with and without tokens."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from oker_identity import Holder, Verifier, new_key, require, sign

Door = Annotated[Holder, Depends(require("cdo", "unit"))]
Anybody = Annotated[Holder, Depends(require())]


@pytest.fixture
async def client(verifier: Verifier) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.verifier = verifier

    @app.get("/rounds")
    async def rounds(holder: Door) -> str:
        return holder.id

    @app.get("/me")
    async def me(holder: Anybody) -> dict[str, str | None]:
        return {"id": holder.id, "partner": holder.partner}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probe") as client:
        yield client


@pytest.fixture
def bearer(key: dict[str, Any], now: datetime) -> Any:
    def bearer(holder: Holder, signing_key: dict[str, Any] = key) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign(signing_key, holder, now=now, lifetime=timedelta(hours=1))}"}

    return bearer


@pytest.mark.parametrize("role", ["cdo", "unit"])
async def test_one_of_the_roles_is_enough(client: httpx.AsyncClient, bearer: Any, role: str) -> None:
    answer = await client.get("/rounds", headers=bearer(Holder("somebody", frozenset({role, "board"}))))

    assert (answer.status_code, answer.json()) == (200, "somebody")


async def test_the_wrong_role_is_told_which_are_needed(client: httpx.AsyncClient, bearer: Any) -> None:
    answer = await client.get("/rounds", headers=bearer(Holder("officer-1", frozenset({"officer"}))))

    assert answer.status_code == 403
    assert answer.json() == {"detail": "This needs the role cdo or unit."}
    assert answer.headers["www-authenticate"] == 'Bearer realm="oker", error="insufficient_scope"'


async def test_without_roles_every_valid_token_is_let_in(client: httpx.AsyncClient, bearer: Any) -> None:
    answer = await client.get("/me", headers=bearer(Holder("gateway-1", frozenset({"partner"}), "stadtwerke")))

    assert (answer.status_code, answer.json()) == (200, {"id": "gateway-1", "partner": "stadtwerke"})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic Y2RvOmNkbw=="}, {"Authorization": "Bearer"}])
@pytest.mark.parametrize("path", ["/rounds", "/me"])
async def test_without_a_token_nobody_is_let_in(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    answer = await client.get(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="oker"'
    assert "Authorization: Bearer" in answer.json()["detail"]


async def test_a_token_that_is_not_valid_is_told_why(client: httpx.AsyncClient, bearer: Any) -> None:
    answer = await client.get("/me", headers=bearer(Holder("cdo-office", frozenset({"cdo"})), new_key("unheard-of")))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="oker", error="invalid_token"'
    assert answer.json() == {"detail": "The token names no key (kid) that is known here."}


async def test_a_token_in_the_query_is_not_read(client: httpx.AsyncClient, bearer: Any) -> None:
    token = bearer(Holder("cdo-office", frozenset({"cdo"})))["Authorization"].removeprefix("Bearer ")

    answer = await client.get("/me", params={"access_token": token})

    assert answer.status_code == 401


async def test_the_api_description_says_that_a_token_is_needed(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert described["paths"]["/rounds"]["get"]["security"] == [{"token": []}]
    assert "parameters" not in described["paths"]["/rounds"]["get"]


def test_a_role_that_does_not_exist_is_refused_when_the_route_is_written() -> None:
    with pytest.raises(ValueError, match="no such role: cdoo; there are advisory_board, auditor, board, cdo"):
        require("cdo", "cdoo")
