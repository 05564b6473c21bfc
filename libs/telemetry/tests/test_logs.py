"""Log lines of a real process, as a log shipper reads them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oker_telemetry import configure
from oker_telemetry.redaction import HIDDEN, MAX_TEXT, hide, is_secret, redact

START = """
    import logging, structlog
    from oker_telemetry import configure
    configure("probe", log_format="json")
    log = structlog.get_logger()
"""


def test_an_event_is_one_line_of_json_with_service_level_and_utc_time(run: Any) -> None:
    [line] = run(START + '    log.info("device.registered", device="a\\nb", count=3)')

    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert line == {
        "event": "device.registered",
        "device": "a\nb",
        "count": 3,
        "level": "info",
        "service": "probe",
    }
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_a_line_names_the_span_it_was_written_in(run: Any) -> None:
    program = """
    from opentelemetry import trace
    with trace.get_tracer("t").start_as_current_span("work") as span:
        log.info("inside", seen=trace.format_trace_id(span.get_span_context().trace_id))
        logging.getLogger("anybody").warning("inside as well")
    log.info("outside")
    """

    own, foreign, outside = run(START + program)

    assert own["trace_id"] == own["seen"] == foreign["trace_id"]
    assert own["span_id"] == foreign["span_id"]
    assert "trace_id" not in outside


def test_the_libraries_log_through_the_same_pipeline(run: Any) -> None:
    program = """
    for name in ("uvicorn.error", "faststream", "nats", "alembic.runtime.migration"):
        logging.getLogger(name).info("a sentence about %s", name)
    """

    lines = run(START + program)

    assert [line["event"] for line in lines] == [
        "uvicorn.error",
        "faststream",
        "nats",
        "alembic.runtime.migration",
    ]
    assert lines[2]["message"] == "a sentence about nats"
    assert {line["service"] for line in lines} == {"probe"}


def test_a_library_that_set_up_its_own_handlers_before_is_taken_over(run: Any) -> None:
    before = """
    import logging.config, uvicorn.config
    from faststream.nats import NatsBroker
    logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
    """
    after = """
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("faststream").info("started")
    """

    assert [line["event"] for line in run(before + START + after)] == ["uvicorn.error", "faststream"]


def test_a_request_is_logged_without_the_address_and_the_query_of_who_asked(run: Any) -> None:
    program = """
    access = logging.getLogger("uvicorn.access")
    form = '%s - "%s %s HTTP/%s" %d'
    access.info(form, "192.0.2.7:4711", "GET", "/rounds/7?token=abc", "1.1", 404)
    access.info(form, "192.0.2.7:4711", "GET", "/health/ready", "1.1", 200)
    access.info(form, "192.0.2.7:4711", "GET", "/metrics", "1.1", 200)
    """

    [line] = run(START + program)

    assert line["event"] == "http.request"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/rounds/7", 404)
    assert "192.0.2.7" not in str(line)
    assert "abc" not in str(line)


def test_what_is_below_the_level_is_not_written(run: Any) -> None:
    program = """
    configure("probe", log_format="json", log_level="warning")
    log.info("quiet"); logging.getLogger("nats").info("quiet"); log.warning("loud")
    """

    assert [line["event"] for line in run(START + program)] == ["loud"]


def test_an_exception_is_logged_with_its_trace_and_without_its_secrets(run: Any) -> None:
    program = """
    try:
        raise ConnectionError("no way to postgresql://oker:hunter2@db/oker")
    except ConnectionError:
        log.exception("database.lost")
    """

    [line] = run(START + program)

    assert "Traceback" in line["exception"]
    assert f"postgresql://{HIDDEN}@db/oker" in line["exception"]
    assert "hunter2" not in str(line)


def test_a_warning_of_python_is_logged(run: Any) -> None:
    [line] = run(START + '    import warnings; warnings.warn("this goes away", DeprecationWarning, stacklevel=1)')

    assert line["event"] == "py.warnings"
    assert "this goes away" in line["message"]


def test_what_json_cannot_hold_is_logged_all_the_same(run: Any) -> None:
    program = """
    loop = {}; loop["loop"] = loop
    log.info("odd", nothing=None, infinite=float("inf"), raw=b"x", surrogate="\\ud800", loop=loop, kinds={1})
    """

    [line] = run(START + program)

    assert line["infinite"] == "inf"
    assert line["raw"] == "b'x'"
    assert line["kinds"] == [1]


def test_a_terminal_shows_colours_and_a_pipe_shows_json() -> None:
    program = "from oker_telemetry import configure; import structlog; {}structlog.get_logger().info('a.b', c=1)"
    terminal = "import sys; sys.stderr.isatty = lambda: True; configure('probe'); "

    shown = subprocess.run([sys.executable, "-c", program.format(terminal)], capture_output=True, check=True)
    piped = subprocess.run(
        [sys.executable, "-c", program.format("configure('probe'); ")], capture_output=True, check=True
    )

    assert b"\x1b[" in shown.stderr
    assert piped.stderr.startswith(b'{"')


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'LOUD' is no log level; use one of .*WARNING"):
        configure("probe", log_level="LOUD")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "smtp_password",
        "Authorization",
        "X-Api-Key",
        "access_token",
        "address",
        "to_address",
        "DATABASE_URL",
    ],
)
def test_a_field_is_hidden_by_its_name_at_any_depth(name: str) -> None:
    said = {"event": "e", name: "hunter2", "deep": [{"er": {name: {"even": "hunter2"}}}]}

    assert "hunter2" not in str(redact(None, "info", said))


@pytest.mark.parametrize(
    "name", ["device", "token_count", "passwords_checked", "partner", "path", "event", "seed_file"]
)
def test_a_harmless_field_stays(name: str) -> None:
    assert not is_secret(name)
    assert redact(None, "info", {name: "shown"}) == {name: "shown"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://user:p@ss@host:4222 is gone", f"nats://{HIDDEN}@host:4222 is gone"),
        ("host=db password=hunter2 port=5432", f"host=db password={HIDDEN} port=5432"),
        ("GET /feed?token=abc&since=1", f"GET /feed?token={HIDDEN}&since=1"),
        ("authorization: Bearer abcdefgh.ijk", f"authorization: Bearer {HIDDEN}"),
        ("token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln here", f"token {HIDDEN} here"),
        ("550 no such user <erika.muster@example.org>", f"550 no such user <{HIDDEN}>"),
        ("https://example.org/a?b=c and @on(router)", "https://example.org/a?b=c and @on(router)"),
    ],
)
def test_a_secret_is_hidden_by_its_shape(text: str, shown: str) -> None:
    assert hide(text) == shown


@pytest.mark.parametrize("piece", ["a", "://", "eyJ", "x=", "a.", "password=", "@", "Bearer ", "eyJ-."])
def test_hiding_takes_no_time_worth_naming_on_hostile_text(piece: str) -> None:
    text = (piece * MAX_TEXT)[:MAX_TEXT] + "@"

    start = datetime.now(UTC)
    hide(text)

    assert datetime.now(UTC) - start < timedelta(seconds=1)


def test_a_very_long_text_keeps_its_beginning_and_its_end() -> None:
    shown = hide("begin" + "x" * 100_000 + "end")

    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert len(shown) < MAX_TEXT + 10
