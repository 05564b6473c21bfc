"""What led to what: only what is connected, both ways, in whatever order it is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_bus import Cause
from oker_cli.trail import Graph, Key, Place, Told, Trail, build, find

START = datetime(2026, 5, 4, 12, tzinfo=UTC)


def told(id: str, sequence: int, *, partner: str = "", source: str = "/s", stream: str = "S", **links: Any) -> Told:
    """One event; later sequences were stored later."""
    stream = f"IN_{partner}" if partner else stream
    time = START + timedelta(seconds=sequence)
    type = links.pop("type", "some.thing_happened.v1")
    return Told((partner, source, id), type, time, Place(stream, sequence), **links)


def reading(id: str, sequence: int, **options: Any) -> Told:
    return told(id, sequence, **{"partner": "verkehr", "source": "/counter", **options})


def key(id: str, partner: str = "verkehr", source: str = "/counter") -> Key:
    return (partner, source, id)


def batch(id: str, sequence: int, *readings: str, **options: Any) -> Told:
    records = tuple(key(name) for name in readings)
    return told(id, sequence, **{"records": records, "causation": readings[0], **options})


def assessed(id: str, sequence: int, causation: str, evidence: str) -> Told:
    return told(id, sequence, causation=causation, evidence=key(evidence))


def trail(name: str, *events: Told) -> tuple[list[str], list[str]]:
    """Ids of ancestors and descendants of the only trail of this name."""
    (found,) = find(build(events), name)
    return ids(found)


def ids(found: Trail) -> tuple[list[str], list[str]]:
    return [step.key[2] for step in found.ancestors], [step.key[2] for step in found.descendants]


STORY = (
    reading("r1", 1),
    reading("r2", 2),
    reading("r3", 3),
    batch("b1", 11, "r1", "r2"),
    batch("b2", 12, "r3"),
    assessed("kpi-r2", 21, "b1", "r2"),
    assessed("kpi-r3", 22, "b2", "r3"),
    told("queued", 31, causation="kpi-r2"),
    told("sent", 32, causation="queued"),
)


@pytest.mark.parametrize(
    ("name", "ancestors", "descendants"),
    [
        ("r1", [], ["b1"]),
        ("r2", [], ["b1", "kpi-r2", "queued", "sent"]),
        ("b1", ["r1", "r2"], ["kpi-r2", "queued", "sent"]),
        ("kpi-r2", ["b1", "r2"], ["queued", "sent"]),
        ("sent", ["queued", "kpi-r2", "b1", "r2"], []),
        ("r3", [], ["b2", "kpi-r3"]),
    ],
)
def test_the_chain_from_a_reading_to_the_mail_and_back(name: str, ancestors: list[str], descendants: list[str]) -> None:
    assert trail(name, *STORY) == (ancestors, descendants)


def test_an_assessment_follows_from_its_evidence_alone() -> None:
    """A batch speaks for many readings; only the one that turned the KPI is behind it."""
    _, of_another_reading = trail("r1", *STORY)
    back, _ = trail("kpi-r2", *STORY)

    assert "kpi-r2" not in of_another_reading
    assert "r1" not in back


def test_other_effects_of_a_batch_follow_from_each_of_its_readings() -> None:
    events = (*STORY, told("export", 40, causation="b1"))

    assert trail("r1", *events) == ([], ["b1", "export"])
    assert trail("export", *events) == (["b1", "r1", "r2"], [])


def test_a_reading_in_two_batches_leads_on_from_the_one_that_caused_the_assessment() -> None:
    events = (
        reading("r1", 1),
        batch("b1", 11, "r1"),
        batch("b2", 12, "r1"),
        assessed("kpi", 21, "b2", "r1"),
    )

    assert trail("kpi", *events) == (["b2", "r1"], [])
    assert trail("r1", *events) == ([], ["b1", "b2", "kpi"])


def test_an_uplink_over_mqtt_is_found_by_its_deduplication_id() -> None:
    carried = key("dedup-1", source="/lorawan/70b3")
    events = (
        told("mqtt-0", 1, partner="verkehr", source="/oker/mqtt/verkehr"),
        told("mqtt-1", 2, partner="verkehr", carries=(carried,), names=frozenset({"dedup-1"})),
        told("b1", 11, records=(key("other"), carried), causation="mqtt-0"),
        assessed_by("kpi", 21, "b1", carried),
    )

    assert trail("dedup-1", *events) == ([], ["b1", "kpi"])
    assert trail("kpi", *events) == (["b1", "mqtt-1"], [])
    assert trail("mqtt-0", *events) == ([], ["b1"])


def assessed_by(id: str, sequence: int, causation: str, evidence: Key) -> Told:
    return told(id, sequence, causation=causation, evidence=evidence)


def test_a_reading_whose_message_was_forgotten_is_found_in_its_batch() -> None:
    """Intake streams forget after 90 days, facts later or never."""
    events = [event for event in STORY if event.key[2] != "r2"]

    (found,) = find(build(events), "r2")

    assert found.asked[2] == "b1"
    assert ids(found) == ([], ["kpi-r2", "queued", "sent"])


def test_a_decision_rests_on_its_round_and_its_ballots() -> None:
    events = (
        told("open-1", 1, gives="round/1"),
        told("open-2", 2, gives="round/2"),
        told("ballot-1", 3, gives="ballots/1", takes=("round/1",)),
        told("ballot-2", 4, gives="ballots/2", takes=("round/2",)),
        told("ballot-3", 5, gives="ballots/1", takes=("round/1",)),
        told("decision-1", 6, takes=("round/1", "ballots/1"), causation="request"),
        told("mail-1", 7, causation="decision-1"),
    )

    assert trail("decision-1", *events) == (["open-1", "ballot-1", "ballot-3"], ["mail-1"])
    assert trail("ballot-1", *events) == (["open-1"], ["decision-1", "mail-1"])
    assert trail("ballot-2", *events) == (["open-2"], [])


def test_the_same_cause_that_is_no_event_links_nothing() -> None:
    """Facts of one request share a correlation; neither led to the other."""
    events = (told("a", 1, causation="request"), told("b", 2, causation="request"))

    assert trail("a", *events) == ([], [])


def test_equal_ids_of_two_companies_are_two_trails() -> None:
    mine, yours = reading("r1", 1), reading("r1", 1, partner="stadtwerke")
    recorded = batch("b1", 11, "r1")

    found = find(build([mine, yours, recorded]), "r1")

    assert {one.asked[0]: ids(one) for one in found} == {"verkehr": ([], ["b1"]), "stadtwerke": ([], [])}


def test_a_batch_never_follows_from_another_company_even_if_the_right_message_was_forgotten() -> None:
    graph = build([reading("r1", 1, partner="stadtwerke"), batch("b1", 11, "r1")])

    assert graph.causes_of(("", "/s", "b1")) == []


def test_of_equal_ids_the_cause_is_the_one_the_effect_was_derived_from() -> None:
    """Somebody borrows the id of a decision for an event of his own: the mail still follows from the decision."""
    decision = told("d-1", 1, source="/oker/selection-scoring", stream="SELECTION")
    forged = reading("d-1", 1)
    fact = "notification.mail_queued.v1"
    derived = str(Cause("/oker/selection-scoring", "d-1").derive(f"{fact}/2"))
    mail = told(derived, 2, type=fact, causation="d-1")

    graph = build([decision, forged, mail])

    assert graph.causes_of(mail.key) == [decision.key]


def test_a_message_sent_twice_is_one_event_in_two_places() -> None:
    events = (reading("r1", 1), batch("b1", 11, "r1"), reading("r1", 2))
    graph = build(events)

    (found,) = find(graph, "r1")

    assert list(map(str, graph.places[found.asked])) == ["IN_verkehr/1", "IN_verkehr/2"]
    assert [one.asked for one in find(graph, "IN_verkehr/2")] == [found.asked]


def test_a_refusal_follows_from_the_message_that_was_refused() -> None:
    events = (
        reading("r1", 1),
        reading("r2", 2),
        told("QUARANTINE/1", 11, stream="QUARANTINE", refuses=Place("IN_verkehr", 2), names=frozenset({"r2"})),
    )

    assert trail("r1", *events) == ([], [])
    assert trail("r2", *events) == ([], ["QUARANTINE/1"])
    assert trail("QUARANTINE/1", *events) == (["r2"], [])


def test_what_is_nowhere_has_no_trail() -> None:
    assert find(build(STORY), "nothing") == []
    assert find(build([]), "nothing") == []


NAMES = st.sampled_from([f"e{number}" for number in range(8)])
KEYS = st.builds(lambda name: key(name, "p", "/s"), NAMES)


@st.composite
def messages(draw: st.DrawFn) -> list[Told]:
    """Streams in which anything may name anything: forged causes, circles, doubles, parts of what is forgotten."""
    count = draw(st.integers(0, 10))
    found = []
    for sequence in range(1, count + 1):
        kind = draw(st.sampled_from(["claim", "fact", "batch", "assessment", "refusal", "ballot"]))
        links: dict[str, Any] = {"causation": draw(st.none() | NAMES), "partner": "p" if kind == "claim" else ""}
        if kind == "batch":
            links["records"] = tuple(draw(st.lists(KEYS, min_size=1, max_size=4)))
        if kind == "assessment":
            links["evidence"] = draw(KEYS)
        if kind == "refusal":
            links["refuses"] = Place(draw(st.sampled_from(["IN_p", "S"])), draw(st.integers(1, count)))
        if kind == "ballot":
            links |= {"gives": draw(st.sampled_from("xy")), "takes": (draw(st.sampled_from("xy")),)}
        found.append(told(draw(NAMES), sequence, **links))
    return found


def everything(graph: Graph) -> list[Trail]:
    return [one for event in graph.events for one in find(graph, event[2]) if one.asked == event]


@settings(deadline=None)
@given(messages(), st.randoms(use_true_random=False))
def test_the_order_of_reading_changes_nothing(found: list[Told], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)

    assert everything(build(shuffled)) == everything(build(found))


@settings(deadline=None)
@given(messages())
def test_each_event_stands_once_below_one_that_stands_before_it(found: list[Told]) -> None:
    for one in everything(build(found)):
        for steps in (one.ancestors, one.descendants):
            seen = {one.asked}
            for step in steps:
                assert step.through in seen
                assert step.key not in seen
                seen.add(step.key)


@settings(deadline=None)
@given(messages())
def test_an_ancestor_has_the_event_among_its_descendants(found: list[Told]) -> None:
    graph = build(found)
    ways = {event: graph.walk(graph.facets(event), graph.effects) for event in graph.events}
    back = {event: graph.walk(graph.facets(event), graph.causes) for event in graph.events}

    forth = {(event, step.key) for event, steps in ways.items() for step in steps}
    assert forth == {(step.key, event) for event, steps in back.items() for step in steps}


@settings(deadline=None)
@given(messages())
def test_every_event_is_found_by_its_id_alone_or_within_a_trail(found: list[Told]) -> None:
    graph = build(found)
    for event in graph.events:
        shown = {
            shown
            for one in find(graph, event[2])
            for shown in (one.asked, *(step.key for step in (*one.ancestors, *one.descendants)))
        }
        assert event in shown
