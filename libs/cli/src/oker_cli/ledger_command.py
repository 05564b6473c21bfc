"""`oker ledger`: the figures of broker and services, and whether they balance."""

import asyncio
import json
import time
from typing import Annotated, Any

import typer
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from rich.table import Table

from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_cli.accounts import partners_of
from oker_cli.broker import TIMEOUT_SECONDS, connected
from oker_cli.failure import Failure
from oker_cli.ledger import Account, Ledger, Mqtt, Waiting, counted, lines_of, rows_of, steady
from oker_cli.ledger_verify import Checked, verified
from oker_cli.scan import messages_on
from oker_cli.screen import console
from oker_cli.services import Services
from oker_cli.settings import OperatorSettings, company_of, missing, read_settings
from oker_cli.what import printable
from oker_contracts import catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

PAUSE_SECONDS = 0.25
SETTLING_SECONDS = 10.0
"""How long figures that do not balance are taken again."""


app = typer.Typer(invoke_without_command=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Company = Annotated[str | None, typer.Option("--partner", help="One company only.")]


@app.callback()
def ledger(
    context: typer.Context,
    as_json: AsJson = False,
    by_day: Annotated[bool, typer.Option("--by-day", help="A row for each day, of Europe/Berlin.")] = False,
    by_source: Annotated[bool, typer.Option("--by-source", help="A row for each source (ce-source).")] = False,
    partner: Company = None,
) -> None:
    """How every message and every reading of each company has ended. Exit code 1 if something is amiss."""
    if context.invoked_subcommand:
        return
    settings = read_settings(context)
    keys = [key for key, wanted in (("source", by_source), ("day", by_day)) if wanted]
    if keys:
        _show_rows(asyncio.run(_rows(settings, keys, partner)), keys, as_json)
        return
    taken = asyncio.run(_take(settings, partner))
    if as_json:
        typer.echo(json.dumps(taken.figures(), indent=2))
    else:
        _show(taken)
    if taken.difference is not None:
        raise Failure(taken.difference)


@app.command("verify")
def verify(context: typer.Context, as_json: AsJson = False, partner: Company = None) -> None:
    """Count all again, from streams and tables, and name the first difference. Exit code 1 if there is one."""
    settings = read_settings(context)
    checked = asyncio.run(_verify(settings, partner))
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in checked], indent=2))
    else:
        _show_checked(checked)
    for one in checked:
        if one.difference:
            raise Failure(f"{one.partner}: {one.difference}")


async def _verify(settings: OperatorSettings, partner: str | None) -> list[Checked]:
    companies, services = _asked(settings, partner)
    async with connected(settings, "operator") as nats, services:
        return [await verified(nats.jetstream(timeout=TIMEOUT_SECONDS), services, slug) for slug in companies]


def _show_checked(checked: list[Checked]) -> None:
    table = Table("Company", "Sequences", "Pending", "Gone", "Settlements", "Days", "Observations", "")
    for one in checked:
        verdict = "[bold red]differs[/]" if one.difference else "agrees"
        sequences = f"{one.first} to {one.last}" if one.last >= one.first else "none"
        numbers = (one.pending, one.gone, one.settlements, one.days, one.observations)
        table.add_row(one.partner, sequences, *map(str, numbers), verdict)
    console().print(table)


async def _rows(settings: OperatorSettings, keys: list[str], partner: str | None) -> list[dict[str, Any]]:
    services = Services.of(settings)
    said = {"by": ",".join(keys)} | ({"partner": partner} if partner else {})
    async with services:
        answers = await asyncio.gather(*(services.get(name, "/ledger", **said) for name in services.urls))
    if any(answer["more"] for answer in answers):
        raise Failure("there are more rows than one answer holds; ask for one company: --partner", 2)
    return rows_of(answers, keys)


def _show_rows(rows: list[dict[str, Any]], keys: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("Company", *(key.capitalize() for key in keys), "Messages", "Readings")
    for row in rows:
        table.add_row(
            row["partner"], *(printable(row[key]) for key in keys), *(line.equation for line in lines_of(row))
        )
    console().print(table)


def _asked(settings: OperatorSettings, partner: str | None) -> tuple[list[str], Services]:
    """The companies and the services that are asked; all that hear companies must be among them."""
    if settings.partners_file is None:
        raise missing("partners_file")
    services = Services.of(settings)
    if unasked := {entry.owner for entry in catalog().claims()} - set(services.urls):
        raise Failure(f"OKER_SERVICE_URLS lacks {', '.join(sorted(unasked))}, which hears companies", 2)
    companies = list(partners_of(settings.partners_file).partners)
    own = company_of(services.token)
    if own and partner in (None, own):
        partner = own
        typer.echo(
            f"OKER_TOKEN speaks for {own}: its ledger alone is shown, all needs the role auditor or unit", err=True
        )
    elif own:
        raise Failure(f"OKER_TOKEN speaks for {own} and may not see the ledger of {partner}", 2)
    if partner and partner not in companies:
        raise Failure(f"{settings.partners_file} names no company {partner!r}", 2)
    return [partner] if partner else companies, services


async def _take(settings: OperatorSettings, partner: str | None) -> Ledger:
    companies, services = _asked(settings, partner)
    async with connected(settings, "operator") as nats, services:

        async def look() -> Ledger:
            answers = await asyncio.gather(*(services.ledger(name) for name in services.urls))
            accounts = await asyncio.gather(*(account(nats, answers, slug) for slug in companies))
            return Ledger(tuple(accounts))

        async def pause() -> None:
            await asyncio.sleep(PAUSE_SECONDS)

        return await steady(look, lambda seen: seen.balanced, time.monotonic, pause, SETTLING_SECONDS)


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
    return Mqtt(stored, forwarded, waiting, intake_is_complete=intake.messages == intake.last_seq)


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
