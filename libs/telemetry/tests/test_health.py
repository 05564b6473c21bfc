"""The three routes, asked as an orchestrator and as Prometheus ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette

from oker_telemetry import health_routes

Ready = Callable[[], Awaitable[dict[str, str]]]


async def well() -> dict[str, str]:
    return {}


async def ask(path: str, ready: Ready = well, *, patience: float = 2.0, **headers: str) -> httpx.Response:
    app = Starlette(routes=[*health_routes(ready, patience=patience)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probe") as client:
        return await client.get(path, headers=headers)


async def test_ready_says_so() -> None:
    answer = await ask("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {}}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_failing_check_is_named_with_its_sentence() -> None:
    async def ready() -> dict[str, str]:
        return {"database": "The database does not answer."}

    answer = await ask("/health/ready", ready)

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"database": "The database does not answer."}}


async def test_checks_that_break_are_not_ready_and_tell_no_secrets() -> None:
    async def ready() -> dict[str, str]:
        raise ConnectionError("postgresql://oker:hunter2@db/oker")

    answer = await ask("/health/ready", ready)

    assert answer.status_code == 503
    assert "ConnectionError" in answer.json()["checks"]["readiness"]
    assert "hunter2" not in answer.text


async def test_checks_that_hang_are_not_ready() -> None:
    async def ready() -> dict[str, str]:
        await asyncio.Event().wait()
        return {}

    async with asyncio.timeout(5):
        answer = await ask("/health/ready", ready, patience=0.05)

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"readiness": "The checks gave no answer within 0.05 s."}


async def test_a_process_that_is_not_ready_is_alive() -> None:
    async def ready() -> dict[str, str]:
        return {"database": "The database does not answer."}

    answer = await ask("/health/live", ready)

    assert answer.status_code == 200
    assert answer.json() == {"status": "alive"}


def test_metrics_are_prometheus_text_with_the_counters_of_opentelemetry(run: Any) -> None:
    program = """
    import asyncio, httpx
    from opentelemetry import metrics
    from oker_telemetry import configure, health_routes
    from starlette.applications import Starlette
    configure("probe", log_format="json")
    metrics.get_meter("m").create_counter("oker.readings").add(7, {"outcome": "stored"})
    async def main():
        app = httpx.ASGITransport(Starlette(routes=health_routes(None)))
        async with httpx.AsyncClient(transport=app, base_url="http://probe") as client:
            text = await client.get("/metrics")
            open_metrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
        assert text.headers["content-type"].startswith("text/plain"), text.headers
        [line] = [line for line in text.text.splitlines() if line.startswith("oker_readings_total{")]
        assert 'outcome="stored"' in line and line.endswith(" 7.0"), line
        assert 'service_name="probe"' in text.text
        assert "process_resident_memory_bytes" in text.text
        assert open_metrics.text.endswith("# EOF\\n")
    asyncio.run(main())
    """

    assert run(program) == []


async def test_a_warning_stands_beside_the_checks_and_fails_none() -> None:
    app = Starlette(routes=[*health_routes(well, lambda: {"IN_stadtwerke": "85% full"})])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probe") as client:
        answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {}, "warnings": {"IN_stadtwerke": "85% full"}}
