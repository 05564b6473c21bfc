"""What the tables of this service share."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


class Base(SQLModel, registry=registry()):
    """The tables of this service and of no other."""


metadata = Base.metadata
Session = AsyncSession
"""What those hold in their hands who speak no SQL."""
