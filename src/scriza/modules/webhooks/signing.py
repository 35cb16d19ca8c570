"""Standard Webhooks' signatures: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec. Pure."""

import base64
import hmac
import os
from collections.abc import Sequence

PREFIX = "whsec_"
_KEY_BYTES = 32


def new_secret() -> str:
    """A secret as it is shown: the prefix, and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def signed(secrets: Sequence[str], delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery, signed with each of the secrets; `timestamp` is in seconds since 1970."""
    content = f"{delivery_id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets]
    signatures = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
