"""From bytes to a validated event of the newest version, with the path of what is wrong."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from oker_contracts.base import Contract
from oker_contracts.catalog import Catalog, CatalogEntry, catalog
from oker_contracts.envelope import Envelope, Event, read_json
from oker_contracts.reasons import Reason, Refused
from oker_contracts.unit_hints import hint

_BY_ERROR = {
    "missing": Reason.FIELD_MISSING,
    "finite_number": Reason.NUMBER_OUT_OF_RANGE,
    "int_parsing_size": Reason.NUMBER_OUT_OF_RANGE,
    "greater_than_equal": Reason.NUMBER_OUT_OF_RANGE,
    "less_than_equal": Reason.NUMBER_OUT_OF_RANGE,
    "recursion_loop": Reason.JSON_TOO_DEEP,
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads events of a catalog."""

    catalog: Catalog

    def entry(self, type: str, path: str = "ce-type") -> CatalogEntry:
        """The catalog's entry of a CloudEvents type.

        Raises:
            Refused: ``type_unknown`` or ``version_unknown``.
        """
        found = self.catalog.find(type)
        if found is None and self.catalog.has_other_version(type):
            raise Refused(Reason.VERSION_UNKNOWN, path, f"The catalog has other versions of {type[:120]}.")
        if found is None:
            raise Refused(Reason.TYPE_UNKNOWN, path, f"{type[:120]} is not in the catalog.")
        return found

    def event(self, envelope: Envelope, at: datetime, partner: str | None = None) -> Event[Contract]:
        """Validate the data of an envelope and lift it to the newest version.

        Args:
            envelope: the attributes and raw data.
            at: the time of the event where its sender left it out, usually the stream's.
            partner: the company from the credential, ``None`` for facts.

        Raises:
            Refused: with code and JSON path.
        """
        said = self.data(self.entry(envelope.type), envelope.data)
        return Event(
            id=envelope.id,
            source=envelope.source,
            type=said.TYPE,
            time=envelope.time or at,
            data=said,
            partner=partner,
            correlationid=envelope.correlationid,
            causationid=envelope.causationid,
            traceparent=envelope.traceparent,
        )

    def data(self, entry: CatalogEntry, body: bytes) -> Contract:
        """Validate ``body`` against the contract of ``entry`` and upcast it to the newest version.

        Raises:
            Refused: with code and JSON path.
        """
        said = validate(entry.model, body)
        while entry.upcast is not None:
            older = said.model_dump(mode="json")
            lifted = json.dumps(entry.upcast(older)).encode()
            entry = self.catalog.events[entry.newest]
            said = validate(entry.model, lifted)
        return said


def validate(model: type[Contract], body: bytes) -> Contract:
    """One pass of Pydantic over the bytes; its first error becomes a code and a path.

    Raises:
        Refused: with code and JSON path.
    """
    try:
        said = model.model_validate_json(body)
    except ValidationError as error:
        raise refusals(error, body)[0] from None
    if b"NaN" in body or b"Infinity" in body:
        read_json(body)  # Pydantic lets these words pass in fields that nobody reads
    return said


def refusals(error: ValidationError, body: bytes) -> list[Refused]:
    """All that Pydantic found in ``body``, each as code and path."""
    found = error.errors(include_url=False, include_context=False)
    if found[0]["type"] == "json_invalid":
        return [_broken(body, found[0]["msg"])]
    return [Refused(reason_of(row["type"]), json_path(row["loc"]), sentence_of(row)) for row in found]


def sentence_of(row: ErrorDetails) -> str:
    """What is wrong, for the sender; of a unit that is no UCUM in place of a pattern what to write."""
    if row["type"] == "string_pattern_mismatch" and row["loc"][-1:] == ("unit",):
        said = repr(str(row["input"])[:32])
        meant = hint(str(row["input"]))
        return f"{said} is no UCUM unit; {f'write {meant}' if meant else 'UCUM is written in ASCII, see ucum.org'}."
    return str(row["msg"])[:200]


def _broken(body: bytes, message: str) -> Refused:
    if "recursion" in message:
        return Refused(Reason.JSON_TOO_DEEP)
    try:
        read_json(body)
    except Refused as refused:
        return refused
    return Refused(Reason.JSON_BROKEN, "$", message[:200])


def reason_of(kind: str) -> Reason:
    """The code of a kind of Pydantic error, for example ``missing``."""
    wrong = Reason.FIELD_TYPE_WRONG if kind.endswith("_type") else Reason.FIELD_VALUE_INVALID
    return _BY_ERROR.get(kind, wrong)


def json_path(loc: tuple[int | str, ...]) -> str:
    """A Pydantic location as a JSON path (RFC 9535): ``("results", 0)`` becomes ``$.results[0]``.

    Names that are no plain words stand in quotes; Pydantic's mark for the key of a mapping is left out.
    """
    return "$" + "".join(_step(step) for step in loc if step != "[key]")


def _step(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if _WORD.fullmatch(step):
        return f".{step}"
    quoted = json.dumps(step[:80], ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"['{quoted}']"


def reader() -> Reader:
    """The reader over the catalog that ships with this package."""
    return Reader(catalog())
