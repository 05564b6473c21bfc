"""What is meant by what people write in place of UCUM, for the sentences of refusals."""

HINTS = {
    **dict.fromkeys(("C°", "degC", "celsius", "Celsius", "oC", "℃", "deg C"), "Cel"),
    **dict.fromkeys(("°F", "degF", "℉", "deg F"), "[degF]"),
    **dict.fromkeys(("Wh", "kWh", "MWh"), "kW.h (W.h, MW.h)"),
    **dict.fromkeys(("VA", "kVA"), "V.A (kV.A)"),
    **dict.fromkeys(("var", "kvar"), "{var} ({kvar})"),
    **dict.fromkeys(("dBA", "dB(A)", "db", "dbA"), "dB{A}"),
    "dBm": "dB{mW}",
    **dict.fromkeys(("PPM", "ppm"), "[ppm]"),
    **dict.fromkeys(("PPB", "ppb"), "[ppb]"),
    **dict.fromkeys(("NTU", "ntu"), "[NTU]"),
    **dict.fromkeys(("°", "º", "grad", "degree", "degrees"), "deg"),
    **dict.fromkeys(("lux", "Lux", "LUX"), "lx"),
    **dict.fromkeys(("kmh", "kph", "km/hr"), "km/h"),
    "mps": "m/s",
    **dict.fromkeys(("percent", "pct", "%RH", "%rH", "% RH", "% rH", "% r.F."), "%"),
    **dict.fromkeys(("count", "counts", "Anzahl", "bool", "boolean"), "{count}"),
    "rpm": "/min",
    "mmHg": "mm[Hg]",
    "ohm": "Ohm",
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("hr", "hour", "hours"), "h"),
    "m3/hr": "m3/h",
    "l/hr": "l/h",
    "ltr": "l",
}
_PLAIN = str.maketrans(
    {
        **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)),
        **dict.fromkeys("·⋅∙×", "."),
        **dict.fromkeys("µμ", "u"),
        **dict.fromkeys("ΩΩ", "Ohm"),
        **dict.fromkeys("−‐‑–", "-"),
        **dict.fromkeys("∕⁄", "/"),
        "‰": "[ppth]",
        "^": "",
    }
)


def hint(said: str) -> str | None:
    """How a unit is written in UCUM, where that can be told from what was said: ``Cel`` for ``°C``, ``ug/m3`` for
    ``µg/m³``. A guess for a person; nothing is read by it.
    """
    short = said.strip()
    found = HINTS.get(short)
    if found is None:
        plain = "".join(short.replace("°C", "Cel").replace("°F", "[degF]").replace("°", "deg").split()).translate(
            _PLAIN
        )
        found = HINTS.get(plain, plain)
    return found if found != said and found.isascii() and found.isprintable() and found else None
