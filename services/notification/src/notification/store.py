"""The tables of notification. Addresses and names stand in ``recipient`` and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, Index, Text, delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from notification.domain import Addressee, Letter, Locale, MailState, Occasion, Progress, Recipient

UTC_TIME: Any = DateTime(timezone=True)
AWAY = (OSError, SQLAlchemyError)
"""What the database throws while it cannot be asked; work is taken up again later."""


class Base(SQLModel, registry=registry()):
    """This service keeps a registry of its own."""


class RecipientRow(Base, table=True):
    """A role holder who can be told; the only place with persons, and erasable."""

    __tablename__ = "recipient"

    holder: str = Field(primary_key=True, sa_type=Text)
    roles: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    address: str = Field(sa_type=Text)
    locale: str = Field(sa_type=Text)
    name: str | None = Field(default=None, sa_type=Text)
    updated_at: datetime = Field(sa_type=UTC_TIME)


class ProjectRow(Base, table=True):
    """What is known of a project: its title and its officer."""

    __tablename__ = "project"

    project_id: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(sa_type=Text)
    officer: str | None = Field(default=None, sa_type=Text)
    version: int


class OrganisationRow(Base, table=True):
    """How an organisation is called."""

    __tablename__ = "organisation"

    organisation: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(sa_type=Text)
    version: int


class MailRow(Base, table=True):
    """A mail and how far it has come; holds the role holder's id, never an address or a name."""

    __tablename__ = "mail"
    __table_args__ = (
        Index("mail_due", "next_attempt_at", postgresql_where=text("state = 'queued'")),
        Index("mail_queued_at", "queued_at"),
    )

    mail_id: UUID = Field(primary_key=True)
    holder: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    occasion: str = Field(sa_type=Text)
    locale: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    attempts: int = 0
    code: int | None = None
    queued_at: datetime = Field(sa_type=UTC_TIME)
    next_attempt_at: datetime = Field(sa_type=UTC_TIME)
    ended_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    queued_event_id: str = Field(sa_type=Text)
    correlationid: str | None = Field(default=None, sa_type=Text)
    traceparent: str | None = Field(default=None, sa_type=Text)


metadata = Base.metadata


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a role holder is reached."""

    address: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The announcement of a mail, which its sending continues."""

    event_id: str
    correlationid: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to be sent."""

    mail_id: UUID
    holder: str
    locale: Locale
    letter: Letter
    attempts: int
    queued_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class MailLine:
    """How far a mail has come, without its text."""

    mail_id: UUID
    holder: str
    role: str
    occasion: Occasion
    state: MailState
    attempts: int
    code: int | None
    queued_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


async def save_recipient(session: AsyncSession, recipient: Recipient, contact: Contact, at: datetime) -> None:
    """Write a recipient, new or changed."""
    row = {
        "roles": sorted(recipient.roles),
        "address": contact.address,
        "locale": recipient.locale,
        "name": contact.name,
        "updated_at": at,
    }
    statement = insert(RecipientRow).values(holder=recipient.holder, **row)
    await session.exec(statement.on_conflict_do_update(index_elements=["holder"], set_=row))


async def recipients_with_contacts(session: AsyncSession) -> list[tuple[Recipient, Contact]]:
    """Everyone who can be told, by holder."""
    rows = await session.exec(select(RecipientRow).order_by(col(RecipientRow.holder)))
    return [(_recipient(row), Contact(row.address, row.name)) for row in rows]


async def recipients(session: AsyncSession) -> list[Recipient]:
    """The same without contacts."""
    return [recipient for recipient, _ in await recipients_with_contacts(session)]


async def contact(session: AsyncSession, holder: str) -> Contact | None:
    """Where a role holder is reached; ``None`` once erased."""
    row = await session.get(RecipientRow, holder)
    return Contact(row.address, row.name) if row else None


async def erase_recipient(session: AsyncSession, holder: str, at: datetime) -> bool:
    """Delete a recipient and end the mails that wait; ``False`` if there is none.

    A mail that is being sent right now is left alone: it is sent, or its next attempt finds nobody.
    """
    statement = delete(RecipientRow).where(col(RecipientRow.holder) == holder)
    if (await session.exec(statement.returning(col(RecipientRow.holder)))).first() is None:
        return False
    waiting = select(MailRow.mail_id).where(MailRow.holder == holder, MailRow.state == "queued")
    ended = update(MailRow).where(col(MailRow.mail_id).in_(waiting.with_for_update(skip_locked=True)))
    await session.exec(ended.values(state="recipient_erased", ended_at=at))
    return True


async def save_project(session: AsyncSession, project_id: str, title: str, officer: str | None, version: int) -> None:
    """Write what is known of a project; an older version never replaces a newer one."""
    row = {"title": title, "officer": officer, "version": version}
    statement = insert(ProjectRow).values(project_id=project_id, **row)
    newer = col(ProjectRow.version) <= statement.excluded.version
    await session.exec(statement.on_conflict_do_update(index_elements=["project_id"], set_=row, where=newer))


async def save_organisation(session: AsyncSession, organisation: str, title: str, version: int) -> None:
    """Write how an organisation is called; an older version never replaces a newer one."""
    row = {"title": title, "version": version}
    statement = insert(OrganisationRow).values(organisation=organisation, **row)
    newer = col(OrganisationRow.version) <= statement.excluded.version
    await session.exec(statement.on_conflict_do_update(index_elements=["organisation"], set_=row, where=newer))


async def project(session: AsyncSession, project_id: str) -> tuple[str, str | None] | None:
    """Title and officer of a project."""
    row = await session.get(ProjectRow, project_id)
    return (row.title, row.officer) if row else None


async def titles(session: AsyncSession, project_ids: Sequence[str]) -> dict[str, str]:
    """The titles of those projects that are known."""
    found = select(ProjectRow.project_id, ProjectRow.title).where(col(ProjectRow.project_id).in_(project_ids))
    return dict((await session.exec(found)).all())


async def organisation(session: AsyncSession, organisation: str) -> str | None:
    """The title of an organisation."""
    row = await session.get(OrganisationRow, organisation)
    return row.title if row else None


async def add_mail(
    session: AsyncSession,
    mail_id: UUID,
    addressee: Addressee,
    occasion: Occasion,
    letter: Letter,
    queued_at: datetime,
    origin: Origin,
) -> None:
    """Queue a mail; one that is known changes nothing."""
    row = {
        "mail_id": mail_id,
        "holder": addressee.holder,
        "role": addressee.role,
        "locale": addressee.locale,
        "occasion": occasion,
        "subject": letter.subject,
        "body": letter.body,
        "state": "queued",
        "attempts": 0,
        "queued_at": queued_at,
        "next_attempt_at": queued_at,
        "queued_event_id": origin.event_id,
        "correlationid": origin.correlationid,
        "traceparent": origin.traceparent,
    }
    await session.exec(insert(MailRow).values(row).on_conflict_do_nothing())


async def next_due(session: AsyncSession, now: datetime) -> Mail | None:
    """The mail that is due for the longest time, locked; one that another replica holds is passed over."""
    due = select(MailRow).where(MailRow.state == "queued", MailRow.next_attempt_at <= now)
    statement = due.order_by(col(MailRow.next_attempt_at), col(MailRow.mail_id)).limit(1)
    row = (await session.exec(statement.with_for_update(skip_locked=True))).first()
    return _mail(row) if row else None


async def save_progress(session: AsyncSession, mail_id: UUID, progress: Progress, now: datetime) -> None:
    """Write how far a mail has come."""
    row = await session.get_one(MailRow, mail_id)
    row.state, row.attempts, row.code = progress.state, progress.attempts, progress.code
    row.next_attempt_at = progress.next_attempt_at
    row.ended_at = None if progress.state == "queued" else now
    session.add(row)


async def mails(session: AsyncSession, state: MailState | None, newest: int) -> Sequence[MailLine]:
    """The newest mails, the newest first."""
    statement = select(MailRow).order_by(col(MailRow.queued_at).desc(), col(MailRow.mail_id)).limit(newest)
    if state is not None:
        statement = statement.where(MailRow.state == state)
    return [_line(row) for row in await session.exec(statement)]


def _recipient(row: RecipientRow) -> Recipient:
    return Recipient(row.holder, frozenset(row.roles), _locale(row.locale))


def _locale(said: str) -> Locale:
    return "en" if said == "en" else "de"


def _mail(row: MailRow) -> Mail:
    return Mail(
        mail_id=row.mail_id,
        holder=row.holder,
        locale=_locale(row.locale),
        letter=Letter(row.subject, row.body),
        attempts=row.attempts,
        queued_at=row.queued_at,
        origin=Origin(row.queued_event_id, row.correlationid, row.traceparent),
    )


def _line(row: MailRow) -> MailLine:
    names = [name for name in MailLine.__dataclass_fields__ if name != "next_attempt_at"]
    waits = row.next_attempt_at if row.state == "queued" else None
    return MailLine(**{name: getattr(row, name) for name in names}, next_attempt_at=waits)
