"""From a stored message to what the trail needs: real envelopes, hostile ones, and no word about persons."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.js.api import RawStreamMsg

from oker_cli.told import told
from oker_cli.trail import Place
from oker_cli.what import MOST, printable
from oker_contracts import TYPE_PREFIX, Contract, Envelope, catalog
from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v1 import Observation, ObservationsRecordedV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def stored(subject: str, body: bytes, headers: dict[str, str] | None, sequence: int = 1) -> Any:
    return RawStreamMsg(subject=subject, seq=sequence, data=body, headers=headers, time=NOW)


def said(data: Contract, *, partner: str | None = None, id: str = "e-1", causationid: str | None = None) -> Any:
    """A message as a company or a service publishes it."""
    body = data.model_dump_json().encode()
    envelope = Envelope(id, "/source", TYPE_PREFIX + data.TYPE, NOW, body, causationid=causationid)
    return stored(f"ingest.{partner}.{data.TYPE}" if partner else data.subject, body, envelope.headers())


def a_reading() -> ReadingReportedV1:
    result = ReportedResult(property="power_1", value=412.5, unit="kW")
    return ReadingReportedV1(device="trafo-12", phenomenon_time=NOW, results=[result])


def an_observation(event_id: str) -> Observation:
    return Observation(
        datastream="d", device="trafo-12", property="power_1", phenomenon_time=NOW, result_time=NOW, value=1.0,
        unit="kW", outcome="stored", event_source="/scada", event_id=event_id,
    )  # fmt: skip


def test_a_claim_is_told_with_the_company_that_the_server_attributed() -> None:
    one = told("IN_stadtwerke", said(a_reading(), partner="stadtwerke", causationid="before"))

    assert one.key == ("stadtwerke", "/source", "e-1")
    assert (one.type, one.place, one.causation) == ("sensor.reading_reported.v1", Place("IN_stadtwerke", 1), "before")
    assert one.what == "trafo-12: power_1 412.5 kW"


def test_a_batch_names_its_readings_and_an_assessment_its_evidence() -> None:
    observations = [an_observation("r-1"), an_observation("r-2")]
    recorded = ObservationsRecordedV1(partner="stadtwerke", dataset="grid", recorded_at=NOW, observations=observations)
    assessed = KpiAssessedV1(
        kpi_id="load", project_id="p", title="Load", status="off_track", previous_status=None, value=9.5, unit="kW",
        target=5.0, direction="at_most", phenomenon_time=NOW, partner="stadtwerke", assessed_at=NOW,
        evidence=Evidence(event_source="/scada", event_id="r-2"),
    )  # fmt: skip

    batch, assessment = told("SENSOR", said(recorded)), told("EVALUATION", said(assessed))

    assert batch.records == (("stadtwerke", "/scada", "r-1"), ("stadtwerke", "/scada", "r-2"))
    assert batch.what == "stadtwerke, grid: 2 observations"
    assert assessment.evidence == ("stadtwerke", "/scada", "r-2")
    assert assessment.what == "load: off track, 9.5 kW, target ≤ 5"


def an_mqtt_message(payload: bytes, topic: str = "application/1/device/70b3/event/up") -> Any:
    claim = MqttMessageReceivedV1(topic=topic, payload=b64encode(payload), received_at=NOW)
    return told("IN_stadtwerke", said(claim, partner="stadtwerke"))


def test_an_uplink_carries_the_reading_as_sensor_ingest_names_it() -> None:
    uplink = {"deduplicationId": "dedup-1", "deviceInfo": {"devEui": "70B3D57ED0001A2B"}}

    one = an_mqtt_message(json.dumps(uplink).encode())

    assert one.carries == (("stadtwerke", "/lorawan/70b3d57ed0001a2b", "dedup-1"),)
    assert one.names == {"dedup-1"}


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[]", b"7", b'{"deduplicationId": "d"}', b'{"deduplicationId": 7, "deviceInfo": {"devEui": 8}}',
     b'{"deduplicationId": "d", "deviceInfo": []}', b"[" * 50_000],
)  # fmt: skip
def test_another_payload_carries_nothing(payload: bytes) -> None:
    one = an_mqtt_message(payload)

    assert (one.carries, one.names) == ((), frozenset())


def test_who_voted_how_and_who_gets_mail_is_not_told() -> None:
    ballot = BallotCastV2(
        round_id="round-1", frozen_sha256="0" * 64, voice="board", voter="dezernat-2", project_id="baeume", version=1,
        scores={"buergernutzen": 5}, cast_at=NOW, sha256="0" * 64,
    )  # fmt: skip
    mail = MailQueuedV2(message_id="m-1", holder="cdo-1", role="cdo", occasion="decision_taken", queued_at=NOW)

    cast, queued = told("SELECTION", said(ballot)), told("NOTIFICATION", said(mail))

    assert (cast.what, cast.gives, cast.takes) == (
        "round-1: one ballot on baeume",
        "ballots/round-1",
        ("round/round-1",),
    )
    assert (queued.what, queued.names) == ("to the role cdo", frozenset({"m-1"}))
    assert "dezernat-2" not in str(cast)
    assert "cdo-1" not in str(queued)


def test_a_company_cannot_cast_a_ballot_into_a_trail() -> None:
    """A fact that stands on a company's stream is no fact."""
    ballot = BallotCastV1(
        round_id="round-1", frozen_sha256="0" * 64, voter="x", project_id="p", version=1, scores={}, cast_at=NOW
    )

    one = told("IN_verkehr", said(ballot, partner="verkehr"))

    assert (one.gives, one.takes, one.what) == (None, (), "")


def test_a_refused_copy_points_at_its_original_and_is_no_second_event() -> None:
    headers = said(a_reading(), partner="verkehr", id="r-1").headers | {
        "Oker-Reason": "unit_mismatch",
        "Oker-Path": "$.results[0].unit",
        "Oker-Position": "IN_verkehr/17/1",
    }

    one = told("QUARANTINE", stored("quarantine.sensor-ingest.verkehr", b"{}", headers, 4))

    assert one.key == ("", "QUARANTINE", "QUARANTINE/4")
    assert (one.refuses, one.names) == (Place("IN_verkehr", 17), frozenset({"r-1"}))
    assert one.what == "reading 1: unit_mismatch at $.results[0].unit"


@pytest.mark.parametrize(
    "headers",
    [None, {}, {"ce-id": "r-1"}, {"ce-specversion": "9", "ce-id": "r-1"}, {"content-type": "text/html"}],
)
def test_a_message_without_a_whole_envelope_is_told_with_what_there_is(headers: dict[str, str] | None) -> None:
    one = told("IN_verkehr", stored("ingest.verkehr.sensor.x", b"", headers, 7))

    assert one.key[2] == (headers or {}).get("ce-id", "IN_verkehr/7")
    assert one.what == "cannot be read"


@settings(deadline=None)
@given(
    st.sampled_from(["IN_verkehr", "SENSOR", "QUARANTINE"]),
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(["ce-id", "ce-type", "ce-source", "ce-specversion", "content-type", "Oker-Position"]),
        st.sampled_from(["1.0", "application/cloudevents+json", *(f"de.oker.{name}" for name in catalog().events)])
        | st.text(max_size=50),
    ),
)
def test_nothing_that_was_ever_stored_stops_the_scan(stream: str, body: bytes, headers: dict[str, str]) -> None:
    one = told(stream, stored("ingest.verkehr.sensor.reading_reported.v1", body, headers))

    assert one.place == Place(stream, 1)
    assert one.what.isprintable()


@settings(deadline=None)
@given(st.text())
def test_a_terminal_never_sees_control_characters(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) <= MOST


def test_colours_and_endless_topics_of_a_company_stay_text() -> None:
    one = an_mqtt_message(b"x", topic="\x1b[31m" + "[bold]" * 100)

    assert one.what.startswith("1 bytes on \N{REPLACEMENT CHARACTER}[31m[bold]")
    assert len(one.what) == MOST
