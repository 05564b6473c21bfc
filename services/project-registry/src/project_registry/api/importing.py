"""Projects from a file over HTTP, and the empty file to fill in."""

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from oker_bus import Bus, Transaction
from oker_bus.bodies import read_body
from oker_contracts import Reason, Refused
from oker_contracts.base import Title
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_identity import Holder, require
from project_registry import domain, importing, store
from project_registry.api.bodies import media_type, offers
from project_registry.api.conditions import BERLIN
from project_registry.fold import entry_of
from project_registry.importing import Known, Names, Planned, Result
from project_registry.record import Change, change_projects, register_many

log = structlog.get_logger()
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPES = ("text/csv", "application/csv", "application/vnd.ms-excel", XLSX)
"""Browsers on a machine with Excel name a CSV file by the third one."""
SLICE = 1000
"""Projects that are written by one statement, so that none of them runs into the time limit of statements."""
OUTCOMES = ("created", "changed", "unchanged", "refused")
FILE = {"schema": {"type": "string", "format": "binary"}}
SAID = {"requestBody": {"required": True, "content": {"text/csv": FILE, XLSX: FILE}}}


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over files; before those over single projects, whose ids would take their names."""
    anybody = [Depends(require())]
    routes = ImportRoutes(bus)
    file: dict[str, Any] = {"dependencies": anybody, "response_class": Response}
    said = offers("application/json", "text/csv")
    api.add_api_route("/projects/import", routes.take, methods=["POST"], openapi_extra=SAID, responses=said)
    api.add_api_route("/projects/import-template.csv", routes.template_csv, **file, responses=offers("text/csv"))
    api.add_api_route("/projects/import-template.xlsx", routes.template_xlsx, **file, responses=offers(XLSX))


@dataclass(frozen=True, slots=True)
class ImportRoutes:
    """Projects by the hundred."""

    bus: Bus

    async def take(
        self,
        request: Request,
        holder: Steering,
        dry_run: Annotated[bool, Query(description="Judge every row and change nothing.")] = False,
        reason: Annotated[Title, Query(description="Why, in each new version.")] = "import",
    ) -> Response:
        """Register and change projects by a CSV or Excel file, a row each; says of each row what became of it.

        Right rows go in although others are wrong. The same file again changes nothing. As CSV with
        ``Accept: text/csv``.
        """
        kind, charset = media_type(request)
        if kind not in TYPES:
            detail = "Send the file as it is, with content-type: text/csv, or that of an .xlsx file."
            raise Refused(Reason.CONTENT_TYPE_UNSUPPORTED, "content-type", detail)
        body = await read_body(request, importing.MAX_BYTES, "A file of projects")
        header, rows = await asyncio.to_thread(importing.read_file, body, charset or "utf-8")
        async with self.bus.transaction() as tx:
            if not dry_run:
                await store.lock_register(tx.session)
            known = await _known(tx, rows)
            results, plans = await asyncio.to_thread(importing.judge, header, rows, known)
            for start in range(0, 0 if dry_run else len(plans), SLICE):
                await _apply(tx, plans[start : start + SLICE], reason, holder.id)
        counts = Counter[str](result.outcome for result in results)
        log.info("projects.imported", dry_run=dry_run, rows=len(rows), **{name: counts[name] for name in OUTCOMES})
        return _told(request, results, counts, dry_run)

    async def template_csv(self, lang: importing.Language = "de") -> Response:
        """An empty CSV file with all columns."""
        text = importing.template_csv(lang, self._year())
        return Response(text, media_type="text/csv; charset=utf-8", headers=_named(f"projects-{lang}.csv"))

    async def template_xlsx(self, lang: importing.Language = "de") -> Response:
        """An empty workbook with all columns, and a sheet that explains them."""
        book = await asyncio.to_thread(importing.template_xlsx, lang, self._year())
        return Response(book, media_type=XLSX, headers=_named(f"projects-{lang}.xlsx"))

    def _year(self) -> int:
        return self.bus.edge.clock().astimezone(BERLIN).year + 1


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


async def _known(tx: Transaction, rows: Sequence[importing.Row]) -> Known:
    """What the rows are held against."""
    found = await store.profiles(tx.session, {importing.project_id_of(row) for row in rows})
    proposed = await store.proposals(tx.session)
    terms = await store.terms(tx.session)
    active = await store.active(tx.session, "organisation", tx.now)
    today = tx.now.astimezone(BERLIN).date()

    def facts(department: str | None) -> domain.Facts:
        return domain.facts_of(department, tx.now, today, terms, active)

    return Known(
        projects={entry.id: entry for entry in found},
        proposed=frozenset(proposal.project_id for proposal in proposed if proposal.accepted_at is None),
        names=Names(*[await _names(tx, kind) for kind in ("field", "goal", "organisation")]),
        facts=facts,
    )


async def _names(tx: Transaction, kind: Any) -> Mapping[str, str]:
    """Ids of active things by id and by title; a title that two things have names neither."""
    entries = [entry for entry in await store.entries(tx.session, kind, store.When(tx.now)) if entry.status == "active"]
    titles = Counter(importing.name_key(entry.title) for entry in entries)
    by_title = {importing.name_key(entry.title): entry.id for entry in entries}
    return {key: id for key, id in by_title.items() if titles[key] == 1} | {entry.id: entry.id for entry in entries}


async def _apply(tx: Transaction, plans: Sequence[Planned], reason: str, by: str) -> None:
    """Register what is new, then record every profile that says more than its registration."""
    facts = [_registered(plan, tx, by) for plan in plans if plan.before is None]
    await register_many(tx, facts)
    births = {fact.project_id: entry_of(fact) for fact in facts}
    changes = []
    for plan in plans:
        before = plan.before or births[plan.project_id]
        if plan.profile.model_dump(mode="json", exclude_defaults=True) != before.content:
            changes.append(Change(before, reason, profile=plan.profile))
    await change_projects(tx, changes, by)


def _registered(plan: Planned, tx: Transaction, by: str) -> ProjectRegisteredV2:
    return ProjectRegisteredV2(
        project_id=plan.project_id,
        title=plan.profile.title,
        summary=plan.profile.summary,
        fields_of_action=plan.profile.fields_of_action,
        goals=[row.goal for row in plan.profile.goals],
        origin="unit",
        state="idea" if plan.state == "idea" else "proposed",
        officer=plan.profile.officer,
        registered_by=by,
        registered_at=tx.now,
    )


def _told(request: Request, results: Sequence[Result], counts: Counter[str], dry_run: bool) -> Response:
    if "text/csv" in request.headers.get("accept", ""):
        return Response(_results_csv(results), media_type="text/csv; charset=utf-8")
    said = {"rows": len(results), **{name: counts[name] for name in OUTCOMES}, "dry_run": dry_run}
    return JSONResponse({**said, "results": [importing.told(result) for result in results]})


def _results_csv(results: Sequence[Result]) -> str:
    """A line for each fault, and for each row without any; safe to be opened in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("row", "project_id", "title", "outcome", "column", "detail", "detail_de"))
    for result in results:
        about = (str(result.row), result.project_id, result.title, result.outcome)
        lines = [(fault.column, fault.detail, fault.detail_de) for fault in result.faults]
        for line in lines or [("", result.note, result.note_de)]:
            writer.writerow([importing.guarded(cell) for cell in (*about, *line)])
    return out.getvalue()
