"""What each role may do over HTTP, as docs/roles.md says: every cell is tried on the real services."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from oker_bus.service import Service
from oker_identity import ROLES
from project_registry.app import SERVICE as PROJECT_REGISTRY
from selection_scoring.app import SERVICE as SELECTION_SCORING

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
SERVICES = {service.name: service for service in (PROJECT_REGISTRY, SELECTION_SCORING)}
NOBODY = "no token"
COLUMNS = (NOBODY, *sorted(ROLES))
SIGNS = {401: "401", 403: "403"}
LET_IN = "yes"
TOKENS = {role: role.replace("_", "-") for role in ROLES}
Headers = Callable[..., dict[str, str]]
Table = dict[str, dict[str, str]]


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service[Any]:
    return SERVICES[request.param]


def written(service: str, page: str) -> Table:
    """The table of a service on the page: route, then column, then what the cell says."""
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(f"{service}\n")]
    head, _, *rows = (cells(line) for line in text.splitlines() if line.startswith("|"))
    return {row[0].strip("`"): dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def cells(line: str) -> list[str]:
    """The cells of one line of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def as_line(route: str, row: dict[str, str]) -> str:
    """A row of the page."""
    return f"| `{route}` | {' | '.join(row[column] for column in COLUMNS)} |"


async def tried(http: httpx.AsyncClient, token: Headers) -> Table:
    """The same table as the service answers."""
    routes = (await http.get("/openapi.json")).json()["paths"]
    found: Table = {}
    for path, methods in routes.items():
        for method in methods:
            row = {NOBODY: await knock(http, method, path, {})}
            for role in sorted(ROLES):
                partner = "stadtwerke" if role == "partner" else None
                row[role] = await knock(http, method, path, token(TOKENS[role], role, partner=partner))
            found[f"{method.upper()} {path}"] = row
    return found


async def knock(http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> str:
    """One request about things that are not there, with an empty body: the door is asked before all else."""
    answer = await http.request(method, re.sub(r"\{\w+\}", "not-there", path), json={}, headers=headers)
    assert answer.status_code < 500, f"{method} {path}: {answer.text}"
    return SIGNS.get(answer.status_code, LET_IN)


@pytest.mark.usefixtures("bus")
async def test_every_role_may_do_what_the_page_says_and_nothing_else(
    service: Service[Any], http: httpx.AsyncClient, token: Headers
) -> None:
    said, seen = written(service.name, PAGE.read_text("utf-8")), await tried(http, token)

    wrong = [as_line(route, row) for route, row in sorted(seen.items()) if said.get(route) != row]
    gone = sorted(set(said) - set(seen))

    assert not wrong, "docs/roles.md says otherwise than the service; if these are right, write them there:\n" + (
        "\n".join(wrong)
    )
    assert not gone, f"docs/roles.md names routes of {service.name} that do not exist: {gone}"


@pytest.mark.usefixtures("bus")
async def test_a_company_is_let_in_by_the_role_and_not_by_the_claim(
    service: Service[Any], http: httpx.AsyncClient, token: Headers
) -> None:
    """A token that names a company and holds no role opens what every token opens, and no more."""
    no_role = token("stadtwerke-gateway", partner="stadtwerke")
    closed = [
        route
        for route, row in written(service.name, PAGE.read_text("utf-8")).items()
        if "403" in row.values() and not is_open(row)
    ]

    answers = {route: await knock(http, route.split(" ")[0], route.split(" ")[1], no_role) for route in closed}

    assert closed
    assert set(answers.values()) == {"403"}


def is_open(row: dict[str, str]) -> bool:
    """Whether a route needs no role."""
    return all(sign == LET_IN for column, sign in row.items() if column != NOBODY)
