"""Files that hold secrets: written whole or not at all, and for their owner only."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from oker_cli.failure import Failure


def write_private(path: Path, text: str) -> None:
    """Put the text into the file in one step, with mode 0600.

    Raises:
        Failure: the folder is not there or cannot be written.
    """
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        Failure: the file is not there, or holds something else.
    """
    try:
        said = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Failure(f"{path} is not JSON") from None
    if not isinstance(said, dict):
        raise Failure(f"{path} must hold a JSON object")
    return said
