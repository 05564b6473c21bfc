"""Device profiles: those that ship with the service, and a company's own."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import JSONResponse

from oker_bus import Bus, Transaction
from oker_bus.bodies import read_body
from oker_contracts import TYPE_PREFIX, Envelope, Reason, Refused
from oker_contracts.base import Slug
from oker_contracts.reading import validate
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from oker_identity import Holder, require
from sensor_ingest import codecs, domain, gateway, onboarding, store, units
from sensor_ingest.api.events import MAX_BODY, closed_answer, company_of, taken_answer
from sensor_ingest.codecs import Profile
from sensor_ingest.domain import ProfileRef
from sensor_ingest.gateway import IntakeClosed
from sensor_ingest.handlers.registering import profile_of

Reads = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]
SOURCE = "/oker/profiles"


def build(bus: Bus) -> APIRouter:
    """``/profiles``"""
    router = APIRouter()

    @router.get("/profiles", tags=["profiles"])
    async def profiles(holder: Reads) -> list[dict[str, Any]]:
        """All versions of all profiles that are shipped, and of the company's own; the unit sees all companies'."""
        async with bus.transaction() as tx:
            declared = await store.profiles(tx.session, _owners(holder))
        shipped = [_shipped(profile) for profile in codecs.builtin().values()]
        return [*shipped, *(_brief(partner, said) for (partner, _, _), said in declared.items())]

    @router.get("/profiles/{name}", tags=["profiles"])
    async def profile(name: Annotated[Slug, Path()], holder: Reads) -> list[dict[str, Any]]:
        """All versions of a profile, whole: script, measurements and test vectors."""
        async with bus.transaction() as tx:
            declared = await store.profiles(tx.session, _owners(holder), name)
        shipped = [_shipped(profile) | _whole(profile) for profile in codecs.builtin().values() if profile.name == name]
        found = [*shipped, *({"partner": partner, **said} for (partner, _, _), said in declared.items())]
        if not found:
            raise HTTPException(404, f"There is no profile {name!r}.")
        return found

    @router.post("/profiles", status_code=202, tags=["profiles"])
    async def declare_profile(request: Request, holder: Annotated[Holder, Depends(require("partner"))]) -> JSONResponse:
        """Declare a version of a profile. Its test vectors run first; a version that is there never changes."""
        company = company_of(holder)
        said = cast(ProfileDeclaredV1, validate(ProfileDeclaredV1, await read_body(request, MAX_BODY, "A profile")))
        async with bus.transaction() as tx:
            await _check(tx, company, said)
        data = said.model_dump_json().encode()
        claim = Envelope(
            id=onboarding.identity(data, domain.UNSAID),
            source=SOURCE,
            type=TYPE_PREFIX + said.TYPE,
            time=tx.now,
            data=data,
        )
        place = (await gateway.hand_in_all(bus.jetstream, company, [claim]))[0]
        if isinstance(place, IntakeClosed):
            raise closed_answer(place)
        return JSONResponse(taken_answer(claim, place), 202)

    return router


async def known_profiles(tx: Transaction, company: str) -> Callable[[ProfileRef], bool]:
    """Whether a profile is known to a company; its own ones stand before those that are shipped."""
    versions: dict[str, set[int]] = {}
    for _, name, version in await store.profiles(tx.session, {company}):
        versions.setdefault(name, set()).add(version)
    own = set(versions)
    for profile in codecs.builtin().values():
        if profile.name not in own:
            versions.setdefault(profile.name, set()).add(profile.version)

    def is_known(wanted: ProfileRef) -> bool:
        there = versions.get(wanted.name, set())
        return bool(there) if wanted.version is None else wanted.version in there

    return is_known


async def _check(tx: Transaction, company: str, said: ProfileDeclaredV1) -> None:
    """What the handler would find, so that the company hears it at once.

    Raises:
        Refused: ``profile_invalid``, ``unit_unknown``.
    """
    before = (await store.profiles(tx.session, {company}, said.profile)).get((company, said.profile, said.version))
    if before not in (None, said.model_dump(mode="json")):
        detail = f"Version {said.version} of {said.profile!r} is there, and says something else; say the next one."
        raise Refused(Reason.PROFILE_INVALID, "$.version", detail)
    for number, measurement in enumerate(said.measurements):
        try:
            units.check_unit(measurement.unit)
        except ValueError as error:
            raise Refused(Reason.UNIT_UNKNOWN, f"$.measurements[{number}].unit", str(error)) from None
    if faults := await asyncio.to_thread(codecs.check_profile, profile_of(company, said)):
        raise Refused(Reason.PROFILE_INVALID, "$.vectors", faults[0])


def _owners(holder: Holder) -> set[str] | None:
    return None if holder.partner is None else {holder.partner}


def _shipped(profile: Profile) -> dict[str, Any]:
    said = {"partner": None, "profile": profile.name, "version": profile.version, "codec": profile.codec}
    return {**said, "measurements": [asdict(measurement) for measurement in profile.measurements]}


def _whole(profile: Profile) -> dict[str, Any]:
    return {
        "script": profile.script,
        "variables": dict(profile.variables),
        "time_path": profile.time_path,
        "time_format": profile.time_format,
        "vectors": [asdict(vector) for vector in profile.vectors],
    }


def _brief(partner: str, said: dict[str, Any]) -> dict[str, Any]:
    names = ("profile", "version", "title", "description", "codec", "measurements")
    return {"partner": partner, **{name: said[name] for name in names}}
