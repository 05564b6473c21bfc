"""A service as a process: FastStream, HTTP and background work in one event loop, until SIGTERM."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from sqlalchemy import Table
from starlette.exceptions import HTTPException

from oker_bus.bus import Bus, end, open_bus
from oker_bus.ledger import Recount, ledger_api
from oker_bus.migrate import upgrade_now
from oker_bus.outcomes import claims_durables, outcomes_api
from oker_bus.quarantine import quarantine_api
from oker_bus.rebuild import CannotRebuild, Fold, rebuild
from oker_bus.reference import add_reference
from oker_bus.router import Router
from oker_bus.settings import ServiceSettings
from oker_contracts import Contract, Reason, Refused
from oker_contracts.reading import json_path, reason_of
from oker_identity import Verifier
from oker_telemetry import configure, health_routes, shutdown

log = structlog.get_logger()
S = TypeVar("S", bound=ServiceSettings)
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457); what is refused for its content has a code and a JSON path.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "path": {"type": "string"},
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused, with the reason", "content": {"application/problem+json": {"schema": PROBLEM}}}
}
"""What every route may answer besides what it declares."""


@dataclass(frozen=True, slots=True)
class Service(Generic[S]):
    """All that makes a service, besides its settings' values."""

    name: str
    package: str
    settings: type[S]
    router: Router
    api: Callable[[Bus], APIRouter]
    background: tuple[Callable[[Bus, S], Coroutine[Any, Any, None]], ...] = ()
    recount: Recount | None = None
    """Counts readings anew from the service's own tables, by company; the ledger is held against it."""
    fold: Mapping[type[Contract], Fold] = field(default_factory=dict)
    """What each fact of the service does to its tables."""
    folded: Sequence[Table] = ()
    """The tables that follow from the service's own facts alone, all of their columns: they can be rebuilt."""


def main(service: Service[Any], argv: list[str] | None = None) -> None:
    """The command line of a service: ``serve`` (default), ``migrate`` and ``rebuild``."""
    said = _parser(service).parse_args(argv)
    try:
        settings = service.settings()
    except ValidationError as error:
        wrong = ", ".join(f"OKER_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        sys.exit(f"{service.name}: settings are missing or wrong: {wrong}")
    configure(
        service.name,
        log_format=settings.log_format,
        log_level=settings.log_level,
        otlp_endpoint=settings.otlp_endpoint,
    )
    if said.command == "migrate":
        upgrade_now(settings.database_url.get_secret_value(), service.package)
        return
    if said.command == "rebuild":
        sys.exit(_run(_rebuild(service, settings, said.into)))
    try:
        sys.exit(_run(serve(service, settings)))
    finally:
        shutdown()


def _parser(service: Service[Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {service.package}", description=f"Oker: {service.name}")
    parser.add_argument("command", nargs="?", choices=["serve", "migrate", "rebuild"], default="serve")
    into = "rebuild: a new schema that keeps the tables that were folded anew; without it they are only compared"
    parser.add_argument("--into", metavar="SCHEMA", help=into)
    return parser


async def _rebuild(service: Service[Any], settings: ServiceSettings, into: str | None) -> int:
    """Fold the service's facts anew and print how that compares; returns 1 if anything differs."""
    if not service.folded:
        print(f"{service.name} has no tables that follow from its facts alone", file=sys.stderr)
        return 2
    try:
        found = await rebuild(settings, service.name, service.fold, service.folded, into=into)
    except CannotRebuild as error:
        print(f"{service.name}: {error}", file=sys.stderr)
        return 2
    print("\n".join(found.lines()))
    print(f"{found.facts} facts, {found.waiting} of them not published yet")
    return 0 if found.equal else 1


def _run(serving: Coroutine[Any, Any, int]) -> int:
    if sys.platform == "win32":
        return asyncio.run(serving)
    import uvloop

    return uvloop.run(serving)


async def serve(service: Service[S], settings: S) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code: 1 if a part of the service crashed."""
    async with open_bus(settings, service.router) as bus:
        app = build_app(service, bus, Verifier.from_file(settings.identity_keys))
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )
        for task in service.background:
            bus.tasks[task.__name__] = asyncio.create_task(task(bus, settings), name=task.__name__)
        log.info("service.started", http_port=settings.http_port)
        code = await _until_one_ends(server, bus)
        for task in service.background:
            await end(bus.tasks[task.__name__])
    log.info("service.stopped", code=code)
    return code


class _Server(uvicorn.Server):
    """uvicorn, but signals end the service in order; its own handler raises them again before the bus is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(setattr, self, "should_exit", True))
        yield


async def _until_one_ends(server: _Server, bus: Bus) -> int:
    """The HTTP server ends by a signal; anything else that ends is a crash and takes the process with it."""
    http = asyncio.create_task(server.serve(), name="http")
    done, _ = await asyncio.wait([http, *bus.tasks.values()], return_when=asyncio.FIRST_COMPLETED)
    crashed = [task for task in done if task is not http or not server.should_exit]
    for task in crashed:
        error = None if task.cancelled() else task.exception()
        log.error("service.part_ended", part=task.get_name(), error=repr(error)[:300])
    server.should_exit = True
    await asyncio.wait([http], timeout=10)
    return 1 if crashed else 0


def build_app(service: Service[Any], bus: Bus, verifier: Verifier) -> FastAPI:
    """The HTTP side: the service's API, health and metrics."""
    app = FastAPI(
        title=f"Oker {service.name}", version=version("oker-bus"), docs_url=None, redoc_url=None, responses=PROBLEMS
    )
    app.state.verifier = verifier
    app.include_router(service.api(bus))
    app.include_router(ledger_api(bus, service.recount))
    app.include_router(quarantine_api(bus))
    if claims_durables(service.name) or service.router.claims():
        app.include_router(outcomes_api(bus))
    add_reference(app)
    app.router.routes.extend(health_routes(bus.failing, bus.room.warnings))
    app.add_exception_handler(Refused, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_answered)
    app.add_exception_handler(Exception, _failed)
    return app


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    return _problem(error) if isinstance(error, Refused) else _problem(Refused(Reason.HANDLER_FAILED))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What FastAPI finds wrong with a request, in the same words as everything else; its input is not repeated."""
    nothing: dict[str, Any] = {"type": "", "loc": (), "msg": ""}
    first = error.errors()[0] if isinstance(error, RequestValidationError) else nothing
    where, *path = first["loc"] or ("body",)
    at = json_path(tuple(path)) if where == "body" else f"{where}.{'.'.join(map(str, path))}"
    return _problem(Refused(reason_of(first["type"]), at, str(first["msg"])[:200]))


async def _not_answered(request: Request, error: Exception) -> Response:
    """401, 403, 404, 405, 409, 503 and whatever else a route says with a sentence; the headers stay."""
    assert isinstance(error, HTTPException)
    if error.status_code in (204, 304):  # these have no body
        return Response(status_code=error.status_code, headers=error.headers)
    title, detail = HTTPStatus(error.status_code).phrase, str(error.detail)
    if detail == title:  # no route took it
        detail = f"{request.method} {request.url.path[:200]} is not served here; GET /docs shows what is."
    return _details(error.status_code, title, detail, error.headers)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    """A bug: its words may hold what nobody outside should read, and are in the log."""
    log.error("http.failed", error=type(error).__name__)
    title = HTTPStatus.INTERNAL_SERVER_ERROR.phrase
    return _details(500, title, "The service failed on this request; its owner finds out more in the log.")


def _problem(refused: Refused) -> JSONResponse:
    """A refusal, with its code and path."""
    return _details(422, refused.reason.meaning, refused.detail, code=str(refused.reason), path=refused.path)


def _details(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: str
) -> JSONResponse:
    """Problem details (RFC 9457): every error of every API of Oker has this form."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")
