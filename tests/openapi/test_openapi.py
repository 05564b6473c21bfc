"""What the OpenAPI of project-registry and selection-scoring says holds: any request is answered as declared.

schemathesis makes requests from the description, valid ones and broken ones, and sends them to the running services
as a holder of all roles. The run is short by default; `make fuzz` takes longer (OKER_FUZZ_SECONDS for each service).
"""

import os
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from oker_identity import ROLES
from oker_testkit.stack import Stack

SERVICES = ("project-registry", "selection-scoring")
SECONDS = float(os.environ.get("OKER_FUZZ_SECONDS", "15"))
EXAMPLES = 8
"""Requests of one round; a service gets as many rounds of each operation as it has time for."""
CONFORMANCE = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KNOWN: Mapping[str, list[str]] = {
    "project_id": ["handyparken", "umweltorientiertes-verkehrsmanagement-uvm"],
    "field": ["mobilitaet", "energie"],
    "goal": ["attraktivitaet-braunschweigs-foerdern"],
    "set": ["strategie-2020"],
}
"""Things that are there, so that half of the requests come further than to a 404."""
NOT_TRIED = frozenset({"/ledger/recount", "/ledger/sequences"})
"""Routes of the bus that count everything again; they have tests of their own."""


@pytest.mark.timeout(SECONDS * 2 + 90)
@pytest.mark.parametrize("service", SERVICES)
def test_every_request_is_answered_as_the_description_says(fuzzed: Stack, service: str) -> None:
    url = fuzzed.url(service)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    tried = [operation for operation in operations if operation.path not in NOT_TRIED]
    until = time.monotonic() + SECONDS
    asked: dict[str, int] = {}
    wrong: list[str] = []

    with requests.Session() as session:
        session.headers.update(fuzzed.token("everyone-1", *sorted(ROLES), partner="stadtwerke"))
        for number, operation in enumerate(tried):
            share = (until - time.monotonic()) / (len(tried) - number)
            asked[operation.label], failure = _try(operation, session, url, share)
            wrong += [f"{operation.label}: {failure}"] if failure else []

    assert not wrong, "\n\n".join(wrong)
    assert len(asked) == len(tried) > 20
    assert min(asked.values()) > 0, f"never asked: {[label for label, count in asked.items() if not count]}"


def _try(operation: Any, session: requests.Session, url: str, seconds: float) -> tuple[int, str]:
    """Ask one operation for some time, once round at least; returns how often, and what was wrong."""
    until, count, round = time.monotonic() + seconds, 0, 0
    both = operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=both, known=st.booleans(), data=st.data())
    def ask(case: Case[Any], known: bool, data: st.DataObject) -> None:
        nonlocal count
        for name in set(case.path_parameters) & set(KNOWN) if known else ():
            case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        case.call_and_validate(base_url=url, session=session, checks=CONFORMANCE, timeout=20)
        count += 1

    try:
        while not round or time.monotonic() < until:
            seed(round)(ask)()
            round += 1
    except FailureGroup as found:
        return count, str(found)
    return count, ""
