"""The rules of structure that import-linter cannot say. Each rule has a bad example that it catches."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oker_contracts import CatalogEntry, catalog
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400
SOURCES = ("contracts/src", "libs/*/src", "services/*/src")
MAY_PUBLISH = ("libs/bus/", "libs/testkit/", "services/sensor-ingest/src/sensor_ingest/gateway.py")
"""The bus; the testkit, which plays companies; the gateway that carries MQTT messages to the companies' streams."""
MAY_SETTLE = ("libs/bus/", "libs/testkit/")
MAY_READ_THE_ENVIRONMENT = ("libs/testkit/", "libs/telemetry/src/oker_telemetry/signals.py")
"""The testkit, and where OpenTelemetry's own variables (OTEL_…) are looked at."""
SETTLING = {"commit", "rollback", "ack", "ack_sync", "nak", "term"}
NO_MODULE = {"common", "helper", "helpers", "misc", "scripts", "shared", "util", "utils"}
NO_CLASS = re.compile(r"\w*(Manager|Service|Handler|Impl|Dto|DTO)")
THE_SERVICE = ("libs/bus/src/oker_bus/service.py", "Service")
USUAL = {"__init__", "__main__", "api", "app", "domain", "gateway", "handlers", "settings", "store"}


def python(*folders: str) -> Iterator[tuple[str, str]]:
    """Path and text of each Python file under the folders."""
    for folder in folders:
        for file in sorted(path for root in ROOT.glob(folder) for path in root.rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), file.read_text("utf-8")


def calls(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of each method that is called."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr


def imports(text: str) -> Iterator[tuple[int, str]]:
    """Line and module of each import; a relative one starts with a dot."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def foreign_imports(path: str, text: str, own: tuple[str, ...]) -> list[str]:
    """Imports from neither the standard library nor ``own``."""
    return [
        f"{path}:{line}: imports {module}; this file uses the standard library{_and(own)} only."
        for line, module in imports(text)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not any(module == name or module.startswith(f"{name}.") for name in own)
    ]


def _and(own: tuple[str, ...]) -> str:
    return f" and {', '.join(own)}" if own else ""


def domain_faults(path: str, text: str) -> list[str]:
    """Rule 10: ``domain.py``, or a package of that name, is plain Python."""
    parts = Path(path).with_suffix("").parts
    if "domain" not in parts[3:]:
        return []
    own = (f"{parts[3]}.domain",) if parts[-1] != "domain" else ()
    return foreign_imports(path, text, own)


def length_faults(path: str, text: str) -> list[str]:
    """No file over 400 lines."""
    lines = len(text.splitlines())
    if lines <= MAX_LINES:
        return []
    return [
        f"{path}: {lines} lines, {MAX_LINES} are allowed; make it a package of the same name, or split a test by topic."
    ]


def publish_faults(path: str, text: str) -> list[str]:
    """Rule 3: announce through the outbox only."""
    if path.startswith(MAY_PUBLISH):
        return []
    return [
        f"{path}:{line}: calls {name}(); announce the fact in the transaction (tx.announce), the bus publishes it."
        for line, name in calls(text)
        if name.startswith("publish")
    ]


def settle_faults(path: str, text: str) -> list[str]:
    """Rule 2: the edge commits, then acknowledges, and nobody else does."""
    if path.startswith(MAY_SETTLE):
        return []
    return [
        f"{path}:{line}: calls {name}(); return, or raise RetryLater or Refused, and let the edge of the bus settle."
        for line, name in calls(text)
        if name in SETTLING
    ]


def environment_faults(path: str, text: str) -> list[str]:
    """Rule 13: settings are read in one place."""
    if path.endswith("/settings.py") or path.startswith(MAY_READ_THE_ENVIRONMENT):
        return []
    return [
        f"{path}:{node.lineno}: reads the environment; make it a field of Settings in settings.py."
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.alias) and node.name in ("environ", "getenv"))
    ]


def module_faults(path: str) -> list[str]:
    """No file and no folder for what has no name of its own."""
    found = [part for part in Path(path).with_suffix("").parts if part in NO_MODULE]
    return [f"{path}: {name} says nothing; name the file after what it does." for name in found]


def class_faults(path: str, text: str) -> list[str]:
    """Rule 12: plain words of the domain."""
    return [
        f"{path}:{node.lineno}: class {node.name}; leave the suffix out and name what it is."
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and NO_CLASS.fullmatch(node.name) and (path, node.name) != THE_SERVICE
    ]


def name_faults(path: str, decisions: str) -> list[str]:
    """Rule 11: the same few file names in every service."""
    parts = Path(path).with_suffix("").parts
    kind = parts[4] if len(parts) > 4 else ""
    if not kind or kind in USUAL | {"migrations"} or f"{kind}.py" in decisions:
        return []
    return [f"{path}: a new kind of file; use one of the usual ones, or argue it in docs/adr/."]


def event_faults(entry: CatalogEntry, samples: set[str], services: set[str]) -> list[str]:
    """Rule 8: samples, owner, producers and consumers."""
    faults = [f"samples/{entry.name}/{name}.json is missing" for name in ("minimal", "full") if name not in samples]
    if entry.owner not in services:
        faults.append(f"owner {entry.owner} is no service")
    faults += [f"producer {name} is no service" for name in entry.producers if name not in services | {"partners"}]
    for consumer in entry.consumers:
        if not consumer.startswith(tuple(f"{name}-" for name in services)):
            faults.append(f"consumer {consumer} starts with no service's name")
    return [f"catalog.toml: {entry.name}: {fault}." for fault in faults]


def samples_of(name: str) -> set[str]:
    """The samples of an event."""
    return {path.stem for path in (ROOT / "contracts" / "samples" / name).glob("*.json")}


def services() -> set[str]:
    """The names of all services."""
    return {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}


PATHS_AND_TEXTS = {
    "domain": (domain_faults, ("services/*/src",)),
    "length": (length_faults, ("contracts", "libs", "services", "tests", "infra")),
    "publish": (publish_faults, SOURCES),
    "settle": (settle_faults, SOURCES),
    "environment": (environment_faults, SOURCES),
    "class": (class_faults, ("contracts", "libs", "services", "tests", "infra")),
}


@pytest.mark.parametrize("rule", PATHS_AND_TEXTS)
def test_the_code_keeps_the_rule(rule: str) -> None:
    faults, folders = PATHS_AND_TEXTS[rule]
    files = list(python(*folders))

    assert files
    assert [fault for path, text in files for fault in faults(path, text)] == []


def test_contracts_need_pydantic_and_nothing_else() -> None:
    own = ("oker_contracts", "pydantic", "pydantic_core")

    assert [fault for path, text in python("contracts/src") for fault in foreign_imports(path, text, own)] == []


def test_every_module_has_a_name_of_its_own() -> None:
    everywhere = python("contracts", "libs", "services", "tests", "infra")

    assert [fault for path, _ in everywhere for fault in module_faults(path)] == []


def test_services_have_the_same_files() -> None:
    decisions = "\n".join(path.read_text("utf-8") for path in ROOT.glob("docs/adr/*.md"))

    assert [fault for path, _ in python("services/*/src") for fault in name_faults(path, decisions)] == []


def test_every_event_has_samples_an_owner_producers_and_consumers() -> None:
    entries = catalog().events.values()

    assert [fault for e in entries for fault in event_faults(e, samples_of(e.name), services())] == []


def test_a_domain_that_imports_a_library_is_caught() -> None:
    path = "services/x/src/x/domain.py"

    assert domain_faults(path, "from datetime import UTC\nimport json.decoder\n") == []
    assert domain_faults(path, "import re\nfrom pydantic import BaseModel") == [
        f"{path}:2: imports pydantic; this file uses the standard library only."
    ]
    assert domain_faults(path, "def f():\n    from x import store")
    assert domain_faults(path, "from . import store")
    assert domain_faults("services/x/src/x/domain/ballots.py", "from x.domain.rounds import Round") == []
    assert domain_faults("services/x/src/x/domain/ballots.py", "from x.store import Round")
    assert domain_faults("services/x/src/x/store.py", "import sqlmodel") == []


def test_a_file_of_401_lines_is_caught() -> None:
    assert length_faults("a.py", "x\n" * 400) == []
    assert length_faults("a.py", "x\n" * 401) == [
        "a.py: 401 lines, 400 are allowed; make it a package of the same name, or split a test by topic."
    ]


def test_a_publish_beside_the_transaction_is_caught() -> None:
    text = "async def f(bus):\n    await bus.jetstream.publish('x', b'')"

    assert publish_faults("services/x/src/x/handlers.py", text) == [
        "services/x/src/x/handlers.py:2: calls publish(); announce the fact in the transaction (tx.announce), "
        "the bus publishes it."
    ]
    assert publish_faults("services/x/src/x/gateway.py", "js.publish_async('x')")
    assert publish_faults("services/x/src/x/gateway.py", "# publish( in a comment\ntx.announce(fact)") == []
    assert publish_faults("libs/bus/src/oker_bus/relay.py", text) == []


@pytest.mark.parametrize("name", sorted(SETTLING))
def test_a_handler_that_settles_is_caught(name: str) -> None:
    text = f"async def f(tx):\n    await tx.session.{name}()"

    assert settle_faults("services/x/src/x/handlers.py", text)
    assert settle_faults("libs/bus/src/oker_bus/edge.py", text) == []


@pytest.mark.parametrize("text", ["import os\nos.environ['X']", "import os\nos.getenv('X')", "from os import environ"])
def test_settings_read_on_the_side_are_caught(text: str) -> None:
    assert environment_faults("services/x/src/x/gateway.py", text)
    assert environment_faults("services/x/src/x/settings.py", text) == []


@pytest.mark.parametrize(
    "path", ["services/x/src/x/utils.py", "libs/common/src/oker_common/a.py", "services/x/src/x/helpers/a.py"]
)
def test_a_module_that_says_nothing_is_caught(path: str) -> None:
    assert module_faults(path)
    assert module_faults("services/x/src/x/domain.py") == []


@pytest.mark.parametrize("name", ["BallotManager", "Service", "MailService", "ClaimHandler", "StoreImpl", "RowDto"])
def test_a_class_with_an_empty_suffix_is_caught(name: str) -> None:
    assert class_faults("services/x/src/x/store.py", f"class {name}:\n    pass")
    assert class_faults("services/x/src/x/store.py", "class Ballot:\n    pass") == []


def test_only_the_bus_has_a_class_called_service() -> None:
    assert class_faults("libs/bus/src/oker_bus/service.py", "class Service: ...") == []
    assert class_faults("libs/bus/src/oker_bus/service.py", "class OtherService: ...")


def test_a_new_kind_of_file_without_a_page_is_caught() -> None:
    assert name_faults("services/x/src/x/ranking.py", "")
    assert name_faults("services/x/src/x/ranking.py", "Why `ranking.py` is a file") == []
    assert name_faults("services/x/src/x/store.py", "") == []
    assert name_faults("services/x/src/x/domain/rounds.py", "") == []
    assert name_faults("services/x/src/x/migrations/versions/0001_a.py", "") == []


def test_an_event_without_samples_or_owner_is_caught() -> None:
    entry = CatalogEntry("a.b.v1", CandidateListedV1, "nobody", "fact", "draft", ("nobody",), ("who-hears",))

    assert event_faults(entry, {"full"}, {"who"}) == [
        "catalog.toml: a.b.v1: samples/a.b.v1/minimal.json is missing.",
        "catalog.toml: a.b.v1: owner nobody is no service.",
        "catalog.toml: a.b.v1: producer nobody is no service.",
    ]
    assert event_faults(entry, {"full", "minimal"}, {"nobody"}) == [
        "catalog.toml: a.b.v1: consumer who-hears starts with no service's name."
    ]
