"""What every answer tells browsers: where its parts may come from, and that nobody may guess, frame or leak.

After OWASP ASVS 5.0, V3.4. An API's answer loads nothing; pages bring a policy of their own, which is kept.
"""

from litestar.types import BeforeMessageSendHookHandler, Message, Scope

NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""For pages whose parts are all our own."""
DOCUMENTATION = (
    "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data:; "
    "font-src data: https://cdn.jsdelivr.net https://fonts.scalar.com; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""For the readers of the OpenAPI document, which their authors publish there."""

_POLICY = b"content-security-policy"
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), payment=(), usb=()"),
]
_ONLY_HTTPS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def security_headers(*, https: bool) -> BeforeMessageSendHookHandler:
    """Puts the headers on each answer, errors and unknown routes included; `https` makes browsers insist on it."""
    always = [*_ALWAYS, _ONLY_HTTPS] if https else _ALWAYS

    async def put(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = list(message.get("headers", []))
        policy = [] if any(name.lower() == _POLICY for name, _ in headers) else [(_POLICY, _policy(scope))]
        message["headers"] = [*headers, *always, *policy]

    return put


def _policy(scope: Scope) -> bytes:
    return (DOCUMENTATION if scope["path"].startswith("/schema") else NOTHING).encode()
