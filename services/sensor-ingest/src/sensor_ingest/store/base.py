"""The registry of sensor-ingest's own tables."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Base(SQLModel, registry=registry()):
    """sensor-ingest keeps a registry of its own."""


metadata = Base.metadata
