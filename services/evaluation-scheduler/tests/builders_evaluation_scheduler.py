"""Things a test of evaluation-scheduler needs, with everything it does not care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from evaluation_scheduler.domain import Kpi, Measured
from oker_contracts.sensor.observations_recorded_v1 import Observation, ObservationsRecordedV1

NOON = datetime(2026, 3, 21, 12, tzinfo=UTC)


def a_kpi(**said: Any) -> Kpi:
    """Visitors in the city centre: at least 100."""
    return Kpi(
        **{
            "kpi_id": "visitors",
            "project_id": "besucherzaehlung",
            "title": "Besucher in der Innenstadt",
            "partner": "verkehr",
            "device": "counter-1",
            "property": "visitors",
            "unit": "{visitors}",
            "target": 100.0,
            "direction": "at_least",
            **said,
        }
    )


def a_binding(**said: Any) -> dict[str, Any]:
    """The body that binds :func:`a_kpi`."""
    kpi = a_kpi(**said)
    return {name: getattr(kpi, name) for name in Kpi.__dataclass_fields__ if name != "kpi_id"}


def a_measured(minute: int = 0, value: float = 120.0, **said: Any) -> Measured:
    """A value, ``minute`` minutes after noon."""
    at = NOON + timedelta(minutes=minute)
    filled = {
        "phenomenon_time": at,
        "result_time": at,
        "event_source": "/verkehr/counters",
        "event_id": f"event-{minute}",
        "value": value,
        "unit": "{visitors}",
    }
    return Measured(**{**filled, **said})


def an_observation(minute: int = 0, value: float = 120.0, **said: Any) -> Observation:
    """The same value as sensor-ingest announces it."""
    measured = a_measured(minute, value)
    filled = {name: getattr(measured, name) for name in Measured.__dataclass_fields__}
    device, name = said.pop("device", "counter-1"), said.pop("property", "visitors")
    return Observation(
        **{
            "datastream": f"verkehr/{device}/{name}",
            "device": device,
            "property": name,
            "outcome": "stored",
            **filled,
            **said,
        }
    )


def recorded(*observations: Observation, partner: str = "verkehr") -> ObservationsRecordedV1:
    """A batch of observations of one company."""
    return ObservationsRecordedV1(
        partner=partner, dataset="visitors", recorded_at=NOON, observations=list(observations)
    )
