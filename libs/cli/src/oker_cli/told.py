"""From a message of a stream to what the trail needs of it."""

from collections.abc import Mapping
from typing import Any

from oker_cli import uplinks
from oker_cli.trail import Place, Told
from oker_cli.what import printable, what
from oker_contracts import TYPE_PREFIX, Contract, Refused, catalog, read_envelope, reader
from oker_contracts.evaluation.kpi_assessed_v1 import KpiAssessedV1
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.notification.mail_sent_v1 import MailSentV1
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1

QUARANTINE = "QUARANTINE"


def told(stream: str, msg: Any) -> Told:
    """Read one message; what cannot be read is told as well, with its place for an id."""
    headers = {str(name): str(value) for name, value in (msg.headers or {}).items()}
    place = Place(stream, int(msg.seq))
    if stream == QUARANTINE:
        return _refusal(place, headers, msg.time)
    partner = msg.subject.split(".", 2)[1] if stream.startswith("IN_") else ""
    try:
        envelope = read_envelope(headers, msg.data or b"")
    except Refused:
        return _unreadable(place, partner, headers, msg.time)
    data = _data(envelope.type, envelope.data, "claim" if partner else "fact")
    return Told(
        key=(partner, envelope.source, envelope.id),
        type=_name(envelope.type),
        time=msg.time,
        place=place,
        what=what(data) if data else "",
        causation=envelope.causationid,
        **(_links(partner, data) if data else {}),
    )


def _unreadable(place: Place, partner: str, headers: Mapping[str, str], time: Any) -> Told:
    """Without a whole envelope it still lies somewhere, and may have been given an id."""
    said = {name.lower(): value for name, value in headers.items()}
    key = (partner, said.get("ce-source") or place.stream, said.get("ce-id") or str(place))
    return Told(key, _name(said.get("ce-type") or "(no type)"), time, place, "cannot be read")


def _refusal(place: Place, headers: Mapping[str, str], time: Any) -> Told:
    """The copy of a refused message has the headers of the original, and the reason in headers of its own."""
    said = {name.lower(): value for name, value in headers.items()}
    stream, _, rest = said.get("oker-position", "").partition("/")
    sequence, _, part = rest.partition("/")
    original = Place(stream, int(sequence)) if sequence.isdigit() else None
    mended = said.get("oker-mended")
    reason = f"{mended}; was " * bool(mended) + f"{said.get('oker-reason', '')} at {said.get('oker-path', '')}"
    which = f"reading {part}: " if part not in ("", "0") else ""
    return Told(
        key=("", QUARANTINE, str(place)),
        type="mended" if mended else "quarantined",
        time=time,
        place=place,
        what=printable(which + reason),
        names=frozenset({said["ce-id"]} if said.get("ce-id") else ()),
        refuses=original,
    )


def _name(type: str) -> str:
    return type.removeprefix(TYPE_PREFIX)


def _data(type: str, body: bytes, kind: str) -> Contract | None:
    """The data, if it is valid and stands where its kind belongs: a company's word is no fact."""
    entry = catalog().find(type)
    if entry is None or entry.kind != kind:
        return None
    try:
        return reader().data(entry, body)
    except Refused:
        return None


def _links(partner: str, data: Contract) -> dict[str, Any]:
    """What the data says about causes, besides ``causationid``."""
    match data:
        case MqttMessageReceivedV1():
            return _forwarded(partner, uplinks.on_topic(data.topic, data.payload))
        case WebhookReceivedV1():
            return _forwarded(partner, uplinks.in_request(data.network, data.event, data.payload))
        case ObservationsRecordedV2():
            said = dict.fromkeys((series.event_source, id) for series in data.series for id in series.event_ids)
            return {"records": tuple((data.partner, *pair) for pair in said)}
        case KpiAssessedV1():
            return {"evidence": (data.partner, data.evidence.event_source, data.evidence.event_id)}
        case MailQueuedV2() | MailSentV1():
            return {"names": frozenset({data.message_id})}
    return _from_idea_to_decision(data)


def _from_idea_to_decision(data: Contract) -> dict[str, Any]:
    """A project, its versions and its place in the pool; a round, what was said in it, and what came of it."""
    taken: tuple[str, ...]
    match data:
        case ProposalReceivedV1():
            return {"gives": f"proposal/{data.project_id}"}
        case ProjectRegisteredV2():
            taken = (f"proposal/{data.project_id}",) if data.origin == "proposal" else ()
            return {"gives": f"project/{data.project_id}", "takes": taken}
        case ProfileRecordedV1():
            return {"takes": (f"project/{data.project_id}",)}
        case CandidateListedV2():
            return {"gives": f"candidate/{data.project_id}/{data.version}"}
        case CandidatesFrozenV1():
            taken = tuple(f"candidate/{row.project_id}/{row.version}" for row in data.candidates)
            return {"gives": f"round/{data.round_id}", "takes": taken}
        case RoundFrozenV1() | RoundOpenedV1():
            return {"gives": f"round/{data.round_id}"}
        case AssessmentGivenV1() | BallotCastV1() | BallotCastV2() | RecusalDeclaredV1() | VotesCountedV1():
            return {"gives": f"ballots/{data.round_id}", "takes": (f"round/{data.round_id}",)}
        case RoundClosedV1():
            taken = (f"round/{data.round_id}", f"ballots/{data.round_id}")
            return {"gives": f"result/{data.round_id}", "takes": taken}
        case DecisionTakenV2(log=None):
            return {"takes": (f"round/{data.round_id}", f"ballots/{data.round_id}")}
        case DecisionTakenV2():
            return {"takes": (f"result/{data.round_id}",)}
    return {}


def _forwarded(partner: str, name: uplinks.Name | None) -> dict[str, Any]:
    """A message that somebody else brought: it carries a reading under another name than its own."""
    return {"carries": ((partner, *name),), "names": frozenset({name[1]})} if name else {}
