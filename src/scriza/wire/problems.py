"""Problem details (RFC 9457) for everything that an HTTP request can raise, and back into exceptions."""

from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.client import responses
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ExceptionHandlersMap

from scriza.kernel.errors import KeyReused, PreconditionFailed, Problem, ScrizaError
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.wire.codec import encode
from scriza.wire.context import REQUEST_ID, sane_id

MEDIA_TYPE = "application/problem+json"

documented = partial(ResponseSpec, data_container=Problem, media_type=MEDIA_TYPE, generate_examples=False)
"""A refusal on the OpenAPI page, by its `description`."""
_KINDS: list[type[ScrizaError]] = [ScrizaError, *ScrizaError.__subclasses__()]
_KINDS = [kind for kind in _KINDS if kind not in {KeyReused, PreconditionFailed}]
REFUSALS = {
    kind.status: documented(
        description=kind.title, examples=[Example(value=msgspec.to_builtins(kind().problem("req_9f1c2b7d4e8f")))]
    )
    for kind in reversed(_KINDS)
}
"""Those that any route may answer, by status; where several errors have one, the most general of them tells of it."""

_log = structlog.get_logger()
_problems = msgspec.json.Decoder(Problem)


def problem_of(error: Exception, request_id: str = "") -> Problem:
    """The problem that callers see. What is not meant for them is logged, once, and its text stays inside."""
    request_id = request_id or current().request_id
    if isinstance(error, ScrizaError):
        return error.problem(request_id)
    _log.error("request.failed", exc_info=error, request_id=request_id)
    return ScrizaError().problem(request_id)


def error_of(status: int, content_type: str, body: bytes) -> ScrizaError:
    """The exception that an HTTP answer other than success tells of."""
    if content_type.partition(";")[0].strip() == MEDIA_TYPE:
        with suppress(ValueError, RecursionError):
            return ScrizaError.from_problem(_problems.decode(body))
    phrase = responses.get(status, "no known status")
    return ScrizaError.from_problem(Problem("about:blank", phrase, status, f"answered {status} {phrase}"))


def response(
    request: Request[Any, Any, Any], problem: Problem, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """The problem as an HTTP answer."""
    sent = dict(headers or {})
    if not current().request_id:
        # Outside the edge's middleware, where unknown routes are answered, nobody else tells the id.
        sent[REQUEST_ID] = problem.request_id
    if problem.retry_after is not None:
        sent["retry-after"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("www-authenticate", "Bearer")
    return Response(encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=sent)


def _request_id(request: Request[Any, Any, Any]) -> str:
    return current().request_id or sane_id(request.headers.get(REQUEST_ID)) or new_id("req")


def _on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return response(request, problem_of(error, _request_id(request)))


def _on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _on_error(request, error)
    detail = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        detail = "; ".join(f"{fault.get('key', 'request')}: {fault.get('message', '')}" for fault in error.extra)
    known = ScrizaError.from_problem(Problem("about:blank", "", error.status_code, detail))
    problem = known.problem(_request_id(request))
    if problem.status != error.status_code:
        title = responses.get(error.status_code, "Refused")
        problem = Problem("about:blank", title, error.status_code, problem.detail, problem.request_id)
    return response(request, problem, dict(error.headers or {}))


HANDLERS: ExceptionHandlersMap = {HTTPException: _on_http_exception, Exception: _on_error}
"""For Litestar's `exception_handlers`."""
