"""`oker ledger`: the figures of broker and services, and whether they balance."""

import asyncio
import json
import time
from typing import Annotated, Any

import httpx
import typer
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pydantic import SecretStr
from rich.table import Table

from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_cli.accounts import partners_of
from oker_cli.broker import TIMEOUT_SECONDS, connected
from oker_cli.failure import Failure
from oker_cli.ledger import Account, Ledger, Mqtt, Waiting, counted, steady
from oker_cli.scan import messages_on
from oker_cli.screen import console
from oker_cli.settings import OperatorSettings, missing, read_settings
from oker_contracts import catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

PAUSE_SECONDS = 0.25
SETTLING_SECONDS = 10.0
"""How long figures that do not balance are taken again."""


def ledger(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How every message and every reading of each company has ended. Exit code 1 if something is amiss."""
    taken = asyncio.run(_take(read_settings(context)))
    if as_json:
        typer.echo(json.dumps(taken.figures(), indent=2))
    else:
        _show(taken)
    if taken.difference is not None:
        raise Failure(taken.difference)


async def _take(settings: OperatorSettings) -> Ledger:
    urls, token = settings.service_urls, settings.token
    if settings.partners_file is None:
        raise missing("partners_file")
    if urls is None:
        raise missing("service_urls")
    if token is None:
        raise missing("token")
    if unasked := {entry.owner for entry in catalog().claims()} - set(urls):
        raise Failure(f"OKER_SERVICE_URLS lacks {', '.join(sorted(unasked))}, which hears companies", 2)
    companies = list(partners_of(settings.partners_file).partners)
    async with connected(settings, "operator") as nats, httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:

        async def look() -> Ledger:
            answers = await asyncio.gather(*(_ask(http, name, url, token) for name, url in urls.items()))
            accounts = await asyncio.gather(*(account(nats, answers, slug) for slug in companies))
            return Ledger(tuple(accounts))

        async def pause() -> None:
            await asyncio.sleep(PAUSE_SECONDS)

        return await steady(look, lambda seen: seen.balanced, time.monotonic, pause, SETTLING_SECONDS)


async def _ask(http: httpx.AsyncClient, service: str, url: str, token: SecretStr) -> dict[str, Any]:
    place = f"{url.rstrip('/')}/ledger"
    try:
        answer = await http.get(place, headers={"Authorization": f"Bearer {token.get_secret_value()}"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failure(f"{service}: {place} does not answer ({type(error).__name__}); is it running?") from None
    if answer.status_code in (401, 403):
        raise Failure(f"{service} refuses OKER_TOKEN: it must be valid and hold the role auditor or unit")
    try:
        said: dict[str, Any] = answer.json()
        if answer.is_success and {"settlements", "quarantine", "recounted"} <= set(said):
            return said
    except ValueError:
        pass
    raise Failure(f"{service}: {place} answers {answer.status_code} and no ledger; is this the service?")


async def account(nats: Client, answers: list[dict[str, Any]], slug: str) -> Account:
    """The ledger of one company at this moment."""
    js = nats.jetstream(timeout=TIMEOUT_SECONDS)
    stream = f"IN_{slug}"
    try:
        waiting = [await _waiting(js, stream, consumer) for consumer in _claim_durables()]
        intake = await js.stream_info(stream, subjects_filter=_forwarded_subject(slug))
    except NotFoundError:
        raise Failure(f"the broker lacks {stream} or a durable on it; run: oker topology apply") from None
    return Account(
        partner=slug,
        accepted=intake.state.last_seq,
        waiting=sum(waiting, Waiting()),
        counted=counted(answers, slug),
        mqtt=await _mqtt(nats, slug, intake.state),
    )


def _claim_durables() -> list[str]:
    return sorted({consumer for entry in catalog().claims() for consumer in entry.consumers})


def _forwarded_subject(slug: str) -> str:
    return catalog().events[MqttMessageReceivedV1.TYPE].claim_subject(slug)


async def _waiting(js: JetStreamContext, stream: str, consumer: str) -> Waiting:
    info = await js.consumer_info(stream, consumer)
    return Waiting(info.num_pending or 0, info.num_ack_pending or 0)


async def _mqtt(nats: Client, slug: str, intake: Any) -> Mqtt:
    """The company's own account holds its MQTT stream; the operator may look at it and no more."""
    js = nats.jetstream(prefix=f"mqtt.{slug}.API", timeout=TIMEOUT_SECONDS)
    try:
        stored = (await js.stream_info(MQTT_STREAM)).state.last_seq
        waiting = await _waiting(js, MQTT_STREAM, MQTT_DURABLE)
    except NotFoundError:
        raise Failure(f"{slug}: {MQTT_STREAM} or its durable is missing; run: oker topology apply") from None
    forwarded = (intake.subjects or {}).get(_forwarded_subject(slug), 0)
    if forwarded + waiting.pending + waiting.unacknowledged > stored:
        forwarded = await _forwarded_once(nats, slug)
    return Mqtt(stored, forwarded, waiting, intake_is_complete=intake.first_seq <= 1)


async def _forwarded_once(nats: Client, slug: str) -> int:
    """How many different messages were forwarded: after an outage longer than the dedup window one may stand twice."""
    js = nats.jetstream(timeout=TIMEOUT_SECONDS)
    messages = messages_on(js, f"IN_{slug}", _forwarded_subject(slug))
    return len({(msg.headers or {}).get("ce-id") async for msg in messages})


def _show(taken: Ledger) -> None:
    table = Table("Company", "Ledger", "", "")
    for account in taken.accounts:
        for position, line in enumerate(account.lines):
            verdict = "balances" if line.balances else "[bold red]does not balance[/]"
            table.add_row("" if position else account.partner, line.name, line.equation, verdict)
        table.add_section()
    console().print(table)
