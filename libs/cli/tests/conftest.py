"""The command as an operator runs it, and a real broker with the accounts of two companies."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import pytest
import uvicorn
from fastapi import APIRouter
from sqlalchemy import text
from typer.testing import CliRunner

from oker_bus import Bus, Event, Reason, Refused, Router, Transaction, on, open_bus
from oker_bus.service import Service, build_app
from oker_bus.settings import ClaimsSettings
from oker_bus.store import run
from oker_cli import ledger_command
from oker_cli.__main__ import app
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_identity import Verifier
from oker_testkit.bus import eventually
from oker_testkit.plugin import Servers
from oker_testkit.servers import NatsServer, free_port, start_nats

INFRA = Path(__file__).resolve().parents[3] / "infra"
PARTNERS = INFRA / "partners.toml"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Oker = Callable[..., Said]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("OKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def oker() -> Oker:
    """``oker("token", "cdo-1")``: the command inside of this process; without a traceback, whatever happens."""

    def oker(*arguments: object, env: dict[str, str] | None = None, stdin: bytes | None = None) -> Said:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=env, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return Said(result.exit_code, result.stdout, result.stderr)

    return oker


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with secrets.json and accounts.conf, as the command makes them."""
    folder = tmp_path_factory.mktemp("accounts")
    secrets, conf = folder / "secrets.json", folder / "accounts.conf"
    made = ["--partners", str(PARTNERS), "--out", str(secrets)]
    assert CliRunner().invoke(app, ["accounts", "secrets", *made]).exit_code == 0
    rendered = ["--partners", str(PARTNERS), "--secrets", str(secrets), "--out", str(conf)]
    assert CliRunner().invoke(app, ["accounts", "render", *rendered]).exit_code == 0
    return folder


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker, and what an operator needs to work on it."""

    server: NatsServer
    passwords: dict[str, str]

    @property
    def env(self) -> dict[str, str]:
        """The operator's settings."""
        return {
            "OKER_NATS_URL": self.server.url,
            "OKER_OPERATOR_PASSWORD": self.passwords["operator"],
            "OKER_TOPOLOGY_PASSWORD": self.passwords["topology"],
            "OKER_PARTNERS_FILE": str(PARTNERS),
        }

    async def connect(self, user: str, **options: Any) -> Any:
        """A connection as one of the users."""
        options = {"inbox_prefix": f"_INBOX_{user}".encode()} | options
        return await nats.connect(self.server.url, user=user, password=self.passwords[user], **options)


@pytest.fixture
def broker(accounts: Path, tmp_path: Path) -> Iterator[Broker]:
    """A nats-server with the configuration of `infra/`, the rendered accounts and an empty store."""
    for name, said in (
        ("nats-server.conf", (INFRA / "nats" / "nats-server.conf").read_text()),
        ("accounts.conf", (accounts / "accounts.conf").read_text()),
    ):
        (tmp_path / name).write_text(said)
    port, mqtt_port = free_port(), free_port()
    env = {
        "OKER_NATS_NAME": "oker",
        "OKER_NATS_HOST": "127.0.0.1",
        "OKER_NATS_PORT": str(port),
        "OKER_NATS_MQTT_PORT": str(mqtt_port),
        "OKER_NATS_STORE": str(tmp_path / "store"),
        "OKER_NATS_SYNC": "2m",
    }
    server = start_nats(tmp_path / "nats-server.conf", port, tmp_path / "nats.log", env, mqtt_port)
    yield Broker(server, json.loads((accounts / "secrets.json").read_text()))
    server.stop()


@pytest.fixture
def applied(broker: Broker, oker: Oker) -> Broker:
    """The broker with all streams and durables."""
    said = oker("topology", "apply", env=broker.env)
    assert said.code == 0, said.err
    return broker


READING = {
    "device": "trafo-12",
    "phenomenon_time": "2026-05-04T12:00:00Z",
    "results": [{"property": "power_1", "value": 1.0, "unit": "kW"}],
}
HEARS: dict[str, Any] = {"sensor-ingest": ReadingReportedV1, "project-registry": ProjectProposedV2}


class Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Platform:
    """A broker, two services that hear companies, and an auditor."""

    broker: Any
    env: dict[str, str]
    buses: dict[str, Bus] = field(default_factory=dict)
    recounted: dict[str, dict[str, int]] = field(default_factory=dict)
    """what the tables of sensor-ingest are said to hold"""
    reading: dict[str, Any] = field(default_factory=lambda: dict(READING))
    """a reading that is accepted; one of another device is refused"""

    async def say(self, company: str, id: str, data: dict[str, Any]) -> None:
        """A reading of a company."""
        type = ReadingReportedV1.TYPE
        headers = {"ce-specversion": "1.0", "ce-id": id, "ce-source": "/s", "ce-type": f"de.oker.{type}"}
        connection = await self.broker.connect(company, inbox_prefix=b"_INBOX")
        await connection.jetstream(timeout=5).publish(f"events.{type}", json.dumps(data).encode(), headers=headers)
        await connection.close()

    async def sql(self, statement: str) -> Any:
        """Run a statement on the database of sensor-ingest."""
        async with self.buses["sensor-ingest"].sessions() as session, session.begin():
            result = await run(session, text(statement))
            return result.scalar() if result.returns_rows else None

    async def read(self, outcome: str, counted: str) -> None:
        """Say that each message of an outcome held one reading, and how that was counted."""
        await self.sql(f"UPDATE settlement SET read = 1, {counted} = 1 WHERE outcome = '{outcome}'")  # noqa: S608
        await self.sql(
            f"UPDATE ledger_day SET read = read + messages_{outcome}, {counted} = {counted} + messages_{outcome}"  # noqa: S608
        )

    async def settled(self, messages: int) -> None:
        """Wait until so many messages have ended."""

        async def enough() -> bool:
            return bool(await self.sql("SELECT count(*) FROM settlement") == messages)

        await eventually(enough, f"{messages} messages are settled")


@pytest.fixture
async def platform(
    applied: Any, servers: Servers, oker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Platform]:
    monkeypatch.setattr(ledger_command, "SETTLING_SECONDS", 1.0)
    key, jwks = tmp_path / "key.json", tmp_path / "jwks.json"
    oker("identity", "new-key", "test", "--out", key)
    oker("identity", "public", key, "--out", jwks)
    token = oker("token", "auditor-1", "--role", "auditor", "--key", key).out.strip()
    platform = Platform(applied, applied.env | {"OKER_TOKEN": token})
    async with (
        a_service(platform, "sensor-ingest", servers, jwks) as ingest,
        a_service(platform, "project-registry", servers, jwks) as registry,
    ):
        platform.env["OKER_SERVICE_URLS"] = json.dumps({"sensor-ingest": ingest, "project-registry": registry})
        yield platform


@asynccontextmanager
async def a_service(platform: Platform, name: str, servers: Servers, jwks: Path) -> AsyncIterator[str]:
    """A service on real servers that settles what it hears; yields its address."""
    router = Router(name)

    @on(router, HEARS[name], consumer=f"{name}-claims")
    async def hear(event: Event[Any], tx: Transaction) -> None:
        if event.data.device != "trafo-12":
            raise Refused(Reason.DEVICE_UNKNOWN, "$.device")

    async def recount(session: Any) -> dict[str, dict[str, int]]:
        return platform.recounted if name == "sensor-ingest" else {}

    service = Service(name, "oker_bus", ClaimsSettings, router, lambda bus: APIRouter(), recount=recount)
    port, database = free_port(), await servers.database("oker_bus")
    settings = ClaimsSettings(
        nats_url=platform.broker.server.url,
        nats_user=name,
        nats_password=platform.broker.passwords[name],
        database_url=servers.postgres.url(await servers.database("oker_bus")),
        http_host="127.0.0.1",
        http_port=port,
        identity_keys=jwks,
        partners_file=platform.env["OKER_PARTNERS_FILE"],
    )
    async with open_bus(settings, router) as bus:
        app = build_app(service, bus, Verifier.from_file(jwks))
        server = Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        platform.buses[name] = bus
        await eventually(lambda: asyncio.sleep(0, server.started), f"{name} serves")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving
    await servers.postgres.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
