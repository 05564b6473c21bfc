"""What an event says, in one line and without personal data: things, companies, projects and numbers."""

from collections.abc import Sized

from oker_contracts import Contract
from oker_contracts.evaluation.calendar_laid_out_v1 import CalendarLaidOutV1
from oker_contracts.evaluation.kpi_assessed_v1 import KpiAssessedV1
from oker_contracts.evaluation.kpi_bound_v1 import KpiBoundV1
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.notification.mail_sent_v1 import MailSentV1
from oker_contracts.project.catalogue_imported_v1 import CatalogueImportedV1
from oker_contracts.project.field_recorded_v1 import FieldRecordedV1
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.goal_recorded_v1 import GoalRecordedV1
from oker_contracts.project.idea_moderated_v1 import IdeaModeratedV1
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.project.term_recorded_v1 import TermRecordedV1
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidate_delisted_v1 import CandidateDelistedV1
from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.conflict_settled_v1 import ConflictSettledV1
from oker_contracts.selection.criteria_recorded_v1 import CriteriaRecordedV1
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_contracts.selection.session_recorded_v1 import SessionRecordedV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
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
        case ProjectRegisteredV2():
            return data.project_id if data.origin == "catalogue" else f"{data.project_id}, from: {data.origin}"
        case ProfileRecordedV1():
            moved = f"{data.previous_state} → {data.state}" if data.state != data.previous_state else data.state
            return f"{data.project_id}, version {data.version}: {moved.replace('_', ' ')}"
        case GapEscalatedV1():
            return f"{data.organisation}: gap {data.state}, {_many(data.projects, 'project')}"
        case IdeaModeratedV1():
            return f"{data.idea}: {data.outcome}"
    return _of_the_register(data)


def _of_the_register(data: Contract) -> str:
    match data:
        case FieldRecordedV1():
            return f"{data.field}, version {data.version}: {data.status}"
        case GoalRecordedV1():
            return f"{data.goal}, version {data.version}: {data.status}"
        case OrganisationRecordedV1():
            return f"{data.organisation}, version {data.version}: {data.status}"
        case TermRecordedV1():
            return f"a term of the role {data.role}, version {data.version}"
    return ""


def _selection(data: Contract) -> str:
    match data:
        case CandidateListedV2():
            return f"{data.project_id}, version {data.version}"
        case CandidateDelistedV1():
            return f"{data.project_id}: {data.state.replace('_', ' ')}"
        case CriteriaRecordedV1():
            return f"{data.set}, version {data.version}: {_many(data.criteria, 'criterion')}"
        case RoundOpenedV1():
            return f"{data.round_id}: {_many(data.candidates, 'candidate')}, {_many(data.electorate, 'voter')}"
        case SessionRecordedV1():
            return f"{data.session}, version {data.version}: {data.state}"
        case ConflictSettledV1():
            return f"{data.conflict}, between {', '.join(data.parties)}"
    return _of_a_round(data)


def _of_a_round(data: Contract) -> str:
    match data:
        case RoundFrozenV1():
            return f"{data.round_id}: frozen as {data.frozen_sha256[:16]}"
        case CandidatesFrozenV1():
            return f"{data.round_id}: {_many(data.candidates, 'candidate')}"
        case RoundMovedV1():
            return f"{data.round_id}: {data.stage}"
        case AssessmentGivenV1():
            return f"{data.round_id}: one assessment of {data.project_id}"
        case BallotCastV1() | BallotCastV2():
            return f"{data.round_id}: one ballot on {data.project_id}"
        case RecusalDeclaredV1():
            return f"{data.round_id}: one recusal on {data.project_id}"
        case VotesCountedV1():
            return f"{data.round_id}: votes of {data.voice}"
        case RoundClosedV1():
            return f"{data.round_id}: {data.judgements} judgements, result {data.result_sha256[:16]}"
        case ResultRecordedV1():
            return f"{data.round_id}: {_many(data.lines, 'line')} of the result"
        case DecisionTakenV2():
            selected = [line.project_id for line in data.lines if line.decided == "selected"]
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
        case MailQueuedV2():
            return f"to the role {data.role}"
        case MailSentV1():
            return "accepted by the mail server"
    return ""
