"""What an event says, in one line and without personal data: things, companies, projects and numbers."""

from collections.abc import Sized

from oker_contracts import Contract
from oker_contracts.evaluation.calendar_laid_out_v1 import CalendarLaidOutV1
from oker_contracts.evaluation.kpi_assessed_v1 import KpiAssessedV1
from oker_contracts.evaluation.kpi_bound_v1 import KpiBoundV1
from oker_contracts.notification.mail_queued_v1 import MailQueuedV1
from oker_contracts.notification.mail_sent_v1 import MailSentV1
from oker_contracts.project.catalogue_imported_v1 import CatalogueImportedV1
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from oker_contracts.sensor.device_moved_v1 import DeviceMovedV1
from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from oker_contracts.sensor.device_replaced_v1 import DeviceReplacedV1
from oker_contracts.sensor.lorawan_events_recorded_v1 import LorawanEventsRecordedV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from oker_contracts.sensor.profile_registered_v1 import ProfileRegisteredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1

MOST = 100


def what(data: Contract) -> str:
    """One line about an event; holders, scores, names of things and free text are left out."""
    return printable(_sensor(data) or _project(data) or _selection(data) or _evaluation(data) or _mail(data))


def printable(said: str, most: int = MOST) -> str:
    """Text of companies as it may go to a terminal: no control characters, and not without end."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _many(things: Sized, name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")


def _sensor(data: Contract) -> str:
    match data:
        case ReadingReportedV1():
            results = (f"{r.property} {r.value:g} {r.unit}" for r in data.results)
            return f"{data.device}: {', '.join(results)}"
        case ReadingsReportedV1():
            devices = {reading.device for reading in data.readings}
            return f"{_many(data.readings, 'reading')} of {_many(devices, 'device')}"
        case MqttMessageReceivedV1():
            return f"{len(data.payload)} bytes on {data.topic}"
        case WebhookReceivedV1():
            return f"{len(data.payload)} bytes from {data.network}"
        case UplinkRedecodedV1():
            return f"{data.hardware}: uplink {data.uplink} by {data.profile}@{data.version}"
        case ObservationsRecordedV2():
            values = [value for series in data.series for column in series.datastreams for value in column.values]
            return f"{data.partner}, {data.dataset}: {_many(values, 'observation')}"
        case LorawanEventsRecordedV1():
            return f"{data.partner}: {_many(data.events, 'event')} of LoRaWAN devices"
    return _registry(data)


def _registry(data: Contract) -> str:
    match data:
        case DeviceDeclaredV2():
            return f"{data.device} with {_many(data.datastreams, 'datastream')}"
        case DeviceRegisteredV2():
            return f"{data.partner}: {data.device} with {_many(data.datastreams, 'datastream')}"
        case DeviceReplacedV1():
            return f"{data.device}: {data.hardware} from {data.replaced_at.isoformat()}"
        case DeviceMovedV1():
            return f"{data.device}: moved at {data.moved_at.isoformat()}"
        case ProfileDeclaredV1():
            return f"{data.profile}@{data.version}"
        case ProfileRegisteredV1():
            return f"{data.partner}: {data.declared.profile}@{data.declared.version}"
    return ""


def _project(data: Contract) -> str:
    match data:
        case ProjectProposedV2():
            return f"{data.proposal}, for {', '.join(data.fields_of_action)}"
        case CatalogueImportedV1():
            return f"{data.catalogue}: {_many(data.projects, 'project')}"
        case ProposalReceivedV1():
            return f"{data.project_id}, proposed by {data.partner}"
        case ProjectRegisteredV1():
            return f"{data.project_id}, from a {data.origin}" if data.origin == "proposal" else data.project_id
    return ""


def _selection(data: Contract) -> str:
    match data:
        case CandidateListedV1():
            return data.project_id
        case RoundOpenedV1():
            return f"{data.round_id}: {_many(data.candidates, 'candidate')}, {_many(data.electorate, 'voter')}"
        case BallotCastV1():
            return f"{data.round_id}: one ballot on {data.project_id}"
        case DecisionTakenV1():
            selected = [line.project_id for line in data.ranking if line.selected]
            return f"{data.round_id}: {', '.join(selected) or 'nothing selected'}"
    return ""


def _evaluation(data: Contract) -> str:
    match data:
        case CalendarLaidOutV1():
            return f"{data.strategy_version}: {_many(data.cycles, 'evaluation')}"
        case KpiBoundV1():
            return f"{data.kpi_id} to {data.partner}, {data.device}, {data.property}"
        case KpiAssessedV1():
            sign = "≥" if data.direction == "at_least" else "≤"
            target = f"{data.value:g} {data.unit}, target {sign} {data.target:g}"
            return f"{data.kpi_id}: {data.status.replace('_', ' ')}, {target}"
    return ""


def _mail(data: Contract) -> str:
    match data:
        case MailQueuedV1():
            return f"to the role {data.role}"
        case MailSentV1():
            return "accepted by the mail server"
    return ""
