"""The relay outlives its database: whatever asyncpg raises while the server is killed, it connects again."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from oker_bus import relay
from oker_bus.edge import is_outage

KILLED = [
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
]


@pytest.mark.parametrize("error", KILLED, ids=lambda error: type(error).__name__)
async def test_a_relay_whose_database_is_killed_connects_again(monkeypatch: Any, error: Exception) -> None:
    errors, came_back = iter([error]), asyncio.Event()

    async def lose_connection(*_: Any) -> None:
        for lost in errors:
            raise lost
        came_back.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(relay, "_relay_on_one_connection", lose_connection)
    monkeypatch.setattr(relay, "SWEEP_SECONDS", 0.0)
    task = asyncio.create_task(relay.relay("", None, lambda: True))  # type: ignore[arg-type]
    done, _ = await asyncio.wait([task, asyncio.create_task(came_back.wait())], return_when="FIRST_COMPLETED")
    task.cancel()

    assert task not in done


@pytest.mark.parametrize(
    "error", [e for e in KILLED if not isinstance(e, TimeoutError)], ids=lambda e: type(e).__name__
)
def test_what_a_killed_database_raises_is_no_fault_of_the_message(error: Exception) -> None:
    assert is_outage(error)
    assert is_outage(DBAPIError("", {}, error))
