"""What every script beside Oker does with a reading: validate it with Pydantic, store it once, by the batch."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel

BATCH = 500
"""Readings a statement."""
LINGER_SECONDS = 0.01
COLUMNS = """
  device text, property text, phenomenon_time timestamptz, value float8, unit text, event_id text,
  PRIMARY KEY (device, property, phenomenon_time)
"""
INSERT = """
INSERT INTO {table} (device, property, phenomenon_time, value, unit, event_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::float8[], $5::text[], $6::text[])
ON CONFLICT DO NOTHING
"""
Row = tuple[str, str, datetime, float, str, str]


class Result(BaseModel):
    """One number."""

    property: str
    value: float
    unit: str


class Reading(BaseModel):
    """What is validated. The peers have no headers to carry the id: it stands in the body."""

    device: str
    phenomenon_time: AwareDatetime
    results: list[Result]
    id: str = ""


def rows(body: bytes | bytearray, id: str | None = None) -> list[Row]:
    """One message, its rows.

    Args:
        id: the id of the event; the one in the body if it is left out.
    """
    said = Reading.model_validate_json(body)
    event = id or said.id
    return [(said.device, r.property, said.phenomenon_time, r.value, r.unit, event) for r in said.results]
