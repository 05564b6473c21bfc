"""Ideas of citizens and staff: taken without a name, kept until somebody has looked at them (S4.2-5)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Literal

from project_registry.domain.proposals import Fault

MOST_WAITING = 1000
"""Ideas that may wait at one time; more are not taken until somebody has moderated some."""
MARKUP = re.compile(r"<[A-Za-z!/?]")
ID_DIGITS = 16

IdeaState = Literal["waiting", "accepted", "declined"]


@dataclass(frozen=True, slots=True)
class Idea:
    """An idea. ``title``, ``text`` and ``contact`` are empty once it is moderated; ``receipt`` is a digest."""

    idea: str
    receipt: str
    state: IdeaState
    language: Literal["de", "en"]
    received_at: datetime
    title: str = ""
    text: str = ""
    fields_of_action: tuple[str, ...] = ()
    contact: str = ""
    moderated_at: datetime | None = None
    moderated_by: str | None = None
    reason: str = ""
    project_id: str | None = None


def receipt_digest(receipt: str) -> str:
    """What is kept of a receipt: who reads the table cannot ask in the author's name."""
    return sha256(f"idea\x00{receipt}".encode()).hexdigest()


def idea_id(digest: str) -> str:
    """The public name of an idea; it says nothing of the receipt."""
    return f"idea-{sha256(digest.encode()).hexdigest()[:ID_DIGITS]}"


def idea_faults(title: str, text: str, contact: str) -> list[Fault]:
    """Control characters and markup, which an idea has no use for."""
    faults = []
    for path, said, allowed in (("$.title", title, ""), ("$.text", text, "\t\n\r"), ("$.contact", contact, "")):
        if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in allowed for sign in said):
            faults.append(Fault(path, "The text has control characters; leave them out."))
        elif MARKUP.search(said):
            faults.append(Fault(path, "The text has HTML tags; write plain text."))
        elif path != "$.contact" and not said.strip():
            faults.append(Fault(path, "The text is empty."))
    return faults


def moderate(
    idea: Idea, outcome: Literal["accepted", "declined"], by: str, at: datetime, reason: str, project_id: str | None
) -> Idea:
    """The idea once it is moderated: what its author wrote is gone."""
    return replace(
        idea,
        state=outcome,
        title="",
        text="",
        fields_of_action=(),
        contact="",
        moderated_by=by,
        moderated_at=at,
        reason=reason,
        project_id=project_id,
    )


def free_project_id(wanted: str, taken: Sequence[str] | set[str], idea: str) -> str:
    """The project id that an idea gets where nobody names one: of its title, else of the idea."""
    return wanted if wanted and wanted not in taken else idea
