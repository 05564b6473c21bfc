"""Devices and their observations: a company reads its own; the unit and the auditor read all."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, StringConstraints

from oker_bus import Bus
from oker_contracts.base import DeviceId, PropertyName, Slug
from oker_identity import Holder, require
from sensor_ingest import domain, registry, store
from sensor_ingest.domain import Device, Stay

Reads = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]
Moment = Annotated[AwareDatetime, Query(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
After = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,63}/[A-Za-z0-9_:-]{1,64}$")]
GEOJSON = "application/geo+json"


def build(bus: Bus) -> APIRouter:
    """``/devices``"""
    router = APIRouter()

    @router.get("/devices", tags=["devices"])
    async def devices(
        request: Request,
        holder: Reads,
        partner: Slug | None = None,
        dataset: Slug | None = None,
        property: PropertyName | None = None,
        late: bool = False,
        format: Literal["json", "geojson"] | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
        after: After | None = None,
    ) -> JSONResponse:
        """A company sees its own devices, the unit and the auditor see all, by company and name.

        ``late``: those only of which a datastream brought no value for three of its expected intervals. As GeoJSON
        (RFC 7946) with ``format=geojson`` or ``Accept: application/geo+json``. Where there are more than ``limit``,
        the header ``Link`` leads to the next ones.
        """
        owner = _owner(holder, partner)
        last = _key(after) if after else None
        async with bus.transaction() as tx:
            late_at = tx.now if late else None
            found = await store.choose_devices(
                tx.session, owner, dataset=dataset, property=property, late_at=late_at, after=last, limit=limit + 1
            )
        shown = [_shown(device, tx.now) for device in found[:limit]]
        headers = {"Link": _next(request, found[limit - 1])} if len(found) > limit else {}
        if format == "geojson" or (format is None and GEOJSON in request.headers.get("accept", "")):
            features = {"type": "FeatureCollection", "features": [_feature(device) for device in shown]}
            return JSONResponse(features, headers=headers, media_type=GEOJSON)
        return JSONResponse(shown, headers=headers)

    @router.get("/devices/{partner}/{device}", tags=["devices"])
    async def device(
        partner: Annotated[Slug, Path()], device: Annotated[DeviceId, Path()], holder: Reads
    ) -> JSONResponse:
        """A device with the history of its hardware and places, and when each datastream brought its newest value."""
        missing = HTTPException(404, f"{partner} has no device {device!r}.")
        if holder.partner not in (None, partner):
            raise missing
        async with bus.transaction() as tx:
            found = (await store.devices(tx.session, {(partner, device)})).get((partner, device))
            if found is None:
                raise missing
            stays = await store.by_hardware(tx.session, {(partner, m.hardware) for m in found.all_mountings})
            seen = await store.last_seen(tx.session, [stream.id for stream in found.datastreams.values()])
        return JSONResponse(_whole(found, stays.values(), seen, tx.now))

    @router.get("/devices/{partner}/{device}/{property}/observations", tags=["devices"])
    async def observations(
        partner: Annotated[Slug, Path()],
        device: Annotated[DeviceId, Path()],
        property: Annotated[PropertyName, Path()],
        holder: Reads,
        known_at: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> list[dict[str, Any]]:
        """The values that count, newest first; ``known_at`` asks what counted by what was known then."""
        missing = HTTPException(404, f"{partner} has no device {device!r} with {property!r}.")
        if holder.partner not in (None, partner):
            raise missing
        async with bus.sessions() as session:
            found = (await store.devices(session, {(partner, device)})).get((partner, device))
            if found is None or property not in found.datastreams:
                raise missing
            stream = found.datastreams[property]
            rows = await store.observations(session, stream.id, known_at, limit)
        return [{**row, "unit": stream.unit} for row in rows]

    return router


def _owner(holder: Holder, partner: str | None) -> str | None:
    """Whose devices are meant; a company has nothing to ask about others."""
    if holder.partner not in (None, partner or holder.partner):
        raise HTTPException(404, f"There is no company {partner!r}.")
    return holder.partner or partner


def _key(after: str) -> tuple[str, str]:
    partner, _, device = after.partition("/")
    return partner, device


def _next(request: Request, last: Device) -> str:
    """RFC 8288: the same question, after the last that is answered."""
    query = {**request.query_params, "after": "/".join(last.key)}
    return f'<{request.url.path}?{urlencode(query)}>; rel="next"'


def _shown(device: Device, now: datetime) -> dict[str, Any]:
    mounting, place = domain.current(device.all_mountings, now), domain.current(device.all_placements, now)
    return {
        "partner": device.partner,
        "device": device.device,
        "name": device.name,
        "description": device.description,
        "profile": device.profile._asdict() if device.profile else None,
        "hardware": mounting.hardware if mounting else None,
        "location": registry.geojson(place.location) if place else None,
        "datastreams": [registry.datastream(stream) for stream in device.datastreams.values()],
    }


def _whole(
    device: Device, stays: Iterable[Iterable[Stay]], seen: Mapping[UUID, datetime], now: datetime
) -> dict[str, Any]:
    shown = _shown(device, now)
    hardware = {one.since: one.hardware for one in device.all_mountings}
    here = sorted(stay for of_one in stays for stay in of_one if stay.device == device.device)
    for stream, told in zip(device.datastreams.values(), shown["datastreams"], strict=True):
        last = seen.get(stream.id)
        told["last_seen"] = _time(last)
        silence = (now - (last or stream.declared[0])).total_seconds()
        told["late"] = stream.interval_seconds is not None and silence > 3 * stream.interval_seconds
    places = device.all_placements
    there = [hardware[stay.since] for stay in here if stay.since <= now and (stay.until is None or now < stay.until)]
    return {
        **shown,
        "hardware": there[-1] if there else None,
        "mountings": [{"hardware": hardware[stay.since], **_span(stay.since, stay.until)} for stay in here],
        "placements": [
            {"location": registry.geojson(place.location), **_span(place.since, following.since if following else None)}
            for place, following in zip_longest(places, places[1:])
        ],
        "declared_at": _time(device.declared[0]),
        "declared_source": device.declared[1],
        "declared_id": device.declared[2],
    }


def _span(since: datetime, until: datetime | None) -> dict[str, str | None]:
    return {"since": _time(registry.since(since)), "until": _time(until)}


def _time(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _feature(shown: dict[str, Any]) -> dict[str, Any]:
    """A device without a place has no geometry (RFC 7946, 3.2)."""
    properties = {name: value for name, value in shown.items() if name != "location"}
    id = f"{shown['partner']}/{shown['device']}"
    return {"type": "Feature", "id": id, "geometry": shown["location"], "properties": properties}
