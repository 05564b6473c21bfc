"""What sensor-ingest does with what companies say: on the real broker and database."""

from builders_sensor_ingest import a_declared_device, a_reading, values

from oker_bus.edge import Sessions
from oker_contracts.sensor.device_registered_v1 import DeviceRegisteredV1
from oker_contracts.sensor.observations_recorded_v1 import ObservationsRecordedV1
from oker_testkit.bus import TestBus


async def test_smoke(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_declared_device(), partner="stadtwerke")
    await bus.publish(a_reading(), partner="stadtwerke")
    await bus.settled()
    assert await bus.quarantined() == []
    assert await values(sessions) == [412.5]
    print(await bus.announced(DeviceRegisteredV1), await bus.announced(ObservationsRecordedV1))
