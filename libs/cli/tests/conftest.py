"""The command as an operator runs it, and a real broker with the accounts of two companies."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import pytest
from typer.testing import CliRunner

from oker_cli.__main__ import app
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
    for name, text in (
        ("nats-server.conf", (INFRA / "nats" / "nats-server.conf").read_text()),
        ("accounts.conf", (accounts / "accounts.conf").read_text()),
    ):
        (tmp_path / name).write_text(text)
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
