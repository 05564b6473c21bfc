"""Load, decide, save, announce: one transaction a batch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from uuid import UUID

import structlog
from opentelemetry import trace

from oker_bus import Cause, Delivery, Reason, Refused, Transaction, metrics
from oker_bus.batch import MAX_ROWS, Ended, already_settled, already_taken, refusals_of, save_ends, save_taken
from oker_bus.edge import BURY_FAILED_AFTER, Edge, span_links
from oker_bus.partners import PartnersFile
from oker_bus.store import Counts, Outcome
from sensor_ingest import domain, lorawan, store, units
from sensor_ingest.domain import NotAcceptable, Observation, Reading
from sensor_ingest.handlers import announcing, registering
from sensor_ingest.handlers.claims import Claim, prepare, refusal, until_the_registry_changes
from sensor_ingest.handlers.decoding import decode, decode_ahead, path_of, recall_times
from sensor_ingest.handlers.registry import Registry

log = structlog.get_logger()
tracer = trace.get_tracer("sensor_ingest")
Judged = tuple[list[Observation], list[tuple[int, NotAcceptable]]]
Rejected = tuple[int, int, int, NotAcceptable]
"""A number that was refused: its part, counted from one through the message; its reading and its place there."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The writing half, which needs the database and the list of companies."""

    consumer: str
    edge: Edge
    partners: PartnersFile
    months: set[domain.Month] = field(default_factory=set)
    """Those that have a partition, as far as this process knows."""
    registry: Registry = field(default_factory=Registry)

    async def write(self, claims: list[Claim]) -> list[Outcome | None]:
        """One transaction for a batch: observations, devices, quarantine, settlements and announcements together."""
        links = span_links([claim.delivery for claim in claims])
        first = claims[0].delivery
        with tracer.start_as_current_span("ingest batch", links=links, attributes={"oker.messages": len(claims)}):
            async with self.edge.transaction(Cause(first.stream, str(first.sequence))) as tx:
                outcomes = await self._ingest(claims, tx)
        _report(claims)
        return list(outcomes)

    async def _ingest(self, claims: list[Claim], tx: Transaction) -> list[Outcome]:
        """Load, decide, save, announce."""
        ended = await already_settled(tx, [claim.delivery for claim in claims])
        fresh = list({c.delivery[1:3]: c for c in claims}.values())  # by stream and sequence
        if ended:
            fresh = [claim for claim in fresh if claim.delivery.position not in ended]
        ends = await self.take(fresh, tx)
        await save_ends(tx, ends)
        if len(ends) == len(claims):
            return [end.outcome for end in ends]
        known = ended | {end.delivery.position: end.outcome for end in ends}
        return [known[claim.delivery.position] for claim in claims]

    async def take(self, claims: Sequence[Claim], tx: Transaction) -> list[Ended]:
        """What becomes of messages that have not ended: all is saved and announced but the ends themselves."""
        await recall_times(claims, tx)
        registry = await registering.load(tx, claims, self.registry)
        changing = [claim for claim in claims if claim.registers]
        taken = await already_taken(tx, self.consumer, [c.event_key for c in changing if c.event_key])
        for run in until_the_registry_changes(claims):
            await decode_ahead(run, registry, tx)
            for claim in run:
                self._decide(claim, registry, taken, tx.now)
        await save_taken(tx, self.consumer, {c.event_key for c in changing if c.event_key and _is_new(c)})
        await registering.save(tx, changing)
        await self._save_observations(claims, tx)
        await _save_heard(claims, tx)
        announcing.announce(claims, tx)
        return [_end(claim, tx.now) for claim in claims]

    async def again(self, delivery: Delivery, tx: Transaction) -> Ended:
        """Take a message that was refused once more, see :class:`oker_bus.batch.Way`."""
        (claim,) = prepare([delivery])
        claim.mended = tx.cause
        alone = replace(self, registry=Registry())  # what the lane keeps is its own, and changes while it waits
        (end,) = await alone.take([claim], tx)
        return end._replace(parts=claim.parts)

    def _decide(self, claim: Claim, registry: Registry, taken: set[UUID], now: datetime) -> None:
        """Register what is declared, hold each reading against its device. Earlier claims count for later ones."""
        if claim.refused:
            return
        try:
            if claim.heard and not claim.heard.payload:
                lorawan.check_time(claim.heard, now, domain.OLDEST)
            if claim.registers:
                self._register(claim, registry, taken, now)
            elif not claim.readings:
                decode(claim, registry)
        except Refused as refused:
            claim.refused = refused
            return
        except NotAcceptable as error:
            claim.refused = refusal(error, f"$.{error.field}")
            return
        if len(claim.readings) == 1:
            claim.accepted, rejected = self._judged(claim.readings[0], registry, now)
            claim.rejected = _rejected(claim, [(position + 1, 0, position, error) for position, error in rejected])
        elif claim.readings:
            self._judge_each(claim, registry, now)

    def _judged(self, reading: Reading, registry: Registry, now: datetime, named: set[str] | None = None) -> Judged:
        device = registry.devices.get((reading.partner, reading.device))
        return domain.judge(reading, device, now, units.convert, named)

    def _judge_each(self, claim: Claim, registry: Registry, now: datetime) -> None:
        """The readings of a batch form; its numbers count through the whole message."""
        before = 0
        named: dict[tuple[str, datetime], set[str]] = {}
        accepted: list[Observation] = []
        refused: list[Rejected] = []
        for number, reading in enumerate(claim.readings):
            names = named.setdefault((reading.device, reading.phenomenon_time), set())
            good, bad = self._judged(reading, registry, now, names)
            accepted += good
            refused += [(before + position + 1, number, position, error) for position, error in bad]
            before += len(reading.results)
        claim.accepted, claim.rejected = accepted, _rejected(claim, refused)

    def _register(self, claim: Claim, registry: Registry, taken: set[UUID], now: datetime) -> None:
        """What was taken before must not undo what came later; readings carry their event in their rows."""
        if claim.event_key in taken:
            claim.repeated = True
            return
        company = self.partners.current().partners.get(claim.partner)
        registering.register(claim, registry, company.datasets if company else (), now)
        if claim.event_key:
            taken.add(claim.event_key)

    async def _save_observations(self, claims: Sequence[Claim], tx: Transaction) -> None:
        saving = [claim for claim in claims if claim.accepted]
        observations = [observation for claim in saving for observation in claim.accepted]
        if not observations:
            return
        raw = await tx.raw()
        months = _months(saving) - self.months
        await store.make_partitions(self.edge.sessions, months)
        self.months.update(months)
        inserted = await store.insert_observations(raw, observations, tx.now)
        outcomes = domain.outcomes(observations, inserted)
        start = 0
        for claim in saving:
            end = start + len(claim.accepted)
            claim.outcomes = outcomes[start:end]
            start = end

    async def give_up(self, delivery: Delivery) -> Outcome | None:
        """A message that failed alone as well: again after a pause, then buried.

        What was known of the partitions may be why: the operator drops months that are old enough.
        """
        self.months.clear()
        if delivery.deliveries < BURY_FAILED_AFTER:
            return None
        return await self.edge.bury(delivery, Refused(Reason.HANDLER_FAILED))


def _months(claims: Sequence[Claim]) -> set[domain.Month]:
    """Of what was accepted only: a refused time must not make a partition."""
    return domain.months(list({id(o.reading): o.reading for claim in claims for o in claim.accepted}.values()))


def _is_new(claim: Claim) -> bool:
    return not claim.refused and not claim.repeated


async def _save_heard(claims: Sequence[Claim], tx: Transaction) -> None:
    """What network servers said is kept, also where it became no reading: to be decoded again, and for the report."""
    heard = [(c, c.heard) for c in claims if c.heard and lorawan.is_plausible(c.heard, tx.now, domain.OLDEST)]
    if not heard:
        return
    new = await store.save_events(await tx.raw(), [(claim.partner, event) for claim, event in heard], tx.now)
    for claim, event in heard:
        key = (claim.partner, event.hardware, event.time, event.id)
        claim.is_news = key in new
        new.discard(key)


def _rejected(claim: Claim, rejected: Sequence[Rejected]) -> list[tuple[int, Refused]]:
    """The numbers that were refused, by part; beyond the first they share a row, and its words, for each reason."""
    found: list[tuple[int, Refused]] = []
    shared: dict[str, Refused] = {}
    place = path_of(claim)
    for part, reading, result, error in rejected:
        told = shared.get(error.code)
        if told is None:
            told = refusal(error, place(error.field, reading, result))
            if len(found) >= MAX_ROWS:
                shared[error.code] = told
        found.append((part, told))
    return found


def _end(claim: Claim, now: datetime) -> Ended:
    """The settlement of one message, and what of it goes to quarantine."""
    outcomes, rejected, read = claim.outcomes, claim.rejected, claim.count
    stored = outcomes.count("stored")
    if stored == read and not claim.refused:
        return Ended(claim.delivery, "duplicate" if claim.repeated else "settled", Counts(read, stored), (), claim.said)
    counts = Counts(read, stored, outcomes.count("duplicate"), outcomes.count("corrected"), len(rejected))
    refusals = refusals_of(claim.delivery, rejected, now)
    if claim.refused:
        refusals.append(claim.delivery.quarantined(claim.refused, now))
    return Ended(claim.delivery, _outcome(claim), counts, refusals, claim.said)


def _outcome(claim: Claim) -> Outcome:
    """Quarantined: nothing of the message was accepted. Duplicate: all of it was there before."""
    if claim.refused or (claim.rejected and not claim.accepted):
        return "quarantined"
    if claim.repeated or (claim.outcomes and not claim.rejected and claim.outcomes.count("duplicate") == claim.count):
        return "duplicate"
    return "settled"


def _report(claims: list[Claim]) -> None:
    """One line a batch and a few counts, after the commit; the ids of messages are in the tables."""
    partners: dict[str, list[Claim]] = {}
    for claim in claims:
        partners.setdefault(claim.partner, []).append(claim)
    for partner, own in partners.items():
        ended = Counter[str](chain.from_iterable(claim.outcomes for claim in own))
        ended["quarantined"] = sum(len(claim.rejected) for claim in own)
        metrics.count_readings(partner, ended)
    log.info("claims.ingested", messages=len(claims), partners=len(partners))
    reasons = Counter(str(claim.refused.reason) for claim in claims if claim.refused)
    reasons += Counter(str(refused.reason) for claim in claims for _, refused in claim.rejected)
    if reasons:
        log.warning("claims.quarantined", **reasons)
