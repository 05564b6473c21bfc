"""Titles, numbers and times as people write them, in German and English."""

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from notification.domain.people import Locale

BERLIN = ZoneInfo("Europe/Berlin")


def plain(text: str) -> str:
    """One line without control and direction characters, whatever a title holds.

    An encoded word (RFC 2047) is broken up: it could hide a line break, which Python before 3.11.10 writes out
    as it is (CVE-2024-6923), and so add a header.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line.replace("=?", "= ?")


_GERMAN = str.maketrans(",.", ".,")
_UNITS = {
    **{"Cel": "°C", "m2": "m²", "m3": "m³", "ug/m3": "µg/m³"},
    **{"W.h": "Wh", "kW.h": "kWh", "MW.h": "MWh", "1": ""},
}
"""How people write some UCUM units; others are shown as they are."""


def amount(value: float, unit: str, locale: Locale) -> str:
    """A number with its unit: ``1.234,5 kWh``; of a UCUM annotation ``{visitors}`` the word remains."""
    number = f"{value + 0.0:,.10g}"
    shown = number.translate(_GERMAN) if locale == "de" else number
    return f"{shown} {_UNITS.get(unit, unit.replace('{', '').replace('}', ''))}".rstrip()


def decimal(score: str, locale: Locale) -> str:
    """An exact score, rounded to two digits."""
    number = f"{float(round(Fraction(score), 2)):.2f}"
    return number.translate(_GERMAN) if locale == "de" else number


def percent(share: str, locale: Locale) -> str:
    """An exact share as a percentage: ``50 %``; in English without the space."""
    number = f"{float(round(Fraction(share) * 100, 1)):g}"
    return f"{number.translate(_GERMAN)} %" if locale == "de" else f"{number}%"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def local_time(moment: datetime, locale: Locale) -> str:
    """Civil time in Europe/Berlin; the zone is named, since one hour of the year comes twice."""
    local = moment.astimezone(BERLIN)
    summer = bool(local.dst())
    if locale == "de":
        return f"{local:%d.%m.%Y}, {local:%H:%M} Uhr {'MESZ' if summer else 'MEZ'}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M} {'CEST' if summer else 'CET'}"
