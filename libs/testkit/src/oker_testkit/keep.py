"""What a failed test leaves behind: its streams, its outbox, its settlements and its log."""

import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import text

from oker_bus.store import run
from oker_testkit.bus import TestBus, messages

TABLES = ("settlement", "inbox", "outbox", "quarantine")


async def keep_evidence(bus: TestBus, root: Path, test: str, report: str) -> Path:
    """Write everything a failed test has seen into a folder below ``build/failed``; returns the folder."""
    folder = root / "build" / "failed" / re.sub(r"[^A-Za-z0-9_.-]+", "_", test)[-120:]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(report)
    for info in await bus.jetstream.streams_info():
        rows = [_row(msg) async for msg in messages(bus.jetstream, str(info.config.name))]
        if rows:
            (folder / f"{info.config.name}.jsonl").write_text("\n".join(rows) + "\n")
    async with bus.bus.sessions() as session:
        for table in TABLES:
            found = (await run(session, text(f"SELECT to_jsonb(t) FROM {table} t"))).scalars()  # noqa: S608
            (folder / f"{table}.jsonl").write_text("\n".join(json.dumps(row) for row in found) + "\n")
    return folder


def _row(msg: Any) -> str:
    body = (msg.data or b"").decode("utf-8", "backslashreplace")
    return json.dumps({"seq": msg.seq, "subject": msg.subject, "headers": msg.headers, "body": body})
