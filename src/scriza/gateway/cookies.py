"""What a browser holds of a session, and when its cookies may be believed.

After OWASP ASVS 5.0, V3.3 and V3.5: ``__Host-`` names, so that no other host of the domain sets them, and not readable
by scripts but for the token against cross-site requests, which scripts of ours send back as a header.
"""

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from litestar.datastructures import Cookie, Headers

from scriza.kernel.errors import Forbidden
from scriza.ports.accounts import Tokens

ACCESS, REFRESH, CSRF = "__Host-scriza", "__Host-scriza-refresh", "__Host-scriza-csrf"
CSRF_HEADER = "x-csrf-token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT_SECONDS = 14 * 24 * 3600
"""As long as a session lives without being refreshed."""


def cookies_of(tokens: Tokens) -> list[Cookie]:
    """A session as a browser keeps it, with a new token against cross-site requests."""
    return [
        _cookie(ACCESS, tokens.access_token, tokens.expires_in),
        _cookie(REFRESH, tokens.refresh_token, _KEPT_SECONDS),
        _cookie(CSRF, secrets.token_urlsafe(32), _KEPT_SECONDS),
    ]


def no_cookies() -> list[Cookie]:
    """Has the browser forget the session."""
    return [_cookie(name, "", 0) for name in (ACCESS, REFRESH, CSRF)]


def access_token(method: str, headers: Headers, cookies: Mapping[str, str]) -> str:
    """The access token of the browser's session, or nothing; `method` is empty for a socket.

    Raises Forbidden when the request may be another site's doing.
    """
    token = cookies.get(ACCESS, "")
    if not token or method in _SAFE:
        return token
    if method:
        check_ours(headers, cookies)
    else:  # a socket's upgrade carries no header of a script's
        check_same_origin(headers)
        if not ("sec-fetch-site" in headers or "origin" in headers):
            raise Forbidden("a socket that is opened with cookies tells its origin", reason="cross-site")
    return token


def check_ours(headers: Headers, cookies: Mapping[str, str]) -> None:
    """Raises Forbidden unless a page of ours has sent the request."""
    check_same_origin(headers)
    known, sent = cookies.get(CSRF, ""), headers.get(CSRF_HEADER, "")
    if not known or not hmac.compare_digest(known.encode(), sent.encode()):
        raise Forbidden("the header X-CSRF-Token is not the cookie's", reason="csrf")


def check_same_origin(headers: Headers) -> None:
    """Raises Forbidden when the browser says that another site asks; what is no browser says nothing.

    `Sec-Fetch-Site` goes before `Origin`: it holds behind a proxy too, which may have another name than we.
    """
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    from_ours = not origin or urlsplit(origin).netloc == headers.get("host", "")
    if not (site in ("same-origin", "none") if site else from_ours):
        raise Forbidden("another site may not ask this", reason="cross-site")


def _cookie(name: str, value: str, max_age: int) -> Cookie:
    return Cookie(name, value=value, max_age=max_age, path="/", secure=True, httponly=name != CSRF, samesite="strict")
