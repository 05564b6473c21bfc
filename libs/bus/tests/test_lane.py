"""How much the lane takes at once."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oker_bus import lane
from oker_bus.edge import Delivery

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def pulls(sizes: list[int]) -> Any:
    """What waits, message by message."""
    nats = type("Nats", (), {"new_inbox": lambda self: "_INBOX.x"})()
    waiting = lane._Pulls("sensor-ingest-claims", 5, nats)
    for sequence, size in enumerate(sizes, start=1):
        reply = f"$JS.ACK.IN_verkehr.sensor-ingest-claims.1.{sequence}.{sequence}.{NOON.timestamp() * 1e9:.0f}.0"
        waiting.take(b"ingest.verkehr.sensor.x.v1", reply.encode(), b"x" * size, b"")
    return waiting


def taken(waiting: Any) -> list[list[Delivery]]:
    batches = []
    while waiting.waiting:
        batches.append(waiting.take_batch())
    return batches


@given(st.lists(st.sampled_from([1, lane.BATCH_BYTES // 3, lane.BATCH_BYTES, lane.BATCH_BYTES + 1]), max_size=12))
def test_a_batch_is_bounded_by_messages_and_by_bytes_and_takes_all_in_their_order(sizes: list[int]) -> None:
    """A message that is larger than a batch is taken alone."""
    waiting = pulls(sizes)

    batches = taken(waiting)

    assert [d.sequence for batch in batches for d in batch] == list(range(1, len(sizes) + 1))
    for batch in batches:
        assert 1 <= len(batch) <= 5
        assert len(batch) == 1 or sum(len(d.body) for d in batch) <= lane.BATCH_BYTES
    assert waiting.size == 0


def test_a_batch_waits_for_no_more_once_it_has_its_bytes() -> None:
    assert not pulls([1, 1]).has_batch
    assert pulls([1] * 5).has_batch
    assert pulls([lane.BATCH_BYTES]).has_batch
