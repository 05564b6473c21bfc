"""The pytest plugin: one nats-server and one PostgreSQL a session, an own account and database a test.

A test package says which service it tests with a fixture ``service``; then ``bus``, ``sessions``, ``http`` and
``token`` are the real thing around it. A failed test leaves its streams, outbox and logs in ``build/failed/<test>``.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import Bus, open_bus, topology
from oker_bus.bus import end
from oker_bus.migrate import upgrade
from oker_bus.partners import Partners
from oker_bus.service import Service, build_app
from oker_bus.settings import ClaimsSettings, ServiceSettings
from oker_identity import Holder, Verifier, new_key, public_keys, sign
from oker_testkit.bus import TestBus
from oker_testkit.keep import keep_evidence
from oker_testkit.servers import NatsServer, Postgres, free_port, start_nats, temporary_postgres

ACCOUNTS = 1_500
PARTNERS = Partners.model_validate(
    {
        "partners": {
            "stadtwerke": {
                "name": "Stadtwerke",
                "datasets": {
                    name: {"title": name, "licence": "none", "classification": "open", "retention_days": 400}
                    for name in ("environment", "grid")
                },
            },
            "verkehr": {
                "name": "Verkehr",
                "datasets": {
                    "visitors": {
                        "title": "visitors",
                        "licence": "none",
                        "classification": "open",
                        "retention_days": 400,
                    }
                },
            },
        }
    }
)
CONFIG = """
port: {port}
host: 127.0.0.1
max_payload: 1MB
jetstream {{ store_dir: "{store}", max_file_store: 100TB }}
accounts {{
  {accounts}
}}
"""


@dataclass(slots=True)
class Servers:
    """The servers of the test session."""

    nats: NatsServer
    postgres: Postgres
    folder: Path
    accounts: Iterator[str]
    templates: set[str] = field(default_factory=set)
    databases: Iterator[int] = field(default_factory=count)

    async def database(self, package: str) -> str:
        """An empty, migrated database for one test; returns its name."""
        template = f"template_{package}"
        if package not in self.templates:
            await self.postgres.execute(f'CREATE DATABASE "{template}"')
            await upgrade(self.postgres.url(template), package)
            self.templates.add(package)
        name = f"test_{next(self.databases)}"
        await self.postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A nats-server with a stock of accounts, and a PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="oker-test-", dir=memory_folder()))
    folder.chmod(0o755)
    port = free_port()
    names = [f"T{number:04}" for number in range(ACCOUNTS)]
    accounts = "\n  ".join(f"{n}: {{ jetstream: enabled, users: [ {{ user: {n}, password: {n} }} ] }}" for n in names)
    config = folder / "nats.conf"
    config.write_text(CONFIG.format(port=port, store=folder / "jetstream", accounts=accounts))
    with temporary_postgres(folder / "postgres") as postgres:
        server = start_nats(config, port, folder / "nats.log", {})
        yield Servers(server, postgres, folder, iter(names))
        server.process.kill()  # an orderly end of hundreds of accounts takes longer than many a test
    shutil.rmtree(folder, ignore_errors=True)


def memory_folder() -> str | None:
    """Where the servers of a test session keep their data: in memory, if there is room."""
    memory = Path("/dev/shm")  # noqa: S108
    enough = memory.is_dir() and shutil.disk_usage(memory).free > 2_000_000_000
    return str(memory) if enough else None


@pytest.fixture
def account(servers: Servers) -> str:
    """A NATS account of the test's own; its name is user and password too."""
    return next(servers.accounts)


@pytest.fixture
async def jetstream(servers: Servers, account: str) -> AsyncIterator[Any]:
    """JetStream of the test's own account, with all streams and durables of the platform."""
    connection = await nats.connect(servers.nats.url, user=account, password=account)
    js = connection.jetstream(timeout=10)
    async for _ in topology.apply(js, None, PARTNERS):
        pass
    yield js
    await connection.close()


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A private key for tokens, and the file with its public part."""
    key = new_key("test")
    path = tmp_path_factory.mktemp("identity") / "jwks.json"
    path.write_text(json.dumps(public_keys([key])))
    return key, path


@pytest.fixture
def token(signing_key: tuple[dict[str, Any], Path]) -> Callable[..., dict[str, str]]:
    """``token("m-1", "board")`` are the headers of a request by this role holder."""

    def headers(holder: str, *roles: str, partner: str | None = None) -> dict[str, str]:
        said = Holder(id=holder, roles=frozenset(roles), partner=partner)
        signed = sign(signing_key[0], said, now=datetime.now(UTC), lifetime=timedelta(hours=1))
        return {"Authorization": f"Bearer {signed}"}

    return headers


@pytest.fixture
def service_settings() -> dict[str, Any]:
    """Settings of the service under test beyond the common ones; override it in a conftest."""
    return {}


@pytest.fixture
async def database_url(servers: Servers, service: Service[Any]) -> AsyncIterator[str]:
    """A migrated database of the test's own, dropped after it."""
    name = await servers.database(service.package)
    yield servers.postgres.url(name)
    await servers.postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def partners_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The partners of the tests, as a service reads them."""
    path = tmp_path_factory.mktemp("partners") / "partners.toml"
    lines = []
    for slug, partner in PARTNERS.partners.items():
        lines += [f"[partners.{slug}]", f'name = "{partner.name}"']
        for name, dataset in partner.datasets.items():
            lines += [f"[partners.{slug}.datasets.{name}]", f'title = "{dataset.title}"', 'licence = "none"']
            lines += ['classification = "open"', "retention_days = 400"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def settings(
    servers: Servers,
    account: str,
    service: Service[Any],
    database_url: str,
    signing_key: tuple[dict[str, Any], Path],
    service_settings: dict[str, Any],
    partners_file: Path,
) -> ServiceSettings:
    """The settings of the service under test."""
    said: ServiceSettings = service.settings(
        nats_url=servers.nats.url,
        nats_user=account,
        nats_password=account,
        database_url=database_url,
        http_host="127.0.0.1",
        http_port=0,
        identity_keys=signing_key[1],
        **({"partners_file": partners_file} if issubclass(service.settings, ClaimsSettings) else {}),
        **service_settings,
    )
    return said


@pytest.fixture
async def running(service: Service[Any], settings: ServiceSettings, jetstream: Any) -> AsyncIterator[Bus]:
    """The service under test in this process: its handlers and its background tasks."""
    async with open_bus(settings, service.router) as bus, AsyncExitStack() as stack:
        tasks = [asyncio.create_task(task(bus, settings)) for task in service.background]
        stack.push_async_callback(_end, tasks)
        yield bus


async def _end(tasks: list[Any]) -> None:
    for task in tasks:
        await end(task)
        if not task.cancelled() and task.exception():
            raise task.exception()


@pytest.fixture
async def bus(running: Bus, jetstream: Any, request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[TestBus]:
    """The bus of the service under test."""
    test_bus = TestBus(running, jetstream, running.nats, PARTNERS)
    yield test_bus
    report = request.node.stash.get(FAILED, None)
    if report is not None:
        folder = await keep_evidence(test_bus, Path(request.config.rootpath), request.node.nodeid, report)
        request.node.add_report_section("teardown", "evidence", f"streams, outbox and log are kept in {folder}")


@pytest.fixture
def sessions(running: Bus) -> async_sessionmaker[AsyncSession]:
    """Sessions on the database of the service under test."""
    return running.sessions


@pytest.fixture
async def http(running: Bus, service: Service[Any], settings: ServiceSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's HTTP side."""
    app = build_app(service, running, Verifier.from_file(settings.identity_keys))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


FAILED = pytest.StashKey[str]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember a failure for the fixture that keeps the evidence."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        item.stash[FAILED] = str(report.longrepr) + "\n" + "\n".join(text for _, text in report.sections)
