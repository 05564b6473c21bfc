"""The tables of project-registry."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, Index, String, Text, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

REGISTER_LOCK = 7_350_048
"""The key of the advisory lock that lets one transaction at a time write to the register."""


def _time(*, nullable: bool = False) -> Column[Any]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _texts() -> Column[Any]:
    return Column(ARRAY(String), nullable=False)


class Base(SQLModel, registry=registry()):
    """The tables of this service and of no other."""


class CatalogueRow(Base, table=True):
    """An edition of the catalogue that was imported."""

    __tablename__ = "catalogue"

    catalogue: str = Field(primary_key=True)
    imported_at: datetime = Field(sa_column=_time())


class EntryRow(Base, table=True):
    """One version of anything in the register, see :class:`project_registry.domain.Entry`.

    ``valid_until`` is the ``valid_from`` of the next version in the order of (``valid_from``, ``version``), by all that
    is known; it follows from the other rows.
    """

    __tablename__ = "entry"

    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    valid_from: datetime = Field(sa_column=_time())
    valid_until: datetime | None = Field(default=None, sa_column=_time(nullable=True))
    recorded_at: datetime = Field(sa_column=_time())
    recorded_by: str | None = None
    reason: str = Field(sa_column=Column(Text, nullable=False))
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    title: str
    status: str
    fields_of_action: list[str] = Field(sa_column=_texts())
    goals: list[str] = Field(sa_column=_texts())
    department: str | None = None
    officer: str | None = None
    partner: str | None = None
    origin: str | None = None
    round_id: str | None = None
    registered_at: datetime | None = Field(default=None, sa_column=_time(nullable=True))


ENTRY = EntryRow.__table__  # type: ignore[attr-defined]
Index("entry_now", ENTRY.c.kind, ENTRY.c.id, postgresql_where=ENTRY.c.valid_until.is_(None))
Index("entry_held", ENTRY.c.kind, ENTRY.c.id, ENTRY.c.valid_from.desc(), ENTRY.c.version.desc())
Index("entry_department", ENTRY.c.department, postgresql_where=ENTRY.c.valid_until.is_(None))
Index("entry_round", ENTRY.c.round_id, postgresql_where=ENTRY.c.valid_until.is_(None))


class ProposalRow(Base, table=True):
    """A proposal of a company, waiting or accepted."""

    __tablename__ = "proposal"
    __table_args__ = (UniqueConstraint("partner", "name", name="proposal_of_partner"),)

    project_id: str = Field(primary_key=True)
    partner: str
    name: str
    title: str
    summary: str = Field(sa_column=Column(Text, nullable=False))
    fields_of_action: list[str] = Field(sa_column=_texts())
    goals: list[str] = Field(sa_column=_texts())
    received_at: datetime = Field(sa_column=_time())
    accepted_at: datetime | None = Field(default=None, sa_column=_time(nullable=True))


class GapRow(Base, table=True):
    """A department that nobody answers for, since when; once it is closed, ``recorded_at`` is its end."""

    __tablename__ = "gap"

    organisation: str = Field(primary_key=True)
    since: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    state: str
    recorded_at: datetime = Field(sa_column=_time())
    projects: list[str] = Field(sa_column=_texts())


class ContactRow(Base, table=True):
    """The person behind a role holder: the one place, and erasable. Never announced, so not folded."""

    __tablename__ = "contact"

    holder: str = Field(primary_key=True)
    name: str
    mail: str | None = None
    phone: str | None = None
    noted_at: datetime = Field(sa_column=_time())


class RoundRow(Base, table=True):
    """A round of selection as far as it is heard: selection-scoring announces it, so it is not folded."""

    __tablename__ = "selection_round"

    round_id: str = Field(primary_key=True)
    candidates: int
    stage: str


class RoundCandidateRow(Base, table=True):
    """A candidate of a round; heard as well."""

    __tablename__ = "round_candidate"

    round_id: str = Field(primary_key=True)
    project_id: str = Field(primary_key=True)
    version: int


metadata = Base.metadata
folded = tuple(metadata.tables[name] for name in ("catalogue", "entry", "gap", "proposal"))
"""The tables that follow from this service's own facts and from nothing else."""


async def lock_register(session: AsyncSession) -> None:
    """Wait until no other transaction writes to the register; held until this one ends.

    Ids are unique over projects and proposals of all companies, versions count up, and terms of office exclude each
    other, so each of these questions needs one writer at a time.
    """
    await session.exec(select(func.pg_advisory_xact_lock(REGISTER_LOCK)))  # type: ignore[call-overload]
