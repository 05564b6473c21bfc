"""From bytes to a validated event of the newest version, with the path of what is wrong."""

import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from oker_contracts.base import Contract
from oker_contracts.catalog import Catalog, CatalogEntry, catalog
from oker_contracts.envelope import Envelope, Event, read_json
from oker_contracts.reasons import Reason, Refused

_BY_ERROR = {
    "missing": Reason.FIELD_MISSING,
    "finite_number": Reason.NUMBER_OUT_OF_RANGE,
    "int_parsing_size": Reason.NUMBER_OUT_OF_RANGE,
    "greater_than_equal": Reason.NUMBER_OUT_OF_RANGE,
    "less_than_equal": Reason.NUMBER_OUT_OF_RANGE,
    "recursion_loop": Reason.JSON_TOO_DEEP,
}


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
            raise Refused(Reason.VERSION_UNKNOWN, path, f"{type[:120]} is not in the catalog in this version.")
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
        entry = self.entry(envelope.type)
        return Event(
            id=envelope.id,
            source=envelope.source,
            type=entry.newest,
            time=envelope.time or at,
            data=self.data(entry, envelope.data),
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
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        if "recursion" in first["msg"]:
            raise Refused(Reason.JSON_TOO_DEEP)
        read_json(body)
        raise Refused(Reason.JSON_BROKEN, "$", first["msg"][:200])
    kind = first["type"]
    wrong_type = kind.endswith(("_type", "_parsing")) and kind not in _BY_ERROR
    reason = _BY_ERROR.get(kind, Reason.FIELD_TYPE_WRONG if wrong_type else Reason.FIELD_VALUE_INVALID)
    raise Refused(reason, json_path(first["loc"]), first["msg"][:200])


def json_path(loc: tuple[int | str, ...]) -> str:
    """A Pydantic location as a JSON path: ``("results", 0, "value")`` becomes ``$.results[0].value``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)


def reader() -> Reader:
    """The reader over the catalog that ships with this package."""
    return Reader(catalog())
