"""One event, one version, one file, one name; and each has an owner."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from oker_contracts import CatalogEntry, catalog
from oker_contracts.base import Slug

EVENTS = catalog().events
NAME = re.compile(r"(?P<domain>[a-z]+)\.(?P<event>[a-z_]+)\.v(?P<version>[1-9][0-9]*)")
SLUG_PATTERN = TypeAdapter(Slug).json_schema()["pattern"]


def camel(words: str) -> str:
    """``device_declared`` becomes ``DeviceDeclared``."""
    return "".join(word.capitalize() for word in words.split("_"))


def class_name(name: str) -> str:
    """A participle alone takes its domain in front: ``project.registered.v1`` is ``ProjectRegisteredV1``."""
    said = NAME.fullmatch(name)
    assert said, f"{name} is not domain.past_tense.vN"
    words = said["event"] if "_" in said["event"] else f"{said['domain']}_{said['event']}"
    return f"{camel(words)}V{said['version']}"


@pytest.mark.parametrize("entry", EVENTS.values(), ids=EVENTS)
def test_class_file_and_type_have_one_name(entry: CatalogEntry) -> None:
    domain, event, version = entry.name.split(".")

    assert entry.name == entry.model.TYPE
    assert entry.model.__module__ == f"oker_contracts.{domain}.{event}_{version}"
    assert entry.model.__name__ == class_name(entry.name)


def test_every_event_file_is_in_the_catalog(contracts: Path) -> None:
    files = (contracts / "src" / "oker_contracts").glob("*/*_v[0-9]*.py")

    names = {f"{file.parent.name}.{'.v'.join(file.stem.rsplit('_v', 1))}" for file in files}

    assert names == set(EVENTS)


@pytest.mark.parametrize("entry", EVENTS.values(), ids=EVENTS)
def test_every_event_has_an_owner_and_says_who_speaks_and_hears(entry: CatalogEntry) -> None:
    assert entry.kind in ("claim", "fact")
    assert entry.stage in ("draft", "released", "deprecated", "removed")
    assert entry.owner
    assert entry.producers
    assert isinstance(entry.consumers, tuple)
    assert entry.kind == "claim" or entry.producers == (entry.owner,), "only its owner announces a fact"


@pytest.mark.parametrize("entry", EVENTS.values(), ids=EVENTS)
def test_every_fact_has_a_stream_and_a_key_that_may_stand_in_a_subject(entry: CatalogEntry) -> None:
    if entry.kind == "claim":
        assert entry.model.KEY == ()
        return
    properties = entry.model.model_json_schema()["properties"]

    assert catalog().streams[entry.stream].subjects == (f"{entry.domain}.>",)
    assert entry.model.KEY
    assert {properties[field]["pattern"] for field in entry.model.KEY} == {SLUG_PATTERN}


@pytest.mark.parametrize("entry", EVENTS.values(), ids=EVENTS)
def test_what_has_a_newer_version_can_be_lifted_to_it(entry: CatalogEntry) -> None:
    newest = EVENTS[entry.newest]

    assert (entry.upcast is not None) == (entry.newest != entry.name)
    assert newest.kind == entry.kind
    assert entry.newest == entry.name or entry.stage in ("deprecated", "removed")
