"""Units in UCUM notation: whether a code is one, and how to convert between two of one kind.

Atoms come from ucumvert, which reads UCUM on top of pint; they are taken over once, as exact fractions, and the
algebra of a code (``.``, ``/``, exponents, brackets, annotations) is done here in microseconds: a unit may come with
every reading, and a full parse takes a millisecond. What pint reads otherwise than UCUM is a base unit of its own.

Two units are of one kind if they are the same product of base units, where an angle, a bit, a count, each arbitrary
unit (``[iU]``, ``[NTU]``) and each annotation (``{visitors}``) is a base unit of its own: a percentage never becomes
an angle in silence, and visitors never become vehicles. So are logarithmic and other special units: ``dB`` converts to
``B`` and to nothing else. Of these ``Cel``, ``[degF]`` and ``[degRe]`` become kelvins, where they stand alone.

Source: The Unified Code for Units of Measure, version 2.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from threading import Lock
from typing import NamedTuple

from oker_contracts.unit_hints import HINTS, hint


def _words(said: str) -> tuple[str, ...]:
    return tuple(said.split())


MAX_CODE = 32
MAX_EXPONENT = 30
MAX_DIGITS = 9
MAX_VALUE = 1e15
"""As in the contracts."""
DECIMAL = (24, 21, 18, 15, 12, 9, 6, 3, 2, 1, -1, -2, -3, -6, -9, -12, -15, -18, -21, -24)
PREFIXES = {
    **dict(zip(_words("Y Z E P T G M k h da d c m u n p f a z y"), (Fraction(10) ** e for e in DECIMAL), strict=True)),
    **{prefix: Fraction(1024) ** e for e, prefix in enumerate(_words("Ki Mi Gi Ti"), 1)},
}
TEMPERATURES = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    "[degRe]": (Fraction(5, 4), Fraction("273.15")),
}
"""Kelvins of one degree, and of zero degrees."""
SPECIAL = _words(
    "[p'diop] %[slope] [hp'_X] [hp'_C] [hp'_M] [hp'_Q] [pH] Np B B[SPL] B[V] B[mV] B[uV] B[10.nV] B[W] B[kW] bit_s"
    " [m/s2/Hz^(1/2)]"
)
"""UCUM's special units, besides those of temperature."""
READ_OTHERWISE = _words("' '' [cft_i] [cyd_i] [rd_br] [ch_br] [lk_br] [Cal] [Btu] [in_i'H2O] [in_i'Hg] g% Mx G Oe Gb")
"""Atoms that pint takes for something else: the arc minute for a minute, the cubic foot for a centifoot."""
OPAQUE = {*SPECIAL, *READ_OTHERWISE, *TEMPERATURES}
NUMBERS = _words("10* 10^ [pi] % [ppth] [ppm] [ppb] [pptr]")
"""The atoms without dimension that are mere numbers, and convert to each other."""
_TOKEN = re.compile(
    r"""(?P<open>\()|(?P<close>\))|(?P<operator>[./])|(?P<annotation>\{[!-z|~]*\})
    |(?P<factor>[1-9][0-9]*(?![0-9*^]))(?P<power>[+-][1-9][0-9]*)?
    |(?P<symbol>10[*^]|(?:[^0-9./(){}\[\]+-]|\[[^\[\]]+\])+)(?P<exponent>[+-]?[1-9][0-9]*)?""",
    re.VERBOSE,
)


class Conversion(NamedTuple):
    """``value * numerator / denominator + offset``: two small numbers lose less than one quotient."""

    numerator: float
    denominator: float
    offset: float

    def __call__(self, value: float) -> float:
        """The value in the other unit."""
        return value * self.numerator / self.denominator + self.offset


@dataclass(frozen=True, slots=True)
class Meaning:
    """A unit as a multiple of base units, plus a zero of its own."""

    scale: Fraction
    kind: Mapping[str, int]
    zero: Fraction = Fraction(0)

    def times(self, other: "Meaning", sign: int = 1) -> "Meaning":
        """The product, or with ``sign`` -1 the quotient."""
        kind = dict(self.kind)
        for base, exponent in other.kind.items():
            kind[base] = kind.get(base, 0) + sign * exponent
        return Meaning(self.scale * other.scale**sign, {base: e for base, e in kind.items() if e})

    def to_the(self, exponent: int) -> "Meaning":
        """The power."""
        return Meaning(self.scale**exponent, {base: e * exponent for base, e in self.kind.items()})


ONE = Meaning(Fraction(1), {})


def load() -> None:
    """Read the tables of atoms: half a second and 40 MB, once a process. Called when first needed, or before."""
    _atoms()


def check_unit(code: str, measured: str = "") -> None:
    """Whether a code is UCUM, and not a unit that nobody means for what is measured.

    Args:
        code: the unit.
        measured: what is measured, in words: a temperature in ``C`` would be one in coulombs, for ever.

    Raises:
        ValueError: with a sentence for whoever said it.
    """
    meaning = _meaning(code)
    if isinstance(meaning, str):
        raise ValueError(meaning)
    mistaken = MISTAKEN.get(code)
    if mistaken and mistaken.measured.search(measured):
        raise ValueError(f"{code!r} {mistaken.sentence}.")


def is_unit(code: str) -> bool:
    """Whether a code is UCUM."""
    return not isinstance(_meaning(code), str)


def convert(value: float, said: str, kept: str) -> float:
    """A value in another unit.

    Raises:
        ValueError: the units are not of one kind, or one of them is no unit, or the value would be too large; with a
            sentence for whoever said it.
    """
    if said == kept:
        return value
    converted = conversion(said, kept)(value)
    if abs(converted) > MAX_VALUE:
        raise ValueError(f"The value in {kept!r} would be larger than {MAX_VALUE:g}.")
    return converted


def conversion(said: str, kept: str) -> Conversion:
    """How values in one unit become values in another.

    Raises:
        ValueError: the units are not of one kind, or one of them is no unit.
    """
    found = _conversion(said, kept)
    if isinstance(found, str):
        raise ValueError(found)
    return found


@lru_cache(maxsize=4096)
def _conversion(said: str, kept: str) -> Conversion | str:
    """A sentence where there is none: a fault that comes with every reading is found once."""
    source, target = _meaning(said), _meaning(kept)
    if isinstance(source, str):
        return source
    if isinstance(target, str):
        return target
    if source.kind != target.kind:
        mistaken = f"; {said!r} {MISTAKEN[said].sentence}" if said in MISTAKEN else ""
        return f"{said!r} and {kept!r} are not of one kind{mistaken}."
    factor, offset = source.scale / target.scale, (source.zero - target.zero) / target.scale
    try:
        return Conversion(float(factor.numerator), float(factor.denominator), float(offset))
    except OverflowError:
        return f"{said!r} and {kept!r} are too far apart."


@lru_cache(maxsize=4096)
def _meaning(code: str) -> Meaning | str:
    try:
        return _read(code)
    except ValueError as error:
        return str(error)


def _read(code: str) -> Meaning:
    if not 0 < len(code) <= MAX_CODE:
        raise ValueError(f"A unit has 1 to {MAX_CODE} characters.")
    if code in TEMPERATURES:
        scale, zero = TEMPERATURES[code]
        return Meaning(scale, {"kelvin": 1}, zero)
    tokens = list(_tokens(code))
    meaning, end = _term(code, tokens, 0)
    if end < len(tokens):
        raise _no_unit(code, tokens[end].start())
    return meaning


def _tokens(code: str) -> list[re.Match[str]]:
    found, at = [], 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None:
            raise _no_unit(code, at)
        found.append(match)
        at = match.end()
    return found


def _term(code: str, tokens: list[re.Match[str]], at: int) -> tuple[Meaning, int]:
    """``/a.b/c``, from a token on to the end or a closing bracket."""
    meaning, sign = ONE, 1
    if at < len(tokens) and tokens[at]["operator"] == "/":
        sign, at = -1, at + 1
    while True:
        part, at = _component(code, tokens, at)
        meaning = meaning.times(part, sign)
        if at == len(tokens) or not tokens[at]["operator"]:
            return meaning, at
        sign, at = -1 if tokens[at]["operator"] == "/" else 1, at + 1


def _component(code: str, tokens: list[re.Match[str]], at: int) -> tuple[Meaning, int]:
    """One factor, with the annotation behind it."""
    if at == len(tokens):
        raise _no_unit(code, len(code))
    token = tokens[at]
    if token["open"]:
        meaning, at = _term(code, tokens, at + 1)
        if at == len(tokens) or not tokens[at]["close"]:
            raise _no_unit(code, len(code) if at == len(tokens) else tokens[at].start())
    elif token["annotation"]:
        meaning = _annotation(token)
    elif token["factor"] or token["symbol"]:
        meaning = _simple(code, token)
    else:
        raise _no_unit(code, token.start())
    if at + 1 < len(tokens) and tokens[at + 1]["annotation"]:
        return meaning.times(_annotation(tokens[at + 1])), at + 2
    return meaning, at + 1


def _annotation(token: re.Match[str]) -> Meaning:
    return Meaning(Fraction(1), {token["annotation"]: 1})


def _simple(code: str, token: re.Match[str]) -> Meaning:
    exponent = int(token["exponent"] or token["power"] or 1)
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"{code!r} is not read: an exponent is {MAX_EXPONENT} at most.")
    if token["factor"]:
        if len(token["factor"]) > MAX_DIGITS:
            raise ValueError(f"{code!r} is not read: a factor has {MAX_DIGITS} digits at most.")
        return Meaning(Fraction(int(token["factor"])), {}).to_the(exponent)
    found = _symbol(token["symbol"])
    if found is None:
        raise _no_unit(code, token.start())
    return found.to_the(exponent)


def _symbol(symbol: str) -> Meaning | None:
    """An atom, or a prefix and an atom that takes one."""
    atoms = _atoms()
    if symbol in atoms:
        return atoms[symbol].meaning
    for length in (1, 2):
        atom = atoms.get(symbol[length:])
        if atom and atom.metric and symbol[:length] in PREFIXES:
            return Meaning(PREFIXES[symbol[:length]], {}).times(atom.meaning)
    return None


def _no_unit(code: str, at: int) -> ValueError:
    place = f"at character {at + 1}" if at < len(code) else "at its end"
    meant = hint(code)
    way_out = f"write {meant}" if meant and (meant in HINTS.values() or is_unit(meant)) else "see ucum.org"
    return ValueError(f"{code!r} is no UCUM unit ({place}); {way_out}.")


class Mistaken(NamedTuple):
    """A unit of UCUM that is mostly meant for another one, and for what."""

    sentence: str
    measured: re.Pattern[str]


def _of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


MISTAKEN = {
    "C": Mistaken("is the coulomb; for degrees Celsius write Cel", _of("temp")),
    "F": Mistaken("is the farad; for degrees Fahrenheit write [degF]", _of("temp")),
    "Grad": Mistaken(
        "is the gigaradian; for degrees Celsius write Cel, for an angle deg",
        _of("temp", "angle", "winkel", "direction", "richtung"),
    ),
    "pH": Mistaken("is the picohenry; for acidity write [pH]", _of("(?<![a-z])ph(?![a-z])", "acid", "säure")),
    "mph": Mistaken("is the milliphot; for miles an hour write [mi_i]/h", _of("speed", "geschwindigkeit", "wind")),
    "ft": Mistaken("is the femtotonne; for feet write [ft_i]", _of("level", "height", "depth", "pegel", "tiefe")),
}


@dataclass(frozen=True, slots=True)
class _Atom:
    meaning: Meaning
    metric: bool


_READING = Lock()
"""Two threads that load pint at the same time break each other's tables."""


def _atoms() -> Mapping[str, _Atom]:
    """All atoms of UCUM; read by whoever comes first, while the others wait."""
    with _READING:
        return _read_atoms()


@cache
def _read_atoms() -> Mapping[str, _Atom]:
    """All atoms of UCUM in pint's root units; ucumvert and pint are loaded here and not used further."""
    import ucumvert
    from ucumvert import xml_util

    registry = ucumvert.PintUcumRegistry(non_int_type=Fraction)
    transformer = ucumvert.UcumToPintTransformer(ureg=registry)
    parser = ucumvert.get_ucum_parser()

    def meaning(code: str) -> Meaning:
        if code in OPAQUE:
            return Meaning(Fraction(1), {code: 1})
        quantity = transformer.transform(ucumvert.parse_ucum(code, parser)).to_root_units()
        kind = {str(unit): int(exponent) for unit, exponent in quantity.unit_items()}
        if not kind and code not in NUMBERS:
            kind = {"[iU]" if code == "[IU]" else code: 1}
        return Meaning(Fraction(quantity.magnitude), kind)

    metric = [*xml_util.get_base_units(), *xml_util.get_metric_units()]
    return {
        **{code: _Atom(meaning(code), False) for code in xml_util.get_non_metric_units()},
        **{code: _Atom(meaning(code), True) for code in metric},
    }
