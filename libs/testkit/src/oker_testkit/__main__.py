"""`python -m oker_testkit demo|up|down`: what `make demo`, `make up` and `make down` run."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from oker_bus.accounts import services
from oker_testkit.procedure import StoryFailed
from oker_testkit.stack import ROOT, Ports, Stack, StackFailed, stop_running
from oker_testkit.story import Story, Told

FOLDER = ROOT / ".oker"
console = Console(highlight=False)


def main() -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m oker_testkit", description="Oker on this machine")
    parser.add_argument("command", choices=["demo", "up", "down"])
    command = parser.parse_args().command
    if command == "down":
        ended = stop_running(FOLDER / "up")
        console.print(f"stopped: {', '.join(ended)}" if ended else "nothing was running")
        return 0
    return asyncio.run(_run(keep=command == "up"))


async def _run(*, keep: bool) -> int:
    begun = time.monotonic()
    folder = FOLDER / ("up" if keep else "demo")
    if not keep:
        _forget(folder)
    stack = Stack(folder, _ports(), tell=_progress, keep=keep)
    done = False
    try:
        console.rule("[bold]Oker: starting")
        await stack.start()
        console.rule("[bold]The story")
        told = await Story(stack, tell=_progress).play()
        _show(stack, told)
        console.print(f"\nThe whole way took {time.monotonic() - begun:.0f} s.")
        done = True
    except (StackFailed, StoryFailed) as error:
        console.print(f"[bold red]failed:[/] {escape(str(error))}\nLogs are in {folder / 'logs'}")
    finally:
        if not (keep and done):
            console.rule("[bold]Stopping")
            stack.stop()
    if keep and done:
        _show_urls(stack)
    return 0 if done else 1


def _ports() -> Ports:
    offset = int(os.environ.get("OKER_PORT_OFFSET", "0"))
    default = Ports()
    http = {name: port + offset for name, port in default.http.items()}
    return Ports(default.nats + offset, default.mqtt + offset, default.smtp + offset, http)


def _forget(folder: Path) -> None:
    """The demo starts from nothing: it removes what the last demo left."""
    import shutil

    if stop_running(folder):
        console.print("ended what an interrupted demo had left running")
    shutil.rmtree(folder, ignore_errors=True)


def _progress(line: str) -> None:
    console.print(f"  [green]✓[/] {escape(line)}")


def _show(stack: Stack, told: Told) -> None:
    console.rule("[bold]A step too early: what the gate says")
    console.print(_missing(told))
    console.rule("[bold]The decision")
    console.print(_ranking(told))
    console.rule(f"[bold]Anybody: oker verify decision {told.decided.file.name}")
    for process in (told.decided.verified, told.decided.altered):
        console.print(escape((process.stdout + process.stderr).strip()) if process else "")
    console.rule("[bold]The mails")
    for word in ("Niemand", "Entscheidung", "Ziel"):
        console.print(_mail(next(mail for mail in told.mails if word in str(mail["Subject"]))))
    console.print(f"  … {len(told.mails)} mails in all: {', '.join(sorted(str(m['To']) for m in told.mails))}")
    console.rule("[bold]The ledger: oker ledger")
    _oker(stack, "ledger")
    console.rule(f"[bold]The trail of one reading: oker trail {told.reading_id}")
    _oker(stack, "trail", told.reading_id)


def _missing(told: Told) -> Table:
    table = Table("Place", "What is missing", title=told.decided.projects[0])
    for row in told.decided.refused_step["missing"]:
        table.add_row(row["path"], row["sentence_de"])
    return table


def _ranking(told: Told) -> Table:
    decision, result = told.decided.decision, told.decided.result
    decided = {row["project_id"]: row for row in decision["lines"]}
    table = Table("Rank", "Project", "Score", "Ballots", "Computed", "Decided", "Why", title=decision["title"])
    for row in result["lines"]:
        line = decided.get(row["project_id"], {"decided": row["outcome"], "reason": ""})
        why = line["reason"] or row["why_de"]
        cells = (str(row["rank"]), row["project_id"], row["score"], str(row["ballots"]), row["outcome"])
        table.add_row(*cells, line["decided"], why)
    return table


def _mail(mail: EmailMessage) -> Panel:
    body = mail.get_body()
    text = body.get_content().strip() if body else ""
    return Panel(escape(text), title=escape(f"{mail['To']}: {mail['Subject']}"), title_align="left")


def _oker(stack: Stack, *arguments: str) -> None:
    """Run the command `oker` as an operator would."""
    sys.stdout.flush()
    command = [str(Path(sys.executable).parent / "oker"), *arguments]
    environment = {**os.environ, "OKER_ENV_FILE": str(stack.folder / "env")}
    result = subprocess.run(command, env=environment, check=False)
    if result.returncode:
        raise StoryFailed(f"`oker {' '.join(arguments)}` ended with code {result.returncode}")


def _show_urls(stack: Stack) -> None:
    table = Table("What", "Where", title="running; `make down` ends it")
    for name in services():
        table.add_row(name, f"{stack.url(name)}/docs")
    table.add_row("NATS", stack.nats_url)
    table.add_row("MQTT 3.1.1", f"mqtt://127.0.0.1:{stack.ports.mqtt}")
    table.add_row("mails", str(stack.mails / "new"))
    table.add_row("operator's settings", f"OKER_ENV_FILE={stack.folder / 'env'}")
    table.add_row("passwords", str(stack.folder / "secrets.json"))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
