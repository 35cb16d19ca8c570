"""The vendor's and the network's errors as ours. Only codes are told on: a message may quote the text or the key."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from scriza.kernel.errors import (
    BadInput,
    DeadlineExceeded,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza_adapters.provider_failures import no_secure_connection

_CODE = re.compile(r"[a-z][a-z0-9_]{2,60}")
_KEY_CODES = {"invalid_api_key", "missing_api_key", "needs_authorization", "missing_permissions"}


class WayClosed(UpstreamFailed):
    """The server does not have this way of streaming; another way may work."""


class _Detail(msgspec.Struct):
    status: str


class _Refusal(msgspec.Struct):
    detail: _Detail


def code_in(body: object) -> str:
    """The vendor's code in a refusal's body, parsed or not; empty where there is none."""
    try:
        if isinstance(body, bytes):
            body = msgspec.json.decode(body)
        told = msgspec.convert(body, _Refusal).detail.status
    except msgspec.MsgspecError:
        return ""
    return told if _CODE.fullmatch(told) else ""


def code_among(*texts: str | None) -> str:
    """The first text that is nothing but a code."""
    return next((text for text in texts if text and _CODE.fullmatch(text)), "")


def refusal(status: int, code: str, retry_after: str = "") -> ScrizaError:
    """What the vendor's status and code mean to us."""
    told = f"ElevenLabs answered {status} {code}".rstrip()
    if status == 401 and code in {"", *_KEY_CODES}:
        return Unavailable(f"ElevenLabs does not accept ELEVENLABS_API_KEY: it answered {status} {code}".rstrip())
    if status in {401, 402, 403}:
        return Unavailable(told)
    if status == 404 or code == "voice_not_found":
        return NotFound(told)
    if status in {400, 413, 422}:
        return BadInput(told)
    patience = int(retry_after) if retry_after.isdecimal() else None
    return (RateLimited if status == 429 else UpstreamFailed)(told, retry_after=patience)


def _broken(error: Exception) -> str:
    if no_secure_connection(error):
        return "no secure connection to ElevenLabs came about"
    if isinstance(error, httpx.ConnectError | ConnectionRefusedError | socket.gaierror):
        return "no connection to ElevenLabs came about"
    return f"ElevenLabs broke off: {type(error).__name__}"


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Raises whatever goes wrong between us and the vendor as one of our errors."""
    from elevenlabs.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        status, code = error.status_code or 0, code_in(error.body)
        if not code and status in {404, 405, 501}:
            raise WayClosed(f"ElevenLabs answered {status}") from None
        raise refusal(status, code, (error.headers or {}).get("retry-after", "")) from None
    except InvalidStatus as error:
        answer = error.response
        status, code = answer.status_code, code_in(bytes(answer.body or b""))
        if not code and status in {404, 405, 501}:
            raise WayClosed(f"ElevenLabs answered {status}") from None
        raise refusal(status, code, answer.headers.get("retry-after", "")) from None
    except (TimeoutError, httpx.TimeoutException):
        raise DeadlineExceeded("ElevenLabs took too long") from None
    except (httpx.HTTPError, InvalidHandshake, ConnectionClosed, OSError) as error:
        raise UpstreamFailed(_broken(error)) from None
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise UpstreamFailed("ElevenLabs answered with something else") from None
