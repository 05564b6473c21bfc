"""``GET /docs``: the API on one page, made here from its OpenAPI. No script, and nothing from any other host."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts

from oker_identity import Door

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "h2{font-size:1.1rem;margin:2.5rem 0 .3rem;border-top:1px solid #767676;padding-top:1rem}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9rem}pre{background:#f2f2f2;padding:.7rem;overflow:auto}"
    "table{border-collapse:collapse;margin:.5rem 0}th,td{border:1px solid #767676;padding:.2rem .6rem;text-align:left;"
    "vertical-align:top}summary{cursor:pointer}nav ul{columns:20rem;list-style:none;padding:0}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content Security Policy, level 3: one style, by its hash, and nothing else."""
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def add_reference(app: FastAPI) -> None:
    """Serve the page of an app; beside it stays ``/openapi.json``, for programs."""

    @app.get("/docs", include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(page(app.openapi(), roles_of(app)), headers=HEADERS)


def roles_of(app: FastAPI) -> dict[tuple[str, str], str]:
    """Who is let in, by method and path."""
    routes = [(route, getattr(route, "dependant", None)) for route in iter_route_contexts(app.routes)]
    return {(way, str(route.path)): _who(needs) for route, needs in routes if needs for way in route.methods or ()}


def _who(dependant: Dependant) -> str:
    doors = [door for door in _doors(dependant) if door.roles] or list(_doors(dependant))
    if not doors:
        return "anybody, without a token"
    return " and ".join(" or ".join(sorted(door.roles)) or "any role" for door in doors)


def _doors(dependant: Dependant) -> Iterator[Door]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Door):
            yield inner.call
        yield from _doors(inner)


def page(openapi: Mapping[str, Any], roles: Mapping[tuple[str, str], str]) -> str:
    """The whole page, as HTML."""
    title = escape(openapi["info"]["title"])
    found = [(method.upper(), path, said) for path, ways in openapi["paths"].items() for method, said in ways.items()]
    links = "".join(f'<li><a href="#{_anchor(m, p)}"><code>{m} {escape(p)}</code></a></li>' for m, p, _ in found)
    routes = "".join(_route(m, p, said, roles.get((m, p), "")) for m, p, said in found)
    schemas = "".join(_schema(*named) for named in sorted(openapi.get("components", {}).get("schemas", {}).items()))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f'<header><h1>{title}</h1><p>For programs: <a href="/openapi.json">/openapi.json</a>. A token goes into the '
        "header <code>Authorization: Bearer …</code>. Whatever is refused is told as problem details (RFC 9457).</p>"
        f'</header><nav aria-label="Routes"><ul>{links}</ul></nav><main>{routes}'
        f"<h2>Schemas</h2>{schemas}</main></body></html>"
    )


def _route(method: str, path: str, said: Mapping[str, Any], who: str) -> str:
    body = said.get("requestBody", {}).get("content", {})
    answers = [(code, answer) for code, answer in said["responses"].items() if code.startswith("2")]
    parts = [
        f'<section><h2 id="{_anchor(method, path)}"><code>{method} {escape(path)}</code></h2>',
        f"<p>{_text(said.get('description') or said.get('summary', ''))}</p><p>Roles: {escape(who)}</p>",
        _parameters(said.get("parameters", [])),
        *(_content("Body", kind, content) for kind, content in body.items()),
        *(
            _content(f"Answer {escape(code)}", kind, content)
            for code, answer in answers
            for kind, content in answer.get("content", {}).items()
        ),
        "</section>",
    ]
    return "".join(parts)


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(said['name'])}</code></td><td>{escape(said['in'])}</td>"
        f"<td>{'yes' if said.get('required') else 'no'}</td><td><code>{_json(said.get('schema', {}), None)}</code></td>"
        f"<td>{_text(said.get('description', ''))}</td></tr>"
        for said in parameters
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Parameter", "In", "Required", "Schema", "Meaning"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _content(what: str, kind: str, content: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    named = schema.get("$ref", "").rpartition("/")[2]
    head = f"{what}, <code>{escape(kind)}</code>"
    if named:
        return f'<p>{head}: <a href="#schema-{escape(named)}"><code>{escape(named)}</code></a></p>'
    return f"<details><summary>{head}</summary><pre>{_json(schema)}</pre></details>" if schema else f"<p>{head}</p>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    return f'<details id="schema-{escape(name)}"><summary>{escape(name)}</summary><pre>{_json(schema)}</pre></details>'


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", "")).lower()


def _json(said: Any, indent: int | None = 2) -> str:
    return escape(json.dumps(said, ensure_ascii=False, indent=indent))


def _text(said: str) -> str:
    return "</p><p>".join(escape(part) for part in said.split("\n\n"))
