"""The catalog of events: who owns, says and hears each one, and where it is kept (``catalog.toml``)."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from oker_contracts.base import TYPE_PREFIX, Contract

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the platform: what it keeps and for how long."""

    name: str
    subjects: tuple[str, ...]
    max_age_days: int
    max_bytes: int
    description: str


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One event in one version."""

    name: str
    model: type[Contract]
    owner: str
    kind: str
    stage: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    upcast: Upcaster | None = None
    newest: str = ""

    @property
    def stream(self) -> str:
        """Facts live on the stream of their domain, claims on the stream of each company."""
        return "IN_*" if self.kind == "claim" else self.domain.upper()

    @property
    def domain(self) -> str:
        """The first word of the name; a service owns one or more domains."""
        return self.name.split(".", 1)[0]

    @property
    def place(self) -> str:
        """Where a claim's name begins after ``ingest.<partner>.``: apart, if only the platform's gateways may say it.

        A company's account maps to the first place only, so the server keeps companies from the second.
        """
        return "" if "partners" in self.producers else "gateway."

    def claim_subject(self, partner: str) -> str:
        """Where a claim of a company is published inside the platform's account."""
        return f"ingest.{partner}.{self.place}{self.name}"

    @property
    def filter_subject(self) -> str:
        """What a durable that hears this event filters on."""
        return self.claim_subject("*") if self.kind == "claim" else f"{self.name}.>"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All events and streams."""

    events: dict[str, CatalogEntry]
    streams: dict[str, Stream] = field(default_factory=dict)

    def find(self, type_or_name: str) -> CatalogEntry | None:
        """Look an event up by its name, or by its CloudEvents type."""
        return self.events.get(type_or_name.removeprefix(TYPE_PREFIX))

    def claims(self) -> list[CatalogEntry]:
        """What a company may say."""
        return [entry for entry in self.events.values() if entry.kind == "claim"]

    def has_other_version(self, type_or_name: str) -> bool:
        """Whether the event is known in another version than the one named."""
        head = type_or_name.removeprefix(TYPE_PREFIX).rsplit(".", 1)[0]
        return any(name.rsplit(".", 1)[0] == head for name in self.events)


@cache
def catalog() -> Catalog:
    """The catalog that ships with this package."""
    said = tomllib.loads(files("oker_contracts").joinpath("catalog.toml").read_text("utf-8"))
    streams = {name: _stream(name, row) for name, row in said["streams"].items()}
    return Catalog({name: _entry(name, row) for name, row in said["events"].items()}, streams)


def _stream(name: str, row: dict[str, Any]) -> Stream:
    return Stream(name=name, **{**row, "subjects": tuple(row["subjects"])})


def _entry(name: str, row: dict[str, Any]) -> CatalogEntry:
    module = import_module(f"oker_contracts.{row['module']}")
    return CatalogEntry(
        name=name,
        model=getattr(module, row["model"]),
        owner=row["owner"],
        kind=row["kind"],
        stage=row["stage"],
        producers=tuple(row["producers"]),
        consumers=tuple(row["consumers"]),
        upcast=_upcaster(row),
        newest=row.get("newest", name),
    )


def _upcaster(row: dict[str, Any]) -> Upcaster | None:
    if "upcast" not in row:
        return None
    module, function = row["upcast"].rsplit(".", 1)
    upcast: Upcaster = getattr(import_module(f"oker_contracts.{module}"), function)
    return upcast
