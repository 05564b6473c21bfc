"""The profiles that are shipped with the service: a folder a family, with ``profiles.toml`` and perhaps ``codec.js``.

A family shares codec and version; its models differ in variables, measurements and vectors.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sensor_ingest.codecs.profile import Measurement, Profile, Vector

FOLDER = Path(__file__).with_name("profiles")


@cache
def builtin() -> Mapping[str, Profile]:
    """All of them by id (``dragino-lht65@1``)."""
    found = [profile for file in sorted(FOLDER.glob("*/profiles.toml")) for profile in read(file.parent)]
    return MappingProxyType({profile.id: profile for profile in found})


def read(folder: Path, owner: str = "") -> list[Profile]:
    """Read the profiles of a family.

    Raises:
        OSError, tomllib.TOMLDecodeError: where there are none.
        TypeError, KeyError: for a field that is unknown or missing.
    """
    said = tomllib.loads((folder / "profiles.toml").read_text("utf-8"))
    script = folder / "codec.js"
    shared: dict[str, Any] = {
        "version": said["version"],
        "codec": said["codec"],
        "script": script.read_text("utf-8") if script.exists() else "",
        "owner": owner,
    }
    return [_profile(row, shared) for row in said["profiles"]]


def _profile(row: dict[str, Any], shared: dict[str, Any]) -> Profile:
    rows: dict[str, Any] = {
        "measurements": tuple(_measurement(each) for each in row.pop("measurements", [])),
        "vectors": tuple(_vector(each) for each in row.pop("vectors", [])),
    }
    return Profile(**shared, **row, **rows)


def _measurement(row: dict[str, Any]) -> Measurement:
    return Measurement(**{**row, "factor": float(row.get("factor", 1))})


def _vector(row: dict[str, Any]) -> Vector:
    errors = row.pop("errors", None)
    return Vector(**row, errors=None if errors is None else tuple(errors))
