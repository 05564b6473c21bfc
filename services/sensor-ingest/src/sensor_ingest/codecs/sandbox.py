"""The process in which strangers' codecs run: started when first needed, ended by the kernel when it hangs."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Lock

from sensor_ingest.codecs import engine
from sensor_ingest.codecs.engine import KILL_SECONDS, Engine, Ran

PATIENCE_SECONDS = 10.0
"""Wall time, for a machine so busy that the process does not even use up its processor time."""


class Sandbox:
    """One process of :mod:`sensor_ingest.codecs.engine`, without environment, files and rights to make any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def run(self, key: str, text: str, script: str, variables: str) -> Ran:
        """Call a codec; load it first where that is needed. A process that dies over it costs this call only."""
        with self._lock:
            try:
                ran = self._ask([key, text])
                return self._ask([key, text, script, variables]) if ran.kind == "unknown" else ran
            except (OSError, EOFError):
                hung = self._ended() in (-signal.SIGPROF, -signal.SIGKILL)
                return Ran("time" if hung else "memory", seconds=KILL_SECONDS)

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._ended()

    def _ask(self, request: list[str]) -> Ran:
        process = self._started()
        assert process.stdin
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        kind, text, seconds = json.loads(self._line(process))
        return Ran(kind, text, seconds)

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout
        said = b""
        while not said.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
            piece = os.read(process.stdout.fileno(), 262_144) if ready else b""
            if not piece:
                process.kill()
                raise EOFError
            said += piece
        return said

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is not None:
            self._ended()  # while it was idle
        if not self._process:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", engine.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"TZ": "UTC"},
                cwd="/",
                start_new_session=True,
            )
            atexit.register(self.end)
        return self._process

    def _ended(self) -> int:
        """Take leave of the process; its exit code, negative for a signal."""
        assert self._process
        process, self._process = self._process, None
        atexit.unregister(self.end)
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close() if pipe else None
        return process.wait()


class Here:
    """The same in this process, for the scripts shipped with the service, which keep nothing between calls."""

    def __init__(self) -> None:
        self._engine = Engine()

    def run(self, key: str, text: str, script: str, variables: str) -> Ran:
        """Call a codec; load it first where that is needed."""
        ran = self._engine.run(key, text)
        if ran.kind != "unknown":
            return ran
        loaded = self._engine.load(key, script, variables, anew=False)
        return self._engine.run(key, text) if loaded.kind == "answer" else loaded
