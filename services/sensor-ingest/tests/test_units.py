"""Units: which codes are UCUM, what converts to what, and what never does."""

import re
import subprocess
import sys
import time
from fractions import Fraction

import pytest
import ucumvert
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ucumvert import xml_util

from oker_contracts.unit_hints import HINTS
from sensor_ingest import units

_USUAL = """
Cel K [degF] % [ppth] [ppm] [ppb] 1 deg rad hPa Pa kPa mbar bar mm[Hg] m[H2O] [psi] ug/m3 mg/m3 g/m3 kg/m3 ug/m3{dry}
mg/L g/L mmol/L umol/L kW W MW V.A kV.A kW.h W.h MW.h J kJ V mV kV A mA Ohm uS/cm mS/cm S/m lx klx lm cd W/m2 kW/m2 J/m2
umol/(m2.s) m3/h m3/s m3 L/min l/min L/s L mL/min mm/h mm m cm km m2 m/s km/h mm/s [kn_i] [mi_i]/h s min h d wk mo a ms
kg g t t/h N N.m Hz kHz /min 1/h {visitors} {visitors}/h {vehicles}/min {count} {} [NTU] [FNU] [pH] dB dB{A} dB[SPL] Np
B[SPL] dB[W] uSv/h nSv/h Bq/m3 nT uT T bit By kBy MiBy bit/s kBy/s 10*6/L 10*3 [CFU]/mL mol/m3 [iU]/L deg/s m/s2 %{RH}
"""
_NO_UNITS = """
°C celsius degC kWh Wh VA kvar var dBA dB(A) dBm db NTU ppm m³ µg/m³ bool count rpm mmHg ohm lux grad percent %RH
m^3 m**2 W/m² KW Kg m//s m/ /m/ (m m) ()m m. m..s {a {a}b} 0 02 m0 m+ kCel.. kg--2 -m m-m k da [in_i [] [x]
"""
USUAL, NO_UNITS = _USUAL.split(), _NO_UNITS.split()


@pytest.mark.parametrize("code", USUAL)
def test_the_usual_units_are_known(code: str) -> None:
    units.check_unit(code)
    assert units.convert(21.5, code, code) == 21.5


@pytest.mark.parametrize(
    "code", ["", " ", "Cel ", "m s", "m" * 33, "€", "\x00", "m+99", "9+31", "9999999999.m", *NO_UNITS]
)
def test_what_is_no_unit_is_said_so(code: str) -> None:
    with pytest.raises(ValueError, match=r"^('.*' is no(t| UCUM)|A unit has)") as refused:
        units.check_unit(code)

    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("°C", "Cel"),
        ("kWh", "kW.h"),
        ("dBA", "dB{A}"),
        ("m³/h", "m3/h"),
        ("NTU", "[NTU]"),
        ("%RH", "%"),
        ("m³/s", "m3/s"),
        ("W/m²", "W/m2"),
        ("µS/cm", "uS/cm"),
        ("Cel ", "Cel"),
        ("kΩ", "kOhm"),
        ("m·s⁻²", "m.s-2"),
        ("m3/hr", "m3/h"),
    ],
)
def test_who_writes_a_unit_in_his_own_way_hears_how_ucum_does(said: str, meant: str) -> None:
    with pytest.raises(ValueError, match="write ") as refused:
        units.check_unit(said)

    assert f"write {meant}" in str(refused.value)


@pytest.mark.parametrize(
    ("unit", "measured", "meant"),
    [
        ("C", "temperature Lufttemperatur", "Cel"),
        ("Grad", "t Wassertemperatur", "Cel"),
        ("Grad", "wind_direction Windrichtung", "deg"),
        ("F", "temp_1 Air", "[degF]"),
        ("pH", "ph_value Säuregrad", "[pH]"),
        ("mph", "wind_speed Wind speed", "[mi_i]/h"),
        ("ft", "water_level Pegel", "[ft_i]"),
    ],
)
def test_a_unit_that_nobody_means_for_what_is_measured_is_said_so(unit: str, measured: str, meant: str) -> None:
    with pytest.raises(ValueError, match=re.escape(meant)):
        units.check_unit(unit, measured)


@pytest.mark.parametrize(("unit", "measured"), [("C", "charge Ladung"), ("pH", "inductance Graph"), ("Cel", "temp")])
def test_the_same_unit_is_right_where_it_is_meant(unit: str, measured: str) -> None:
    units.check_unit(unit, measured)
    assert units.is_unit(unit)


def test_a_reading_in_a_unit_that_is_mostly_a_slip_hears_what_it_is() -> None:
    with pytest.raises(ValueError, match="coulomb; for degrees Celsius write Cel"):
        units.convert(21.5, "C", "Cel")


@pytest.mark.parametrize("hint", sorted({code for said in HINTS.values() for code in said.split(" (")}))
def test_what_is_hinted_at_is_a_unit(hint: str) -> None:
    for code in hint.rstrip(")").split(", "):
        units.check_unit(code)


@pytest.mark.parametrize(
    ("value", "said", "kept", "expected"),
    [
        (21.5, "Cel", "[degF]", 70.7),
        (-40, "[degF]", "Cel", -40.0),
        (0, "Cel", "K", 273.15),
        (293.15, "K", "Cel", 20.0),
        (293150, "mK", "Cel", 20.0),
        (1500, "W", "kW", 1.5),
        (1013, "mbar", "hPa", 1013.0),
        (750, "mm[Hg]", "hPa", 999.9179056),
        (3_600_000, "J", "kW.h", 1.0),
        (60, "L/min", "m3/h", 3.6),
        (36, "km/h", "m/s", 10.0),
        (0.4, "1", "%", 40.0),
        (400, "[ppm]", "%", 0.04),
        (1.5, "mS/cm", "uS/cm", 1500.0),
        (12, "mg/m3", "ug/m3", 12000.0),
        (2, "{visitors}/min", "{visitors}/h", 120.0),
        (180, "deg", "rad", 3.14159265),
        (5, "MiBy", "kBy", 5242.88),
        (1, "V.A", "W", 1.0),
        (3, "10*3", "1", 3000.0),
        (7, "l", "L", 7.0),
        (1, "lx", "lm/m2", 1.0),
        (65, "dB[SPL]", "B[SPL]", 6.5),
        (6, "Cel/h", "Cel/min", 0.1),
        (1, "KiBy", "bit", 8192.0),
    ],
)
def test_values_become_values_in_the_other_unit(value: float, said: str, kept: str, expected: float) -> None:
    assert units.convert(value, said, kept) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("value", [0.1, 21.5, 1003, 412.7])
def test_steps_of_ten_leave_no_dust(value: float) -> None:
    assert units.convert(value, "W", "kW") == value / 1000
    assert units.convert(value, "hPa", "Pa") == value * 100


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("kW", "kW.h"),
        ("Cel", "%"),
        ("{visitors}", "{vehicles}"),
        ("{visitors}", "1"),
        ("1", "{visitors}"),
        ("{visitors}/h", "/h"),
        ("{a}/{b}", "{b}/{a}"),
        ("ug/m3{dry}", "ug/m3"),
        ("%{RH}", "%"),
        ("deg", "%"),
        ("rad", "1"),
        ("lx", "cd/m2"),
        ("bit", "1"),
        ("Bq", "Hz"),
        ("[NTU]", "[FNU]"),
        ("[NTU]", "1"),
        ("[iU]/L", "/L"),
        ("dB", "1"),
        ("dB", "Np"),
        ("dB", "dB{A}"),
        ("dB[SPL]", "Pa"),
        ("[pH]", "1"),
        ("Cel/h", "K/h"),
        ("'", "min"),
        ("[cft_i]", "m"),
        ("[cft_i]", "m3"),
        ("[Cal]", "cal"),
        ("kWh", "kW.h"),
        ("kW.h", "kWh"),
    ],
)
def test_what_is_not_of_one_kind_never_converts_in_silence(said: str, kept: str) -> None:
    with pytest.raises(ValueError, match=r"(is no|not of one kind)"):
        units.convert(21.5, said, kept)


def test_a_converted_value_that_no_event_could_hold_is_refused() -> None:
    assert units.convert(1e15, "m", "Gm") == 1e6
    with pytest.raises(ValueError, match="larger than"):
        units.convert(1e15, "Gm", "m")


TOKENS = ["m", "s", "g", "K", "kW", "da", "Ki", "bit", "By", "%", "[ppm]", "10*", "10^", "2", "100", "3", "-1", "+2"]
SIGNS = [".", "/", "(", ")", "{a}", "{}", "{b.c}", "'", "''", "m[H2O]", "B[10.nV]", "dar", "0", "02", "[iU]", "-", " "]
codes = st.lists(st.sampled_from([*TOKENS, *SIGNS]), min_size=1, max_size=7).map("".join)


@pytest.fixture(scope="module")
def grammar() -> object:
    return ucumvert.get_ucum_parser()


def has_small_numbers(code: str) -> bool:
    """Large exponents and factors are not read here, whatever the grammar says."""
    return not re.search(r"[0-9]{2}", code.replace("10*", "").replace("10^", "").replace("10.nV", ""))


@settings(max_examples=1_000, deadline=None)
@given(codes.filter(has_small_numbers))
@example("100/{cells}")
@example("m02")
@example("m30")
@example("g/(8.h){shift}")
@example("/m{a}{b}")
@example("10*-3.mol/{cells}")
def test_the_codes_are_those_of_the_grammar_of_ucum(grammar: object, code: str) -> None:
    """Read here in microseconds, and there by ucumvert's parser in milliseconds: the same codes pass."""
    try:
        ucumvert.parse_ucum(code, grammar)
        is_unit = True
    except ucumvert.InvalidUcumError:
        is_unit = False

    assert (code, units.is_unit(code)) == (code, is_unit)


OTHERWISE = {"mol", "Bq", "bit", "Bd", "[car_Au]"}
"""Base units here; to UCUM they are numbers, or rates of nothing."""


@pytest.mark.parametrize("atom", xml_util.get_units_with_full_definition(), ids=lambda atom: atom.code_cs)
def test_each_atom_is_worth_what_ucum_says(atom: xml_util.UcumUnitDefinition) -> None:
    """The definitions that UCUM publishes are the oracle; what pint reads otherwise must be kept apart."""
    code, defined = atom.code_cs, atom.defining_unit
    units.check_unit(code)
    apart = code in units.OPAQUE or defined == "1" or code in OTHERWISE
    if apart and code not in units.NUMBERS:
        with pytest.raises(ValueError, match=r"is no UCUM unit|A unit has|not of one kind"):
            units.convert(1.0, code, defined)
        return
    found = units.conversion(code, defined)
    assert found.numerator / found.denominator == pytest.approx(float(atom.conversion_factor), rel=1e-4)


def test_each_prefix_is_worth_what_ucum_says() -> None:
    said = xml_util.root.findall("{*}prefix")
    assert {one.get("Code"): Fraction(one.find("{*}value").get("value")) for one in said} == units.PREFIXES


@pytest.mark.parametrize(
    "code", ["(" * 16 + "m" + ")" * 15, "m." * 15 + "m", "(" * 15 + "1" + ")" * 15, "/(/(/(/(/(/(m))))))"]
)
def test_no_code_of_a_stranger_takes_long(code: str) -> None:
    units.load()
    began = time.perf_counter()
    for number in range(1_000):
        units.is_unit(f"{code[:-3]}{number}")

    assert time.perf_counter() - began < 1.0


def test_units_may_be_asked_for_while_another_thread_still_loads_them() -> None:
    """As when the first message comes in while the service starts."""
    script = (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "from sensor_ingest import units\n"
        "with Pool(4) as pool: print(set(pool.map(units.is_unit, ['Cel', 'bit', 'kW.h', 'hPa'])))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr.count("Error")) == ("{True}\n", 0)
