"""`oker topology` on a real broker with the accounts of `infra/partners.toml`, and who may not do what it does."""

import asyncio
from typing import Any

import pytest
from nats.js.errors import NotFoundError

DENIED_SECONDS = 0.5


def kinds(out: str) -> set[str]:
    """The signs of the diff, without the summary."""
    return {line[0] for line in out.splitlines()[:-1]}


def test_a_plan_shows_everything_and_changes_nothing(oker: Any, broker: Any) -> None:
    first, second = (oker("topology", "plan", env=broker.env) for _ in range(2))

    assert first.code == 0
    assert first.out == second.out
    assert kinds(first.out) == {"+"}
    assert "+ stream IN_verkehr  ingest.verkehr.>" in first.out
    assert "+ stadtwerke: durable oker-intake on $MQTT_msgs" in first.out
    assert first.out.splitlines()[-1] == f"{len(first.out.splitlines()) - 1} to create"


def test_applied_twice_the_second_time_everything_is_the_same(oker: Any, broker: Any) -> None:
    first = oker("topology", "apply", env=broker.env)
    second = oker("topology", "apply", env=broker.env)

    count = len(first.out.splitlines()) - 1
    assert (first.code, kinds(first.out), first.out.splitlines()[-1]) == (0, {"+"}, f"{count} created")
    assert (second.code, kinds(second.out), second.out.splitlines()[-1]) == (0, {"="}, f"{count} the same")


async def test_a_lost_durable_is_the_only_line_of_the_next_diff(oker: Any, applied: Any) -> None:
    admin = await applied.connect("topology")
    await admin.jetstream().delete_consumer("SENSOR", "evaluation-scheduler-assess-kpis")
    await admin.close()

    said = await asyncio.to_thread(oker, "topology", "plan", env=applied.env)

    changed = [line for line in said.out.splitlines()[:-1] if not line.startswith("=")]
    heard = "sensor.observations_recorded.v1.>, sensor.observations_recorded.v2.>"
    assert changed == [f"+ durable evaluation-scheduler-assess-kpis on SENSOR  {heard}"]
    assert said.out.splitlines()[-1].startswith("1 to create, ")


def test_more_replicas_than_servers_is_a_sentence(oker: Any, broker: Any) -> None:
    said = oker("topology", "apply", "--replicas", 3, env=broker.env)

    assert said.code == 1
    assert said.err.startswith("oker: nats://")
    assert "replicas" in said.err


async def test_the_operator_may_look_and_neither_speak_nor_delete(applied: Any) -> None:
    complaints: list[str] = []

    async def complain(error: Exception) -> None:
        complaints.append(str(error).lower())

    operator = await applied.connect("operator", error_cb=complain)
    js = operator.jetstream(timeout=DENIED_SECONDS)
    assert (await js.stream_info("SENSOR")).state.messages == 0

    for forbidden in (
        js.publish("sensor.device_registered.v1.stadtwerke", b"{}"),
        js.publish("ingest.stadtwerke.sensor.reading_reported.v1", b"{}"),
        js.purge_stream("SENSOR"),
        js.delete_stream("SENSOR"),
        js.delete_consumer("SENSOR", "evaluation-scheduler-assess-kpis"),
    ):
        with pytest.raises(Exception, match=r"(?i)timeout|no response"):
            await forbidden
    await operator.close()

    assert len([said for said in complaints if "permissions violation for publish" in said]) == 5
    admin = await applied.connect("topology")
    info = await admin.jetstream().stream_info("SENSOR")
    assert (info.state.messages, info.state.consumer_count) == (0, 3)
    assert (await admin.jetstream().stream_info("IN_stadtwerke")).state.messages == 0
    await admin.close()


@pytest.mark.parametrize("service", ["sensor-ingest", "notification"])
async def test_a_service_can_neither_make_nor_delete_a_durable(applied: Any, service: str) -> None:
    connection = await applied.connect(service)
    js = connection.jetstream(timeout=DENIED_SECONDS)

    with pytest.raises(Exception, match=r"(?i)timeout"):
        await js.add_consumer("SENSOR", durable_name="of-my-own")
    with pytest.raises(Exception, match=r"(?i)timeout"):
        await js.delete_consumer("SENSOR", "evaluation-scheduler-assess-kpis")
    await connection.close()

    admin = await applied.connect("topology")
    with pytest.raises(NotFoundError):
        await admin.jetstream().consumer_info("SENSOR", "of-my-own")
    assert (await admin.jetstream().stream_info("SENSOR")).state.consumer_count == 3
    await admin.close()


async def test_only_the_intake_may_remove_from_a_company_s_stream(applied: Any) -> None:
    """What it removes is settled, see room.py; no service can remove from a stream of facts."""
    intake, other = await applied.connect("sensor-ingest"), await applied.connect("project-registry")

    assert await intake.jetstream(timeout=5).purge_stream("IN_verkehr", seq=1)
    for connection, stream in ((intake, "SENSOR"), (intake, "QUARANTINE"), (other, "IN_verkehr")):
        with pytest.raises(Exception, match=r"(?i)timeout"):
            await connection.jetstream(timeout=DENIED_SECONDS).purge_stream(stream)
    for connection in (intake, other):
        assert (await connection.jetstream(timeout=5).stream_info("IN_verkehr")).config.max_bytes == 5_000_000_000
        await connection.close()
