"""What all routes share: two times of reading, and refusals as problem details."""

import re
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, WithJsonSchema

from oker_contracts.base import parse_instant
from project_registry import store
from project_registry.domain import Fault, Missing

BERLIN = ZoneInfo("Europe/Berlin")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Problem(Exception):
    """A refusal, told as problem details (RFC 9457).

    Args:
        said: members beside type, title, status and detail.
    """

    def __init__(self, status: int, detail: str, **said: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.said = {"detail": detail, **said}


class ProblemRoute(APIRoute):
    """A route whose problems are told with all their members; a bare status is told by the bus."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, with its refusals put into words."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                title = HTTPStatus(problem.status).phrase
                body = {"type": "about:blank", "title": title, "status": problem.status, **problem.said}
                return JSONResponse(body, problem.status, media_type="application/problem+json")

        return told


def faulty(faults: list[Fault]) -> Problem:
    """What a request says and the register cannot take, each with its place."""
    listed = [{"path": fault.path, "detail": fault.sentence} for fault in faults]
    first = faults[0]
    return Problem(422, first.sentence, code="field_value_invalid", path=first.path, faults=listed)


def lacking(detail: str, detail_de: str, missing: list[Missing]) -> Problem:
    """A step or change that a gate does not let through, with the evidence it misses."""
    return Problem(409, detail, detail_de=detail_de, missing=[evidence._asdict() for evidence in missing])


def read_moment(said: Any) -> Any:
    """A time with offset (RFC 3339), or a day: its beginning in Europe/Berlin.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(said, str):
        return said
    if DAY.fullmatch(said):
        moment = datetime.combine(date.fromisoformat(said), time(), BERLIN)
    else:
        moment = parse_instant(said.replace(" ", "+"))
    if not 1 < moment.year < 9999:
        raise ValueError("The year is out of range.")
    return moment.astimezone(UTC)


Moment = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
"""A time with offset (RFC 3339), or a day, which stands for its beginning in Europe/Berlin."""

AsOf = Annotated[Moment | None, Query(description="What was valid at this time; now, if left out.")]
KnownAt = Annotated[Moment | None, Query(description="By what was known at this time; by all, if left out.")]


def _when(as_of: AsOf = None, known_at: KnownAt = None) -> store.When:
    return store.When(as_of, known_at)


Times = Annotated[store.When, Depends(_when)]
"""At which two times a resource is read."""


def at(when: store.When, now: datetime) -> store.When:
    """The same times, with now where none is named."""
    return store.When(when.as_of or now, when.known_at)
