"""The handler that one writes first: FastStream on NATS, one SQLModel session a message, commit, acknowledge.

It knows the model of its messages and nothing else: no dedup, no registry, no units, no ledger.
"""

import os
import sys
from datetime import datetime

import uvloop
from faststream import FastStream
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.security import SASLPlaintext
from sqlalchemy import DateTime
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession
from tests.bench.plain import Reading


class NaiveReading(SQLModel, table=True):
    """One number."""

    __tablename__ = "naive_reading"

    id: int | None = Field(default=None, primary_key=True)
    device: str
    property: str
    phenomenon_time: datetime = Field(sa_type=DateTime(timezone=True))
    value: float
    unit: str


async def main(url: str, stream: str, durable: str, host: str, name: str) -> None:
    """Empty a durable into a table, for ever."""
    login = SASLPlaintext(username=os.environ["BENCH_USER"], password=os.environ["BENCH_PASSWORD"])
    broker = NatsBroker(url, security=login, logger=None)
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/{name}?host={host}")
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)

    @broker.subscriber("ingest.>", stream=JStream(stream, declare=False), durable=durable, pull_sub=PullSub())
    async def store(reading: Reading) -> None:
        async with AsyncSession(engine) as session:
            for result in reading.results:
                session.add(
                    NaiveReading(
                        device=reading.device,
                        property=result.property,
                        phenomenon_time=reading.phenomenon_time,
                        value=result.value,
                        unit=result.unit,
                    )
                )
            await session.commit()

    await FastStream(broker).run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
