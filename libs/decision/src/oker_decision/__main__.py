"""``python -m oker_decision FILE``: verify a decision file with this library alone."""

import sys
from pathlib import Path

from oker_decision.file import verify
from oker_decision.file.report import told


def main(arguments: list[str]) -> int:
    """Say what was found; 0 if the file holds, 1 if not, 2 if it cannot be read."""
    if len(arguments) != 1:
        print("usage: python -m oker_decision FILE", file=sys.stderr)
        return 2
    try:
        with Path(arguments[0]).open("rb") as lines:
            found = verify(lines)
    except OSError as error:
        print(f"{arguments[0]} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    print("\n".join(told(found)))
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
