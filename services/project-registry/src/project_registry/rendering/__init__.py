"""A project as people read it: HTML, PDF, CSV, GeoJSON."""

from project_registry.rendering.html import page, policy
from project_registry.rendering.pdf import document, pictures
from project_registry.rendering.sheet import Sheet, Titles, sheet
from project_registry.rendering.tables import FEATURES, csv_header, csv_lines, feature
from project_registry.rendering.words import Language

__all__ = [
    "FEATURES",
    "Language",
    "Sheet",
    "Titles",
    "csv_header",
    "csv_lines",
    "document",
    "feature",
    "page",
    "pictures",
    "policy",
    "sheet",
]
