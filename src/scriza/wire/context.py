"""Who asks, for which request and call, as HTTP headers.

`x-request-id` and `x-scriza-call-id` are taken from anybody when they look sane. The principal is believed only from
a peer that has shown a service token; whoever checks the token reads it by `carried_principal`.
"""

import base64
import functools
import re
from collections.abc import Mapping

import msgspec

from scriza.kernel.errors import BadInput
from scriza.kernel.principal import Principal, current
from scriza.wire.codec import decode, encode

REQUEST_ID = "x-request-id"
CALL_ID = "x-scriza-call-id"
PRINCIPAL = "x-scriza-principal"

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PRINCIPALS = msgspec.json.Decoder(Principal)


def carrying() -> dict[str, str]:
    """The headers that hand the current context on; an id that the other side would not take is left out."""
    context = current()
    headers = {PRINCIPAL: _written(context.principal)}
    if request_id := sane_id(context.request_id):
        headers[REQUEST_ID] = request_id
    if call_id := sane_id(context.call_id):
        headers[CALL_ID] = call_id
    return headers


def sane_id(value: str | None) -> str:
    """The id, or nothing when it is missing, too long, or holds what an id of ours never does."""
    return value if value is not None and _SANE.fullmatch(value) else ""


def carried_principal(headers: Mapping[str, str]) -> Principal | None:
    """The principal that a trusted peer acts for; none when it says none. Raises BadInput for garbage."""
    told = headers.get(PRINCIPAL)
    if told is None:
        return None
    try:
        text = base64.b64decode(told, altchars=b"-_", validate=True)
    except ValueError:
        raise BadInput(f"{PRINCIPAL} is not base64") from None
    return decode(_PRINCIPALS, text, PRINCIPAL)


@functools.lru_cache(maxsize=256)
def _written(principal: Principal) -> str:
    return base64.urlsafe_b64encode(encode(principal)).decode()
