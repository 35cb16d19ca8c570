"""Logging, set up once: one line per event, ours and every library's, JSON for machines or pretty for people.

Every line carries `request_id` and `call_id` of the request that is being served, and neither personal data nor
secrets: what a field is called says that its value is left out, and what any text holds is redacted.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from scriza.kernel.principal import current
from scriza.kernel.redaction import redact

Format = Literal["auto", "json", "pretty"]
Redact = Callable[[str], str]

_QUIET_LIBRARIES = "asyncio botocore faster_whisper httpcore httpx httpx2 pymongo uvicorn websockets".split()
"""Loggers that tell of each request, each heartbeat or each step of theirs below warning."""

_REFUSED_UPGRADE = "ASGI callable returned without completing handshake."
"""What uvicorn says, as an error, of each upgrade that was answered with a status instead, as the protocol has it."""


_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What steers a terminal or hides text in it; line ends and tabs are all that tracebacks need."""

_SECRET_FIELD = re.compile(r"(password|passwd|secret|token|api_?key|authorization|cookie|credentials?)$", re.IGNORECASE)
_DEEPEST, _MOST_ITEMS, _LONGEST = 6, 100, 20_000
"""Of a line's values: levels, items of one of them, characters of a text."""
_UNLOGGABLE = "[unloggable]"


def configure(
    form: Format = "auto", level: str = "info", stream: TextIO | None = None, redacted: Redact = redact
) -> None:
    """Send all logging to `stream` (standard error), structlog's and the standard library's alike.

    Every text of a line goes through `redacted` first.
    """
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
        _Cleaner(redacted),
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


class _Cleaner:
    """The last step before a line is written. What cannot be cleaned is not shown."""

    def __init__(self, redacted: Redact) -> None:
        self._redacted = redacted

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {
            key: value if key in {"_record", "_from_structlog"} else self._field(key, value)
            for key, value in event.items()
        }

    def _field(self, key: object, value: object, depth: int = 0) -> object:
        if value and isinstance(key, str) and _SECRET_FIELD.search(key):
            return "[secret]"
        try:
            return self._clean(value, depth)
        except Exception:
            # Whatever a value's own `__str__` raises must not lose the line, nor show what is in it.
            return _UNLOGGABLE

    def _clean(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > _DEEPEST:
            return _UNLOGGABLE
        if isinstance(value, Mapping):
            items = islice(value.items(), _MOST_ITEMS)
            return {self._text(key): self._field(key, item, depth + 1) for key, item in items}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, depth + 1) for item in islice(value, _MOST_ITEMS)]
        return self._text(value)

    def _text(self, value: object) -> str:
        """Redacted, without what steers a terminal, and such as any encoder takes: else the line would be lost."""
        text = self._redacted(str(value)[:_LONGEST]).encode(errors="backslashreplace").decode()
        return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)
