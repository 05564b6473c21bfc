"""Device profiles that companies have declared; a version never changes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Text, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Column, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest.store.base import Base
from sensor_ingest.store.devices import next_version


class ProfileRow(Base, table=True):
    """One version of a profile of one company, as it was declared."""

    __tablename__ = "profile"

    partner: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    declared: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    registered_at: datetime = Field(sa_type=DateTime(timezone=True))


PROFILES = """
SELECT partner, name, version, declared FROM profile
WHERE (CAST(:partners AS text[]) IS NULL OR partner = ANY(:partners)) AND (CAST(:name AS text) IS NULL OR name = :name)
ORDER BY partner, name, version
"""


async def profiles(
    session: AsyncSession, partners: Collection[str] | None, name: str | None = None
) -> dict[tuple[str, str, int], dict[str, Any]]:
    """What was declared, by company, name and version.

    Args:
        partners: ``None``: all companies.
        name: ``None``: all of them.
    """
    query = text(PROFILES).columns(declared=JSONB)
    rows = (await run(session, query, {"partners": None if partners is None else list(partners), "name": name})).all()
    return {(row.partner, row.name, row.version): row.declared for row in rows}


async def save_profiles(session: AsyncSession, new: Sequence[tuple[str, dict[str, Any]]], now: datetime) -> None:
    """Keep versions of profiles that are new; the registry gets its next version.

    Args:
        new: the company, and what it declared.
    """
    if not new:
        return
    rows = [
        {
            "partner": partner,
            "name": declared["profile"],
            "version": declared["version"],
            "declared": declared,
            "registered_at": now,
        }
        for partner, declared in new
    ]
    await run(session, insert(ProfileRow), rows)
    await next_version(session, {partner for partner, _ in new})
