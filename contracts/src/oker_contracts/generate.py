"""Writes the JSON Schema of every event, and keeps released events frozen.

``python -m oker_contracts.generate`` writes ``schemas/<name>.json`` and enters newly released events into
``released.toml``; with ``--check`` it writes nothing and tells what is out of step.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from inspect import getdoc, getmodule
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from oker_contracts.catalog import Catalog, CatalogEntry, catalog

COMMAND = "python -m oker_contracts.generate"
BASE = "https://oker.example/schemas/"
REGISTER = "released.toml"
ANNOTATIONS = ("title", "description")
NAMED = ("properties", "$defs")
"""Keywords of JSON Schema under which names stand, not keywords."""
HEADER = """\
# The SHA-256 of the rules of each event that was ever released: its JSON Schema without titles and
# descriptions, as JSON with sorted keys and no spaces. Written by `python -m oker_contracts.generate`, which
# adds lines and changes none: a released event is frozen, a change is a new version beside it.

[released]
"""


class _Schema(GenerateJsonSchema):
    """JSON Schema 2020-12 without the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Folder:
    """Where generated files stand: ``contracts/`` of the repository."""

    root: Path

    def schema(self, name: str) -> Path:
        """The file of one event's schema."""
        return self.root / "schemas" / f"{name}.json"

    def released(self) -> dict[str, str]:
        """The register: event to SHA-256."""
        path = self.root / REGISTER
        if not path.exists():
            return {}
        register: dict[str, str] = tomllib.loads(path.read_text("utf-8"))["released"]
        return register


def schema(entry: CatalogEntry) -> JsonSchemaValue:
    """The JSON Schema (2020-12) of the data of one event."""
    said = entry.model.model_json_schema(schema_generator=_Schema)
    lines = [getdoc(getmodule(entry.model)), getdoc(entry.model)]
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{BASE}{entry.name}.json",
        "title": entry.name,
        "description": "\n\n".join(line for line in lines if line),
    }
    return head | {name: value for name, value in said.items() if name not in ANNOTATIONS}


def written(entry: CatalogEntry) -> str:
    """The text of the schema's file."""
    return json.dumps(schema(entry), indent=2, ensure_ascii=False) + "\n"


def fingerprint(said: JsonSchemaValue) -> str:
    """The SHA-256 of what a schema demands; its words may be mended after the release."""
    text = json.dumps(_rules(said), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def _rules(said: Any) -> Any:
    if isinstance(said, list):
        return [_rules(item) for item in said]
    if not isinstance(said, dict):
        return said
    rest = {name: value for name, value in said.items() if name not in ANNOTATIONS}
    return {name: _named(value) if name in NAMED else _rules(value) for name, value in rest.items()}


def _named(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _rules(value) for name, value in said.items()}


def frozen_faults(events: Catalog, released: Mapping[str, str]) -> list[str]:
    """What breaks the promise of a release; nothing that is generated mends it."""
    found = ((name, _broken_promise(events.events.get(name), digest)) for name, digest in released.items())
    return [f"{name}: was released, {fault}" for name, fault in found if fault]


def _broken_promise(entry: CatalogEntry | None, digest: str) -> str | None:
    if entry is None:
        return 'but is not in catalog.toml; put it back, with stage = "removed" if nobody hears it any more.'
    if entry.stage == "draft":
        return "and cannot become a draft again; make a new version beside it."
    if fingerprint(schema(entry)) != digest:
        return "so it is frozen, but its schema changed; undo that and make a new version beside it."
    return None


def drift(events: Catalog, folder: Folder) -> list[str]:
    """Which generated files are not what the models say."""
    faults = []
    for name, entry in events.events.items():
        path = folder.schema(name)
        if not path.exists() or path.read_text("utf-8") != written(entry):
            faults.append(f"{path.relative_to(folder.root)}: differs from its model; run `{COMMAND}`.")
    for path in _orphans(events, folder):
        faults.append(f"{path.relative_to(folder.root)}: belongs to no event; run `{COMMAND}`.")
    for name in _unregistered(events, folder):
        faults.append(f"{REGISTER}: {name} is released and does not stand here; run `{COMMAND}`.")
    return faults


def _orphans(events: Catalog, folder: Folder) -> list[Path]:
    return [path for path in sorted(folder.root.glob("schemas/*.json")) if path.stem not in events.events]


def _unregistered(events: Catalog, folder: Folder) -> list[str]:
    released = folder.released()
    return [name for name, entry in events.events.items() if entry.stage != "draft" and name not in released]


def write(events: Catalog, folder: Folder) -> None:
    """Bring schemas and register in step with the models."""
    for name, entry in events.events.items():
        folder.schema(name).parent.mkdir(exist_ok=True)
        folder.schema(name).write_text(written(entry), "utf-8")
    for path in _orphans(events, folder):
        path.unlink()
    new = {name: fingerprint(schema(events.events[name])) for name in _unregistered(events, folder)}
    rows = sorted((folder.released() | new).items())
    text = HEADER + "".join(f'"{name}" = "{digest}"\n' for name, digest in rows)
    (folder.root / REGISTER).write_text(text, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 if all is in step, 1 if not."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Generate the JSON Schemas of all events.")
    parser.add_argument("--check", action="store_true", help="write nothing, tell what is out of step")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="contracts/")
    said = parser.parse_args(arguments)
    if not (said.root / "pyproject.toml").exists():
        parser.error(f"{said.root} is not the folder contracts/ of the repository; name it with --root.")
    folder = Folder(said.root)
    faults = frozen_faults(catalog(), folder.released())
    if said.check:
        faults += drift(catalog(), folder)
    elif not faults:
        write(catalog(), folder)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
