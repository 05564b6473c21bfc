"""What a company says of its devices over HTTP: many by a CSV file, and that one was replaced or moved."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import JSONResponse, Response

from oker_bus import Bus, Transaction
from oker_bus.bodies import read_body
from oker_contracts import TYPE_PREFIX, Contract, Envelope, Reason, Refused
from oker_contracts.base import DeviceId
from oker_contracts.envelope import read_json
from oker_contracts.reading import validate
from oker_contracts.sensor.device_moved_v1 import DeviceMovedV1
from oker_contracts.sensor.device_replaced_v1 import DeviceReplacedV1
from oker_identity import Holder, require
from sensor_ingest import domain, gateway, onboarding, store, units
from sensor_ingest.api.events import closed_answer, company_of, media_type, taken_answer
from sensor_ingest.api.profiles import known_profiles
from sensor_ingest.domain import Stay, Terms
from sensor_ingest.gateway import IntakeClosed, Place
from sensor_ingest.onboarding import Result

Company = Annotated[Holder, Depends(require("partner"))]
SOURCE = "/oker/devices"
CSV_TYPES = ("text/csv", "application/csv", "application/vnd.ms-excel")
"""Browsers on a machine with Excel name a CSV file by the last one."""
MAX_CHANGE = 50_000


def build(bus: Bus) -> APIRouter:
    """``POST /devices/…``"""
    router = APIRouter()

    @router.post("/devices/import", tags=["devices"])
    async def import_devices(request: Request, holder: Company) -> Response:
        """Declare devices by a CSV file, one row a datastream; says of each row what became of it.

        Right rows go in although others are wrong. A row that is accepted was handed in as an event, whose outcome
        can be asked for; sent again, it is unchanged. As CSV with ``Accept: text/csv``.
        """
        company = company_of(holder)
        if media_type(request) not in CSV_TYPES:
            detail = "Send the file as it is, with content-type: text/csv."
            raise Refused(Reason.CONTENT_TYPE_UNSUPPORTED, "content-type", detail)
        body = await read_body(request, onboarding.MAX_BYTES, "A file of devices")
        rows = await asyncio.to_thread(onboarding.read_rows, body)
        names = {(company, row.cells["device"]) for row in rows if row.cells.get("device")}
        async with bus.transaction() as tx:
            found = await store.devices(tx.session, names)
            stays = await store.by_hardware(tx.session, {(company, onboarding.hardware_of(row)) for row in rows})
            terms = await _terms(bus, tx, company, stays)
        known = {device: state for (_, device), state in found.items()}
        results, claims = await asyncio.to_thread(onboarding.judge, company, rows, known, terms)
        places = await gateway.hand_in_all(bus.jetstream, company, list(claims.values()))
        return _told(request, _handed_in(results, list(claims.values()), places))

    @router.post("/devices/{device}/replace", status_code=202, tags=["devices"])
    async def replace_device(device: Annotated[DeviceId, Path()], request: Request, holder: Company) -> JSONResponse:
        """Another apparatus measures at this device since a time: ``hardware``, ``replaced_at``, ``reason``."""
        return await _hand_in_change(bus, company_of(holder), device, DeviceReplacedV1, request)

    @router.post("/devices/{device}/move", status_code=202, tags=["devices"])
    async def move_device(device: Annotated[DeviceId, Path()], request: Request, holder: Company) -> JSONResponse:
        """A device stands at another place since a time: ``location`` (GeoJSON), ``moved_at``, ``reason``."""
        return await _hand_in_change(bus, company_of(holder), device, DeviceMovedV1, request)

    return router


async def _terms(bus: Bus, tx: Transaction, company: str, stays: Mapping[tuple[str, str], Sequence[Stay]]) -> Terms:
    """What declarations of a company are held against; ``stays`` of the hardware that they name."""
    partner = bus.partners.current().partners.get(company) if bus.partners else None
    has_profile = await known_profiles(tx, company)

    def holder(hardware: str) -> str | None:
        return domain.first_holder(stays.get((company, hardware), ()))

    return Terms(partner.datasets if partner else (), units.check_unit, has_profile, tx.now, holder)


def _handed_in(
    results: Sequence[Result], claims: Sequence[Envelope], places: Sequence[Place | IntakeClosed]
) -> list[Result]:
    """The results, where a row's event was not confirmed by the broker.

    Raises:
        HTTPException: 503, nothing was taken.
    """
    closed = {claim.id: place for claim, place in zip(claims, places, strict=True) if isinstance(place, IntakeClosed)}
    if claims and len(closed) == len(claims):
        raise closed_answer(next(iter(closed.values())))
    return [onboarding.not_taken(result) if result.id in closed else result for result in results]


def _told(request: Request, results: Sequence[Result]) -> Response:
    if "text/csv" in request.headers.get("accept", ""):
        return Response(onboarding.results_csv(results), media_type="text/csv; charset=utf-8")
    counts = Counter(result.outcome for result in results)
    wrong = {result.device for result in results if result.outcome == "refused"}
    partly = sorted({result.device for result in results if result.outcome != "refused"} & wrong)
    said = {
        "rows": len(results),
        **{outcome: counts[outcome] for outcome in ("accepted", "unchanged", "refused", "not_taken")},
        "source": onboarding.SOURCE,
        "partly": partly,
        "results": [onboarding.told(result) for result in results],
    }
    return JSONResponse(said)


async def _hand_in_change(
    bus: Bus, company: str, device: str, model: type[DeviceReplacedV1 | DeviceMovedV1], request: Request
) -> JSONResponse:
    said = _object(await read_body(request, MAX_CHANGE, "A change")) | {"device": device}
    data = json.dumps(said, ensure_ascii=False).encode()
    change = validate(model, data)
    async with bus.transaction() as tx:
        known = (await store.devices(tx.session, {(company, device)})).get((company, device))
    if known is None:
        raise HTTPException(404, f"{company} has no device {device!r}.")
    canonical = change.model_dump_json().encode()
    claim = Envelope(
        id=onboarding.identity(canonical, _before(known, change)),
        source=SOURCE,
        type=TYPE_PREFIX + model.TYPE,
        time=tx.now,
        data=canonical,
    )
    place = (await gateway.hand_in_all(bus.jetstream, company, [claim]))[0]
    if isinstance(place, IntakeClosed):
        raise closed_answer(place)
    return JSONResponse(taken_answer(claim, place), 202)


def _object(body: bytes) -> dict[str, Any]:
    said = read_json(body)
    if not isinstance(said, dict):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A change is a JSON object.")
    return said


def _before(known: domain.Device, change: Contract) -> domain.Version:
    """What was said before for the same time, so that taking a word back is not a repetition."""
    match change:
        case DeviceReplacedV1():
            earlier = [one.said for one in known.mountings if one.since == change.replaced_at]
        case DeviceMovedV1():
            earlier = [one.said for one in known.placements if one.since == change.moved_at]
        case _:
            earlier = []
    return earlier[0] if earlier else domain.UNSAID
