"""Everything evaluation-scheduler hears."""

from collections.abc import Iterator

import structlog

from evaluation_scheduler import domain, store
from evaluation_scheduler.domain import Kpi, Measured, Standing
from oker_bus import Event, Router, Transaction, on
from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_contracts.sensor.observations_recorded_v2 import Column, ObservationsRecordedV2, Series

log = structlog.get_logger()
router = Router("evaluation-scheduler")


@on(router, ObservationsRecordedV2, consumer="evaluation-scheduler-assess-kpis")
async def assess_kpis(event: Event[ObservationsRecordedV2], tx: Transaction) -> None:
    """Assess the KPIs that these observations feed; announce those whose status changed."""
    arrived = _by_datastream(event.data.series)
    for bound in await store.kpis_fed_by(tx.session, event.data.partner, arrived):
        measured = arrived[bound.kpi.device, bound.kpi.property]
        standing = domain.assess(bound.kpi, bound.standing, measured)
        await store.add_values(tx.session, bound.kpi.kpi_id, domain.comparable(bound.kpi, measured))
        await store.save_standing(tx.session, bound.kpi.kpi_id, standing)
        if standing.status != bound.standing.status:
            _announce(tx, bound.kpi, bound.standing, standing)
        if standing.foreign_unit != bound.standing.foreign_unit:
            log.warning("kpi.unit_differs", kpi_id=bound.kpi.kpi_id, heard=standing.foreign_unit)


def _by_datastream(arrived: list[Series]) -> dict[tuple[str, str], list[Measured]]:
    found: dict[tuple[str, str], list[Measured]] = {}
    for series in arrived:
        for column in series.datastreams:
            found.setdefault((series.device, column.property), []).extend(_measured(series, column))
    return found


def _measured(series: Series, column: Column) -> Iterator[Measured]:
    readings = zip(series.phenomenon_times, series.result_times, series.event_ids, column.values, strict=True)
    for phenomenon_time, result_time, id, value in readings:
        yield Measured(
            phenomenon_time=phenomenon_time,
            result_time=result_time,
            event_source=series.event_source,
            event_id=id,
            value=value,
            unit=column.unit,
        )


def _announce(tx: Transaction, kpi: Kpi, before: Standing, after: Standing) -> None:
    assert after.latest is not None
    assert after.status is not None
    tx.announce(
        KpiAssessedV1(
            kpi_id=kpi.kpi_id,
            project_id=kpi.project_id,
            title=kpi.title,
            status=after.status,
            previous_status=before.status,
            value=after.latest.value,
            unit=kpi.unit,
            target=kpi.target,
            direction=kpi.direction,
            phenomenon_time=after.latest.phenomenon_time,
            partner=kpi.partner,
            evidence=Evidence(event_source=after.latest.event_source, event_id=after.latest.event_id),
            assessed_at=tx.now,
        )
    )
    log.info("kpi.assessed", kpi_id=kpi.kpi_id, status=after.status, previous_status=before.status)
