"""How a LoRaWAN device does on the radio: a report made from what is kept of it, and from nothing else."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

DEV_EUI = re.compile(r"[0-9a-f]{16}")
LATE_AFTER = 3
"""Expected intervals without an uplink, after which a device is late."""
BATTERY_LOW = 20
"""Percent."""
NOTHING = dict.fromkeys(
    ("uplinks", "uplinks_24h", "uplinks_7d", "duplicates", "joins", "gaps", "missing", "resets", "rejoins"), 0
)
Latest = Mapping[str, Mapping[str, Any]]
"""The newest event of a device by kind."""


def is_dev_eui(hardware: str) -> bool:
    """Whether a LoRaWAN device is named so."""
    return DEV_EUI.fullmatch(hardware) is not None


def summary(
    counts: Mapping[str, Any] | None,
    latest: Latest,
    interval: int | None,
    now: datetime,
    declared: datetime | None = None,
) -> dict[str, Any]:
    """One device in a few figures.

    Args:
        counts: as of :func:`sensor_ingest.store.lorawan.counts`; ``None`` if nothing was heard.
        interval: how often an uplink is expected, in seconds, if the device's datastreams say so.
        declared: since when, if none was heard.
    """
    uplink, health = latest.get("up", {}), _health(latest)
    seen = uplink.get("time")
    said = {
        "last_seen": seen,
        "last_f_cnt": uplink.get("f_cnt"),
        "expected_interval_seconds": interval,
        "late": is_late(seen or declared, interval, now),
        **{name: value for name, value in (counts or NOTHING).items() if name != "hardware"},
        **health,
        "signal": {name: uplink.get("state", {}).get(name) for name in ("rssi", "snr", "gateways", "spreading_factor")},
    }
    return {**said, "troubles": troubles(said)}


def is_late(seen: datetime | None, interval: int | None, now: datetime) -> bool:
    """Nothing for three times the expected interval; or nothing at all where something is expected."""
    if interval is None:
        return False
    return seen is None or now - seen > timedelta(seconds=LATE_AFTER * interval)


def _health(latest: Latest) -> dict[str, Any]:
    """Battery in percent and margin in dB: a status says both, an uplink of The Things Stack the battery."""
    said = sorted((latest[kind] for kind in ("up", "status") if kind in latest), key=lambda event: event["time"])
    found: dict[str, Any] = {"battery": None, "external_power": False, "margin": None}
    for event in said:
        found |= {name: event["state"][name] for name in found if name in event["state"]}
    return found


def troubles(said: Mapping[str, Any]) -> list[str]:
    """What somebody should look at, in words to filter by."""
    battery = said["battery"]
    found = {
        "late": said["late"],
        "frames_missing": said["missing"] > 0,
        "counter_reset": said["resets"] > 0,
        "rejoined": said["rejoins"] > 0,
        "battery_low": battery is not None and battery < BATTERY_LOW and not said["external_power"],
    }
    return [name for name, holds in found.items() if holds]


def history(steps: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The last gaps, resets and rejoins: which counters are missing, and between which times."""
    return {
        "last_gaps": [_gap(step) for step in steps if step["step"] == "gap"],
        "last_resets": _changes(steps, "reset"),
        "last_rejoins": _changes(steps, "rejoin"),
    }


def _gap(step: Mapping[str, Any]) -> dict[str, Any]:
    """The first and the last counter that is missing; a counter of 16 bits goes round."""
    first, last = step["f_cnt"] - step["missing"], step["f_cnt"] - 1
    if step["f_cnt"] < step["f_cnt_before"]:
        first, last = first % 65536, last % 65536
    between = {"after": step["time_before"], "before": step["time"]}
    return {"from_f_cnt": first, "to_f_cnt": last, "missing": step["missing"], **between}


def _changes(steps: Sequence[Mapping[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [
        {"from_f_cnt": s["f_cnt_before"], "to_f_cnt": s["f_cnt"], "after": s["time_before"], "before": s["time"]}
        for s in steps
        if s["step"] == kind
    ]
