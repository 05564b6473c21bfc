"""Runs TS013 codecs in QuickJS, one context a profile. Started as a program, it does so for another process.

It imports the standard library and QuickJS only, so that it starts fast and holds no secrets. The limits of a call:
20 ms of processor time and 16 MB, by the engine. The engine looks at its clock between JavaScript calls only, and a
single built-in (sorting a sparse list of 2**32 elements, say) can run for hours; so a process that runs strangers'
codecs sets a timer of the operating system, which ends the process itself.
"""

import json
import re
import resource
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import quickjs

MEMORY = 16_000_000
"""Bytes a context."""
CALL_SECONDS = 0.02
LOAD_SECONDS = 0.1
"""Longest processor time of one call, and of loading a codec once."""
KILL_SECONDS = 0.08
"""Processor time after which the operating system ends a process in which the engine's own limit does not work."""
TIDY_SECONDS = 0.001
"""A call that takes longer may have left a lot behind, which is collected at once: contexts share one process."""
CONTEXTS = 128
"""Kept at a time, of about 220 kB each."""
STACK = 256 * 1024
HARNESS = Path(__file__).with_name("engine.js")
_EMPTY_LINES = 10_000
_HEAD = "\n" * _EMPTY_LINES + "(function (module, exports) {"
_TAIL = """
;const defined = {};
if (typeof decodeUplink !== "undefined") defined.decodeUplink = decodeUplink;
else if (typeof module === "object" && module.exports) defined.decodeUplink = module.exports.decodeUplink;
if (typeof Decoder !== "undefined") defined.Decoder = Decoder;
if (typeof Decode !== "undefined") defined.Decode = Decode;
return defined;
})"""
Kind = Literal["answer", "time", "memory", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a call ended.

    ``answer``: text is the codec's JSON. ``time``, ``memory``: it was stopped. ``broken``: the script cannot be
    loaded, text says why. ``unknown``: no script is loaded under this key.
    """

    kind: Kind
    text: str = ""
    seconds: float = 0.0
    """Processor time."""


class Engine:
    """Contexts by key, the least used thrown away; to be used from one thread only."""

    def __init__(self) -> None:
        self._harness = HARNESS.read_text("utf-8")
        self._contexts: OrderedDict[str, tuple[quickjs.Context, Callable[[str], str]]] = OrderedDict()

    def run(self, key: str, text: str) -> Ran:
        """Call the codec under ``key`` with the JSON text of ``[bytes, fPort, received]``."""
        if key not in self._contexts:
            return Ran("unknown")
        context, codec = self._contexts[key]
        self._contexts.move_to_end(key)
        began = time.process_time()
        try:
            said = codec(text)
        except (quickjs.JSException, MemoryError) as error:
            del self._contexts[key]
            return Ran(_stopped(error), seconds=time.process_time() - began)
        seconds = time.process_time() - began
        if seconds > TIDY_SECONDS:
            context.gc()
        if said.startswith('{"thrown":"InternalError: out of memory'):
            del self._contexts[key]
            return Ran("memory", seconds=seconds)
        return Ran("answer", said, seconds)

    def load(self, key: str, script: str, variables: str, anew: bool = True) -> Ran:
        """Load a codec; ``variables`` is JSON text.

        Args:
            anew: whether the script's own variables start anew with each call. That costs what its tables cost.
        """
        while len(self._contexts) >= CONTEXTS:
            self._contexts.popitem(last=False)
        context = quickjs.Context()
        context.set_memory_limit(MEMORY)
        context.set_max_stack_size(STACK)
        context.set_time_limit(LOAD_SECONDS)
        try:
            harness = context.eval(self._harness)
            self._contexts[key] = context, harness(context.eval(f"{_HEAD}{script}{_TAIL}"), variables, anew)
        except (quickjs.JSException, MemoryError, ValueError) as error:
            return _not_loaded(error)
        context.set_time_limit(CALL_SECONDS)
        return Ran("answer")


def _not_loaded(error: Exception) -> Ran:
    kind, said = _stopped(error), str(error)
    if kind == "time" or "out of memory" in said:
        return Ran(kind)
    what, place = said.split("\n")[0][:300], re.search(r"<input>:(\d+)", said)
    return Ran("broken", f"{what}, line {int(place[1]) - _EMPTY_LINES}" if place else what)


def _stopped(error: Exception) -> Kind:
    return "time" if "interrupted" in str(error)[:60] else "memory"


def serve() -> None:
    """Answer requests on standard input, one JSON text a line, until it is closed.

    Request: ``[key, text]``, or ``[key, text, script, variables]`` to load first. Answer: ``[kind, text, seconds]``.
    """
    engine = Engine()
    confine()
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, KILL_SECONDS)
        request = json.loads(line)
        ran = _answer(engine, request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(json.dumps([ran.kind, ran.text, ran.seconds]).encode() + b"\n")
        sys.stdout.buffer.flush()


def _answer(engine: Engine, request: list[Any]) -> Ran:
    key, text, *rest = request
    if rest:
        signal.setitimer(signal.ITIMER_PROF, LOAD_SECONDS + KILL_SECONDS)
        loaded = engine.load(key, *rest)
        if loaded.kind != "answer":
            return loaded
        signal.setitimer(signal.ITIMER_PROF, KILL_SECONDS)
    return engine.run(key, text)


def confine() -> None:
    """No new files, sockets, processes or core dumps, and 512 MB of memory."""
    limits = {
        resource.RLIMIT_AS: 512_000_000,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 3,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    serve()
