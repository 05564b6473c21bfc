"""Projects from a file, CSV or Excel: each row judged on its own (docs/import-projects.md)."""

from project_registry.importing.cells import Names, name_key
from project_registry.importing.judging import Known, Planned, Result, judge, project_id_of, told
from project_registry.importing.sheets import MAX_BYTES, MAX_ROWS, Row, guarded, read_file
from project_registry.importing.templates import Language, template_csv, template_xlsx

__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "Known",
    "Language",
    "Names",
    "Planned",
    "Result",
    "Row",
    "guarded",
    "judge",
    "name_key",
    "project_id_of",
    "read_file",
    "template_csv",
    "template_xlsx",
    "told",
]
