"""Facts that carry a link stand in the decision log as well."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.store import log

Fold = Callable[[AsyncSession, Any], Awaitable[None]]


def logged(fold: Fold) -> Fold:
    """The same, and the entry in the log if the fact has a link."""

    async def both(session: AsyncSession, fact: Any) -> None:
        await fold(session, fact)
        link = getattr(fact, "log", None)
        if link is not None:
            data = fact.model_dump(mode="json", exclude={"log"})
            await log.append(session, {"type": fact.TYPE, "data": data, **link.model_dump()})

    return both
