"""How Twilio signs what it sends: https://www.twilio.com/docs/usage/webhooks/webhooks-security."""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def sign(token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """`X-Twilio-Signature`: HMAC-SHA1 over the URL and the sorted, distinct form fields, each name before its value.

    A media socket's handshake is signed over its ``wss://`` URL without fields.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
