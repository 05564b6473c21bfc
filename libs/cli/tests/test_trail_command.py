"""`oker trail` on a real broker: companies and services speak as themselves, the operator only looks."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from oker_bus import Cause
from oker_contracts import TYPE_PREFIX, Contract, Envelope
from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.notification.mail_sent_v1 import MailSentV1
from oker_contracts.sensor.observations_recorded_v1 import Observation, ObservationsRecordedV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SOURCE = "/verkehr/counter"


def a_reading(value: float) -> ReadingReportedV1:
    result = ReportedResult(property="visitors_1", value=value, unit="{visitors}")
    return ReadingReportedV1(device="laser-1", phenomenon_time=NOW, results=[result])


def an_observation(event_id: str) -> Observation:
    return Observation(
        datastream="d", device="laser-1", property="visitors_1", phenomenon_time=NOW, result_time=NOW, value=310.0,
        unit="{visitors}", outcome="stored", event_source=SOURCE, event_id=event_id,
    )  # fmt: skip


def an_assessment(event_id: str) -> KpiAssessedV1:
    return KpiAssessedV1(
        kpi_id="visitors", project_id="p", title="Visitors", status="off_track", previous_status=None, value=310.0,
        unit="{visitors}", target=800.0, direction="at_least", phenomenon_time=NOW, partner="verkehr",
        assessed_at=NOW, evidence=Evidence(event_source=SOURCE, event_id=event_id),
    )  # fmt: skip


class Speakers:
    """Everybody with credentials of their own."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker

    async def say(self, user: str, data: Contract, id: str, *, source: str = SOURCE) -> None:
        """A claim of a company."""
        await self._publish(user, f"events.{data.TYPE}", self._envelope(data, id, source, None))

    async def announce(self, service: str, data: Contract, cause: Cause) -> Cause:
        """A fact of a service, with an id derived from its cause as the bus does it."""
        id = str(cause.derive(f"{data.TYPE}/0"))
        await self._publish(service, data.subject, self._envelope(data, id, f"/oker/{service}", cause.id))
        return Cause(f"/oker/{service}", id)

    def _envelope(self, data: Contract, id: str, source: str, causationid: str | None) -> Envelope:
        body = data.model_dump_json().encode()
        return Envelope(id, source, TYPE_PREFIX + data.TYPE, NOW, body, causationid=causationid, correlationid="all")

    async def _publish(self, user: str, subject: str, envelope: Envelope) -> None:
        options = {} if user == "verkehr" else {"inbox_prefix": f"_INBOX_{user}".encode()}
        connection = await self.broker.connect(user, **({"inbox_prefix": b"_INBOX"} | options))
        await connection.jetstream(timeout=5).publish(subject, envelope.data, headers=envelope.headers())
        await connection.close()


@pytest.fixture
async def story(applied: Any) -> dict[str, Cause]:
    """Two readings in one batch; the second turns a KPI, and a mail is sent."""
    speakers = Speakers(applied)
    for id, value in (("v-1", 940.0), ("v-2", 310.0)):
        await speakers.say("verkehr", a_reading(value), id)
    recorded = ObservationsRecordedV1(
        partner="verkehr",
        dataset="visitors",
        recorded_at=NOW,
        observations=[an_observation("v-1"), an_observation("v-2")],
    )
    batch = await speakers.announce("sensor-ingest", recorded, Cause(SOURCE, "v-1", "verkehr"))
    kpi = await speakers.announce("evaluation-scheduler", an_assessment("v-2"), batch)
    mail = MailQueuedV2(message_id="m-1", holder="cdo-1", role="cdo", occasion="kpi_assessed", queued_at=NOW)
    queued = await speakers.announce("notification", mail, kpi)
    sent = await speakers.announce("notification", MailSentV1(message_id="m-1", holder="cdo-1", sent_at=NOW), queued)
    return {"batch": batch, "kpi": kpi, "queued": queued, "sent": sent}


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].split(".")[1] for event in events]


async def test_from_the_reading_to_the_mail(oker: Any, applied: Any, story: dict[str, Cause]) -> None:
    said = await asyncio.to_thread(oker, "trail", "v-2", "--json", env=applied.env)

    (trail,) = said.json["trails"]
    assert trail["event"] == {
        "id": "v-2",
        "source": SOURCE,
        "partner": "verkehr",
        "type": "sensor.reading_reported.v1",
        "time": trail["event"]["time"],
        "what": "laser-1: visitors_1 310 {visitors}",
        "places": ["IN_verkehr/2"],
        "causes": [],
    }
    assert types(trail["ancestors"]) == []
    assert types(trail["descendants"]) == ["observations_recorded", "kpi_assessed", "mail_queued", "mail_sent"]
    assert [event["causes"] for event in trail["descendants"]] == [
        ["IN_verkehr/1", "IN_verkehr/2"], ["SENSOR/1"], ["EVALUATION/1"], ["NOTIFICATION/1"]
    ]  # fmt: skip


async def test_from_the_mail_back_to_the_one_reading(oker: Any, applied: Any, story: dict[str, Cause]) -> None:
    said = await asyncio.to_thread(oker, "trail", story["sent"].id, "--json", env=applied.env)

    (trail,) = said.json["trails"]
    assert types(trail["ancestors"]) == ["mail_queued", "kpi_assessed", "observations_recorded", "reading_reported"]
    assert trail["ancestors"][-1]["id"] == "v-2"


async def test_the_other_reading_led_to_no_kpi(oker: Any, applied: Any, story: dict[str, Cause]) -> None:
    said = await asyncio.to_thread(oker, "trail", "v-1", "--json", env=applied.env)

    assert types(said.json["trails"][0]["descendants"]) == ["observations_recorded"]


async def test_the_tree_shows_causes_before_effects_with_time_id_and_place(
    oker: Any, applied: Any, story: dict[str, Cause]
) -> None:
    said = await asyncio.to_thread(oker, "trail", story["kpi"].id, env=applied.env)

    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.strip(" │├└─") for line in lines if line.endswith(("because of", "led to"))] == [
        "because of",
        "led to",
    ]
    assert lines.index("├── because of") < lines.index("└── led to")
    batch = next(line for line in lines if "observations_recorded" in line)
    assert story["batch"].id in batch
    assert "SENSOR/1" in batch
    assert "verkehr, visitors: 2 observations" in batch
    assert "m-1" not in said.out
    assert "cdo-1" not in said.out


async def test_an_id_that_is_nowhere_is_a_sentence(oker: Any, applied: Any, story: dict[str, Cause]) -> None:
    said = await asyncio.to_thread(oker, "trail", "v-3", "--json", env=applied.env)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("oker: no event 'v-3' in any stream")


async def test_what_a_stream_forgot_in_its_middle_is_still_found_in_the_batch(
    oker: Any, applied: Any, story: dict[str, Cause]
) -> None:
    await Speakers(applied).say("verkehr", a_reading(5.0), "v-9")
    admin = await applied.connect("topology")
    await admin.jetstream().delete_msg("IN_verkehr", 2)
    await admin.close()

    forgotten = await asyncio.to_thread(oker, "trail", "v-2", "--json", env=applied.env)
    later = await asyncio.to_thread(oker, "trail", "v-9", "--json", env=applied.env)

    (trail,) = forgotten.json["trails"]
    assert types([trail["event"], *trail["descendants"]]) == [
        "observations_recorded", "kpi_assessed", "mail_queued", "mail_sent"
    ]  # fmt: skip
    assert later.json["trails"][0]["event"]["places"] == ["IN_verkehr/3"]


def test_streams_that_are_empty_or_missing_hold_no_event(oker: Any, broker: Any) -> None:
    missing = oker("trail", "v-1", env=broker.env)
    oker("topology", "apply", env=broker.env)
    empty = oker("trail", "v-1", env=broker.env)

    assert (missing.code, empty.code) == (1, 1)
    assert missing.err == empty.err
