"""The whole of Oker on this machine: real broker, real database, a mail sink, five services as five processes.

State lives in one folder: data of the servers, secrets, logs, mails. A second start finds it again.
"""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import nats
import psutil
from nats.aio.client import Client

from oker_bus import topology
from oker_bus.accounts import render, services, users
from oker_bus.migrate import upgrade
from oker_bus.partners import Partners, read_partners
from oker_identity import Holder, new_key, public_keys, sign
from oker_testkit.servers import (
    Postgres,
    ServerFailed,
    free_port,
    is_taken,
    log_tail,
    start_nats,
    start_postgres,
    stop_process,
)

ROOT = Path(__file__).resolve().parents[4]
READY_SECONDS = 45.0
Tell = Callable[[str], None]


class StackFailed(Exception):
    """Something did not start or ended; says what, and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on loopback."""

    nats: int = 4222
    mqtt: int = 1883
    smtp: int = 2525
    http: dict[str, int] = field(
        default_factory=lambda: {name: 8101 + position for position, name in enumerate(services())}
    )

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses, for tests."""
        return cls(free_port(), free_port(), free_port(), {name: free_port() for name in services()})

    def all(self) -> dict[str, int]:
        """Name to port."""
        return {"nats": self.nats, "mqtt": self.mqtt, "smtp": self.smtp, **self.http}


@dataclass(slots=True)
class Stack:
    """A running (or stopped) Oker."""

    folder: Path
    ports: Ports
    partners_file: Path = ROOT / "infra" / "partners.toml"
    tell: Tell = print
    keep: bool = False
    """Leave everything running when this process ends."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    postgres: Postgres | None = None
    wrapper: dict[str, list[str]] = field(default_factory=dict)
    """Service to arguments that stand before its module, for tests that kill it at a point."""

    @property
    def nats_url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.ports.nats}"

    @property
    def mails(self) -> Path:
        """The Maildir of the mail sink."""
        return self.folder / "mails"

    @property
    def partners(self) -> Partners:
        """The companies."""
        return read_partners(self.partners_file)

    def url(self, service: str) -> str:
        """The HTTP address of a service."""
        return f"http://127.0.0.1:{self.ports.http[service]}"

    def password(self, user: str) -> str:
        """The password of a user of the broker, or of a service's database role."""
        return str(json.loads((self.folder / "secrets.json").read_text())[user])

    def token(self, holder: str, *roles: str, partner: str | None = None) -> dict[str, str]:
        """The headers of a request by a role holder."""
        key = json.loads((self.folder / "signing-key.json").read_text())
        said = Holder(id=holder, roles=frozenset(roles), partner=partner)
        signed = sign(key, said, now=datetime.now(UTC), lifetime=timedelta(hours=12))
        return {"Authorization": f"Bearer {signed}"}

    async def start(self) -> None:
        """Start everything, in order.

        Raises:
            StackFailed: with what failed and why.
        """
        if found := running(self.folder):
            raise StackFailed(f"it is running already: {', '.join(found)}. `make down` ends it.")
        self._check_ports()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._write_secrets()
        try:
            self.tell("nats-server, with an account for each company")
            self.start_broker()
            self.tell("PostgreSQL, with a database and a role for each service")
            await self._start_database()
        except (ServerFailed, OSError, subprocess.SubprocessError) as error:
            raise StackFailed(str(error)) from None
        self.tell("streams and durables")
        await self.apply_topology()
        self.tell("mail sink and five services")
        self._start_sink()
        for name in services():
            self.start_service(name)
        await self.ready()
        self._write_environment()

    def _check_ports(self) -> None:
        for name, port in self.ports.all().items():
            if is_taken(port):
                raise StackFailed(
                    f"port {port} for {name} is taken. Is another `make up` running? `make down` ends it; "
                    "OKER_PORT_OFFSET=1000 moves all ports."
                )

    def _write_secrets(self) -> None:
        path = self.folder / "secrets.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        wanted = [*users(self.partners), *(f"database:{name}" for name in services())]
        _write_private(path, json.dumps({user: known.get(user) or secrets.token_urlsafe(24) for user in wanted}))
        key_file = self.folder / "signing-key.json"
        if not key_file.exists():
            _write_private(key_file, json.dumps(new_key("dev")))
        (self.folder / "jwks.json").write_text(json.dumps(public_keys([json.loads(key_file.read_text())])))
        self.render_accounts()

    def render_accounts(self) -> None:
        """Write the accounts of the broker from the partners file."""
        config = self.folder / "nats"
        config.mkdir(exist_ok=True)
        server = (ROOT / "infra" / "nats" / "nats-server.conf").read_text()
        (config / "nats-server.conf").write_text(server)
        _write_private(
            config / "accounts.conf",
            render(self.partners, {u: self.password(u) for u in users(self.partners)}),
        )

    def start_broker(self) -> None:
        """Start nats-server."""
        config = self.folder / "nats"
        env = {
            "OKER_NATS_NAME": "oker",
            "OKER_NATS_HOST": "127.0.0.1",
            "OKER_NATS_PORT": str(self.ports.nats),
            "OKER_NATS_MQTT_PORT": str(self.ports.mqtt),
            "OKER_NATS_STORE": str(config / "store"),
            "OKER_NATS_SYNC": "2m",
        }
        log = self.folder / "logs" / "nats-server.log"
        server = start_nats(config / "nats-server.conf", self.ports.nats, log, env, self.ports.mqtt)
        self.processes["nats-server"] = server.process

    async def _start_database(self) -> None:
        self.postgres = start_postgres(self.folder / "postgres", keep_running=self.keep)
        hba = "local all postgres trust\nlocal all all scram-sha-256\n"
        (self.folder / "postgres" / "pg_hba.conf").write_text(hba)
        await self.postgres.execute("SELECT pg_reload_conf()")
        for name in services():
            await self._make_database(self.postgres, name)
        for name in services():
            await upgrade(self.database_url(name), name.replace("-", "_"))

    async def _make_database(self, postgres: Postgres, name: str) -> None:
        database, password = name.replace("-", "_"), self.password(f"database:{name}")
        await postgres.execute(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{database}') "
            f"THEN CREATE ROLE {database} LOGIN PASSWORD '{password}'; END IF; END $$"
        )
        try:
            await postgres.execute(f"CREATE DATABASE {database} OWNER {database}")
        except Exception as error:
            if "already exists" not in str(error):
                raise
        await postgres.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")

    def database_url(self, service: str) -> str:
        """The database of a service, as its own role."""
        assert self.postgres is not None
        database = service.replace("-", "_")
        return self.postgres.url(database, database, self.password(f"database:{service}"))

    async def connect(self, user: str, **options: Any) -> Client:
        """A connection to the broker as one of its users."""
        return await nats.connect(self.nats_url, user=user, password=self.password(user), **options)

    async def apply_topology(self) -> list[topology.Change]:
        """What `oker topology apply` does."""
        admin = await self.connect("topology", inbox_prefix="_INBOX_topology")
        try:
            js = admin.jetstream(timeout=10)
            changes = topology.apply(js, lambda slug: admin.jetstream(prefix=f"mqtt.{slug}.API"), self.partners)
            return [change async for change in changes]
        finally:
            await admin.close()

    def _start_sink(self) -> None:
        sink = ["-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Mailbox", str(self.mails)]
        self._spawn("mail-sink", [sys.executable, *sink, "-l", f"127.0.0.1:{self.ports.smtp}"], {})

    def start_service(self, name: str) -> None:
        """Start one service as a process of its own."""
        module = ["-m", name.replace("-", "_"), "serve"]
        self._spawn(name, [sys.executable, *self.wrapper.get(name, []), *module], self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """The settings of one service."""
        settings = {
            "nats_url": self.nats_url,
            "nats_user": name,
            "nats_password": self.password(name),
            "database_url": self.database_url(name),
            "http_host": "127.0.0.1",
            "http_port": str(self.ports.http[name]),
            "identity_keys": str(self.folder / "jwks.json"),
            "partners_file": str(self.partners_file),
            "log_format": "json",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(self.ports.smtp),
            "smtp_starttls": "false",
            "mail_from": "oker@braunschweig.example",
            "mail_domain": "oker.braunschweig.example",
        }
        return {f"OKER_{key.upper()}": value for key, value in settings.items()}

    def _spawn(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        log = self.folder / "logs" / f"{name}.log"
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env={**os.environ, **env},
                start_new_session=True,
                cwd=self.folder,
            )

    async def ready(self, *names: str) -> None:
        """Wait until the services say that they are ready.

        Raises:
            StackFailed: one ended or did not become ready in time; with the end of its log.
        """
        async with httpx.AsyncClient(timeout=3) as http:
            for name in names or services():
                await self._ready(http, name)

    async def _ready(self, http: httpx.AsyncClient, name: str) -> None:
        deadline, said = time.monotonic() + READY_SECONDS, "nothing yet"
        while time.monotonic() < deadline:
            if self.processes[name].poll() is not None:
                break
            try:
                answer = await http.get(f"{self.url(name)}/health/ready")
                if answer.status_code == 200:
                    return
                said = answer.text
            except httpx.HTTPError as error:
                said = type(error).__name__
            await asyncio.sleep(0.05)
        code = self.processes[name].poll()
        state = f"ended with code {code}" if code is not None else f"is not ready: {said}"
        raise StackFailed(f"{name} {state}\n{log_tail(self.folder / 'logs' / f'{name}.log')}")

    def _write_environment(self) -> None:
        """What the command `oker` needs, for the operator of this stack."""
        environment = {
            "OKER_NATS_URL": self.nats_url,
            "OKER_OPERATOR_PASSWORD": self.password("operator"),
            "OKER_TOPOLOGY_PASSWORD": self.password("topology"),
            "OKER_PARTNERS_FILE": str(self.partners_file),
            "OKER_SERVICE_URLS": json.dumps({name: self.url(name) for name in services()}),
            "OKER_TOKEN": self.token("auditor-1", "auditor")["Authorization"].removeprefix("Bearer "),
        }
        _write_private(self.folder / "env", "".join(f"{key}={value}\n" for key, value in environment.items()))
        pids = {name: process.pid for name, process in self.processes.items()}
        (self.folder / "running.json").write_text(json.dumps({"pids": pids, "ports": asdict(self.ports)}))

    def kill(self, name: str) -> None:
        """``kill -9`` of a service, of ``nats-server``, or of ``postgres`` with all its processes."""
        if name == "postgres":
            assert self.postgres is not None
            self.postgres.kill()
            return
        process = self.processes[name]
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()

    def revive(self, name: str) -> None:
        """Start what was killed once more, on the data that it left. A server runs then; for a service ask `ready`."""
        if name == "postgres":
            assert self.postgres is not None
            self.postgres.start_again()
        elif name == "nats-server":
            self.start_broker()
        else:
            self.start_service(name)

    def stop(self) -> None:
        """End everything that was started, services first."""
        running = [self.processes[name] for name in [*services(), "mail-sink"] if name in self.processes]
        for process in running:
            if process.poll() is None:
                process.terminate()
        for process in [*running, *filter(None, [self.processes.get("nats-server")])]:
            stop_process(process)
        if self.postgres:
            self.postgres.stop()
        if self.processes:
            (self.folder / "running.json").unlink(missing_ok=True)


def new_test_stack(folder: Path) -> Stack:
    """A stack for tests: its own folder, free ports, and no words."""
    return Stack(folder, Ports.free(), tell=lambda _line: None)


def running(folder: Path) -> list[str]:
    """What an earlier `make up` left running, by name."""
    path = folder / "running.json"
    pids = json.loads(path.read_text())["pids"] if path.exists() else {}
    return [name for name, pid in pids.items() if psutil.pid_exists(pid)]


def stop_running(folder: Path) -> list[str]:
    """End what an earlier `make up` left running; returns the names of what was ended."""
    path = folder / "running.json"
    if not path.exists():
        return []
    ended = [name for name, pid in json.loads(path.read_text())["pids"].items() if _end_process(name, pid)]
    if (folder / "postgres" / "postmaster.pid").exists():
        start_postgres(folder / "postgres").stop()
        ended.append("postgres")
    path.unlink()
    return ended


def _end_process(name: str, pid: int) -> bool:
    """End a process by its id, but only if it is still what we started."""
    try:
        process = psutil.Process(pid)
        ours = name.replace("-", "_") in " ".join(process.cmdline()) or name in " ".join(process.cmdline())
        if not ours and name != "mail-sink":
            return False
        process.terminate()
        process.wait(10)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        process.kill()
    return True


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
