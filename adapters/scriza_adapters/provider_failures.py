"""A provider's failure: one line in the log and one count, wherever it happened.

Neither holds more than the provider's name, our word for the error and the detail that its adapter made of the
provider's own error code: never a text of the provider's, which may quote keys, numbers or what was said.
"""

import ssl
from typing import Literal

import structlog
from prometheus_client import Counter

from scriza.kernel.errors import ScrizaError

_log = structlog.get_logger()

Provider = Literal["openai", "elevenlabs", "s3", "twilio", "tool"]

_FAILURES = Counter(
    "scriza_provider_failures", "Requests that a provider refused, broke off or did not answer.", ["provider", "reason"]
)


def provider_failed(provider: Provider, error: ScrizaError) -> None:
    """Log the failure as ``provider.failed`` and count it by our word for it; `error` is what the adapter raises."""
    _FAILURES.labels(provider, error.slug).inc()
    _log.warning("provider.failed", provider=provider, reason=error.slug, detail=error.detail)


def no_secure_connection(error: BaseException) -> bool:
    """Whether a client's error comes from a connection by TLS that did not come about, whatever it wrapped that in."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
