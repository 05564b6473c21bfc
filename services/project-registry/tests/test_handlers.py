"""What project-registry does with what it hears."""

import json

import pytest
from builders_project_registry import Token, a_proposed_project
from httpx import AsyncClient

from oker_bus.edge import Sessions
from oker_contracts import Envelope
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.proposed_v1 import ProjectProposedV1
from oker_testkit.bus import TestBus
from project_registry import store


@pytest.fixture(autouse=True)
async def imported(http: AsyncClient, token: Token) -> None:
    """The catalogue is there."""
    response = await http.post("/catalogue", headers=token("u-1", "unit"))
    assert response.status_code == 200


async def test_a_proposal_delivered_twice_is_received_once(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr", id="p-1")
    await bus.publish(a_proposed_project(), partner="verkehr", id="p-1")
    await bus.settled()

    async with sessions() as session:
        (kept,) = await store.proposals(session)
    assert await bus.announced(ProposalReceivedV1) == [
        ProposalReceivedV1(
            project_id="verkehr-leihfahrraeder",
            partner="verkehr",
            proposal="leihfahrraeder",
            title="Leihfahrräder am Hauptbahnhof",
            summary="Stationen zählen ihre Räder selbst.",
            fields_of_action=["mobilitaet"],
            goals=["raum-fuer-initiativen-schaffen"],
            received_at=kept.received_at,
        )
    ]


async def test_the_same_proposal_in_another_event_changes_nothing(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr", id="p-1")
    await bus.publish(a_proposed_project(), partner="verkehr", id="p-2")
    await bus.settled()

    async with sessions() as session:
        assert len(await store.proposals(session)) == 1
    assert len(await bus.announced(ProposalReceivedV1)) == 1
    assert await bus.quarantined() == []


async def test_another_content_under_the_same_name_is_kept_apart(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr")
    await bus.settled()
    await bus.publish(a_proposed_project(title="Lastenräder"), partner="verkehr")
    await bus.settled()

    async with sessions() as session:
        assert [row.title for row in await store.proposals(session)] == ["Leihfahrräder am Hauptbahnhof"]
    assert await bus.quarantined() == [("field_value_invalid", "$.proposal")]


async def test_two_companies_may_use_the_same_name(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr")
    await bus.publish(a_proposed_project(), partner="stadtwerke")
    await bus.settled()

    async with sessions() as session:
        ids = [row.project_id for row in await store.proposals(session)]
    assert ids == ["stadtwerke-leihfahrraeder", "verkehr-leihfahrraeder"]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"fields_of_action": ["mobilitaet", "raumfahrt"]}, "$.fields_of_action[1]"),
        ({"goals": ["weltherrschaft"]}, "$.goals[0]"),
    ],
)
async def test_an_unknown_reference_is_quarantined_with_its_path(
    bus: TestBus, sessions: Sessions, said: dict[str, list[str]], path: str
) -> None:
    await bus.publish(a_proposed_project(**said), partner="verkehr")
    await bus.settled()

    assert await bus.quarantined() == [("proposal_reference_unknown", path)]
    assert await bus.announced(ProposalReceivedV1) == []
    async with sessions() as session:
        assert await store.proposals(session) == []


async def test_a_title_that_no_table_can_hold_is_quarantined_with_its_path(bus: TestBus) -> None:
    envelope = Envelope("1", "/test", "de.oker.project.proposed.v2", None, b"")
    body = a_proposed_project().model_dump() | {"title": "Rad\x00"}
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", json.dumps(body).encode(), envelope.headers())
    await bus.settled()

    assert await bus.quarantined() == [("field_value_invalid", "$.title")]


async def test_a_proposal_in_version_1_is_understood(bus: TestBus) -> None:
    old = ProjectProposedV1(proposal="energiemonitor", title="Energiemonitor", field_of_action="energie")
    await bus.publish(old, partner="stadtwerke")
    await bus.settled()

    (received,) = await bus.announced(ProposalReceivedV1)
    assert (received.project_id, received.fields_of_action) == ("stadtwerke-energiemonitor", ["energie"])
