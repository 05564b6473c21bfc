"""The partners file: companies, their datasets, and who may read them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oker_contracts.base import Slug, Title

log = structlog.get_logger()


class PartnersInvalid(Exception):
    """The partners file cannot be used; says where and why."""


class Dataset(BaseModel):
    """The unit of licence, classification, retention and grants (DCAT)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title
    licence: Title
    classification: Literal["open", "internal", "restricted"]
    retention_days: Annotated[int, Field(ge=1)]
    granted_to: list[Slug] = []


class Intake(BaseModel):
    """The size of a company's intake stream; see docs/operate.md for the arithmetic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: Annotated[int, Field(ge=10_000_000)] = 5_000_000_000
    """Full, it refuses; what is settled is removed before that."""
    max_age_days: Annotated[int, Field(ge=1)] = 90
    """How long settled messages stay, as long as there is room; what is not settled stays whatever its age."""


class Partner(BaseModel):
    """One company."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Title
    intake: Intake = Intake()
    datasets: dict[Slug, Dataset] = {}


class Partners(BaseModel):
    """All companies, by slug."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partners: dict[Slug, Partner]

    def readable_by(self, reader: str) -> list[tuple[str, str]]:
        """The (owner, dataset) pairs that a company may read: its own and those granted to it."""
        return [
            (owner, name)
            for owner, partner in self.partners.items()
            for name, dataset in partner.datasets.items()
            if owner == reader or reader in dataset.granted_to
        ]


def read_partners(path: Path) -> Partners:
    """Read and check the partners file.

    Raises:
        PartnersInvalid: with the file, the place in it and the reason.
    """
    try:
        partners = Partners.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PartnersInvalid(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise PartnersInvalid(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for owner, name in ((o, d) for o, p in partners.partners.items() for d in p.datasets):
        for reader in partners.partners[owner].datasets[name].granted_to:
            if reader not in partners.partners:
                raise PartnersInvalid(f"{path}: partners.{owner}.datasets.{name}: granted to unknown {reader!r}")
    if {"platform", "sys"} & set(partners.partners):
        raise PartnersInvalid(f"{path}: the names 'platform' and 'sys' are taken")
    return partners


@dataclass(slots=True)
class PartnersFile:
    """The partners file as a running service sees it: read again whenever it has changed."""

    path: Path
    _seen: tuple[int, int] | None = None
    _partners: Partners | None = None

    def current(self) -> Partners:
        """The companies as of now; a file that became invalid keeps its last valid content.

        Raises:
            PartnersInvalid: the file was never valid.
        """
        try:
            status = self.path.stat()
            if self._partners is None or self._seen != (status.st_mtime_ns, status.st_size):
                self._partners = read_partners(self.path)
                self._seen = (status.st_mtime_ns, status.st_size)
        except (OSError, PartnersInvalid) as error:
            if self._partners is None:
                raise
            log.error("partners.invalid", error=str(error)[:300])
        return self._partners
