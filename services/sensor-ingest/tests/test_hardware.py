"""Hardware is one device's: a declaration never takes it from another in silence."""

import pytest
from builders_sensor_ingest import EUI, Token
from httpx import AsyncClient

from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2
from oker_testkit.bus import TestBus

HEADER = "device,name,property,unit,dataset,observed_property,hardware"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


def a_device_with(hardware: str, name: str, dataset: str = "grid") -> DeviceDeclaredV2:
    stream = DeclaredDatastream(property="power_1", unit="kW", dataset=dataset, observed_property="Wirkleistung")
    return DeviceDeclaredV2(device=name, name=name, hardware=hardware, datastreams=[stream])


async def hardware_of(http: AsyncClient, who: dict[str, str], device: str) -> str | None:
    answer = await http.get(f"/devices/stadtwerke/{device}", headers=who)
    return str(answer.json()["hardware"]) if answer.status_code == 200 else None


async def test_a_declared_device_keeps_its_hardware_when_another_is_declared_with_it(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    for name, said in (("loewenwall", EUI), ("station-7", EUI.upper())):
        await bus.publish(a_device_with(said, name), partner="stadtwerke")
        await bus.settled()

    assert await bus.quarantined() == [("hardware_taken", "$.hardware")]
    assert await hardware_of(http, company, "loewenwall") == EUI
    assert await hardware_of(http, company, "station-7") is None


async def test_of_two_declarations_that_come_at_once_the_first_has_the_hardware(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    for name in ("loewenwall", "station-7"):
        await bus.publish(a_device_with(EUI, name), partner="stadtwerke")
    await bus.settled()

    assert await bus.quarantined() == [("hardware_taken", "$.hardware")]
    assert await hardware_of(http, company, "loewenwall") == EUI


async def test_hardware_that_a_device_has_given_back_is_free(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    for name, said in (("loewenwall", EUI), ("loewenwall", "other"), ("station-7", EUI)):
        await bus.publish(a_device_with(said, name), partner="stadtwerke")
    await bus.settled()

    assert await bus.quarantined() == []
    assert await hardware_of(http, company, "station-7") == EUI


async def test_another_company_may_declare_the_same_hardware(bus: TestBus) -> None:
    for partner, dataset in (("stadtwerke", "grid"), ("verkehr", "visitors")):
        await bus.publish(a_device_with(EUI, "d-1", dataset), partner=partner)
    await bus.settled()

    assert await bus.quarantined() == []


async def test_a_row_of_a_file_takes_no_hardware_either(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await bus.publish(a_device_with(EUI, "loewenwall"), partner="stadtwerke")
    await bus.settled()
    body = f"{HEADER}\nstation-7,Station 7,power_1,kW,grid,Wirkleistung,{EUI}"

    said = (await http.post("/devices/import", content=body, headers=company | {"content-type": "text/csv"})).json()

    assert [(row["code"], row["column"]) for row in said["results"]] == [("hardware_taken", "hardware")]
    assert "'loewenwall'" in said["results"][0]["detail"]
