"""A Projektsteckbrief as a tagged PDF (PDF/UA-1, ISO 14289-1), set by Typst.

What people wrote reaches the template as data and is never read as markup. The template opens no file and loads
nothing.
"""

import json
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

import typst

from project_registry.rendering.sheet import Sheet


def document(sheet: Sheet, made_at: datetime) -> bytes:
    """The file.

    PDF/UA demands a glyph for every sign. Where the fonts at hand lack one, the file is tagged all the same and does
    not claim the standard; a picture of the missing sign stands in its place.

    Args:
        made_at: stands in the file, so that the same version gives the same bytes.
    """
    said = {"sheet": json.dumps(asdict(sheet))}
    try:
        return _compile(said, made_at, claim=True)
    except typst.TypstError:
        return _compile(said, made_at, claim=False)


def pictures(sheet: Sheet) -> list[bytes]:
    """The same pages as PNG, to be looked at."""
    compiler = typst.Compiler(_template(), font_paths=_fonts(), sys_inputs={"sheet": json.dumps(asdict(sheet))})
    made = compiler.compile(format="png", ppi=90.0)
    return made if isinstance(made, list) else [made or b""]


def _compile(said: dict[str, str], made_at: datetime, *, claim: bool) -> bytes:
    compiler = typst.Compiler(_template(), font_paths=_fonts(), sys_inputs=said)
    made = compiler.compile(format="pdf", pdf_standards=["ua-1"] if claim else [], timestamp=int(made_at.timestamp()))
    if not isinstance(made, bytes):
        raise TypeError("Typst gives a PDF as bytes.")
    return made


@lru_cache(maxsize=1)
def _template() -> bytes:
    return files("project_registry.rendering").joinpath("templates", "profile.typ").read_bytes()


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    """Fonts of the machine too, for signs that those inside of Typst lack; looked for once."""
    return typst.Fonts(include_system_fonts=True)
