"""mosquitto and RabbitMQ from the system's packages: on loopback, on free ports, in a temporary folder, ended by id."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from tests.bench.place import NotMeasured

from oker_testkit.servers import ServerFailed, free_port, is_taken, log_tail

START_SECONDS = 60.0
MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
max_inflight_messages 2000
max_queued_messages 0
set_tcp_nodelay true
log_type warning
"""
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The script itself: the one on PATH insists on the user rabbitmq and on /var."""
EPMD = Path("/usr/bin/epmd")


@asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[int]:
    """A mosquitto that keeps sessions and their queues on disk; gives its port.

    Raises:
        NotMeasured: it is not installed.
    """
    program = _installed("mosquitto", Path(shutil.which("mosquitto") or "/usr/sbin/mosquitto"))
    folder.mkdir()
    folder.chmod(0o777)
    port = free_port()
    config = folder / "mosquitto.conf"
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "mosquitto")
    config.write_text(MOSQUITTO.format(port=port, folder=folder, user=user))
    async with _running([program, "-c", str(config)], {}, folder / "mosquitto.log", port):
        yield port


@asynccontextmanager
async def rabbitmq(folder: Path) -> AsyncIterator[int]:
    """A RabbitMQ node of its own, with an Erlang port mapper of its own; gives its port.

    Raises:
        NotMeasured: it is not installed.
    """
    program = _installed("rabbitmq-server", RABBITMQ)
    mapper = _installed("rabbitmq-server", EPMD)
    folder.mkdir()
    (folder / "plugins").write_text("[].\n")
    (folder / "rabbitmq.conf").write_text("loopback_users.guest = true\n")
    port, mapper_port = free_port(), free_port()
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    async with (
        _running([mapper, "-port", str(mapper_port), "-address", "127.0.0.1"], {}, folder / "epmd.log", mapper_port),
        _running([program], env, folder / "rabbitmq.log", port),
    ):
        yield port


def _installed(package: str, path: Path) -> str:
    if not path.exists():
        raise NotMeasured(f"{package} is not installed; on Debian: apt-get install --no-install-recommends {package}")
    return str(path)


@asynccontextmanager
async def _running(command: Sequence[str], env: Mapping[str, str], log: Path, port: int) -> AsyncIterator[None]:
    """A server for the length of the block, with all that it started itself: they are one group of processes."""
    process = _spawn(command, env, log)
    try:
        deadline = monotonic() + START_SECONDS
        while not is_taken(port):
            if process.poll() is not None or monotonic() > deadline:
                raise ServerFailed(f"{command[0]} did not start:\n{log_tail(log)}")
            await asyncio.sleep(0.05)
        yield
    finally:
        _end(process)


def _spawn(command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **env}, start_new_session=True, cwd=log.parent
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
            process.wait(seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


async def script(name: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a module of this package that waits for a line."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.bench.{name}", *arguments, stdin=pipe, stdout=pipe, stderr=pipe
    )
