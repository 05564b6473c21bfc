"""A Projektsteckbrief as a page for browsers (WCAG 2.2): nothing is loaded, nothing runs."""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from project_registry.rendering.sheet import Sheet


def page(sheet: Sheet) -> str:
    """The page."""
    return _template().render(sheet=sheet, style=Markup(_style()))  # noqa: S704


def policy() -> str:
    """The Content-Security-Policy of the page: its own style, known by its digest, and nothing else."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    ends = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"default-src 'none'; style-src 'sha256-{digest}'; {ends}"


def _read(name: str) -> str:
    return files("project_registry.rendering").joinpath("templates", name).read_text("utf-8")


@lru_cache(maxsize=1)
def _style() -> str:
    return _read("profile.css")


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_read("profile.html"))
