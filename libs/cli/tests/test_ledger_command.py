"""`oker ledger` on real servers: messages of companies, settled by services that answer over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text

from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.store import run
from oker_cli import ledger_command


async def test_settled_quarantined_and_pending_messages_balance(oker: Any, platform: Any) -> None:
    await platform.say("stadtwerke", "r-1", platform.reading)
    await platform.say("stadtwerke", "r-1", platform.reading)
    await platform.say("stadtwerke", "r-2", platform.reading | {"device": "trafo-99"})
    await platform.say("stadtwerke", "r-3", {"device": "trafo-12"})
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.settled(5)
    await platform.read("settled", "stored")
    await platform.read("duplicate", "duplicate")
    platform.recounted = {name: {"stored": 1, "corrected": 0} for name in ("stadtwerke", "verkehr")}

    said = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert said.code == 0, said.err
    stadtwerke, verkehr = said.json["partners"]
    assert said.json["balanced"] is True
    assert stadtwerke["messages"] == {"accepted": 4, "settled": 2, "quarantined": 2, "pending": 0}
    assert stadtwerke["readings"] == {"read": 2, "stored": 1, "duplicate": 1, "corrected": 0, "quarantined": 0}
    assert verkehr["messages"] == {"accepted": 1, "settled": 1, "quarantined": 0, "pending": 0}


async def test_a_message_that_cannot_end_yet_is_pending(platform: Any) -> None:
    async with platform.buses["sensor-ingest"].sessions() as session:
        await run(session, text("LOCK TABLE settlement IN ACCESS EXCLUSIVE MODE"))
        await platform.say("verkehr", "r-1", platform.reading)

        operator = await platform.broker.connect("operator")
        seen = await ledger_command.account(operator, [], "verkehr")
        await operator.close()

        await session.rollback()
    assert seen.messages.figures() == {"accepted": 1, "settled": 0, "quarantined": 0, "pending": 1}
    await platform.settled(1)


async def test_a_message_that_was_never_counted_is_a_difference(oker: Any, platform: Any) -> None:
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.say("verkehr", "r-2", platform.reading)
    await platform.settled(2)
    await platform.sql("UPDATE ledger_day SET messages_settled = 1")

    said = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert said.code == 1
    assert said.json["balanced"] is False
    assert "verkehr: per message does not balance: 2 accepted ≠ 1 settled" in said.json["difference"]
    assert said.err == f"oker: {said.json['difference']}\n"


async def test_tables_that_hold_less_than_was_stored_are_a_difference(oker: Any, platform: Any) -> None:
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.settled(1)
    await platform.read("settled", "stored")

    said = await asyncio.to_thread(oker, "ledger", env=platform.env)

    assert said.code == 1
    assert "verkehr: recount (stored) does not balance: 1 stored ≠ 0 recounted (1 missing)" in said.err
    assert said.out.count("does not balance") == 1


def publish_mqtt(platform: Any) -> None:
    """QoS 1, as a device of stadtwerke."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway-1", protocol=mqtt.MQTTv311)
    client.username_pw_set("stadtwerke-devices", platform.broker.passwords["stadtwerke-devices"])
    client.connect("127.0.0.1", platform.broker.server.mqtt_port)
    client.loop_start()
    client.publish("application/1/device/70b3/event/up", b"{}", qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


async def test_an_mqtt_message_is_pending_until_it_is_forwarded_and_missing_if_it_is_not(
    oker: Any, platform: Any
) -> None:
    await asyncio.to_thread(publish_mqtt, platform)
    waiting = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)
    await drop_mqtt_message(platform)

    dropped = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert waiting.json["partners"][0]["mqtt"] == {"stored": 1, "forwarded": 0, "pending": 1}
    assert waiting.code == 0
    assert dropped.code == 1
    assert dropped.json["difference"].startswith(
        "stadtwerke: per MQTT message does not balance: 1 stored ≠ 0 forwarded"
    )


async def drop_mqtt_message(platform: Any) -> None:
    """Acknowledge as sensor-ingest would, without forwarding."""
    connection = await platform.broker.connect("sensor-ingest")
    js = connection.jetstream(prefix="mqtt.stadtwerke.API")
    subscription = await js.pull_subscribe_bind(consumer=MQTT_DURABLE, stream=MQTT_STREAM)
    (msg,) = await subscription.fetch(1, timeout=5)
    await connection.publish(msg.reply.replace("$JS.ACK", "mqtt.stadtwerke.ACK", 1))
    await connection.drain()


async def test_whoever_may_not_see_the_ledger_is_told_so(oker: Any, platform: Any, tmp_path: Path) -> None:
    token = oker("token", "m-1", "--role", "board", "--key", tmp_path / "key.json").out.strip()

    said = await asyncio.to_thread(oker, "ledger", env=platform.env | {"OKER_TOKEN": token})

    assert said.code == 1
    assert "refuses OKER_TOKEN: This needs the role auditor or unit or partner." in said.err
    assert token not in said.err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"OKER_SERVICE_URLS": '{"sensor-ingest": "http://127.0.0.1:9", "project-registry": "x"}'}, "does not answer"),
        ({"OKER_SERVICE_URLS": '{"sensor-ingest": "NATS", "project-registry": "NATS"}'}, "does not answer"),
    ],
)
def test_a_service_that_is_away_is_named(oker: Any, applied: Any, changes: dict[str, str], sentence: str) -> None:
    urls = changes["OKER_SERVICE_URLS"].replace("NATS", applied.server.url.replace("nats://", "http://"))

    said = oker("ledger", env=applied.env | {"OKER_TOKEN": "t", "OKER_SERVICE_URLS": urls})

    assert said.code == 1
    assert sentence in said.err
    assert said.err.count("\n") == 1


async def test_a_durable_that_is_missing_is_named_with_the_way_out(oker: Any, platform: Any) -> None:
    admin = await platform.broker.connect("topology")
    await admin.jetstream().delete_consumer("IN_verkehr", "project-registry-claims")
    await admin.close()

    said = await asyncio.to_thread(oker, "ledger", env=platform.env)

    assert said.code == 1
    assert "the broker lacks IN_verkehr or a durable on it; run: oker topology apply" in said.err


def company_token(oker: Any, tmp_path: Path) -> str:
    said = oker("token", "v-1", "--role", "partner", "--partner", "verkehr", "--key", tmp_path / "key.json")
    return str(said.out.strip())


async def test_a_company_s_token_shows_its_own_ledger_and_raises_no_alarm_for_others(
    oker: Any, platform: Any, tmp_path: Path
) -> None:
    await platform.say("stadtwerke", "r-1", platform.reading)
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.settled(2)
    await platform.read("settled", "stored")
    platform.recounted = {name: {"stored": 1, "corrected": 0} for name in ("stadtwerke", "verkehr")}
    env = platform.env | {"OKER_TOKEN": company_token(oker, tmp_path)}

    own = await asyncio.to_thread(oker, "ledger", "--json", env=env)
    foreign = await asyncio.to_thread(oker, "ledger", "--partner", "stadtwerke", env=env)

    assert (own.code, [one["partner"] for one in own.json["partners"]]) == (0, ["verkehr"])
    assert "OKER_TOKEN speaks for verkehr" in own.err
    assert (foreign.code, "may not see the ledger of stadtwerke" in foreign.err) == (2, True)


async def test_who_speaks_for_no_company_names_it_when_asking_for_an_outcome(oker: Any, platform: Any) -> None:
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.settled(1)

    without = await asyncio.to_thread(oker, "outcome", "/s", "r-1", env=platform.env)
    named = await asyncio.to_thread(oker, "outcome", "/s", "r-1", "--partner", "verkehr", env=platform.env)

    assert (without.code, "--partner" in without.err) == (2, True)
    assert named.code == 0
