"""TS013 codecs in the sandbox: what they may do, and that a hostile one harms its own message only."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from builders_codecs import NOON, a_codec, refusal

from oker_contracts import Refused
from sensor_ingest.codecs import Decoded, Frame, Measurement, Profile, builtin, decode_frame, decode_frames
from sensor_ingest.codecs.engine import CONTEXTS, Engine

HERE, APART = "", "acme"
"""Profiles shipped with the service run in its process, those of companies in one of their own."""
HOSTILE = {
    "loops": "for (;;) {}",
    "catches its own interruption": "for (;;) { try { for (;;) {} } catch (e) {} }",
    "sorts a sparse list": "var a = []; a.length = 4294967295; a.sort()",
    "joins a sparse list": "var a = []; a.length = 4294967295; a.join()",
    "calls slow built-ins": "var s = 'x'.repeat(4e6); for (;;) s.indexOf('y')",
    "computes with huge numbers": "10n ** 300000n",
    "backtracks": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
    "allocates": "var a = []; for (;;) a.push(new Array(1000).fill(1))",
    "repeats text": "for (var s = 'x'; ; s += s) {}",
    "spreads": "Math.max(...new Array(1e7))",
    "recurses": "(function f() { f() })()",
    "nests": "for (var i = 0, a = []; i < 1e5; i++) a = [a]; return { data: a }",
    "throws": "throw new Error('no')",
    "throws what cannot be shown": "throw { toString() { throw 1 } }",
    "returns a function": "return function () {}",
    "returns a promise": "return Promise.resolve({ data: {} })",
    "returns itself": "var a = {}; a.a = a; return { data: a }",
    "returns too much": "return { data: { a: 'x'.repeat(70000) } }",
    "answers through a getter that loops": "return { get data() { for (;;) {} } }",
    "answers through a toJSON that loops": "return { data: { toJSON() { for (;;) {} } } }",
}


def decoded(profile: Profile, payload: bytes = b"\x01\x02", f_port: int = 2) -> dict[str, float]:
    return {found.property: found.value for found in decode_frame(profile, payload, f_port, NOON)}


@pytest.mark.parametrize("owner", [HERE, APART])
def test_a_codec_sees_bytes_port_time_and_variables(owner: str) -> None:
    script = """function decodeUplink(input) {
      return { data: { sum: input.bytes[0] + input.bytes[1], port: input.fPort, year: input.recvTime.getUTCFullYear(),
                       offset: Number(input.variables.offset) } };
    }"""
    profile = a_codec(script, owner, "sum", "port", "year", "offset", variables={"offset": "7"})

    assert decoded(profile) == {"sum": 3.0, "port": 2.0, "year": 2026.0, "offset": 7.0}


@pytest.mark.parametrize(
    "script",
    [
        "function Decoder(bytes, port) { return { a: bytes[0] + port }; }",
        "function Decode(fPort, bytes, variables) { return { a: bytes[0] + fPort }; }",
        "exports.decodeUplink = function (input) { return { data: { a: input.bytes[0] + input.fPort } }; };",
        "const decodeUplink = ({ bytes, fPort }) => ({ data: { a: bytes[0] + fPort }, warnings: ['w'], errors: [] });",
        "i = 5; function decodeUplink(input) { for (i = 0; i < 2; i++); return { data: { a: i + 1 } }; }",
        "class Odd extends Error { constructor() { super(); this.name = 'Odd'; this.message = 'odd'; } }\n"
        "function decodeUplink(input) { var e = new Odd(); return { data: { a: e.name === 'Odd' ? 3 : 0 } }; }",
        "Array.prototype.last = function () { return this[this.length - 1]; };\n"
        "function decodeUplink(input) { console.log('x'); return { data: { a: input.bytes.last() + 1 } }; }",
    ],
)
def test_codecs_as_they_are_found_in_the_wild_run(script: str) -> None:
    assert decoded(a_codec(script, APART, "a")) == {"a": 3.0}


def test_errors_of_the_codec_are_told_to_the_sender() -> None:
    profile = a_codec("function decodeUplink() { return { errors: ['unknown\\nFPort', 'x'.repeat(999)] }; }", APART)

    reason, path, detail = refusal(profile)

    assert (reason, path) == ("payload_undecodable", "$.data")
    assert "unknown?FPort; xxx" in detail
    assert len(detail) < 500


def test_what_a_codec_throws_is_told_with_its_line() -> None:
    profile = a_codec("function decodeUplink(input) {\n  return { data: input.bytes.length.x.y };\n}", APART)

    assert "threw TypeError: cannot read property 'y' of undefined, line 2" in refusal(profile)[2]


@pytest.mark.parametrize("script", ["function decodeUplink( {", "var a = 1;", "})(); (function () {"])
def test_a_script_that_cannot_be_used_is_refused(script: str) -> None:
    assert refusal(a_codec(script, APART))[0] in {"profile_invalid", "payload_undecodable"}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_codec_harms_its_own_message_only(what: str) -> None:
    good = a_codec("function decodeUplink(input) { return { data: { a: input.bytes[0] } }; }", APART, "a")
    bad = a_codec(f"function decodeUplink(input) {{ {HOSTILE[what]}; return {{ errors: ['x'] }}; }}", APART, "a")
    assert decoded(good) == {"a": 1.0}
    began = time.process_time()

    reason, path, _ = refusal(bad)

    assert (reason, path) == ("payload_undecodable", "$.data")
    assert time.process_time() - began < 0.5
    assert decoded(good) == {"a": 1.0}


@pytest.mark.parametrize(
    "poison",
    [
        "Array.prototype.map = JSON.stringify = Object.keys = Number = undefined",
        "Object.prototype.data = 7; Object.prototype.toJSON = function () { return 7; }",
        "globalThis.decodeUplink = function () { return { data: { a: 99 } } }; JSON = Date = null",
        "count += 10; left = 10; globalThis.left = 10; input.variables.a = 10; table.a = 10",
        "Object.setPrototypeOf(Array.prototype, null); Object.setPrototypeOf(Object.prototype, {})",
    ],
)
def test_what_a_codec_changes_lasts_no_longer_than_its_call(poison: str) -> None:
    script = f"""var count = 1, table = {{ a: 0 }};
    function decodeUplink(input) {{
      if (input.fPort === 9) {{ {poison}; return {{ data: {{}} }}; }}
      var left_over = typeof left === "undefined" ? 0 : left;
      return {{ data: {{ a: [count].map(function (n) {{ return n; }})[0] + table.a + left_over
                            + Object.keys(input.variables).length }} }};
    }}"""
    profile = a_codec(script, APART, "a")
    assert decoded(profile) == {"a": 1.0}

    for _ in range(2):
        with suppress(Refused):  # some poisons cannot be applied at all
            decode_frame(profile, b"", 9, NOON)

    assert decoded(profile) == {"a": 1.0}


@pytest.mark.parametrize(
    "name", ["Atomics", "SharedArrayBuffer", "WeakRef", "std", "os", "require", "process", "fetch"]
)
def test_there_is_no_way_out(name: str) -> None:
    script = f"function decodeUplink() {{ return {{ data: {{ absent: typeof {name} === 'undefined' }} }}; }}"

    assert decoded(a_codec(script, APART, "absent")) == {"absent": 1.0}


def test_the_same_bytes_give_the_same_data_for_ever() -> None:
    script = """function decodeUplink() {
      return { data: { now: Date.now(), made: new Date().getTime(), chance: typeof Math.random === 'undefined' } };
    }"""
    at = datetime(2024, 2, 29, tzinfo=UTC)
    names = [Measurement(name, name, "1") for name in ("now", "made", "chance")]

    found = decode_frame(Profile("p", 1, "javascript", script, tuple(names), owner=APART), b"", 1, at)

    assert [each.value for each in found] == [at.timestamp() * 1000, at.timestamp() * 1000, 1.0]


def a_clock(times: list[float]) -> Callable[[], float]:
    return lambda: times[-1]


def test_a_codec_that_times_out_ten_times_rests_for_a_minute() -> None:
    hangs = a_codec(
        "function decodeUplink(i) { if (i.fPort === 2) for (;;) {} return { data: { a: 1 } }; }", APART, "a"
    )
    other = a_codec("function decodeUplink(i) { return { data: { a: 1 } }; }", APART, "a")
    times = [1000.0]

    reasons = [refusal(hangs, clock=a_clock(times))[0] for _ in range(11)]

    assert reasons == ["payload_undecodable"] * 10 + ["codec_suspended"]
    assert refusal(hangs, f_port=1, clock=a_clock(times))[0] == "codec_suspended"
    assert decode_frame(other, b"", 1, NOON, clock=a_clock(times)) == [Decoded("a", 1.0, "1")]
    times.append(1061.0)
    assert decode_frame(hangs, b"", 1, NOON, clock=a_clock(times)) == [Decoded("a", 1.0, "1")]


def test_a_time_out_now_and_then_is_forgotten() -> None:
    hangs = a_codec("function decodeUplink() { for (;;) {} }", APART)

    reasons = {refusal(hangs, clock=a_clock([1000.0 + 30 * turn]))[0] for turn in range(15)}

    assert reasons == {"payload_undecodable"}


def test_a_codec_of_one_company_does_not_rest_for_another_with_the_same_name_and_script() -> None:
    script = "function decodeUplink() { for (;;) {} }"
    mine, theirs = (Profile("same", 1, "javascript", script, owner=owner) for owner in ("a", "b"))
    clock = a_clock([1.0])
    for _ in range(11):
        refusal(mine, clock=clock)

    assert refusal(mine, clock=clock)[0] == "codec_suspended"
    assert refusal(theirs, clock=clock)[0] == "payload_undecodable"


def test_many_frames_give_the_same_as_each_alone() -> None:
    script = """function decodeUplink(input) {
      if (input.bytes[0] === 3) for (;;) {}
      if (input.bytes[0] === 4) [].concat(Object.assign([], { length: 4294967295 })).sort();
      return input.bytes[0] === 5 ? { errors: ["five"] } : { data: { a: input.bytes[0], long: "x".repeat(5000) } };
    }"""
    mine, other = a_codec(script, "mine", "a"), a_codec("function Decoder(b) { return { a: -b[0] }; }", "other", "a")
    shipped = builtin()["cayenne-lpp@1"]
    frames = [Frame(profile, bytes([byte]), 1, NOON) for byte in range(1, 40) for profile in (mine, other, shipped)]

    together = decode_frames(frames)

    assert len(together) == len(frames)
    for frame, found in zip(frames, together, strict=True):
        alone: list[Decoded] | tuple[str, str, str]
        if isinstance(found, Refused):
            alone = refusal(frame.profile, frame.payload, 1, clock=a_clock([1e9 * frame.payload[0]]))
            assert (str(found.reason), found.path, found.detail) == alone
        else:
            assert decode_frame(frame.profile, frame.payload, 1, NOON) == found
    assert [str(found.reason) for found in together if isinstance(found, Refused)][:3] == ["payload_undecodable"] * 3


def test_a_batch_of_hanging_frames_rests_after_ten() -> None:
    hangs = a_codec("function decodeUplink(i) { for (;;) {} }", "batch", "a")
    good = a_codec("function decodeUplink(i) { return { data: { a: 1 } }; }", "batch", "a")
    frames = [Frame(profile, b"", 1, NOON) for _ in range(40) for profile in (hangs, good)]

    found = decode_frames(frames, clock=lambda: 5.0)

    reasons = [str(each.reason) for each in found[::2] if isinstance(each, Refused)]
    assert reasons == ["payload_undecodable"] * 10 + ["codec_suspended"] * 30
    assert found[1::2] == [[Decoded("a", 1.0, "1")]] * 40


def test_contexts_are_bounded_and_a_forgotten_one_is_loaded_again() -> None:
    engine = Engine()
    script = "function decodeUplink() { return { data: 1 }; }"
    for number in range(CONTEXTS + 1):
        assert engine.load(str(number), script, "{}").kind == "answer"

    assert engine.run("0", "[[],1,0]").kind == "unknown"
    assert engine.run("1", "[[],1,0]").text == '{"data":1,"warnings":[],"errors":[]}'


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1/0", "1e16", "'NaN'"])
def test_what_is_no_finite_number_is_refused_with_its_place(value: str) -> None:
    profile = a_codec(f"function decodeUplink() {{ return {{ data: {{ a: {value} }} }}; }}", APART, "a")

    assert refusal(profile)[:2] == ("number_out_of_range", "$.data.a")


@pytest.mark.parametrize("value", ["null", "undefined", "'No Sensor'", "''", "{}", "[1]"])
def test_what_is_absent_or_a_word_is_passed_over(value: str) -> None:
    profile = a_codec(
        f"function decodeUplink() {{ return {{ data: {{ a: {value}, b: '24.10' }} }}; }}", APART, "a", "b"
    )

    assert decoded(profile) == {"b": 24.1}
