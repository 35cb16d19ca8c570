"""Logging: one line per event, tied to its request and call, without phone numbers."""

import io
import logging
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from scriza import logs
from scriza.kernel.principal import Principal, acting
from scriza.kernel.redaction import Redactor


class _Caller:
    def __str__(self) -> str:
        return "caller +14155550123"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)


def read(stream: io.StringIO) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(lines: io.StringIO) -> None:
    structlog.get_logger("a").info("store.started", port=27017)
    (line,) = read(lines)
    assert (line["event"], line["port"], line["level"]) == ("store.started", 27017, "info")
    assert "timestamp" in line


def test_the_standard_library_logs_the_same_way(lines: io.StringIO) -> None:
    logging.getLogger("a.library").warning("Unsupported %s", "upgrade", extra={"peer": "+14155550123"})
    (line,) = read(lines)
    assert (line["event"], line["level"]) == ("Unsupported upgrade", "warning")
    assert line["peer"] == "+1••••••••23"


def test_lines_carry_the_request_and_the_call_they_belong_to(lines: io.StringIO) -> None:
    with acting(Principal(), request_id="req_1", call_id="CA1"):
        structlog.get_logger("b").info("inside")
        logging.getLogger("library").info("inside too")
    structlog.get_logger("b").info("outside")
    inside, library, outside = read(lines)
    assert (inside["request_id"], inside["call_id"]) == ("req_1", "CA1")
    assert (library["request_id"], library["call_id"]) == ("req_1", "CA1")
    assert "call_id" not in outside


def test_a_line_belongs_to_the_request_that_is_served_and_to_nothing_else_that_was_bound(lines: io.StringIO) -> None:
    with (
        structlog.contextvars.bound_contextvars(request_id="req_socket", call_id="CA1"),
        acting(Principal(), request_id="req_turn", call_id="CA2"),
    ):
        structlog.get_logger("b").info("inside")
    (inside,) = read(lines)
    assert (inside["request_id"], inside["call_id"]) == ("req_turn", "CA2")


def test_a_socket_that_was_refused_with_an_answer_is_no_error_of_the_server(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
    logging.getLogger("uvicorn.error").error("ASGI callable returned without sending handshake.")
    assert [line["event"] for line in read(lines)] == ["ASGI callable returned without sending handshake."]


@pytest.mark.parametrize(
    "value",
    ["+14155550123", ["to +14155550123"], {"to": ("+14155550123",)}, {"+14155550123": 1}, b"+14155550123", _Caller()],
)
def test_phone_numbers_are_masked_wherever_they_stand(lines: io.StringIO, value: object) -> None:
    structlog.get_logger("c").info("call to +14155550123", value=value)
    assert "4155550123" not in lines.getvalue()
    assert "•23" in lines.getvalue()


@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize("logger", [structlog.get_logger("d"), logging.getLogger("library")])
def test_a_traceback_shows_neither_phone_numbers_nor_local_variables(
    lines: io.StringIO, form: logs.Format, logger: logging.Logger
) -> None:
    logs.configure(form, "info", lines)

    def fail() -> None:
        spoken = " ".join(["what", "was", "said"])
        raise ValueError("no route to +14155550123" if spoken else "")

    try:
        fail()
    except ValueError:
        logger.exception("call.failed")
    assert "ValueError: no route to +1••••••••23" in lines.getvalue()
    assert "in fail" in lines.getvalue()
    assert "what was said" not in lines.getvalue()


@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize("hidden", ["\x1b[2J", "\x9b2J", "\r", "\x00", "\x07", "\u202e", "\u2028"])
def test_what_strangers_send_steers_no_terminal(lines: io.StringIO, form: logs.Format, hidden: str) -> None:
    logs.configure(form, "info", lines)
    structlog.get_logger("i").info("status.ignored", status=f"no{hidden}status")
    logging.getLogger("library").warning("cannot parse %s", f"no{hidden}status")
    assert lines.getvalue().count("status") >= 2
    assert hidden not in lines.getvalue()


@pytest.mark.parametrize("value", ["half a character: \ud83d", 2**70, float("nan"), {("a", 1): [None]}])
def test_no_value_keeps_a_line_from_being_written(lines: io.StringIO, value: object) -> None:
    structlog.get_logger("h").info("call.opened", value=value)
    (line,) = read(lines)
    assert "value" in line


def test_what_is_below_the_level_is_left_out_and_chatty_libraries_speak_up_only_to_warn(lines: io.StringIO) -> None:
    structlog.get_logger("e").debug("detail")
    logging.getLogger("httpx").info("GET https://example.com")
    logging.getLogger("httpx").warning("retrying")
    assert [line["event"] for line in read(lines)] == ["retrying"]


def test_for_people_a_line_is_not_json(lines: io.StringIO) -> None:
    stream = io.StringIO()
    logs.configure("pretty", "info", stream)
    structlog.get_logger("f").info("store.started", port=27017)
    assert "store.started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_in_quiet_only_warnings_are_heard(lines: io.StringIO) -> None:
    with logs.quiet():
        structlog.get_logger("g").info("call.opened")
        structlog.get_logger("g").warning("call.lost")
    structlog.get_logger("g").info("call.closed")
    assert [line["event"] for line in read(lines)] == ["call.lost", "call.closed"]


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError("hunter22")


@pytest.mark.parametrize("field", ["password", "refresh_token", "api_key", "apikey", "Authorization", "set-cookie"])
def test_a_field_that_is_called_a_secret_is_not_shown(lines: io.StringIO, field: str) -> None:
    structlog.get_logger("j").info("session.opened", **{field: "hunter22"}, inside={field: "hunter22"})
    assert "hunter22" not in lines.getvalue()


def test_figures_about_tokens_are_no_secrets(lines: io.StringIO) -> None:
    structlog.get_logger("j").info("llm.answered", tokens=12, prompt_tokens=10)
    (line,) = read(lines)
    assert (line["tokens"], line["prompt_tokens"]) == (12, 10)


def test_what_cannot_be_shown_safely_is_not_shown_and_loses_no_line(lines: io.StringIO) -> None:
    deep: dict[str, object] = {}
    deep["self"] = deep
    structlog.get_logger("k").info("odd", broken=_Broken(), deep=deep, long="x" * 100_000, many=list(range(10_000)))
    (line,) = read(lines)
    assert line["broken"] == "[unloggable]"
    assert "hunter22" not in lines.getvalue()
    assert len(lines.getvalue()) < 30_000


def test_a_process_leaves_out_its_own_secrets(lines: io.StringIO) -> None:
    logs.configure("json", "info", lines, Redactor(["plain-old-value"]))
    logging.getLogger("library").warning("sent %s", "plain-old-value")
    assert "plain-old-value" not in lines.getvalue()
