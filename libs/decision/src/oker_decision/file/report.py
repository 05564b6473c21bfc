"""What was found in a decision file, in words and figures."""

from collections.abc import Iterator

from oker_decision.file import Figures, Verified
from oker_decision.scoring import ASSESSMENTS

MOST_LISTED = 20


def told(found: Verified) -> Iterator[str]:
    """The lines of a report: the faults, or what was verified. Signs that steer a terminal are shown as ``?``."""
    for line in _faults(found) if found.figures is None else _figures(found.figures):
        yield printable(line)


def printable(line: str) -> str:
    """The line without signs that steer a terminal or turn the direction of writing."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def _faults(found: Verified) -> Iterator[str]:
    yield from (str(fault) for fault in found.faults)
    count = len(found.faults)
    yield f"NOT VERIFIED: {count} place{'' if count == 1 else 's'} where the file does not hold."


def _figures(said: Figures) -> Iterator[str]:
    yield f"round        {said.round_id}, {said.title} (procedure {said.procedure})"
    yield f"candidates   {said.candidates}"
    for voice in sorted(said.given, key=lambda name: (name != ASSESSMENTS, name != "board", name)):
        name = "assessments " if voice == ASSESSMENTS else f"ballots      {voice}:"
        yield f"{name} {said.given[voice]} given, {said.counted.get(voice, 0)} counted"
    yield f"replaced     {said.replaced} by a later version"
    others = f", {said.declared_by_others} of them declared by somebody else" if said.declared_by_others else ""
    yield f"recusals     {said.recusals}{others}"
    yield from _not_counted(said)
    yield f"quorum       {said.quorum}, complete members {said.complete_voters}"
    outcome = f"{said.selected} selected, {said.deferred} deferred, {said.overrides} otherwise than computed"
    yield f"decision     {outcome}"
    yield f"log          {said.log_entries} entries, none missing"
    yield from (f"note         {note}" for note in said.notes)
    yield f"round hash   {said.frozen_sha256}"
    yield f"result hash  {said.result_sha256}"
    yield f"log hash     {said.log_sha256}"
    yield "VERIFIED: computed again, the ranking is the same line by line, and so are the hashes."


def _not_counted(said: Figures) -> Iterator[str]:
    total = sum(said.not_counted.values())
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(said.not_counted.items()))
    yield f"not counted  {total}{f' ({reasons})' if total else ''}"
    for line, reason in said.examples[:MOST_LISTED]:
        yield f"             line {line}: {reason}"
    if total > MOST_LISTED:
        yield f"             and {total - MOST_LISTED} more"
