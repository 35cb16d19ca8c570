"""Twilio's signatures: they show that a request was made by somebody who holds the account's secret.

Algorithm: https://www.twilio.com/docs/usage/security. The signature is
``base64(HMAC(secret, url + name + value + …))``: the fields of a form are sorted by name, the values of one name sorted
and each counted once, blank ones included. A JSON body is not signed itself: the URL then carries its hash as
``bodySHA256``. A socket's upgrade signs its URL alone. SHA-1 with an auth token is the classic form; with a shared
key the header ``X-Twilio-Webhooks-Signature-Settings`` names the key and the hash.

The URL is the configured public one with the request's own path and query, never what ``Host`` or a proxy says.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog

from scriza.kernel.errors import Forbidden
from scriza.modules.telephony.forms import Form, parse_form, parse_json

SignatureMode = Literal["enforce", "warn", "off"]

_HASHES = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}

_log = structlog.get_logger()


class Signature(msgspec.Struct, frozen=True):
    """The two headers as they came: ``X-Twilio-Signature`` and ``X-Twilio-Webhooks-Signature-Settings``."""

    value: str
    settings: str = ""


class SigningKeys(msgspec.Struct, frozen=True):
    """What Twilio may sign with: auth tokens (two while they are being rotated) and shared keys by their id."""

    tokens: tuple[str, ...]
    shared: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        if not all((*self.tokens, *self.shared.values())):
            raise ValueError("with a blank secret anybody could sign")

    def __repr__(self) -> str:
        return "SigningKeys(…)"


class Match(msgspec.Struct, frozen=True):
    """What fitted: which form of the URL, and which key (``token 1``, ``token 2`` or a shared key's id)."""

    variant: str
    key: str


def signed_text(url: str, form: Form) -> str:
    """What the HMAC is taken of."""
    return url + "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))


def check_form(url: str, form: Form, signature: Signature, keys: SigningKeys) -> Match:
    """A posted form. Raises Forbidden."""
    return _check(_webhook_urls(url), form, signature, keys)


def check_body(url: str, body: bytes, signature: Signature, keys: SigningKeys) -> Match:
    """A body that is not a form, by its hash in the URL's query. Raises Forbidden."""
    told = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
    if not hmac.compare_digest(sha256(body).hexdigest().encode(), told.encode()):
        raise Forbidden("the body is not the one that was signed")
    return _check(_webhook_urls(url), {}, signature, keys)


def check_socket(url: str, signature: Signature, keys: SigningKeys) -> Match:
    """The upgrade of a media socket. `url` is the socket's own, ``wss://…``. Raises Forbidden."""
    return _check(_socket_urls(url), {}, signature, keys)


def _check(urls: Iterator[tuple[str, str]], form: Form, signature: Signature, keys: SigningKeys) -> Match:
    if not signature.value:
        raise Forbidden("the request is not signed")
    named, hash_name = _read_settings(signature.settings)
    if named and named not in keys.shared:
        raise Forbidden("the request is signed with a shared key that is not known here")
    secrets = {named: keys.shared[named]} if named else {f"token {n}": key for n, key in enumerate(keys.tokens, 1)}
    given = signature.value.encode()
    for variant, url in urls:
        text = signed_text(url, form).encode()
        for key, secret in secrets.items():
            if hmac.compare_digest(b64encode(hmac.digest(secret.encode(), text, hash_name)), given):
                return Match(variant, key)
    raise Forbidden("the signature does not fit the request")


def _read_settings(header: str) -> tuple[str, str]:
    """The shared key's id, if one is named, and the hash: ``key=…,algorithm=HMAC_SHA256``."""
    told = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in header.split(","))}
    algorithm = told.get("algorithm") or "HMAC_SHA1"
    if algorithm.upper() not in _HASHES:
        raise Forbidden("the request is signed with an algorithm that is not known here")
    return told.get("key", ""), _HASHES[algorithm.upper()]


def _webhook_urls(url: str) -> Iterator[tuple[str, str]]:
    """Twilio signs with or without the port, and does not say when it does which."""
    yield "as configured", url
    yield "other port", _other_port(url)


def _socket_urls(url: str) -> Iterator[tuple[str, str]]:
    """What has been seen signed for sockets: their URL, most of all; and the same as an https one."""
    parts = urlsplit(url)
    as_web = parts._replace(scheme={"wss": "https", "ws": "http"}[parts.scheme]).geturl()
    yield "as configured", url
    yield "other port", _other_port(url)
    yield "as https", as_web
    yield "as https, other port", _other_port(as_web)
    if parts.path in {"", "/"}:
        yield "other slash", url.rstrip("/") if url.endswith("/") else url + "/"


def _other_port(url: str) -> str:
    """Without its port where it has one, with its scheme's own where it has none."""
    parts = urlsplit(url)
    host = parts.netloc
    if parts.port is not None:
        return parts._replace(netloc=host.rpartition(":")[0]).geturl()
    return parts._replace(netloc=f"{host}:{_PORTS[parts.scheme]}").geturl()


class SignatureGate:
    """Lets signed requests in, at the configured URLs.

    `public_url` is ``http(s)://host[:port][/base]``, `stream_url` the same as ``ws(s)``; empty, it follows from the
    first. In mode `warn` a request that does not fit is let in and logged, in mode `off` it is not looked at.
    """

    def __init__(self, keys: SigningKeys, *, public_url: str, stream_url: str = "", mode: SignatureMode) -> None:
        self._keys = keys
        self._public_url = public_url.rstrip("/")
        self._stream_url = (stream_url or socket_url(public_url)).rstrip("/")
        self._mode = mode

    def webhook(self, target: str, content_type: str, body: bytes, signature: Signature) -> Form:
        """The fields of a webhook; `target` is the raw path with the query. Raises Forbidden, BadInput."""
        url = self._public_url + target
        is_json = content_type.partition(";")[0].strip().lower() == "application/json"
        form = {} if is_json else parse_form(body)
        if self._mode != "off":
            try:
                match = (
                    check_body(url, body, signature, self._keys)
                    if is_json
                    else check_form(url, form, signature, self._keys)
                )
                self._report(match)
            except Forbidden as refusal:
                self._refuse(refusal, "webhook")
        return parse_json(body) if is_json else form

    def upgrade(self, target: str, signature: Signature) -> None:
        """A media socket that asks to be opened. Raises Forbidden."""
        if self._mode != "off":
            try:
                self._report(check_socket(self._stream_url + target, signature, self._keys))
            except Forbidden as refusal:
                self._refuse(refusal, "socket")

    def _report(self, match: Match) -> None:
        # Another form of the URL than the configured one works, but says that the configuration is not quite right.
        if match.variant != "as configured":
            _log.warning("signature.other_variant", variant=match.variant)
        if match.key not in {"token 1", *self._keys.shared}:
            _log.info("signature.other_key", key=match.key)

    def _refuse(self, refusal: Forbidden, what: str) -> None:
        _log.warning("signature.refused", what=what, reason=refusal.detail, mode=self._mode)
        if self._mode == "enforce":
            raise refusal


def socket_url(public_url: str) -> str:
    """``https://host/base`` as ``wss://host/base``; plain http, for local runs, as ``ws``."""
    parts = urlsplit(public_url)
    return parts._replace(scheme={"https": "wss", "http": "ws"}[parts.scheme]).geturl()
