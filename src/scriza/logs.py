"""Logging, set up once: one line per event, ours and every library's, JSON for machines or pretty for people.

Every line carries `request_id` and `call_id` of the request that is being served, and no phone number.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from scriza.kernel.principal import current
from scriza.kernel.redaction import redact

Format = Literal["auto", "json", "pretty"]

_QUIET_LIBRARIES = "asyncio botocore faster_whisper httpcore httpx httpx2 pymongo uvicorn websockets".split()
"""Loggers that tell of each request, each heartbeat or each step of theirs below warning."""

_REFUSED_UPGRADE = "ASGI callable returned without completing handshake."
"""What uvicorn says, as an error, of each upgrade that was answered with a status instead, as the protocol has it."""


_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What steers a terminal or hides text in it; line ends and tabs are all that tracebacks need."""


def configure(form: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (standard error), structlog's and the standard library's alike."""
    stream = stream or sys.stderr
    pretty = form == "pretty" or (form == "auto" and stream.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    before: list[Processor] = [
        _bind_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        _redact,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(_json)
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: record.name != "uvicorn.error" or record.msg != _REFUSED_UPGRADE)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Only what is at least a warning is logged inside."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        root.setLevel(level)


def _json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event).decode()


def _bind_request(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    context = current()
    if context.request_id:
        event.setdefault("request_id", context.request_id)
    if context.call_id:
        event.setdefault("call_id", context.call_id)
    return event


def _redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {key: value if key in {"_record", "_from_structlog"} else _clean(value) for key, value in event.items()}


def _clean(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_text(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return _text(value)


def _text(value: object) -> str:
    """Without phone numbers and whatever steers a terminal.

    It is such as any encoder takes, since a line that cannot be encoded would be lost.
    """
    text = redact(str(value)).encode(errors="backslashreplace").decode()
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)
