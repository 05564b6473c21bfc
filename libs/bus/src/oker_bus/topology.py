"""Streams and durables as the catalog and the partners file want them. The only place that creates or changes them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM, feed
from oker_bus.partners import Partners
from oker_contracts import catalog

DAY = 86_400.0
DEDUP_SECONDS = 120.0
MQTT_MAX_BYTES = 3_000_000_000
"""Of what devices published and the platform has not taken over yet; the account holds sessions beside it."""
ACK_WAIT = 30.0
MAX_ACK_PENDING = 4_000
WIDENS_WITH = ("max_bytes", "max_age", "duplicate_window", "num_replicas")
"""Limits of a stream: a change to a smaller value is refused, it could delete what was accepted."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the diff."""

    kind: str
    """create, update, kept (a narrowing that was refused), same"""
    what: str
    detail: str = ""

    def __str__(self) -> str:
        sign = {"create": "+", "update": "~", "kept": "!", "same": "="}[self.kind]
        return f"{sign} {self.what}" + (f"  {self.detail}" if self.detail else "")


def streams(partners: Partners, replicas: int = 1) -> list[StreamConfig]:
    """Every stream of the platform: one intake stream a company, and the catalog's.

    No intake stream forgets by age: that would drop what is not settled yet. What is settled is removed, see room.py.
    """
    intake = [
        _stream(f"IN_{slug}", [f"ingest.{slug}.>"], partner.intake.max_bytes, 0.0, replicas, "What the company said.")
        for slug, partner in partners.partners.items()
    ]
    facts = [
        _stream(s.name, list(s.subjects), s.max_bytes, s.max_age_days * DAY, replicas, s.description)
        for s in catalog().streams.values()
    ]
    return [*intake, *facts]


def durables(partners: Partners, replicas: int = 1) -> list[tuple[str, ConsumerConfig]]:
    """Every durable: of the services on facts (catalog) and on each company's claims, and one feed a company.

    Several events that a service hears through one durable make one durable with several filters. A claims durable
    takes its whole domain, so that unknown names are quarantined and not left lying.
    """
    heard: dict[tuple[str, str], list[str]] = {}
    for entry in catalog().events.values():
        claimed = entry.kind == "claim"
        subject = f"ingest.*.{entry.place}{entry.domain}.>" if claimed else entry.filter_subject
        for stream in [f"IN_{slug}" for slug in partners.partners] if claimed else [entry.stream]:
            for consumer in entry.consumers:
                subjects = heard.setdefault((stream, consumer), [])
                if subject not in subjects:
                    subjects.append(subject)
    services = [(stream, _durable(name, subjects, replicas)) for (stream, name), subjects in heard.items()]
    feeds = [("SENSOR", _durable(feed(slug), _feed_filters(partners, slug), replicas)) for slug in partners.partners]
    return services + feeds


def _feed_filters(partners: Partners, slug: str) -> list[str]:
    readable = [f"sensor.observations_recorded.*.{owner}.{name}" for owner, name in partners.readable_by(slug)]
    return readable or [f"sensor.observations_recorded.*.{slug}.>"]


def _stream(
    name: str, subjects: list[str], max_bytes: int, max_age: float, replicas: int, description: str
) -> StreamConfig:
    """Full means refused (``discard=new``): a publisher gets an error, nothing accepted is dropped."""
    return StreamConfig(
        name=name,
        description=description,
        subjects=subjects,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=max_bytes,
        max_age=max_age,
        duplicate_window=DEDUP_SECONDS,
        num_replicas=replicas,
        allow_direct=True,
    )


def _durable(name: str, subjects: list[str], replicas: int) -> ConsumerConfig:
    one = subjects[0] if len(subjects) == 1 else None
    return ConsumerConfig(
        name=name,
        durable_name=name,
        filter_subject=one,
        filter_subjects=None if one else sorted(subjects),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT,
        max_deliver=-1,
        max_ack_pending=MAX_ACK_PENDING,
        num_replicas=replicas,
    )


async def apply(
    jetstream: JetStreamContext,
    of_company: Callable[[str], JetStreamContext] | None,
    partners: Partners,
    *,
    replicas: int = 1,
    dry_run: bool = False,
) -> AsyncIterator[Change]:
    """Bring the broker to what is wanted and yield the diff, line by line. Running it again changes nothing.

    Args:
        jetstream: of the platform's account.
        of_company: gives the JetStream of a company's account by its slug, for the MQTT stream;
            ``None`` leaves the companies' accounts alone.
        dry_run: yield the diff, change nothing.

    A limit is widened, never narrowed: narrowing yields a ``kept`` line. What is not wanted is left alone.
    """
    for wanted in streams(partners, replicas):
        yield await _apply_stream(jetstream, wanted, dry_run)
    for stream, durable in durables(partners, replicas):
        yield await _apply_durable(jetstream, stream, durable, dry_run)
    for slug in partners.partners if of_company else ():
        company = of_company(slug)  # type: ignore[misc]
        yield await _apply_stream(company, _mqtt_stream(replicas), dry_run, f"{slug}: ")
        yield await _apply_durable(company, MQTT_STREAM, _mqtt_durable(replicas), dry_run, f"{slug}: ")


def _mqtt_stream(replicas: int) -> StreamConfig:
    """The server's own stream of MQTT messages, as the server would make it at the first MQTT connection, and a limit.

    Full, nats-server gives no PUBACK and ends the connection: a QoS 1 client keeps its message and sends it again. The
    limit is below the account's, so that sessions can still be stored then, and devices connect.
    """
    return StreamConfig(
        name=MQTT_STREAM,
        subjects=["$MQTT.msgs.>"],
        retention=RetentionPolicy.INTEREST,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=MQTT_MAX_BYTES,
        num_replicas=replicas,
    )


def _mqtt_durable(replicas: int) -> ConsumerConfig:
    """Without this durable the stream would drop every message at once: it keeps what someone is interested in."""
    return _durable(MQTT_DURABLE, ["$MQTT.msgs.>"], replicas)


async def _apply_stream(js: JetStreamContext, wanted: StreamConfig, dry_run: bool, prefix: str = "") -> Change:
    what = f"{prefix}stream {wanted.name}"
    try:
        info = await js.stream_info(str(wanted.name))
    except NotFoundError:
        if not dry_run:
            await js.add_stream(wanted)
        return Change("create", what, ", ".join(wanted.subjects or []))
    found = info.config
    if wanted.name == MQTT_STREAM:
        return await _limit_mqtt(js, info, wanted, dry_run, what)
    differences = {n: (getattr(found, n), v) for n, v in _stream_wants(wanted).items() if _differs(found, n, v)}
    kept = {name for name, (old, new) in differences.items() if _narrows(name, old, new)}
    changes = {name: new for name, (_, new) in differences.items() if name not in kept}
    detail = "; ".join(f"{n}: {old} -> {new}" for n, (old, new) in differences.items())
    if changes and not dry_run:
        await js.update_stream(found.evolve(**changes))
    if kept:
        return Change("kept", what, f"would narrow {', '.join(sorted(kept))}; kept. {detail}")
    return Change("update", what, detail) if changes else Change("same", what)


async def _limit_mqtt(js: JetStreamContext, info: Any, wanted: StreamConfig, dry_run: bool, what: str) -> Change:
    """The server may have made this stream itself, without a limit: it gets one, unless it holds more already."""
    found, limit = info.config, int(wanted.max_bytes or 0)
    if found.discard == DiscardPolicy.NEW and 0 < (found.max_bytes or 0) >= limit:
        return Change("same", what)
    if info.state.bytes >= limit:
        return Change("kept", what, f"holds {info.state.bytes} bytes, more than {limit}; kept without a limit")
    if not dry_run:
        await js.update_stream(found.evolve(max_bytes=limit, discard=DiscardPolicy.NEW))
    return Change("update", what, f"max_bytes: {found.max_bytes} -> {limit}")


def _stream_wants(wanted: StreamConfig) -> dict[str, Any]:
    names = (
        "subjects",
        "max_bytes",
        "max_age",
        "duplicate_window",
        "num_replicas",
        "allow_direct",
        "discard",
    )
    values = {name: getattr(wanted, name) for name in names}
    return {name: value for name, value in values.items() if value is not None and (value or name == "max_age")}


def _differs(found: StreamConfig, name: str, wanted: Any) -> bool:
    old = getattr(found, name)
    if name == "subjects":
        return sorted(old or []) != sorted(wanted)
    return bool(old != wanted)


def _narrows(name: str, old: Any, new: Any) -> bool:
    """Unlimited is 0 for an age and -1 for bytes."""
    if name in WIDENS_WITH:
        return bool(_size(name, new) < _size(name, old))
    if name == "subjects":
        return not set(old or []) <= set(new)
    return False


def _size(name: str, value: Any) -> float:
    unlimited = value in (None, -1) or (name == "max_age" and not value)
    return float("inf") if unlimited else float(value)


async def _apply_durable(
    js: JetStreamContext, stream: str, wanted: ConsumerConfig, dry_run: bool, prefix: str = ""
) -> Change:
    what = f"{prefix}durable {wanted.name} on {stream}"
    try:
        found = (await js.consumer_info(stream, str(wanted.name))).config
    except NotFoundError:
        if not dry_run:
            await js.add_consumer(stream, wanted)
        return Change("create", what, _filters(wanted))
    names = ("ack_wait", "max_ack_pending", "max_deliver")
    same = all(getattr(found, n) == getattr(wanted, n) for n in names) and _filters(found) == _filters(wanted)
    if same:
        return Change("same", what)
    detail = f"{_filters(found)} -> {_filters(wanted)}"
    if not dry_run:
        await js.add_consumer(stream, wanted)
    return Change("update", what, detail)


def _filters(config: ConsumerConfig) -> str:
    return ", ".join(sorted(config.filter_subjects or [config.filter_subject or ">"]))
