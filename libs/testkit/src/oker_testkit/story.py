"""The story that must really happen: from a catalogue and a sensor to a decision, a KPI and the mails.

Played by `make demo` and by the end-to-end test, with the companies' and people's own credentials only.
"""

import asyncio
import mailbox
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import httpx

from oker_contracts.project.proposed_v1 import ProjectProposedV1
from oker_contracts.sensor.device_declared_v1 import Codec, DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit.company import Company, chirpstack_uplink
from oker_testkit.procedure import BOARD, Decided, Procedure, StoryFailed
from oker_testkit.stack import Stack

DEV_EUI = "70b3d57ed0001a2b"
WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Told:
    """What happened, for whoever shows or tests it."""

    catalogue: dict[str, Any] = field(default_factory=dict)
    projects: list[dict[str, Any]] = field(default_factory=list)
    fields: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    decided: Decided = field(default_factory=Decided)
    calendar: dict[str, Any] = field(default_factory=dict)
    kpi: dict[str, Any] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    reading_id: str = ""


@dataclass(slots=True)
class Story:
    """The people and companies of the story, acting on a running stack."""

    stack: Stack
    tell: Callable[[str], None] = print
    told: Told = field(default_factory=Told)
    run: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%d%H%M%S}")
    """Part of every id, so that a stack that is kept can play the story again."""

    mails_before: int = 0

    @property
    def stadtwerke(self) -> Company:
        """The utility."""
        return Company("stadtwerke", self.stack)

    @property
    def verkehr(self) -> Company:
        """The transport operator."""
        return Company("verkehr", self.stack)

    async def play(self) -> Told:
        """All six parts, in order."""
        await self.import_catalogue()
        await self.register_people()
        await self.declare_devices()
        await self.report_readings()
        await self.propose_and_accept()
        await self.decide()
        await self.lay_out_calendar()
        await self.turn_kpi_off_track()
        await self.receive_mails()
        return self.told

    # The city's people, over HTTP

    async def answer(
        self,
        service: str,
        method: str,
        path: str,
        holder: str,
        *roles: str,
        more: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request by a role holder, with more headers if need be."""
        headers = self.stack.token(holder, *roles) | (more or {})
        async with httpx.AsyncClient(timeout=15) as http:
            return await http.request(method, self.stack.url(service) + path, headers=headers, **options)

    async def ask(self, service: str, method: str, path: str, holder: str, *roles: str, **options: Any) -> Any:
        """The same; anything but success fails the story."""
        answer = await self.answer(service, method, path, holder, *roles, **options)
        if answer.is_error:
            raise StoryFailed(f"{method} {path} of {service}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    async def until(self, look: Callable[[], Any], what: str) -> Any:
        """Wait until ``look`` returns something true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            seen = await look()
            if seen:
                return seen
            if time.monotonic() > deadline:
                raise StoryFailed(f"{what}: not seen within {WAIT_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def import_catalogue(self) -> None:
        """1. Ten Handlungsfelder, nine goals, 35 projects with 48 assignments; once, however often it is asked."""
        first = await self.ask("project-registry", "POST", "/catalogue", "unit-1", "unit")
        again = await self.ask("project-registry", "POST", "/catalogue", "unit-1", "unit")
        self.told.catalogue = first | {"new_projects_when_repeated": again["new_projects"]}
        self.told.fields = await self.ask("project-registry", "GET", "/catalogue/fields", "unit-1", "unit")
        self.told.projects = await self.ask("project-registry", "GET", "/projects", "unit-1", "unit")
        self.tell(
            f"catalogue: {first['fields_of_action']} Handlungsfelder, {first['goals']} goals, "
            f"{first['projects']} projects, {first['assignments']} assignments; repeated: {again['new_projects']} new"
        )

    async def register_people(self) -> None:
        """Whom notification tells: role holders with an address and a language."""
        self.mails_before = len(read_mails(self.stack))
        people = {"cdo-1": (["cdo"], "de"), "officer-66": (["officer"], "de"), "dezernat-1": (["dezernent"], "en")}
        people |= {holder: (["board"], "en" if position == 2 else "de") for position, holder in enumerate(BOARD)}
        for holder, (roles, locale) in people.items():
            body = {"roles": roles, "address": f"{holder}@braunschweig.example", "locale": locale}
            await self.ask("notification", "PUT", f"/recipients/{holder}", "unit-1", "unit", json=body)
        self.tell(f"people: {', '.join(people)}")

    # The companies

    async def declare_devices(self) -> None:
        """2a. Each company declares its devices."""
        station = [
            ("temperature_1", "Cel", "Lufttemperatur"),
            ("relative_humidity_2", "%", "Relative Luftfeuchte"),
        ]
        await self.stadtwerke.say(
            _device(DEV_EUI, "Wetterstation Löwenwall", station, "environment", "cayenne_lpp"),
            f"dev-1-{self.run}",
        )
        await self.stadtwerke.say(
            _device("trafo-12", "Trafostation 12", [("power_1", "kW", "Wirkleistung")], "grid"),
            f"dev-2-{self.run}",
        )
        counter = [("visitors_1", "{visitors}", "Besucher je Stunde")]
        await self.verkehr.say(
            _device("laser-burgplatz", "Laserzähler Burgplatz", counter, "visitors"), f"dev-3-{self.run}"
        )

        async def known() -> bool:
            devices = await self.ask("sensor-ingest", "GET", "/devices", "unit-1", "unit")
            return {DEV_EUI, "trafo-12", "laser-burgplatz"} <= {device["device"] for device in devices}

        await self.until(known, "three devices are registered")
        self.tell("devices: a LoRaWAN weather station and a transformer (stadtwerke), a laser counter (verkehr)")

    async def report_readings(self) -> None:
        """2b. Readings in three ways; a broken message, an unknown device, a wrong unit and a duplicate among them."""
        run, now = self.run, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
        await self.stadtwerke.say(_reading("trafo-12", "power_1", 412.5, "kW", now), f"r-native-{run}")
        topic, body = chirpstack_uplink(DEV_EUI, bytes.fromhex("016700e1026864"), now, f"dedup-{run}")
        await self.stadtwerke.publish_mqtt(topic, body)
        taken = await self.stadtwerke.post(
            _reading("trafo-12", "power_1", 420.0, "kW", now + timedelta(minutes=1)), f"r-http-{run}"
        )
        if taken.status_code != 202:
            raise StoryFailed(f"HTTP intake: {taken.status_code} {taken.text[:300]}")
        await self.verkehr.say(_reading("laser-burgplatz", "visitors_1", 940, "{visitors}", now), f"v-1-{run}")
        headers = {"ce-specversion": "1.0", "ce-id": f"broken-{run}", "ce-source": "/stadtwerke/scada"}
        headers["ce-type"] = "de.oker.sensor.reading_reported.v1"
        await self.stadtwerke.say_raw("events.sensor.reading_reported.v1", b'{"device": "trafo-12", ', headers)
        await self.stadtwerke.say(_reading("trafo-99", "power_1", 1.0, "kW", now), f"r-unknown-{run}")
        await self.verkehr.say(_reading("laser-burgplatz", "visitors_1", 3.0, "Cel", now), f"v-unit-{run}")
        await self.stadtwerke.say(_reading("trafo-12", "power_1", 412.5, "kW", now), f"r-native-{run}")
        await self._wait_for_readings()
        self.tell(
            "readings: native over NATS, ChirpStack over MQTT, CloudEvent over HTTP; four troublemakers among them"
        )

    async def _wait_for_readings(self) -> None:
        async def stored() -> bool:
            paths = [
                f"/devices/stadtwerke/{DEV_EUI}/temperature_1/observations",
                "/devices/stadtwerke/trafo-12/power_1/observations",
                "/devices/verkehr/laser-burgplatz/visitors_1/observations",
            ]
            rows = [await self.ask("sensor-ingest", "GET", path, "unit-1", "unit") for path in paths]
            wanted = {f"dedup-{self.run}", f"r-native-{self.run}", f"r-http-{self.run}", f"v-1-{self.run}"}
            return wanted <= {row["event_id"] for found in rows for row in found}

        await self.until(stored, "readings of all three ways are stored")

    async def propose_and_accept(self) -> None:
        """3a. verkehr proposes a project, still in version 1 of the contract; the unit accepts it."""
        proposal = ProjectProposedV1(
            proposal=f"besucherzaehlung-{self.run}",
            title="Besucherzählung am Burgplatz",
            summary="Laser zählen Besucher; die Zahlen steuern Takt und Reinigung.",
            field_of_action="mobilitaet",
            goals=["attraktivitaet-braunschweigs-foerdern"],
        )
        await self.verkehr.say(proposal, f"proposal-{self.run}", source="/verkehr/office")
        project = f"verkehr-besucherzaehlung-{self.run}"

        async def received() -> bool:
            proposals = await self.ask("project-registry", "GET", "/proposals", "unit-1", "unit")
            return any(row["project_id"] == project for row in proposals)

        await self.until(received, "the proposal is received")
        acceptance = {"officer": "officer-66"}
        await self.ask(
            "project-registry", "POST", f"/proposals/{project}/acceptance", "unit-1", "unit", json=acceptance
        )
        self.tell(f"project: {project} proposed by verkehr, accepted by the unit")

    async def decide(self) -> None:
        """3b. Gates, a frozen round, assessments, ballots, decision and file, see :mod:`oker_testkit.procedure`."""
        procedure = Procedure(self.ask, self.answer, self.until, self.tell, self.stack.folder, self.run)
        self.told.decided = await procedure.play(f"verkehr-besucherzaehlung-{self.run}")

    async def lay_out_calendar(self) -> None:
        """4a. The political resolution is dated; the calendar of evaluations follows."""
        path, body = "/resolutions/2020-01", {"resolved_on": "2020-03-17", "years": 10}
        self.told.calendar = await self.ask("evaluation-scheduler", "PUT", path, "cdo-1", "cdo", json=body)
        self.tell(f"calendar: {', '.join(cycle['due_on'] for cycle in self.told.calendar['cycles'])}")

    async def turn_kpi_off_track(self) -> None:
        """4b. A KPI is bound to the visitor counts; one reading turns it off track."""
        kpi = f"besucher-burgplatz-{self.run}"
        body = {
            "project_id": f"verkehr-besucherzaehlung-{self.run}",
            "title": "Besucher je Stunde am Burgplatz",
            "partner": "verkehr",
            "device": "laser-burgplatz",
            "property": "visitors_1",
            "unit": "{visitors}",
            "target": 800.0,
            "direction": "at_least",
        }
        await self.ask("evaluation-scheduler", "PUT", f"/kpis/{kpi}", "cdo-1", "cdo", json=body)
        self.told.reading_id = f"v-2-{self.run}"
        now = datetime.now(UTC).replace(microsecond=0)
        await self.verkehr.say(_reading("laser-burgplatz", "visitors_1", 310, "{visitors}", now), self.told.reading_id)

        async def off_track() -> Any:
            seen = await self.ask("evaluation-scheduler", "GET", f"/kpis/{kpi}", "cdo-1", "cdo")
            return seen if seen["status"] == "off_track" else None

        self.told.kpi = await self.until(off_track, "the KPI is off track")
        self.tell(
            f"KPI: {self.told.kpi['latest']['value']:.0f} visitors, target {self.told.kpi['target']:.0f}: off track"
        )

    async def receive_mails(self) -> None:
        """5. As mails: the gap and its end to CDO and Dezernentensitzung, the decision to CDO and board, the KPI to CDO
        and the responsible officer."""
        expected = 2 + 2 + len(BOARD) + 1 + 2

        async def arrived() -> Any:
            mails = read_mails(self.stack)[self.mails_before :]
            return mails if len(mails) >= expected else None

        self.told.mails = await self.until(arrived, f"{expected} mails have arrived")
        self.tell(f"mails: {len(self.told.mails)} have arrived")


def read_mails(stack: Stack) -> list[EmailMessage]:
    """Every mail in the sink."""
    if not stack.mails.exists():
        return []
    box = mailbox.Maildir(str(stack.mails), create=False)
    parser = BytesParser(policy=policy.default)
    return [parser.parsebytes(box.get_bytes(key)) for key in sorted(box.keys())]


def _device(
    device: str, name: str, streams: list[tuple[str, str, str]], dataset: str, codec: Codec = "none"
) -> DeviceDeclaredV1:
    declared = [
        DeclaredDatastream(property=property, unit=unit, dataset=dataset, observed_property=title)
        for property, unit, title in streams
    ]
    return DeviceDeclaredV1(device=device, name=name, codec=codec, location=(10.527, 52.264), datastreams=declared)


def _reading(device: str, property: str, value: float, unit: str, at: datetime) -> ReadingReportedV1:
    result = ReportedResult(property=property, value=value, unit=unit)
    return ReadingReportedV1(device=device, phenomenon_time=at, results=[result])
