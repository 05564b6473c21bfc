"""How LoRaWAN devices do, and decoding what they said once more: a company its own; the unit and the auditor all."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from oker_bus import Bus, Transaction
from oker_contracts.base import DeviceId, Slug
from oker_identity import Holder, require
from sensor_ingest import domain, store
from sensor_ingest.domain import Device
from sensor_ingest.lorawan import radio
from sensor_ingest.store import lorawan as kept

Reads = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]
SHOWN = 20
"""Gaps, resets and rejoins that are listed one by one."""
STATE_DAYS = 31
"""How old a battery level or a location may be to be shown."""


def build(bus: Bus) -> APIRouter:
    """``/radio`` and ``/devices/…/radio``"""
    router = APIRouter()

    @router.get("/radio", tags=["radio"])
    async def company(
        holder: Reads,
        partner: Annotated[Slug | None, Query()] = None,
        days: Annotated[int, Query(ge=1, le=7)] = 1,
        trouble: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$")] = None,
        all: bool = False,
    ) -> list[dict[str, Any]]:
        """The LoRaWAN devices of a company that have trouble, of a kind or any; with ``all`` all of them."""
        owner = partner or holder.partner
        if owner is None:
            raise HTTPException(422, "Name a company: /radio?partner=stadtwerke")
        if holder.partner not in (None, owner):
            raise HTTPException(404, f"There is no company {owner!r}.")
        async with bus.transaction() as tx:
            found = await _company(tx, owner, timedelta(days=days))
        return [one for one in found if all or (trouble in one["troubles"] if trouble else one["troubles"])]

    @router.get("/devices/{partner}/{device}/radio", tags=["radio"])
    async def device(
        partner: Annotated[Slug, Path()],
        device: Annotated[DeviceId, Path()],
        holder: Reads,
        days: Annotated[int, Query(ge=1, le=366)] = 7,
    ) -> dict[str, Any]:
        """One device, named by its own name or by its DevEUI: the hardware that is mounted there now."""
        missing = HTTPException(404, f"{partner} has no device {device!r}, and no network server named it.")
        if holder.partner not in (None, partner):
            raise missing
        async with bus.transaction() as tx:
            found = await _device(tx, partner, device, timedelta(days=days))
        if found is None:
            raise missing
        return found

    return router


async def _company(tx: Transaction, partner: str, span: timedelta) -> list[dict[str, Any]]:
    """All hardware with a DevEUI that is mounted somewhere now, and all that was heard lately."""
    mounted = {hardware_of(device, tx.now): device for device in await store.devices_of(tx.session, partner)}
    counts = await kept.counts(tx.session, partner, None, tx.now - span, tx.now)
    hardware = {name for name in mounted if radio.is_dev_eui(name)} | counts.keys()
    since = tx.now - timedelta(days=STATE_DAYS)
    latest = await kept.latest(tx.session, partner, hardware, since, tx.now, ("up", "status"))
    return [
        _shown(partner, name, mounted.get(name), counts.get(name), latest.get(name, {}), tx.now)
        for name in sorted(hardware)
    ]


async def _device(tx: Transaction, partner: str, name: str, span: timedelta) -> dict[str, Any] | None:
    declared = (await store.devices(tx.session, {(partner, name)})).get((partner, name))
    hardware = hardware_of(declared, tx.now) if declared else domain.hardware_id(name)
    counts = await kept.counts(tx.session, partner, hardware, tx.now - span, tx.now)
    since = tx.now - max(span, timedelta(days=STATE_DAYS))
    latest = (await kept.latest(tx.session, partner, [hardware], since, tx.now)).get(hardware, {})
    if declared is None and not latest and not counts:
        return None
    steps = await kept.last_steps(tx.session, partner, hardware, tx.now - span, tx.now, SHOWN)
    shown = _shown(partner, hardware, declared, counts.get(hardware), latest, tx.now)
    location = latest["location"]["state"].get("location") if "location" in latest else None
    return {**shown, "days": span.days, **radio.history(steps), "solved_location": location}


def hardware_of(device: Device, now: datetime) -> str:
    """What is mounted at a device now."""
    mounting = domain.current(device.all_mountings, now)
    return mounting.hardware if mounting else device.hardware


def _shown(
    partner: str,
    hardware: str,
    device: Device | None,
    counts: dict[str, Any] | None,
    latest: radio.Latest,
    now: datetime,
) -> dict[str, Any]:
    intervals = [s.interval_seconds for s in device.datastreams.values() if s.interval_seconds] if device else []
    declared = device.declared[0] if device else None
    said = radio.summary(counts, latest, min(intervals, default=None), now, declared)
    return {"partner": partner, "device": device.device if device else None, "hardware": hardware, **said}
