"""What S3 and the way to it can answer, in the words of the kernel. No detail repeats more than S3's own error code."""

import re
from collections.abc import Mapping

from aiohttp import ClientError as BrokenAnswer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from scriza.kernel.errors import DeadlineExceeded, NotFound, RateLimited, ScrizaError, Unavailable, UpstreamFailed


class NotAnAnswer(Exception):
    """A good status, and nothing of S3's in it: what a proxy on the way says, or a page to log in."""


FAILURES = (BotoCoreError, ClientError, BrokenAnswer, NotAnAnswer, TimeoutError, OSError)
"""Everything that `told` understands."""

_NO_OBJECT = frozenset({"NoSuchKey", "404"})
_PATIENCE = frozenset({"SlowDown", "TooManyRequests", "Throttling", "ThrottlingException", "RequestLimitExceeded"})
_ELSEWHERE = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_CODE = re.compile(r"[A-Za-z0-9]{1,64}")


def code_of(error: ClientError) -> str:
    """S3's own word for what is wrong, such as `NoSuchKey`; the status where the answer had none that is readable."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else str(status_of(error))


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer, 0 when there was none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def check_answer(answer: Mapping[str, object]) -> None:
    """S3 tells the ETag of whatever was put or got. Raises NotAnAnswer."""
    if not answer.get("ETag"):
        raise NotAnAnswer


def told(error: BaseException) -> ScrizaError:
    """The error of the kernel that a caller is told. Credentials, buckets and rights are ours to mend: Unavailable."""
    match error:
        case ClientError():
            return _answered(error)
        case ReadTimeoutError() | ConnectTimeoutError() | TimeoutError():
            return DeadlineExceeded("the object store does not answer")
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return Unavailable("the object store: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        case SSLError():
            return Unavailable("no secure connection to the object store came about")
        case NotAnAnswer():
            return UpstreamFailed("the object store's answer is none of S3's")
        case EndpointConnectionError() | ProxyConnectionError():
            return Unavailable("the object store cannot be reached")
        case _:
            return UpstreamFailed(f"the object store: {type(error).__name__}")


def _answered(error: ClientError) -> ScrizaError:
    code, status = code_of(error), status_of(error)
    if code in _NO_OBJECT:
        return NotFound("there is no such object")
    if code == "NoSuchBucket":
        return Unavailable("the object store has no such bucket; `scriza objects init` makes it")
    if code in _ELSEWHERE or status == 301:
        return Unavailable(f"the object store answered {code}: the bucket is in another region")
    if code in _PATIENCE or status == 429:
        return RateLimited(f"the object store answered {code}", retry_after=_retry_after(error))
    if status in {401, 403}:
        return Unavailable(f"the object store refuses our credentials or their rights: {code}")
    return UpstreamFailed(f"the object store answered {code}")


def _retry_after(error: ClientError) -> int | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    seconds = str(headers.get("retry-after", ""))
    return int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 6 else None
