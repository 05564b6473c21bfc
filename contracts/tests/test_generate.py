"""Generated files follow the models, and what was released stays as it was."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from oker_contracts import Catalog, CatalogEntry, Contract, catalog
from oker_contracts.base import Slug, Title
from oker_contracts.generate import Folder, drift, fingerprint, frozen_faults, main, schema, write

READING = "sensor.reading_reported.v1"


class ThingSeenV1(Contract):
    """A thing."""

    TYPE: ClassVar[str] = "test.thing_seen.v1"

    title: Title


class ThingSeenOtherwiseV1(Contract):
    """A thing, in other words."""

    TYPE: ClassVar[str] = "test.thing_seen.v1"

    title: Title


class ThingSeenWithAnIdV1(Contract):
    """A thing."""

    TYPE: ClassVar[str] = "test.thing_seen.v1"

    title: Title
    description: Slug | None = None


def entry(model: type[Contract], stage: str = "released") -> CatalogEntry:
    """An event of one model."""
    return CatalogEntry(model.TYPE, model, "owner", "fact", stage, ("owner",), (), newest=model.TYPE)


def only(said: CatalogEntry) -> Catalog:
    """A catalog of one event."""
    return Catalog({said.name: said})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder, in step with one released event."""
    made = Folder(tmp_path)
    write(only(entry(ThingSeenV1)), made)
    return made


def test_the_repository_is_in_step(contracts: Path) -> None:
    folder = Folder(contracts)

    assert frozen_faults(catalog(), folder.released()) + drift(catalog(), folder) == []


def test_what_was_written_is_in_step(folder: Folder) -> None:
    events = only(entry(ThingSeenV1))

    assert drift(events, folder) == []
    assert frozen_faults(events, folder.released()) == []


def test_a_changed_file_is_named_with_the_command_that_mends_it(
    contracts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "contracts"
    shutil.copytree(contracts / "schemas", root / "schemas")
    shutil.copy(contracts / "released.toml", root)
    shutil.copy(contracts / "pyproject.toml", root)
    path = root / "schemas" / f"{READING}.json"
    path.write_text(path.read_text("utf-8").replace('"maxItems": 64', '"maxItems": 65'), "utf-8")

    assert main(["--check", "--root", str(root)]) == 1

    told = f"schemas/{READING}.json: differs from its model; run `python -m oker_contracts.generate`.\n"
    assert capsys.readouterr().err == told
    assert main(["--root", str(root)]) == 0
    assert main(["--check", "--root", str(root)]) == 0


def test_a_schema_of_no_event_is_named_and_swept(folder: Folder) -> None:
    events = only(entry(ThingSeenV1))
    folder.schema("test.forgotten.v1").write_text("{}")

    assert [fault.split(":")[0] for fault in drift(events, folder)] == ["schemas/test.forgotten.v1.json"]

    write(events, folder)
    assert drift(events, folder) == []


def test_a_released_schema_that_changed_asks_for_a_new_version(folder: Folder) -> None:
    changed = only(entry(ThingSeenWithAnIdV1))

    (fault,) = frozen_faults(changed, folder.released())

    assert fault.startswith("test.thing_seen.v1: was released, so it is frozen")
    assert "make a new version beside it" in fault


def test_writing_again_does_not_move_the_register(folder: Folder) -> None:
    before = folder.released()

    write(only(entry(ThingSeenWithAnIdV1)), folder)

    assert folder.released() == before


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Catalog({}), "put it back"),
        (only(entry(ThingSeenV1, "draft")), "cannot become a draft again"),
    ],
)
def test_what_was_released_stays_in_the_catalog(folder: Folder, now: Catalog, told: str) -> None:
    (fault,) = frozen_faults(now, folder.released())

    assert told in fault


def test_a_draft_is_not_frozen_and_its_release_is_entered(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write(only(entry(ThingSeenV1, "draft")), folder)
    assert folder.released() == {}

    released = only(entry(ThingSeenV1))
    assert [fault.split(":")[0] for fault in drift(released, folder)] == ["released.toml"]

    write(released, folder)
    assert list(folder.released()) == ["test.thing_seen.v1"]


def test_words_may_be_mended_and_rules_may_not() -> None:
    one, otherwise, more = (
        fingerprint(schema(entry(model))) for model in (ThingSeenV1, ThingSeenOtherwiseV1, ThingSeenWithAnIdV1)
    )

    assert one == otherwise
    assert one != more


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["properties"].pop("title"),
        lambda said: said["properties"]["title"].update(maxLength=301),
        lambda said: said["required"].clear(),
    ],
    ids=["a field called title goes", "a limit moves", "a field becomes optional"],
)
def test_every_rule_counts(change: Callable[[dict[str, Any]], object]) -> None:
    said = schema(entry(ThingSeenV1))
    before = fingerprint(said)
    changed = json.loads(json.dumps(said))

    change(changed)

    assert fingerprint(changed) != before


def test_a_folder_that_is_not_contracts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--root", str(tmp_path)])


def test_the_stage_does_not_change_the_schema() -> None:
    released = entry(ThingSeenV1)

    assert schema(released) == schema(replace(released, stage="deprecated"))
