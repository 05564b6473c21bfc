"""The HTTP side: who can be told, and how far the mails have come."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import structlog
from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from notification import store
from notification.domain import Locale, MailState, Occasion, Recipient, Role
from notification.store import Contact
from oker_bus import Bus
from oker_contracts.base import HolderId
from oker_identity import require

log = structlog.get_logger()
UNIT = Depends(require("unit"))
NEWEST_MAILS = 500


def deliverable(said: str) -> str:
    """An address in the plain form of RFC 5321, its domain in ASCII; nothing is looked up.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        found = validate_email(said, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.ascii_email or found.normalized


def printable(said: str) -> str:
    """Refuse control characters: a name stands in a header."""
    if not said.isprintable():
        raise ValueError("holds control characters; use one line of plain text")
    return said


class RecipientSaid(BaseModel):
    """How a role holder is to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: frozenset[Role] = Field(min_length=1)
    address: Annotated[str, Field(max_length=254), AfterValidator(deliverable)]
    locale: Locale
    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printable)] | None = None


class RecipientShown(BaseModel):
    """A role holder who can be told; shown to the unit only, which keeps the list."""

    holder: str
    roles: list[str]
    address: str
    locale: Locale
    name: str | None


class MailShown(BaseModel):
    """How far a mail has come; says whom by the role holder's id, never by the address."""

    model_config = ConfigDict(from_attributes=True)

    mail_id: UUID = Field(description="The left side of the Message-ID.")
    holder: str
    role: str
    occasion: Occasion
    state: MailState
    attempts: int
    code: int | None = Field(description="The mail server's last reply; null: it said nothing.")
    queued_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


def build(bus: Bus) -> APIRouter:
    """All routes; every one is the unit's."""
    router = APIRouter(dependencies=[UNIT])

    @router.put("/recipients/{holder}")
    async def save_recipient(holder: HolderId, said: RecipientSaid) -> RecipientShown:
        """Write how a role holder is told; the same again changes nothing."""
        recipient, contact = Recipient(holder, said.roles, said.locale), Contact(said.address, said.name)
        async with bus.transaction() as tx:
            await store.save_recipient(tx.session, recipient, contact, tx.now)
        log.info("recipient.saved", holder=holder, roles=sorted(said.roles), locale=said.locale)
        return _shown(recipient, contact)

    @router.get("/recipients")
    async def read_recipients() -> list[RecipientShown]:
        """Everyone who can be told."""
        async with bus.sessions() as session:
            return [_shown(*found) for found in await store.recipients_with_contacts(session)]

    @router.delete("/recipients/{holder}", status_code=204)
    async def erase_recipient(holder: HolderId) -> Response:
        """Erase a person: address and name are gone, mails that wait are not sent."""
        async with bus.transaction() as tx:
            erased = await store.erase_recipient(tx.session, holder, tx.now)
        if not erased:
            raise HTTPException(404, f"There is no recipient {holder}.")
        log.info("recipient.erased", holder=holder)
        return Response(status_code=204)

    @router.get("/mails")
    async def read_mails(state: MailState | None = None) -> list[MailShown]:
        """The newest mails, the newest first."""
        async with bus.sessions() as session:
            found = await store.mails(session, state, NEWEST_MAILS)
        return [MailShown.model_validate(line) for line in found]

    return router


def _shown(recipient: Recipient, contact: Contact) -> RecipientShown:
    return RecipientShown(
        holder=recipient.holder,
        roles=sorted(recipient.roles),
        address=contact.address,
        locale=recipient.locale,
        name=contact.name,
    )
