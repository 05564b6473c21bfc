"""What companies propose, and the ids of projects."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

LONGEST_ID = 63
DIGEST = 8
GERMAN = {ord(sign): f"{plain}e" for sign, plain in zip("äöü", "aou", strict=True)} | {ord("ß"): "ss"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a company proposed; ``name`` is the company's own name of it."""

    project_id: str
    partner: str
    name: str
    title: str
    summary: str
    fields_of_action: tuple[str, ...]
    goals: tuple[str, ...]
    received_at: datetime
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something cannot be accepted as it stands, and where in it."""

    path: str
    sentence: str


def proposal_id(partner: str, name: str, taken: Collection[str]) -> str:
    """The project id of a proposal: ``<partner>-<name>``, 63 characters at most.

    Where that is too long or already the id of something else (company ``a-b`` with ``c``, company ``a`` with
    ``b-c``), it ends with a digest of both parts instead, so that no company can take another's place.
    """
    plain = f"{partner}-{name}"
    if len(plain) <= LONGEST_ID and plain not in taken:
        return plain
    digest = sha256(f"{partner}\x00{name}".encode()).hexdigest()[:DIGEST]
    return f"{plain[: LONGEST_ID - DIGEST - 1].rstrip('-')}-{digest}"


def slug(title: str) -> str:
    """The id that a title gives: lower case ASCII, cut after a whole word where it is longer than 63 characters.

    Empty if there is no letter and no digit of ASCII in the title.
    """
    plain = unicodedata.normalize("NFKD", title.lower().translate(GERMAN)).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(words) <= LONGEST_ID:
        return words
    return words[: LONGEST_ID + 1].rpartition("-")[0] or words[:LONGEST_ID]


def unknown_reference(proposal: Proposal, fields: Collection[str], goals: Collection[str]) -> Fault | None:
    """The first field of action or goal that the catalogue (``fields``, ``goals``) does not have."""
    for index, field in enumerate(proposal.fields_of_action):
        if field not in fields:
            return Fault(f"$.fields_of_action[{index}]", "The catalogue has no such field of action.")
    for index, goal in enumerate(proposal.goals):
        if goal not in goals:
            return Fault(f"$.goals[{index}]", "The catalogue has no such strategic goal.")
    return None


def unreadable_text(proposal: Proposal) -> Fault | None:
    """A title or summary with control characters; a table cannot hold U+0000, no list can show the rest."""
    for path, said, allowed in (("$.title", proposal.title, ""), ("$.summary", proposal.summary, "\t\n\r")):
        if any(unicodedata.category(sign) == "Cc" and sign not in allowed for sign in said):
            return Fault(path, "The text has control characters.")
    return None


def same_proposal(proposal: Proposal, known: Proposal) -> bool:
    """Whether both say the same, whenever they were received and whatever became of them."""
    return proposal == replace(
        known,
        project_id=proposal.project_id,
        received_at=proposal.received_at,
        accepted_at=proposal.accepted_at,
    )
