"""The process in which strangers' codecs run: started when first needed, ended by the kernel when it hangs."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from threading import Lock

from sensor_ingest.codecs import engine
from sensor_ingest.codecs.engine import KILL_SECONDS, Engine, Ran

PATIENCE_SECONDS = 10.0
"""Wall time, for a machine so busy that the process does not even use up its processor time."""


PIPE_BYTES = 32_768
Call = tuple[str, str, str, str]
"""Key, text, script, variables."""


class Sandbox:
    """One process of :mod:`sensor_ingest.codecs.engine`, without environment, files and rights to make any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._left = b""
        self._lock = Lock()
        self._loaded: set[str] = set()
        """Keys of what was loaded into the process, as far as known: it forgets what is used least."""

    def run(self, key: str, text: str, script: str, variables: str) -> Ran:
        """Call a codec; load it first where that is needed. A process that dies over it costs this call only."""
        with self._lock:
            try:
                ran = self._ask([key, text])
                if ran.kind == "unknown":
                    ran = self._ask([key, text, script, variables])
                self._loaded.add(key) if ran.kind == "answer" else self._loaded.discard(key)
                return ran
            except (OSError, EOFError):
                return self._died()

    def run_some(self, calls: Sequence[Call]) -> list[Ran]:
        """Call codecs in one go, as many as fit into the pipe, up to the first that has to be loaded or stopped.

        Returns:
            The ends of the first calls, at least one.
        """
        window = list(takewhile(lambda call: call[0] in self._loaded, _fitting(calls))) or [calls[0]]
        with self._lock:
            found = self._answers(window)
        ends: list[Ran] = []
        for call, ran in zip(window, found, strict=False):
            ends.append(self.run(*call) if ran.kind == "unknown" else ran)
            if ends[-1].kind in ("time", "memory"):
                break
        return ends

    def _answers(self, calls: list[Call]) -> list[Ran]:
        found: list[Ran] = []
        try:
            self._say([[key, text] for key, text, _, _ in calls])
            while len(found) < len(calls):
                found.append(self._heard())
                if found[-1].kind in ("time", "memory"):
                    self.end()  # what waits in the pipe may be as bad; its account is looked at first
                    break
        except (OSError, EOFError):
            found.append(self._died())
        return found

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._ended()

    def _ask(self, request: list[str]) -> Ran:
        self._say([request])
        return self._heard()

    def _say(self, requests: list[list[str]]) -> None:
        process = self._started()
        assert process.stdin
        process.stdin.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        process.stdin.flush()

    def _heard(self) -> Ran:
        kind, text, seconds = json.loads(self._line())
        return Ran(kind, text, seconds)

    def _line(self) -> bytes:
        assert self._process
        assert self._process.stdout
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_SECONDS)
            piece = os.read(self._process.stdout.fileno(), 262_144) if ready else b""
            if not piece:
                self._process.kill()
                raise EOFError
            self._left += piece
        line, self._left = self._left.split(b"\n", 1)
        return line

    def _died(self) -> Ran:
        hung = self._process is None or self._ended() in (-signal.SIGPROF, -signal.SIGKILL)
        return Ran("time" if hung else "memory", seconds=KILL_SECONDS)

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
        self._left = b""
        self._loaded.clear()
        atexit.unregister(self.end)
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close() if pipe else None
        return process.wait()


def _fitting(calls: Sequence[Call]) -> Iterator[Call]:
    """The first calls whose requests fit into a pipe: neither side ever waits for the other to read."""
    size = 0
    for number, call in enumerate(calls):
        size += len(call[0]) + len(call[1]) + 16
        if number and size > PIPE_BYTES:
            return
        yield call


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
