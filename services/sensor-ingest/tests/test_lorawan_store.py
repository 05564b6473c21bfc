"""What is kept of LoRaWAN devices, and the report made from it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from builders_sensor_ingest import EUI, NOON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.edge import Sessions
from oker_bus.store import run
from oker_testkit.bus import eventually
from sensor_ingest.lorawan import NetworkEvent, radio
from sensor_ingest.store import lorawan as kept

ROWS = "SELECT hardware, time, id, kind, session, f_cnt, f_port, payload, state FROM lorawan_event WHERE partner = :p"
SINCE, UNTIL = NOON - timedelta(days=7), NOON
companies = count()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a database that no service works on."""
    engine = create_async_engine(database_url)
    yield async_sessionmaker(engine, class_=AsyncSession)
    await engine.dispose()


def an_event(
    minute: float,
    f_cnt: int | None = None,
    *,
    kind: Any = "up",
    session: str | None = "s-1",
    hardware: str = EUI,
    id: str = "",
    state: dict[str, Any] | None = None,
) -> NetworkEvent:
    """Minutes count from two hours before noon."""
    time = NOON - timedelta(hours=2) + timedelta(minutes=minute)
    return NetworkEvent(
        hardware=hardware,
        kind=kind,
        id=id or f"{kind}-{time.isoformat()}-{f_cnt}-{session}",
        time=time,
        session=session,
        f_cnt=f_cnt,
        f_port=None if f_cnt is None else 2,
        payload=None if f_cnt is None else b"\x01\x67\x00\xe1",
        network_object=None,
        state=state or {},
        network="chirpstack",
    )


async def save(session: AsyncSession, partner: str, events: Sequence[NetworkEvent], now: datetime = NOON) -> int:
    """How many were new."""
    return len(await kept.save_events(await raw_of(session), [(partner, event) for event in events], now))


async def raw_of(session: AsyncSession) -> Any:
    """The connection of a session's transaction, as asyncpg has it."""
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT 1")
    return (await connection.get_raw_connection()).driver_connection


async def report(session: AsyncSession, partner: str = "stadtwerke", hardware: str = EUI) -> dict[str, Any]:
    """All that the report says of one device."""
    counts = (await kept.counts(session, partner, hardware, SINCE, UNTIL)).get(hardware)
    latest = (await kept.latest(session, partner, [hardware], SINCE, UNTIL)).get(hardware, {})
    steps = await kept.last_steps(session, partner, hardware, SINCE, UNTIL, 20)
    return radio.summary(counts, latest, 600, NOON) | radio.history(steps)


async def reported(database: Sessions, *events: NetworkEvent) -> dict[str, Any]:
    async with database() as session, session.begin():
        await save(session, "stadtwerke", events)
        return await report(session)


def of(said: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(said[name] for name in names)


async def test_an_event_is_kept_once_with_all_that_it_says(database: Sessions) -> None:
    event = an_event(0, 4, state={"rssi": -71.5})
    async with database() as session, session.begin():
        assert await save(session, "stadtwerke", [event, event]) == 1
        assert await save(session, "stadtwerke", [event]) == 0
        assert await save(session, "verkehr", [event]) == 1
        row = (await run(session, text(ROWS), {"p": "stadtwerke"})).one()

    assert tuple(row) == (EUI, event.time, event.id, "up", "s-1", 4, 2, event.payload, {"rssi": -71.5})


async def test_counters_without_a_gap_are_no_trouble(database: Sessions) -> None:
    said = await reported(database, *(an_event(minute, minute) for minute in range(115)))

    assert of(said, "uplinks", "missing", "resets", "rejoins", "duplicates") == (115, 0, 0, 0, 0)
    assert (said["last_f_cnt"], said["late"], said["troubles"]) == (114, False, [])


async def test_missing_counters_are_named_with_their_time(database: Sessions) -> None:
    said = await reported(database, an_event(0, 4), an_event(60, 5), an_event(119, 9))

    assert of(said, "gaps", "missing", "troubles") == (1, 3, ["frames_missing"])
    assert said["last_gaps"] == [
        {
            "from_f_cnt": 6,
            "to_f_cnt": 8,
            "missing": 3,
            "after": NOON - timedelta(hours=1),
            "before": NOON - timedelta(minutes=1),
        }
    ]


async def test_the_last_twenty_gaps_are_named_newest_first(database: Sessions) -> None:
    said = await reported(database, *(an_event(minute, 2 * minute) for minute in range(50)))

    assert of(said, "gaps", "missing") == (49, 49)
    assert [gap["from_f_cnt"] for gap in said["last_gaps"]] == list(range(97, 57, -2))


async def test_a_counter_of_16_bits_that_begins_again_is_no_reset(database: Sessions) -> None:
    said = await reported(database, an_event(0, 65534), an_event(1, 2), an_event(2, 3))

    assert of(said, "resets", "gaps", "missing") == (0, 1, 3)
    assert of(said["last_gaps"][0], "from_f_cnt", "to_f_cnt") == (65535, 1)


async def test_a_counter_that_falls_without_a_join_is_a_reset(database: Sessions) -> None:
    said = await reported(database, an_event(0, 400), an_event(1, 0), an_event(2, 1), an_event(3, 1))

    assert of(said, "resets", "rejoins", "missing", "duplicates") == (2, 0, 0, 0)
    assert "counter_reset" in said["troubles"]
    assert of(said["last_resets"][-1], "from_f_cnt", "to_f_cnt") == (400, 0)


@pytest.mark.parametrize(
    "after",
    [
        [an_event(2, 0, session="s-2")],
        [an_event(1, kind="join", session="s-2"), an_event(2, 0, session="s-2")],
        [an_event(1, kind="join", session="s-1"), an_event(2, 0)],
        [an_event(1, kind="join", session="s-1"), an_event(2, 399), an_event(3, 400)],
    ],
)
async def test_a_new_session_is_a_rejoin_and_no_reset(database: Sessions, after: list[NetworkEvent]) -> None:
    said = await reported(database, an_event(0, 400), *after)

    assert of(said, "resets", "rejoins", "missing") == (0, 1, 0)
    assert said["joins"] == len([event for event in after if event.kind == "join"])


async def test_a_join_that_the_device_did_not_hear_changes_nothing(database: Sessions) -> None:
    join = an_event(1, kind="join", session="s-2")
    said = await reported(database, an_event(0, 400), join, an_event(2, 401))

    assert of(said, "joins", "resets", "rejoins", "missing") == (1, 0, 0, 0)


async def test_a_frame_that_a_gateway_brings_late_is_a_duplicate(database: Sessions) -> None:
    said = await reported(database, an_event(0, 4), an_event(0.1, 4, id="again"), an_event(1, 5))

    assert of(said, "uplinks", "duplicates", "resets", "missing") == (2, 1, 0, 0)


async def test_battery_margin_and_signal_are_the_newest_that_were_said(database: Sessions) -> None:
    said = await reported(
        database,
        an_event(0, kind="status", session=None, state={"battery": 90.0, "margin": 8}),
        an_event(1, kind="status", session=None, state={"battery": 12.5, "margin": 7}),
        an_event(2, 4, state={"rssi": -71, "snr": 9.25, "gateways": 2, "spreading_factor": 7}),
        an_event(3, kind="log", session=None, state={"battery": 50}),
    )

    assert of(said, "battery", "margin", "external_power") == (12.5, 7, False)
    assert said["signal"] == {"rssi": -71, "snr": 9.25, "gateways": 2, "spreading_factor": 7}
    assert "battery_low" in said["troubles"]


@pytest.mark.parametrize(("minutes_ago", "late"), [(29, False), (31, True)])
async def test_a_device_is_late_after_three_expected_intervals(
    database: Sessions, minutes_ago: int, late: bool
) -> None:
    said = await reported(database, an_event(120 - minutes_ago, 4))

    assert said["late"] is late


def test_a_device_that_was_never_heard_is_late_where_something_is_expected() -> None:
    assert radio.summary(None, {}, 600, NOON)["troubles"] == ["late"]


@pytest.mark.parametrize(("minutes_ago", "late"), [(29, False), (31, True)])
def test_a_device_that_was_never_heard_is_late_three_intervals_after_it_was_declared(
    minutes_ago: int, late: bool
) -> None:
    assert radio.summary(None, {}, 600, NOON, NOON - timedelta(minutes=minutes_ago))["late"] is late
    assert radio.summary(None, {}, None, NOON)["troubles"] == []


async def test_the_devices_of_a_company_are_counted_apart(database: Sessions) -> None:
    async with database() as session, session.begin():
        await save(session, "stadtwerke", [an_event(0, 4), an_event(1, 6), an_event(0, 4, hardware="b")])
        await save(session, "stadtwerke", [an_event(1, 11, hardware="b")])
        await save(session, "verkehr", [an_event(0, 40), an_event(1, 60)])
        found = await kept.counts(session, "stadtwerke", None, SINCE, UNTIL)

        said = await report(session)

    assert {name: (row["uplinks"], row["missing"]) for name, row in found.items()} == {EUI: (2, 1), "b": (2, 6)}
    assert [gap["to_f_cnt"] for gap in said["last_gaps"]] == [5]


async def test_kept_uplinks_come_page_by_page_in_order(database: Sessions) -> None:
    events = [an_event(minute, minute) for minute in range(5)] + [an_event(1, 1, id="z"), an_event(0, kind="join")]
    async with database() as session, session.begin():
        await save(session, "stadtwerke", events)
        first = await kept.uplinks(session, "stadtwerke", EUI, (SINCE, ""), UNTIL, 4)
        rest = await kept.uplinks(session, "stadtwerke", EUI, (first[-1].time, first[-1].id), UNTIL, 4)
        none = await kept.uplinks(session, "verkehr", EUI, (SINCE, ""), UNTIL, 4)

    assert [u.id for u in first + rest] == [e.id for e in sorted(events[:6], key=lambda e: (e.time, e.id))]
    assert none == []


# any order, duplication and delay


SPOKEN = st.lists(
    st.tuples(
        st.sampled_from(["up", "up", "up", "join"]),
        st.integers(0, 118 * 6).map(lambda steps: steps / 6),
        st.sampled_from([0, 1, 2, 3, 4, 7, 400, 65534, 65535, 65536]),
        st.sampled_from(["s-1", "s-1", "s-2"]),
    ),
    min_size=1,
    max_size=25,
).map(
    lambda said: [
        an_event(minute, f_cnt if kind == "up" else None, kind=kind, session=session, id=f"{number:02}")
        for number, (kind, minute, f_cnt, session) in enumerate(said)
    ]
)


def counted(events: Sequence[NetworkEvent]) -> dict[str, int]:
    """The rules said once more, in the plainest way: what the query is held against."""
    found: Counter[str] = Counter()
    frames: dict[tuple[str | None, int | None], datetime] = {}
    before: NetworkEvent | None = None
    joined = False
    for event in sorted(events, key=lambda e: (e.time, -1 if e.f_cnt is None else e.f_cnt, e.id)):
        if event.kind == "join":
            found["joins"] += 1
            joined = True
            continue
        heard = frames.get((event.session, event.f_cnt))
        frames[event.session, event.f_cnt] = event.time
        if heard is not None and event.time - heard < timedelta(seconds=30):
            found["duplicates"] += 1
            continue
        found["uplinks"] += 1
        if before is not None:
            found.update(step_of(before, event, joined))
        before, joined = event, False
    return dict(found)


def step_of(before: NetworkEvent, event: NetworkEvent, joined: bool) -> dict[str, int]:
    old, new = before.f_cnt or 0, event.f_cnt or 0
    if event.session != before.session or (joined and new <= old):
        return {"rejoins": 1}
    missing = new - old - 1 if new > old else new + 65_535 - old if old < 65_536 and old - new > 49_152 else None
    if missing is None:
        return {"resets": 1}
    return {"gaps": 1, "missing": missing} if missing else {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SPOKEN, st.randoms(use_true_random=False))
async def test_any_order_duplication_and_delay_end_in_the_same_rows_and_the_same_report(
    database: Sessions, events: list[NetworkEvent], chance: Any
) -> None:
    """One company hears all in order and at once, the other in pieces, twice, and in any order."""
    straight, twisted = f"straight-{next(companies)}", f"twisted-{next(companies)}"
    arriving = events + chance.sample(events, chance.randint(0, len(events)))
    chance.shuffle(arriving)
    async with database() as session, session.begin():
        await save(session, straight, events)
        while arriving:
            size = chance.randint(1, len(arriving))
            piece, arriving = arriving[:size], arriving[size:]
            await save(session, twisted, piece, NOON + timedelta(minutes=len(arriving)))
        rows = [sorted(await run(session, text(ROWS), {"p": partner})) for partner in (straight, twisted)]
        reports = [await report(session, partner) for partner in (straight, twisted)]

    assert rows[0] == rows[1]
    assert len(rows[0]) == len(events)
    assert reports[0] == reports[1]
    names = ("uplinks", "duplicates", "joins", "gaps", "missing", "resets", "rejoins")
    assert {name: reports[0][name] for name in names if reports[0][name]} == {
        name: number for name, number in counted(events).items() if number
    }


async def test_a_batch_does_not_read_the_whole_table(database: Sessions) -> None:
    said = "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relname = 'lorawan_event'"
    async with database() as session, session.begin():
        for start in range(0, 200, 20):
            await save(session, "stadtwerke", [an_event(start / 20, number) for number in range(start, start + 20)])
        assert (await run(session, text(said))).scalar_one() == 0


async def test_of_two_copies_without_a_time_the_later_one_waits_for_the_first(database: Sessions) -> None:
    """Otherwise neither would see the other, and each would be a reading."""
    first, again = an_event(0, 4, id="timeless"), an_event(1, 4, id="timeless")
    asked = [("stadtwerke", again.hardware, again.time, again.id)]
    async with database() as one, database() as other, database() as observer:
        assert await kept.first_times(await raw_of(one), asked, timedelta(days=1)) == {}
        await save(one, "stadtwerke", [first])
        raw = await raw_of(other)
        looking = asyncio.create_task(kept.first_times(raw, asked, timedelta(days=1)))

        async def waits_or_has_looked() -> bool:
            query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return looking.done() or bool((await run(observer, query)).scalar_one())

        await eventually(waits_or_has_looked, "the second copy looks, or waits")
        await one.commit()

        assert await looking == {("stadtwerke", EUI, "timeless"): first.time}


async def test_what_was_heard_long_before_is_not_the_same(database: Sessions) -> None:
    async with database() as session:
        await save(session, "stadtwerke", [an_event(0, 4, id="timeless")])
        asked = [("stadtwerke", EUI, NOON + timedelta(hours=hours), "timeless") for hours in (23, 21)]

        found = [await kept.first_times(await raw_of(session), [key], timedelta(days=1)) for key in asked]

        assert [len(times) for times in found] == [0, 1]
