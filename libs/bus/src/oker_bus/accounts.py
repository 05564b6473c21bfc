"""The accounts of nats-server, rendered from the partners file and the catalog.

One account a company, named by its slug. The platform exports ``ingest.*.>`` with ``account_token_position``, the
company imports its own part as ``events.>``: the server, not the sender, says who spoke. A company reads through one
durable of its own, made beforehand, and holds NEXT, INFO and ACK on it and nothing else. The MQTT stream of
each company is reached by the platform through an import, so that one connection serves all companies.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import bcrypt

from oker_bus.partners import Partners
from oker_contracts import catalog

PLATFORM = "PLATFORM"
MQTT_STREAM = "$MQTT_msgs"
MQTT_DURABLE = "oker-intake"
SALT = "bcrypt-salt"
"""Stands among the passwords, is no user: makes the hashes of each installation its own."""
NOT_MQTT = {"allowed_connection_types": ["STANDARD", "WEBSOCKET"]}
"""An MQTT publish that a user may not make is acknowledged and dropped, so only devices may connect that way."""
COMPANY_JETSTREAM = {
    "max_memory": 64_000_000,
    "max_file": 4_000_000_000,
    "max_streams": 10,
    "max_consumers": 1000,
}


def users(partners: Partners) -> list[str]:
    """Every user that needs a password: services, the operator's, two a company; and the salt of their hashes."""
    companies = [name for slug in partners.partners for name in (slug, f"{slug}-devices")]
    return [*services(), "topology", "operator", "sys", SALT, *companies]


def services() -> list[str]:
    """The services of the catalog."""
    return sorted({entry.owner for entry in catalog().events.values()})


def render(partners: Partners, passwords: Mapping[str, str]) -> str:
    """The ``accounts`` block of the server's configuration; passwords appear as bcrypt hashes only.

    Args:
        partners: from the partners file.
        passwords: user to password, for every name of :func:`users`.

    Raises:
        KeyError: a user has no password.
    """
    hashed = {user: _hash(user, passwords[user], passwords[SALT]) for user in users(partners)}
    accounts = {PLATFORM: _platform(partners, hashed)}
    accounts |= {slug: _company(partners, slug, hashed) for slug in partners.partners}
    accounts["SYS"] = {"users": [_user("sys", hashed)]}
    return f"system_account: SYS\naccounts: {json.dumps(accounts, indent=2)}\n"


def feed(slug: str) -> str:
    """The durable through which a company reads what it may."""
    return f"feed-{slug}"


def _platform(partners: Partners, hashed: Mapping[str, str]) -> dict[str, Any]:
    exports: list[dict[str, Any]] = [{"service": "ingest.*.>", "account_token_position": 2}]
    imports = []
    for slug in partners.partners:
        exports += [
            {"service": subject, "response_type": kind, "accounts": [slug]}
            for subject, kind in _feed_subjects(slug).items()
        ]
        imports += [
            {"service": {"account": slug, "subject": "$JS.API.>"}, "to": f"mqtt.{slug}.API.>"},
            {
                "service": {"account": slug, "subject": f"$JS.ACK.{MQTT_STREAM}.{MQTT_DURABLE}.>"},
                "to": f"mqtt.{slug}.ACK.{MQTT_STREAM}.{MQTT_DURABLE}.>",
            },
        ]
    platform_users = [_user(name, hashed, _service_may(name, partners)) | NOT_MQTT for name in services()]
    platform_users += [_user("topology", hashed, _topology_may()) | NOT_MQTT]
    platform_users += [_user("operator", hashed, _operator_may()) | NOT_MQTT]
    return {"jetstream": "enabled", "users": platform_users, "exports": exports, "imports": imports}


def _company(partners: Partners, slug: str, hashed: Mapping[str, str]) -> dict[str, Any]:
    domains = sorted({entry.name.split(".")[0] for entry in catalog().claims()})
    imports = [
        {"service": {"account": PLATFORM, "subject": f"ingest.{slug}.{domain}.>"}, "to": f"events.{domain}.>"}
        for domain in domains
    ]
    imports += [
        {"service": {"account": PLATFORM, "subject": subject}, "to": _as_seen_by_company(subject)}
        for subject in _feed_subjects(slug)
    ]
    exports = [
        {"service": "$JS.API.>", "response_type": "stream", "accounts": [PLATFORM]},
        {"service": f"$JS.ACK.{MQTT_STREAM}.{MQTT_DURABLE}.>", "accounts": [PLATFORM]},
    ]
    client_may = {
        "publish": ["events.>", *(_as_seen_by_company(s) for s in _feed_subjects(slug))],
        "subscribe": ["_INBOX.>"],
    }
    # nats-server acknowledges a denied MQTT publish and drops it, so only what belongs to the server is denied.
    devices_may = {
        "publish": {"deny": ["$OKER.>", "$JS.>", "$MQTT.>", "_INBOX.>"]},
        "subscribe": {"allow": ["application.*.device.*.command.>", "$MQTT.sub.>"]},
    }
    return {
        "jetstream": COMPANY_JETSTREAM,
        "users": [
            _user(slug, hashed, client_may) | NOT_MQTT,
            {
                **_user(f"{slug}-devices", hashed, devices_may),
                "allowed_connection_types": ["MQTT", "MQTT_WS"],
            },
        ],
        "exports": exports,
        "imports": imports,
    }


def _feed_subjects(slug: str) -> dict[str, str]:
    """What a company holds on its durable, with the kind of answer."""
    return {
        f"$JS.API.CONSUMER.MSG.NEXT.SENSOR.{feed(slug)}": "stream",
        f"$JS.API.CONSUMER.INFO.SENSOR.{feed(slug)}": "singleton",
        f"$JS.ACK.SENSOR.{feed(slug)}.>": "singleton",
    }


def _as_seen_by_company(subject: str) -> str:
    """The JetStream API prefix of a company's client is ``$OKER.API``; acknowledgements keep their subject."""
    return subject.replace("$JS.API.", "$OKER.API.", 1)


def _service_may(service: str, partners: Partners) -> dict[str, Any]:
    """A service speaks its own facts, hears its own durables, and holds no right on topology."""
    domains = {entry.name.split(".")[0] for entry in catalog().events.values() if entry.owner == service}
    publish = [*(f"{domain}.>" for domain in sorted(domains)), f"quarantine.{service}.>"]
    heard = {
        (entry.stream.replace("IN_*", "*"), consumer)
        for entry in catalog().events.values()
        for consumer in entry.consumers
        if consumer.startswith(f"{service}-")
    }
    for stream, consumer in sorted(heard):
        publish += [
            f"$JS.API.CONSUMER.INFO.{stream}.{consumer}",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
            f"$JS.ACK.{stream}.{consumer}.>",
        ]
    if "*" in {stream for stream, _ in heard}:  # who asks for the outcome of an event that waits is answered from there
        publish += [f"$JS.API.DIRECT.GET.IN_{slug}" for slug in partners.partners]
    publish += [f"$JS.API.STREAM.INFO.{stream}" for stream in sorted(_streams_seen(service, partners))]
    publish += [f"$JS.API.DIRECT.GET.{stream}" for stream in sorted(_streams_of(service))]  # a rebuild reads from there
    if service == "sensor-ingest":
        trims = ("STREAM.PURGE", "CONSUMER.LIST")
        publish += [f"$JS.API.{right}.IN_{slug}" for slug in partners.partners for right in trims]
        publish += [f"mqtt.*.API.STREAM.INFO.{MQTT_STREAM}"]
        publish += ["ingest.>", f"mqtt.*.API.CONSUMER.INFO.{MQTT_STREAM}.{MQTT_DURABLE}"]
        publish += [f"mqtt.*.API.CONSUMER.MSG.NEXT.{MQTT_STREAM}.{MQTT_DURABLE}", "mqtt.*.ACK.>"]
    return {"publish": publish, "subscribe": [f"_INBOX_{service}.>"]}


def _streams_seen(service: str, partners: Partners) -> set[str]:
    """Whose size a service may ask for: the streams it speaks on, and companies' if it hears them."""
    hears = any(c.startswith(f"{service}-") for entry in catalog().claims() for c in entry.consumers)
    companies = {f"IN_{slug}" for slug in partners.partners} if hears else set()
    return _streams_of(service) | {"QUARANTINE"} | companies


def _streams_of(service: str) -> set[str]:
    """The streams that a service speaks on."""
    return {entry.stream for entry in catalog().events.values() if entry.owner == service and entry.kind == "fact"}


def _topology_may() -> dict[str, Any]:
    stream = f"mqtt.*.API.STREAM.*.{MQTT_STREAM}"
    consumer = f"mqtt.*.API.CONSUMER.*.{MQTT_STREAM}.>"
    return {"publish": ["$JS.API.>", stream, consumer, "mqtt.*.API.INFO"], "subscribe": ["_INBOX_topology.>"]}


def _operator_may() -> dict[str, Any]:
    """Reads streams and durables, changes nothing."""
    read = ["INFO", "STREAM.INFO.*", "STREAM.NAMES", "STREAM.LIST", "STREAM.MSG.GET.*", "DIRECT.GET.>"]
    read += ["CONSUMER.INFO.*.*", "CONSUMER.NAMES.*", "CONSUMER.LIST.*"]
    mqtt = [f"mqtt.*.API.STREAM.INFO.{MQTT_STREAM}", f"mqtt.*.API.CONSUMER.INFO.{MQTT_STREAM}.{MQTT_DURABLE}"]
    return {"publish": [*(f"$JS.API.{name}" for name in read), *mqtt], "subscribe": ["_INBOX_operator.>"]}


def _user(name: str, hashed: Mapping[str, str], permissions: dict[str, Any] | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"user": name, "password": hashed[name]}
    return {**row, "permissions": permissions} if permissions else row


def _hash(user: str, password: str, salt: str) -> str:
    """bcrypt with a salt derived from the user and a random secret: rendered again, a reload disturbs no one."""
    digest = hashlib.sha256(f"{user}\x00{salt}".encode()).digest()[:16]
    alphabet = str.maketrans(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    )
    encoded = base64.b64encode(digest).decode().rstrip("=").translate(alphabet)
    return bcrypt.hashpw(password.encode(), f"$2b$10${encoded}".encode()).decode()
