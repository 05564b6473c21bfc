"""Every event has samples, and models, schemas and samples agree."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from oker_contracts import CatalogEntry, Refused, catalog, reader
from oker_contracts.check import check
from oker_contracts.reading import validate

EVENTS = catalog().events
CONTRACTS = Path(__file__).resolve().parents[1]
VALID = sorted((CONTRACTS / "samples").glob("*/*.json"))
REFUSED = sorted((CONTRACTS / "samples").glob("*/refused/*.json"))


def read(path: Path) -> Any:
    """A file of JSON."""
    return json.loads(path.read_text("utf-8"))


def schema_of(name: str) -> Draft202012Validator:
    """The committed schema of an event."""
    return Draft202012Validator(read(CONTRACTS / "schemas" / f"{name}.json"), format_checker=FormatChecker())


def named(path: Path) -> str:
    """A test's name from a sample's path."""
    return "/".join(path.relative_to(CONTRACTS / "samples").parts)


def test_samples_belong_to_events() -> None:
    assert {path.parent.name for path in VALID} == set(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_a_minimal_a_full_and_a_refused_sample(name: str) -> None:
    folder = CONTRACTS / "samples" / name

    assert {path.stem for path in folder.glob("*.json")} == {"minimal", "full"}
    assert list(folder.glob("refused/*.json"))


@pytest.mark.parametrize("entry", EVENTS.values(), ids=EVENTS)
def test_full_says_every_field_and_minimal_only_what_is_required(entry: CatalogEntry) -> None:
    fields = entry.model.model_fields
    folder = CONTRACTS / "samples" / entry.name

    assert set(read(folder / "full.json")) == set(fields)
    assert set(read(folder / "minimal.json")) == {name for name, row in fields.items() if row.is_required()}


@pytest.mark.parametrize("path", VALID, ids=named)
def test_samples_are_valid_by_model_and_by_schema(path: Path) -> None:
    name = path.parent.name

    assert check(path.read_bytes(), name) == []
    assert [error.message for error in schema_of(name).iter_errors(read(path))] == []


@pytest.mark.parametrize("path", VALID, ids=named)
def test_samples_survive_reading_and_writing(path: Path) -> None:
    model = EVENTS[path.parent.name].model
    said = validate(model, path.read_bytes())

    again = validate(model, said.model_dump_json().encode())

    assert again == said


@pytest.mark.parametrize("path", VALID, ids=named)
def test_unknown_fields_are_not_heard(path: Path) -> None:
    name = path.parent.name
    said = read(path) | {"a_field_of_tomorrow": {"nested": [1, None]}}

    assert check(json.dumps(said).encode(), name) == []
    assert schema_of(name).is_valid(said)


@pytest.mark.parametrize("path", REFUSED, ids=named)
def test_refused_samples_say_code_and_path(path: Path) -> None:
    said = read(path)

    with pytest.raises(Refused) as caught:
        reader().data(EVENTS[path.parents[1].name], json.dumps(said["data"]).encode())

    assert (str(caught.value.reason), caught.value.path) == (said["code"], said["path"])


@pytest.mark.parametrize("name", EVENTS)
def test_schemas_are_schemas_and_carry_the_name(name: str) -> None:
    schema = schema_of(name).schema

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://oker.example/schemas/{name}.json"
    assert schema["title"] == name
    assert schema["description"]
