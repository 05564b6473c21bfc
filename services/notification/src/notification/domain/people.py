"""Who is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Locale = Literal["de", "en"]
Role = Literal["cdo", "unit", "board", "officer", "dezernent"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A role holder who can be told; the address is not known here."""

    holder: str
    roles: frozenset[str]
    locale: Locale


@dataclass(frozen=True, slots=True)
class Addressee:
    """One who is told, and the role that is the reason."""

    holder: str
    role: Role
    locale: Locale


def for_decision(recipients: Iterable[Recipient]) -> list[Addressee]:
    """The CDO and the board, each once."""
    return _by_role(recipients, ("cdo", "board"))


def for_gap(recipients: Iterable[Recipient]) -> list[Addressee]:
    """The Dezernentensitzung and the CDO, each once (strategy, 5.2)."""
    return _by_role(recipients, ("cdo", "dezernent"))


def for_kpi(recipients: Sequence[Recipient], officer: str | None) -> list[Addressee]:
    """The CDO and the officer of the project, each once.

    Where the officer is not known, or has left no address, the unit stands in.
    """
    named = [Addressee(r.holder, "officer", r.locale) for r in recipients if r.holder == officer]
    chosen = _by_role(recipients, ("cdo",) if named else ("cdo", "unit"))
    told = {addressee.holder for addressee in chosen}
    return chosen + [addressee for addressee in named if addressee.holder not in told]


def _by_role(recipients: Iterable[Recipient], roles: Sequence[Role]) -> list[Addressee]:
    """Everyone who holds one of the roles; the first of them that fits is the reason."""
    chosen = []
    for recipient in recipients:
        held = [role for role in roles if role in recipient.roles]
        if held:
            chosen.append(Addressee(recipient.holder, held[0], recipient.locale))
    return chosen
