"""Tells a company whether a message is valid, and where not; needs neither the platform nor a network.

``python -m oker_contracts.check message.json`` reads a structured CloudEvent; with ``--type`` the file holds
bare data. Paths of the data start at the data (``$.results[0].value``), those of the envelope at the event.
"""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from oker_contracts.base import Contract
from oker_contracts.envelope import STRUCTURED, read_envelope
from oker_contracts.reading import reader, refusals
from oker_contracts.reasons import Refused


def check(body: bytes, type: str | None = None) -> list[Refused]:
    """All that is wrong with a message; nothing if it is valid.

    Args:
        body: a structured CloudEvent, or bare data where ``type`` is given.
        type: the event's name or CloudEvents type.
    """
    try:
        name, path, data = (type, "type", body) if type is not None else _opened(body)
        entry = reader().entry(name, path)
        found = _all_refusals(entry.model, data)
        if not found:
            reader().data(entry, data)
    except Refused as refused:
        return [refused]
    return found


def _opened(body: bytes) -> tuple[str, str, bytes]:
    envelope = read_envelope({"content-type": STRUCTURED}, body)
    return envelope.type, "$.type", envelope.data


def _all_refusals(model: type[Contract], data: bytes) -> list[Refused]:
    try:
        model.model_validate_json(data)
    except ValidationError as error:
        return refusals(error, data)
    return []


def main(arguments: list[str] | None = None) -> int:
    """The command: prints ``valid``, or ``code path detail`` for each fault; 0 if valid, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m oker_contracts.check", description="Check a message against its contract."
    )
    parser.add_argument("file", help="a structured CloudEvent, or - for the standard input")
    parser.add_argument("--type", help="the event, for example sensor.reading_reported.v1: FILE is bare data")
    said = parser.parse_args(arguments)
    try:
        body = sys.stdin.buffer.read() if said.file == "-" else Path(said.file).read_bytes()
    except OSError as error:
        parser.error(f"{said.file} cannot be read: {error.strerror}.")
    found = check(body, said.type)
    for refused in found:
        print(f"{refused.reason} {refused.path} {refused.detail}")
    if not found:
        print("valid")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
