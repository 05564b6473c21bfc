"""Services as processes: they end in order, and what keeps them from starting is said in a sentence."""

import os
import subprocess
import sys

import pytest

from oker_testkit.stack import Ports, Stack, StackFailed


async def test_a_service_ends_in_order_and_comes_back(stack: Stack) -> None:
    process = stack.processes["notification"]
    process.terminate()

    assert process.wait(15) == 0
    assert '"event": "service.stopped"' in (stack.folder / "logs" / "notification.log").read_text()
    stack.start_service("notification")
    await stack.ready("notification")


async def test_a_taken_port_is_named_before_anything_starts(stack: Stack) -> None:
    second = Stack(stack.folder.with_name("second"), Ports(nats=stack.ports.nats), tell=lambda _line: None)

    with pytest.raises(StackFailed, match=f"port {stack.ports.nats} for nats is taken"):
        await second.start()
    assert second.processes == {}


async def test_what_runs_already_is_named_and_left_running(stack: Stack) -> None:
    second = Stack(stack.folder, Ports.free(), tell=lambda _line: None)

    with pytest.raises(StackFailed, match="running already: nats-server"):
        await second.start()
    second.stop()
    assert (stack.folder / "running.json").exists()


def test_missing_settings_are_named() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OKER_")}
    command = [sys.executable, "-m", "sensor_ingest", "serve"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "OKER_NATS_URL" in result.stderr
    assert "OKER_PARTNERS_FILE" in result.stderr
    assert "Traceback" not in result.stderr
