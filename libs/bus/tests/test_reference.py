"""`GET /docs` of a service: the whole API, and nothing from anywhere else."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import httpx
import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from oker_bus import Bus
from oker_bus.service import Service
from oker_bus.settings import ClaimsSettings
from oker_identity import require

Token = Callable[..., dict[str, str]]


class Wish(BaseModel):
    """What is wished."""

    wish: str


@pytest.fixture
def service(service: Service[ClaimsSettings]) -> Service[ClaimsSettings]:
    def build(_: Bus) -> APIRouter:
        router = APIRouter(dependencies=[Depends(require())])

        @router.put("/wishes/{wish}", dependencies=[Depends(require("unit", "cdo"))])
        async def put_wish(wish: str, body: Wish, dry: bool = False) -> Wish:
            """Write a wish <script>alert(1)</script> down."""
            return body

        @router.get("/wishes")
        async def wishes() -> list[str]:
            return []

        return router

    return replace(service, api=build)


async def test_the_page_asks_nothing_of_another_host(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")

    places = re.findall(r"""\b(?:src|href|action|data)\s*=\s*["']?([^"'\s>]*)""", answer.text)
    foreign = [place for place in places if not re.match(r"#|/(?!/)", place)]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert foreign == []
    assert len(places) > 5
    assert not re.search(r"<script|<link|@import|url\(|https?://", answer.text)


async def test_a_browser_would_refuse_all_but_the_style_of_the_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")

    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", f"style-src 'sha256-{digest}'", "frame-ancestors 'none'"} <= set(policy)
    assert " style=" not in answer.text


async def test_every_route_is_shown_with_roles_parameters_and_body(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()["paths"]
    shown = (await http.get("/docs")).text

    missing = [path for path in described if f"<code>GET {path}<" not in shown and f"<code>PUT {path}<" not in shown]
    [part] = re.findall(r"<section><h2 id=\"put-wishes-wish\">.*?</section>", shown, re.DOTALL)
    [listed] = re.findall(r"<section><h2 id=\"get-wishes\">.*?</section>", shown, re.DOTALL)
    assert [path for path in missing if "post" not in described[path]] == []
    assert "Roles: cdo or unit<" in part
    assert "Roles: any role<" in listed
    assert "<code>dry</code></td><td>query</td><td>no</td>" in part
    assert 'href="#schema-Wish"' in part
    assert 'id="schema-Wish"' in shown
    assert "&lt;script&gt;alert(1)" in part
