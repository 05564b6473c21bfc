"""`oker ledger` on real servers: messages of companies, settled by services that answer over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import uvicorn
from fastapi import APIRouter
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text

from oker_bus import Bus, Event, Reason, Refused, Router, Transaction, on, open_bus
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.service import Service, build_app
from oker_bus.settings import ClaimsSettings
from oker_bus.store import run
from oker_cli import ledger_command
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_identity import Verifier
from oker_testkit.bus import eventually
from oker_testkit.plugin import Servers
from oker_testkit.servers import free_port

HEARS: dict[str, Any] = {"sensor-ingest": ReadingReportedV1, "project-registry": ProjectProposedV2}
READING = {
    "device": "trafo-12",
    "phenomenon_time": "2026-05-04T12:00:00Z",
    "results": [{"property": "power_1", "value": 1.0, "unit": "kW"}],
}


class Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Platform:
    """A broker, two services that hear companies, and an auditor."""

    broker: Any
    env: dict[str, str]
    buses: dict[str, Bus] = field(default_factory=dict)
    recounted: dict[str, dict[str, int]] = field(default_factory=dict)
    """what the tables of sensor-ingest are said to hold"""

    async def say(self, company: str, id: str, data: dict[str, Any]) -> None:
        """A reading of a company."""
        type = ReadingReportedV1.TYPE
        headers = {"ce-specversion": "1.0", "ce-id": id, "ce-source": "/s", "ce-type": f"de.oker.{type}"}
        connection = await self.broker.connect(company, inbox_prefix=b"_INBOX")
        await connection.jetstream(timeout=5).publish(f"events.{type}", json.dumps(data).encode(), headers=headers)
        await connection.close()

    async def sql(self, statement: str) -> Any:
        """Run a statement on the database of sensor-ingest."""
        async with self.buses["sensor-ingest"].sessions() as session, session.begin():
            result = await run(session, text(statement))
            return result.scalar() if result.returns_rows else None

    async def settled(self, messages: int) -> None:
        """Wait until so many messages have ended."""

        async def enough() -> bool:
            return bool(await self.sql("SELECT count(*) FROM settlement") == messages)

        await eventually(enough, f"{messages} messages are settled")


@pytest.fixture
async def platform(
    applied: Any, servers: Servers, oker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Platform]:
    monkeypatch.setattr(ledger_command, "SETTLING_SECONDS", 1.0)
    key, jwks = tmp_path / "key.json", tmp_path / "jwks.json"
    oker("identity", "new-key", "test", "--out", key)
    oker("identity", "public", key, "--out", jwks)
    token = oker("token", "auditor-1", "--role", "auditor", "--key", key).out.strip()
    platform = Platform(applied, applied.env | {"OKER_TOKEN": token})
    async with (
        a_service(platform, "sensor-ingest", servers, jwks) as ingest,
        a_service(platform, "project-registry", servers, jwks) as registry,
    ):
        platform.env["OKER_SERVICE_URLS"] = json.dumps({"sensor-ingest": ingest, "project-registry": registry})
        yield platform


@asynccontextmanager
async def a_service(platform: Platform, name: str, servers: Servers, jwks: Path) -> AsyncIterator[str]:
    """A service on real servers that settles what it hears; yields its address."""
    router = Router(name)

    @on(router, HEARS[name], consumer=f"{name}-claims")
    async def hear(event: Event[Any], tx: Transaction) -> None:
        if event.data.device != "trafo-12":
            raise Refused(Reason.DEVICE_UNKNOWN, "$.device")

    async def recount(session: Any) -> dict[str, dict[str, int]]:
        return platform.recounted if name == "sensor-ingest" else {}

    service = Service(name, "oker_bus", ClaimsSettings, router, lambda bus: APIRouter(), recount=recount)
    port, database = free_port(), await servers.database("oker_bus")
    settings = ClaimsSettings(
        nats_url=platform.broker.server.url,
        nats_user=name,
        nats_password=platform.broker.passwords[name],
        database_url=servers.postgres.url(await servers.database("oker_bus")),
        http_host="127.0.0.1",
        http_port=port,
        identity_keys=jwks,
        partners_file=platform.env["OKER_PARTNERS_FILE"],
    )
    async with open_bus(settings, router) as bus:
        app = build_app(service, bus, Verifier.from_file(jwks))
        server = Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        platform.buses[name] = bus
        await eventually(lambda: asyncio.sleep(0, server.started), f"{name} serves")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving
    await servers.postgres.execute(f'DROP DATABASE "{database}" WITH (FORCE)')


async def test_settled_quarantined_and_pending_messages_balance(oker: Any, platform: Platform) -> None:
    await platform.say("stadtwerke", "r-1", READING)
    await platform.say("stadtwerke", "r-1", READING)
    await platform.say("stadtwerke", "r-2", READING | {"device": "trafo-99"})
    await platform.say("stadtwerke", "r-3", {"device": "trafo-12"})
    await platform.say("verkehr", "r-1", READING)
    await platform.settled(5)
    await platform.sql("UPDATE settlement SET read = 1, stored = 1 WHERE outcome = 'settled'")
    await platform.sql("UPDATE settlement SET read = 1, duplicate = 1 WHERE outcome = 'duplicate'")
    platform.recounted = {name: {"stored": 1, "corrected": 0} for name in ("stadtwerke", "verkehr")}

    said = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert said.code == 0, said.err
    stadtwerke, verkehr = said.json["partners"]
    assert said.json["balanced"] is True
    assert stadtwerke["messages"] == {"accepted": 4, "settled": 2, "quarantined": 2, "pending": 0}
    assert stadtwerke["readings"] == {"read": 2, "stored": 1, "duplicate": 1, "corrected": 0, "quarantined": 0}
    assert verkehr["messages"] == {"accepted": 1, "settled": 1, "quarantined": 0, "pending": 0}


async def test_a_message_that_cannot_end_yet_is_pending(platform: Platform) -> None:
    async with platform.buses["sensor-ingest"].sessions() as session:
        await run(session, text("LOCK TABLE settlement IN ACCESS EXCLUSIVE MODE"))
        await platform.say("verkehr", "r-1", READING)

        operator = await platform.broker.connect("operator")
        seen = await ledger_command.account(operator, [], "verkehr")
        await operator.close()

        await session.rollback()
    assert seen.messages.figures() == {"accepted": 1, "settled": 0, "quarantined": 0, "pending": 1}
    await platform.settled(1)


async def test_a_settlement_that_vanished_is_a_difference(oker: Any, platform: Platform) -> None:
    await platform.say("verkehr", "r-1", READING)
    await platform.say("verkehr", "r-2", READING)
    await platform.settled(2)
    await platform.sql("DELETE FROM settlement WHERE sequence = 2")

    said = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert said.code == 1
    assert said.json["balanced"] is False
    assert "verkehr: per message does not balance: 2 accepted ≠ 1 settled" in said.json["difference"]
    assert said.err == f"oker: {said.json['difference']}\n"


async def test_tables_that_hold_less_than_was_stored_are_a_difference(oker: Any, platform: Platform) -> None:
    await platform.say("verkehr", "r-1", READING)
    await platform.settled(1)
    await platform.sql("UPDATE settlement SET read = 1, stored = 1")

    said = await asyncio.to_thread(oker, "ledger", env=platform.env)

    assert said.code == 1
    assert "verkehr: recount (stored) does not balance: 1 stored ≠ 0 recounted (1 missing)" in said.err
    assert said.out.count("does not balance") == 1


def publish_mqtt(platform: Platform) -> None:
    """QoS 1, as a device of stadtwerke."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway-1", protocol=mqtt.MQTTv311)
    client.username_pw_set("stadtwerke-devices", platform.broker.passwords["stadtwerke-devices"])
    client.connect("127.0.0.1", platform.broker.server.mqtt_port)
    client.loop_start()
    client.publish("application/1/device/70b3/event/up", b"{}", qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


async def test_an_mqtt_message_is_pending_until_it_is_forwarded_and_missing_if_it_is_not(
    oker: Any, platform: Platform
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


async def drop_mqtt_message(platform: Platform) -> None:
    """Acknowledge as sensor-ingest would, without forwarding."""
    connection = await platform.broker.connect("sensor-ingest")
    js = connection.jetstream(prefix="mqtt.stadtwerke.API")
    subscription = await js.pull_subscribe_bind(consumer=MQTT_DURABLE, stream=MQTT_STREAM)
    (msg,) = await subscription.fetch(1, timeout=5)
    await connection.publish(msg.reply.replace("$JS.ACK", "mqtt.stadtwerke.ACK", 1))
    await connection.drain()


async def test_whoever_may_not_see_the_ledger_is_told_so(oker: Any, platform: Platform, tmp_path: Path) -> None:
    token = oker("token", "m-1", "--role", "board", "--key", tmp_path / "key.json").out.strip()

    said = await asyncio.to_thread(oker, "ledger", env=platform.env | {"OKER_TOKEN": token})

    assert said.code == 1
    assert "refuses OKER_TOKEN: it must be valid and hold the role auditor or unit" in said.err
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


async def test_a_durable_that_is_missing_is_named_with_the_way_out(oker: Any, platform: Platform) -> None:
    admin = await platform.broker.connect("topology")
    await admin.jetstream().delete_consumer("IN_verkehr", "project-registry-claims")
    await admin.close()

    said = await asyncio.to_thread(oker, "ledger", env=platform.env)

    assert said.code == 1
    assert "the broker lacks IN_verkehr or a durable on it; run: oker topology apply" in said.err
