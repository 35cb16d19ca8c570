"""What goes wrong at a model's server, in our words, with one line in the log and one count each.

None of the vendor's texts is handed on: they may quote the key or what was said. Its error code is, where it looks
like one.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import TYPE_CHECKING

import msgspec

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge
from scriza.ports.llm import ModelRefused
from scriza_adapters.provider_failures import no_secure_connection, provider_failed

if TYPE_CHECKING:
    from openai import APIStatusError

_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_LASTING = frozenset({401, 402, 403, 404})
_NO_CREDIT = "insufficient_quota"


@contextmanager
def told_as_ours(key_name: str) -> Iterator[None]:
    """Turns what the SDK raises into ModelRefused, DeadlineExceeded or TooLarge; `key_name` is the key's variable."""
    import httpx2
    import openai

    try:
        try:
            yield
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
            raise DeadlineExceeded("the model's server took too long") from None
        except openai.APIConnectionError as error:
            raise _unreachable(error) from None
        except openai.APIStatusError as error:
            raise _refusal(error, key_name) from None
        except httpx2.TransportError as error:
            raise _unreachable(error) from None
        except (openai.OpenAIError, httpx2.HTTPError, msgspec.DecodeError, ValueError):
            raise refused("the model's server sent what is not a completion", "not_a_completion") from None
    except ScrizaError as error:
        provider_failed("openai", error)
        raise


def refused(what: str, code: str, *, lasting: bool = False, retry_after: int | None = None) -> ModelRefused:
    """The error for `what` went wrong; its detail ends with the code."""
    return ModelRefused(f"{what} ({code})", code=code, lasting=lasting, retry_after=retry_after)


def broken_off(code: object) -> ModelRefused:
    """The error for an error that came in the middle of an answer."""
    return refused("the model's server broke off with an error", _code(code) or "error_event")


def _unreachable(error: Exception) -> ModelRefused:
    import httpx2

    if no_secure_connection(error):
        return refused("the connection to the model's server is not secure", "tls_failed")
    if any(isinstance(at, httpx2.ConnectError) for at in (error, error.__cause__)):
        return refused("no connection to the model's server", "connection_failed")
    return refused("the model's server broke off", "cut_off")


def _refusal(error: "APIStatusError", key_name: str) -> ScrizaError:
    status, code = error.status_code, _code(error.code)
    if code == "context_length_exceeded" or status == 413:
        return TooLarge("the conversation does not fit into the model's context")
    if status == 401:
        what = f"the model's server refused with status 401: {key_name} is not accepted"
    elif status == 402 or code == _NO_CREDIT:
        what = f"the model's server refused with status {status}: the account of {key_name} has no credit"
    else:
        what = f"the model's server refused with status {status}"
    return refused(
        what,
        code or f"status_{status}",
        lasting=status in _LASTING or code == _NO_CREDIT,
        retry_after=_retry_after(error.response.headers.get("retry-after", "")),
    )


def _code(code: object) -> str:
    """The vendor's code, if it is one: a server may write anything there."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _retry_after(told: str) -> int | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    if told.isascii() and told.isdigit():
        return min(int(told), 10**6)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0, ceil((at.astimezone(UTC) - datetime.now(UTC)).total_seconds()))
