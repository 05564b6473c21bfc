"""Run a service that is killed at an exact point: ``python -m oker_testkit.die_at POINT before|after -m PACKAGE …``.

The first call of a function named by POINT (``module:attribute.path``, several with commas) ends the process with
SIGKILL, right before or right after it. So a crash between two lines happens for certain, in a real process, unknown
to shipped code.
"""

import importlib
import os
import runpy
import signal
import sys
from typing import Any, NoReturn

BETWEEN_COMMIT_AND_ACK = ("nats.aio.msg:Msg.respond,oker_bus.connection:Connection.send", "before")
"""One message is answered, or the verdicts of a batch are sent."""
BETWEEN_COMMIT_AND_RELAY = ("oker_bus.relay:publish_row", "before")
BETWEEN_RELAY_AND_DELETE = ("oker_bus.relay:publish_row", "after")


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def arm(point: str, when: str) -> None:
    """Replace a coroutine function by one that kills this process."""
    module, path = point.split(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)

    async def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await original(*args, **kwargs)
        _die()

    setattr(owner, name, deadly)


def main() -> None:
    """Arm the point and run the package as if it had been called itself."""
    point, when, dash_m, package, *rest = sys.argv[1:]
    if dash_m != "-m" or when not in ("before", "after"):
        sys.exit("usage: python -m oker_testkit.die_at MODULE:FUNCTION before|after -m PACKAGE …")
    for each in point.split(","):
        arm(each, when)
    sys.argv = [package, *rest]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
