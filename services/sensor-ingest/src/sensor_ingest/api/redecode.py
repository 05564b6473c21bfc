"""Decoding kept uplinks once more, after a codec was mended: each becomes a claim, and its values win over the old."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import AwareDatetime

from oker_bus import Bus, Transaction
from oker_contracts import TYPE_PREFIX, Envelope, Reason, Refused
from oker_contracts.base import DeviceId, Slug
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from oker_identity import Holder, require
from sensor_ingest import codecs, gateway, store
from sensor_ingest.domain import Device, ProfileRef
from sensor_ingest.gateway import IntakeClosed
from sensor_ingest.store import lorawan as kept
from sensor_ingest.store.lorawan import Uplink

MOST = 10_000
"""Uplinks of one request; the answer says where to go on."""
PAGE = 500
Moment = Annotated[AwareDatetime, Query(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]


@dataclass(frozen=True, slots=True)
class Span:
    """An apparatus measured at the device from ``since`` until before ``until``."""

    hardware: str
    since: datetime
    until: datetime


def build(bus: Bus) -> APIRouter:
    """``POST /devices/…/redecode``"""
    router = APIRouter()

    @router.post("/devices/{partner}/{device}/redecode", status_code=202, tags=["devices"])
    async def redecode(
        partner: Annotated[Slug, Path()],
        device: Annotated[DeviceId, Path()],
        holder: Annotated[Holder, Depends(require("partner", "unit"))],
        since: Annotated[Moment, Query(alias="from")],
        until: Moment | None = None,
        version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    ) -> dict[str, Any]:
        """Hand in each kept uplink of a span of time, to be decoded by a version of the device's profile.

        Without ``version`` by the newest. The same uplink by the same version counts once, however often it is asked
        for: a request that broke off is repeated, or goes on with ``from`` as the answer says.
        """
        missing = HTTPException(404, f"{partner} has no device {device!r}.")
        if holder.partner not in (None, partner):
            raise missing
        async with bus.transaction() as tx:
            found = (await store.devices(tx.session, {(partner, device)})).get((partner, device))
            if found is None:
                raise missing
            profile = await _profile(tx, found, version)
            spans = await _spans(tx, found, since, until or tx.now)
            requested_at = tx.now
        return await _hand_in(bus, partner, profile, spans, requested_at)

    return router


async def _profile(tx: Transaction, device: Device, version: int | None) -> tuple[str, int]:
    """The name and the version to decode with."""
    if device.profile is None:
        raise Refused(Reason.CODEC_MISSING, "device", f"Declare {device.device!r} with a profile first.")
    name = ProfileRef(*device.profile).name
    own = {key[2] for key in await store.profiles(tx.session, {device.partner}, name)}
    there = own or {profile.version for profile in codecs.builtin().values() if profile.name == name}
    if not there or version not in (None, *there):
        names = ", ".join(str(number) for number in sorted(there)) or "none"
        raise Refused(Reason.PROFILE_UNKNOWN, "version", f"Of profile {name!r} there are these versions: {names}.")
    return name, version or max(there)


async def _spans(tx: Transaction, device: Device, since: datetime, until: datetime) -> list[Span]:
    """When which apparatus measured at the device, by time."""
    mounted = {(device.partner, mounting.hardware) for mounting in device.all_mountings}
    stays = await store.by_hardware(tx.session, mounted)
    found = [
        Span(hardware, max(stay.since, since), min(stay.until or until, until))
        for (_, hardware), places in stays.items()
        for stay in places
        if stay.device == device.device
    ]
    return sorted((span for span in found if span.since < span.until), key=lambda span: span.since)


async def _hand_in(
    bus: Bus, partner: str, profile: tuple[str, int], spans: list[Span], requested_at: datetime
) -> dict[str, Any]:
    taken = 0
    said = {"profile": profile[0], "version": profile[1]}
    async for page in _pages(bus, partner, spans):
        if taken >= MOST:
            return {**said, "handed_in": taken, "complete": False, "next": page[0].time.isoformat()}
        claims = [_claim(partner, uplink, profile, requested_at) for uplink in page]
        places = await gateway.hand_in_all(bus.jetstream, partner, claims)
        closed = next((place for place in places if isinstance(place, IntakeClosed)), None)
        taken += sum(not isinstance(place, IntakeClosed) for place in places)
        if closed is not None:
            detail = (
                f"{taken} uplinks were taken, then: {closed.sentence} Ask again with from={page[0].time.isoformat()}."
            )
            raise HTTPException(503, detail, {"Retry-After": str(closed.retry_after)})
    return {**said, "handed_in": taken, "complete": True, "next": None}


async def _pages(bus: Bus, partner: str, spans: list[Span]) -> AsyncIterator[list[Uplink]]:
    """Kept uplinks by time; no transaction is open while a page is worked on."""
    for span in spans:
        after = (span.since, "")
        while True:
            async with bus.sessions() as session:
                page = await kept.uplinks(session, partner, span.hardware, after, span.until, PAGE)
            if not page:
                break
            yield page
            after = (page[-1].time, page[-1].id)


def _claim(partner: str, uplink: Uplink, profile: tuple[str, int], requested_at: datetime) -> Envelope:
    """Its id follows from uplink and version, so the same decoding is the same event."""
    name, version = profile
    said = UplinkRedecodedV1.model_construct(
        hardware=uplink.hardware,
        uplink=uplink.id,
        received_at=uplink.time,
        f_port=uplink.f_port,
        payload=uplink.payload,
        profile=name,
        version=version,
        requested_at=requested_at,
    )
    return Envelope(
        id=f"{uplink.hardware}-{uplink.id}-{name}@{version}",
        source=f"/oker/redecode/{partner}",
        type=TYPE_PREFIX + UplinkRedecodedV1.TYPE,
        time=requested_at,
        data=said.model_dump_json().encode(),
    )
