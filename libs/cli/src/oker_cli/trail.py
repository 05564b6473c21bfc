"""What led to what: a graph over the events of all streams, and the way through it from one event.

An event follows from the event that its ``causationid`` names. Where one event speaks for many, the link is finer: a
batch of observations names the reading of each observation, and the assessment of a KPI names the one reading that
changed it. So the walk is over *facets*: an event, or one reading inside of a batch. A shared correlation alone is
no cause and links nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from oker_bus import Cause

Key = tuple[str, str, str]
"""Who spoke (empty: the platform), source, id."""
Facet = tuple[Key, Key | None]
"""An event; with a second key, the part of a batch that came from this reading."""
MOST_FACTS_OF_ONE_CAUSE = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message lies."""

    stream: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.stream}/{self.sequence}"


@dataclass(frozen=True, slots=True)
class Told:
    """One event, as one message of a stream tells it."""

    key: Key
    type: str
    time: datetime
    """when the broker stored it"""
    place: Place
    what: str = ""
    """one line without personal data"""
    causation: str | None = None
    names: frozenset[str] = frozenset()
    """other ids by which people know it"""
    carries: tuple[Key, ...] = ()
    """readings inside of an MQTT message"""
    records: tuple[Key, ...] = ()
    """of a batch: the readings, in the order of its observations"""
    evidence: Key | None = None
    """the reading that an assessment rests on"""
    refuses: Place | None = None
    """of a quarantined copy: where the original lies"""
    gives: str | None = None
    takes: tuple[str, ...] = ()
    """links that no causation says: each event that gives a name leads to each that takes it"""


@dataclass(frozen=True, slots=True)
class Step:
    """One event on the way, and the event through which it was reached."""

    key: Key
    through: Key


@dataclass(frozen=True, slots=True)
class Trail:
    """One event, all that led to it, and all that it led to; nearest first, each event once."""

    asked: Key
    ancestors: tuple[Step, ...]
    descendants: tuple[Step, ...]


@dataclass(slots=True)
class Graph:
    """Events and their links, in both directions."""

    events: dict[Key, Told] = field(default_factory=dict)
    places: dict[Key, list[Place]] = field(default_factory=dict)
    """a message that was sent twice is one event in two places"""
    causes: dict[Facet, set[Facet]] = field(default_factory=dict)
    effects: dict[Facet, set[Facet]] = field(default_factory=dict)

    def link(self, cause: Facet, effect: Facet) -> None:
        """Say that one led to the other."""
        self.causes.setdefault(effect, set()).add(cause)
        self.effects.setdefault(cause, set()).add(effect)

    def facets(self, key: Key) -> list[Facet]:
        """The event, and each reading inside of it."""
        return [(key, None), *((key, reading) for reading in dict.fromkeys(self.events[key].records))]

    def causes_of(self, key: Key) -> list[Key]:
        """The events that directly led to this one."""
        found = {cause for facet in self.facets(key) for cause, _ in self.causes.get(facet, ())} - {key}
        return sorted(found, key=self._order)

    def walk(self, starts: Iterable[Facet], links: dict[Facet, set[Facet]]) -> tuple[Step, ...]:
        """All events that can be reached, nearest first, each once, without those of the start."""
        waiting = deque((facet, facet[0]) for facet in starts)
        seen = {facet for facet, _ in waiting}
        shown = {facet[0] for facet in seen}
        steps = []
        while waiting:
            facet, through = waiting.popleft()
            for reached in sorted(links.get(facet, set()) - seen, key=lambda f: (self._order(f[0]), f[1] or ())):
                seen.add(reached)
                if reached[0] not in shown:
                    shown.add(reached[0])
                    steps.append(Step(reached[0], through))
                waiting.append((reached, reached[0]))
        return tuple(steps)

    def _order(self, key: Key) -> tuple[datetime, Place]:
        return self.events[key].time, self.events[key].place


def build(told: Iterable[Told]) -> Graph:
    """The graph over all events; in whatever order they are told, it is the same."""
    graph = Graph()
    for one in sorted(told, key=lambda one: one.place):
        graph.events.setdefault(one.key, one)
        graph.places.setdefault(one.key, []).append(one.place)
    known = _Index.of(graph)
    for event in graph.events.values():
        for cause, effect in _links(event, known):
            if cause != effect:
                graph.link(cause, effect)
    return graph


def find(graph: Graph, name: str) -> list[Trail]:
    """The trails of all events that have this id, or are known by it; empty if there is none.

    A reading whose message is no longer kept is found in the batch that recorded it.
    """
    starts = {
        key: _starts(graph, event, name)
        for key, event in graph.events.items()
        if name == key[2] or name in event.names or any(name == reading[2] for reading in event.records)
    }
    places = (key for key, places in graph.places.items() if name in map(str, places))
    starts |= {key: graph.facets(key) for key in places}
    trails = [_trail(graph, key, facets) for key, facets in starts.items() if facets]
    trails.sort(key=lambda trail: graph.places[trail.asked][0])
    return _without_those_that_follow(trails)


def _starts(graph: Graph, event: Told, name: str) -> list[Facet]:
    if name == event.key[2] or name in event.names:
        return graph.facets(event.key)
    return [(event.key, reading) for reading in dict.fromkeys(event.records) if reading[2] == name]


def _trail(graph: Graph, key: Key, facets: list[Facet]) -> Trail:
    return Trail(key, graph.walk(facets, graph.causes), graph.walk(facets, graph.effects))


def _without_those_that_follow(trails: list[Trail]) -> list[Trail]:
    """A trail that is part of another one is not shown again."""
    kept: list[Trail] = []
    for trail in trails:
        others = [other for other in trails if other is not trail]
        follows = [other for other in others if any(step.key == trail.asked for step in other.descendants)]
        mutual = {step.key for step in trail.descendants}
        if all(other.asked in mutual and other not in kept for other in follows):
            kept.append(trail)
    return kept


@dataclass(frozen=True, slots=True)
class _Index:
    """Where to find the events that another one names."""

    by_id: dict[str, list[Told]]
    by_place: dict[Place, Key]
    by_reading: dict[Key, list[Key]]
    """messages of companies that carry a reading"""
    batches: dict[Key, list[Key]]
    """batches that recorded a reading"""
    givers: dict[str, list[Key]]

    @classmethod
    def of(cls, graph: Graph) -> "_Index":
        index = cls({}, {}, {}, {}, {})
        for key, event in graph.events.items():
            index.by_id.setdefault(key[2], []).append(event)
            index.by_place.update(dict.fromkeys(graph.places[key], key))
            for reading in {key, *event.carries} if key[0] else ():
                index.by_reading.setdefault(reading, []).append(key)
            for reading in dict.fromkeys(event.records):
                index.batches.setdefault(reading, []).append(key)
            if event.gives:
                index.givers.setdefault(event.gives, []).append(key)
        return index

    def causes(self, event: Told) -> list[Told]:
        """The events that ``causationid`` may mean; of several with this id, the one it was derived from."""
        named = [cause for cause in self.by_id.get(event.causation or "", []) if cause.key != event.key]
        if len(named) < 2:
            return named
        return [cause for cause in named if _derives(event, cause)]


def _derives(effect: Told, cause: Told) -> bool:
    """A fact's id is a hash of its cause, its type and an ordinal."""
    partner, source, id = cause.key
    origin = Cause(source, id, partner or None)
    ordinals = range(MOST_FACTS_OF_ONE_CAUSE)
    return any(str(origin.derive(f"{effect.type}/{ordinal}")) == effect.key[2] for ordinal in ordinals)


def _links(event: Told, known: _Index) -> Iterator[tuple[Facet, Facet]]:
    """All links that lead to an event, and into a batch the links between its readings and the whole."""
    whole: Facet = (event.key, None)
    if event.records:
        yield from _into_batch(event, known)
    elif event.evidence:
        yield from ((cause, whole) for cause in _evidence(event, event.evidence, known))
    elif event.refuses:
        if original := known.by_place.get(event.refuses):
            yield (original, None), whole
    else:
        yield from (((cause.key, None), whole) for cause in known.causes(event))
    for giver in chain.from_iterable(known.givers.get(name, []) for name in event.takes):
        yield (giver, None), whole


def _into_batch(batch: Told, known: _Index) -> Iterator[tuple[Facet, Facet]]:
    """Each reading leads to its part of the batch, the parts to the whole. The cause is that of the first part."""
    for reading in dict.fromkeys(batch.records):
        for message in known.by_reading.get(reading, []):
            yield (message, None), (batch.key, reading)
        yield (batch.key, reading), (batch.key, None)
    first = batch.records[0]
    for cause in known.causes(batch):
        if cause.key[0] == first[0]:  # the company
            yield (cause.key, None), (batch.key, first)


def _evidence(assessment: Told, reading: Key, known: _Index) -> list[Facet]:
    """The part of the batch that brought the reading; of several batches the one that caused the assessment."""
    batches = known.batches.get(reading, [])
    causing = {cause.key for cause in known.causes(assessment)}
    chosen = [batch for batch in batches if batch in causing] or batches
    if chosen:
        return [(batch, reading) for batch in chosen]
    return [(message, None) for message in known.by_reading.get(reading, [])]
