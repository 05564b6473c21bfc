"""Three routes that every process serves: is it alive, is it ready, how much has it done."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

log = structlog.get_logger()

Ready = Callable[[], Awaitable[dict[str, str]]]
"""Asks for what fails: the name of each failing check with a sentence for the operator."""

Warned = Callable[[], dict[str, str]]
"""Asks for what will fail if nobody looks at it; the process may be given work all the same."""

FRESH = {"cache-control": "no-store"}


def nothing() -> dict[str, str]:
    """No warnings."""
    return {}


def health_routes(ready: Ready, warned: Warned = nothing, *, patience: float = 2.0) -> list[Route]:
    """Routes for the orchestrator and for Prometheus; they need no token and tell no secrets.

    Args:
        ready: the failing checks, empty if the process may be given work.
        warned: what an operator should look at before it fails; stands beside the checks if there is any.
        patience: seconds that ``ready`` may take before it counts as failing.
    """

    async def report_ready(_request: Request) -> Response:
        failing = await _failing(ready, patience)
        status = "ready" if not failing else "not ready"
        body: dict[str, object] = {"status": status, "checks": failing}
        if warnings := warned():
            body["warnings"] = warnings
        return JSONResponse(body, status_code=503 if failing else 200, headers=FRESH)

    return [
        Route("/health/live", report_live, methods=["GET"]),
        Route("/health/ready", report_ready, methods=["GET"]),
        Route("/metrics", report_metrics, methods=["GET"]),
    ]


async def report_live(_request: Request) -> Response:
    """An answer at all proves that the event loop turns; nothing else is looked at."""
    return JSONResponse({"status": "alive"}, headers=FRESH)


async def report_metrics(request: Request) -> Response:
    """Prometheus text, or OpenMetrics if the scraper asks for it.

    Runs in the event loop, so that observable instruments may look at what the loop owns.
    """
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(REGISTRY), headers={"content-type": content_type, **FRESH})


async def _failing(ready: Ready, patience: float) -> dict[str, str]:
    try:
        async with asyncio.timeout(patience):
            return await ready()
    except TimeoutError:
        return {"readiness": f"The checks gave no answer within {patience:g} s."}
    except Exception as error:
        log.exception("readiness.failed")
        return {"readiness": f"The checks themselves failed with {type(error).__name__}; the log says where."}
