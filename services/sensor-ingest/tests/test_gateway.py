"""From subjects to topics, and from MQTT messages to claims."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import reader
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from sensor_ingest import gateway

AT = datetime(2026, 1, 15, 12, 0, 0, 123456, tzinfo=UTC)
topics = st.text(alphabet="ab./ä", min_size=1, max_size=12)
plain_topics = st.lists(st.text(string.ascii_letters + string.digits + "-_", min_size=1), min_size=1).map("/".join)


def subject_of(topic: str) -> str:
    """What nats-server 2.15 makes of a topic: ``mqttToNATSSubjectConversion`` in its server/mqtt.go, in Python."""
    said: list[str] = []
    for position, sign in enumerate(topic):
        if sign == ".":
            said.append("//")
        elif sign == "/":
            if position == 0 or said[-1].endswith("."):
                said.append("/")
            last = position == len(topic) - 1
            said.append("./" if last or topic[position + 1] == "/" else ".")
        else:
            said.append(sign)
    return "".join(said)


@given(topics)
def test_every_topic_comes_back_from_its_subject(topic: str) -> None:
    assert gateway.topic_of(subject_of(topic)) == topic


@given(plain_topics)
def test_levels_are_tokens(topic: str) -> None:
    assert gateway.topic_of(topic.replace("/", ".")) == topic


@pytest.mark.parametrize(
    ("topic", "subject"),
    [
        ("application/1/device/70b3/event/up", "application.1.device.70b3.event.up"),
        ("/a", "/.a"),
        ("a/", "a./"),
        ("a//b", "a./.b"),
        ("a.b/c", "a//b.c"),
    ],
)
def test_topics_are_mapped_as_the_server_s_documentation_says(topic: str, subject: str) -> None:
    assert subject_of(topic) == subject
    assert gateway.topic_of(subject) == topic


@given(st.binary(max_size=300))
def test_a_message_becomes_a_claim_with_its_bytes(payload: bytes) -> None:
    claim = gateway.claim_of("stadtwerke", "$MQTT.msgs.a.b", payload, 7, AT)

    said = reader().event(claim, AT).data
    assert said == MqttMessageReceivedV1.model_construct(topic="a/b", payload=payload, received_at=AT)
    assert (claim.source, claim.id) == ("/oker/mqtt/stadtwerke", f"7-{int(AT.timestamp() * 1e6)}")


def test_the_largest_message_fits_and_a_larger_one_is_cut() -> None:
    for length in (gateway.MAX_PAYLOAD, gateway.MAX_PAYLOAD + 1, 1_048_576):
        claim = gateway.claim_of("stadtwerke", "$MQTT.msgs." + "ä" * 3_000, b"x" * length, 1, AT)

        kept = reader().data(reader().entry(claim.type), claim.data)
        assert isinstance(kept, MqttMessageReceivedV1)
        assert len(kept.payload) == min(length, gateway.MAX_PAYLOAD)
        assert len(kept.topic) == gateway.MAX_TOPIC
        assert len(claim.data) < 900_000


def test_a_stream_that_was_made_anew_gives_new_ids() -> None:
    first = gateway.claim_of("stadtwerke", "$MQTT.msgs.a", b"1", 1, AT)
    later = gateway.claim_of("stadtwerke", "$MQTT.msgs.a", b"1", 1, AT.replace(year=2027))

    assert first.id != later.id
