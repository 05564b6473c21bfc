"""Trying a device profile before it is declared."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request

from oker_bus import Bus
from oker_bus.bodies import read_body
from oker_contracts.reading import validate
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from oker_identity import Holder, require
from sensor_ingest import codecs, store, units
from sensor_ingest.api.events import MAX_BODY, company_of
from sensor_ingest.codecs import Tried
from sensor_ingest.handlers.registering import profile_of


def build(bus: Bus) -> APIRouter:
    """``POST /profiles/test``"""
    router = APIRouter()

    @router.post("/profiles/test", tags=["profiles"])
    async def try_profile(request: Request, holder: Annotated[Holder, Depends(require("partner"))]) -> dict[str, Any]:
        """Run the test vectors of a profile and show what each yields. Nothing is declared, nothing is kept.

        ``faults`` names all that would refuse the profile; it is empty where it can be declared as it is.
        """
        company = company_of(holder)
        said = cast(ProfileDeclaredV1, validate(ProfileDeclaredV1, await read_body(request, MAX_BODY, "A profile")))
        profile = profile_of(company, said)
        async with bus.transaction() as tx:
            before = (await store.profiles(tx.session, {company}, said.profile)).get(
                (company, said.profile, said.version)
            )
        faults = [*_taken(said, before), *_units(said)]
        faults += await asyncio.to_thread(codecs.check_profile, profile)
        tried = await asyncio.to_thread(codecs.try_vectors, profile)
        return {
            "profile": said.profile,
            "version": said.version,
            "passed": not faults,
            "faults": faults,
            "vectors": [_shown(each) for each in tried],
        }

    return router


def _taken(said: ProfileDeclaredV1, before: dict[str, Any] | None) -> Iterator[str]:
    if before not in (None, said.model_dump(mode="json")):
        yield f"version: {said.version} is declared already, and says something else; take the next one"


def _units(said: ProfileDeclaredV1) -> Iterator[str]:
    for number, measurement in enumerate(said.measurements):
        try:
            units.check_unit(measurement.unit)
        except ValueError as error:
            yield f"measurements[{number}].unit: {error}"


def _shown(tried: Tried) -> dict[str, Any]:
    return {
        "passed": not tried.faults,
        "faults": tried.faults,
        "data": tried.data,
        "errors": tried.errors,
        "readings": [asdict(number) for number in tried.numbers],
    }
