"""Who may hold a token."""

from dataclasses import dataclass

ROLES = frozenset({"advisory_board", "auditor", "board", "cdo", "dezernent", "forum", "officer", "partner", "unit"})
"""``cdo`` leads board and forum, ``board`` decides, ``unit`` is the Organisationseinheit Smart City,
``officer`` the Smart-City-Beauftragter of a department, ``auditor`` reads everything, ``partner`` speaks for
one company."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A role holder as the token names it: an id, never a person's name."""

    id: str
    roles: frozenset[str]
    partner: str | None = None
    """The company the holder speaks for."""
