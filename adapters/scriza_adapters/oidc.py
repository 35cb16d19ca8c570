"""OpenID Connect providers: authorization code with PKCE (RFC 7636), ID tokens verified by the provider's keys.

After OWASP ASVS 5.0, V10: S256 only, nonce, and the issuer of the response (RFC 9207) against mix-up. What a provider
publishes is kept for an hour; every request has a deadline, and every answer a bound.
"""

from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Unauthenticated, UpstreamFailed
from scriza.ports.identity_provider import Answer, Asking, Proven
from scriza_adapters.identity_http import IdentityHttp

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
"""Signatures only: a shared secret or none at all signs nothing."""
_KEPT = timedelta(hours=1)
_KEYS_ASKED_AGAIN = timedelta(minutes=1)
_SKEW_SECONDS = 60
_REFUSED = "the provider's answer does not fit the log-in that was begun"


class _Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class _TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str


class _IdToken(msgspec.Struct, frozen=True):
    """What is needed of it. Times are seconds since 1970."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int
    iat: int
    nonce: str
    azp: str = ""
    name: str = ""


class OidcProvider:
    """Implements IdentityProvider for any issuer."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        http: IdentityHttp,
        clock: WallClock = utc_now,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._http = http
        self._clock = clock
        self._metadata: _Metadata | None = None
        self._metadata_at = self._keys_at = clock() - _KEPT
        self._keys = KeySet([])

    async def url(self, asking: Asking) -> str:
        """See IdentityProvider."""
        metadata = await self._told()
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                self._client_id,
                "code",
                redirect_uri=self._redirect_uri,
                scope="openid profile",
                state=asking.state,
                nonce=asking.nonce,
                code_challenge=create_s256_code_challenge(asking.verifier),
                code_challenge_method="S256",
            )
        )

    async def prove(self, asking: Asking, answer: Answer) -> Proven:
        """See IdentityProvider."""
        metadata = await self._told()
        if answer.iss != self._issuer and (answer.iss or metadata.authorization_response_iss_parameter_supported):
            raise Unauthenticated(_REFUSED)
        form = {
            "grant_type": "authorization_code",
            "code": answer.code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": asking.verifier,
        }
        basic = httpx.BasicAuth(self._client_id, self._client_secret)
        got = await self._http.exchange(metadata.token_endpoint, form, _TokenAnswer, basic)
        said = await self._verified(got.id_token)
        now = self._clock().timestamp()
        audience = [said.aud] if isinstance(said.aud, str) else said.aud
        if (
            said.iss != self._issuer
            or self._client_id not in audience
            or (said.azp or self._client_id) != self._client_id
            or (len(audience) > 1 and not said.azp)
            or said.nonce != asking.nonce
            or not said.sub
            or said.exp <= now - _SKEW_SECONDS
            or said.iat > now + _SKEW_SECONDS
        ):
            raise Unauthenticated(_REFUSED)
        return Proven(self._issuer, said.sub, said.name)

    async def _told(self) -> _Metadata:
        now = self._clock()
        if self._metadata is None or self._metadata_at + _KEPT <= now:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = await self._http.get(url, _Metadata)
            if metadata.issuer != self._issuer:
                raise UpstreamFailed("the provider says that it is another issuer")
            for endpoint in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
                check_url(endpoint)
            self._metadata, self._metadata_at = metadata, now
        return self._metadata

    async def _verified(self, token: str) -> _IdToken:
        if self._keys_at + _KEPT <= self._clock():
            await self._read_keys()
        try:
            return _read(token, self._keys)
        except Unauthenticated:
            # The provider may have rotated its keys since; not more often than this is it asked.
            if self._keys_at + _KEYS_ASKED_AGAIN > self._clock():
                raise
        await self._read_keys()
        return _read(token, self._keys)

    async def _read_keys(self) -> None:
        told = await self._http.get((await self._told()).jwks_uri, dict[str, list[dict[str, str | list[str]]]])
        try:
            keys = [key for key in told["keys"] if key.get("kty") in ("RSA", "EC", "OKP")]
            self._keys = KeySet.import_key_set({"keys": keys})
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise UpstreamFailed("the provider's keys cannot be read") from error
        self._keys_at = self._clock()


def _read(token: str, keys: KeySet) -> _IdToken:
    try:
        read = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        if "crit" in read.header:
            raise Unauthenticated(_REFUSED)
        return msgspec.convert(read.claims, _IdToken)
    except (JoseError, msgspec.ValidationError, ValueError, TypeError, KeyError):
        raise Unauthenticated(_REFUSED) from None


class GitHub:
    """Implements IdentityProvider for GitHub, which issues no ID tokens: whose the access token is, its API tells."""

    issuer = "https://github.com"

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        http: IdentityHttp,
        *,
        site: str = "https://github.com",
        api: str = "https://api.github.com",
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._http = http
        self._site = site
        self._api = api

    async def url(self, asking: Asking) -> str:
        """See IdentityProvider."""
        return str(
            prepare_grant_uri(
                f"{self._site}/login/oauth/authorize",
                self._client_id,
                "code",
                redirect_uri=self._redirect_uri,
                state=asking.state,
                code_challenge=create_s256_code_challenge(asking.verifier),
                code_challenge_method="S256",
            )
        )

    async def prove(self, asking: Asking, answer: Answer) -> Proven:
        """See IdentityProvider."""
        if answer.iss not in ("", self.issuer, f"{self.issuer}/login/oauth"):
            raise Unauthenticated(_REFUSED)
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": answer.code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": asking.verifier,
        }
        got = await self._http.exchange(f"{self._site}/login/oauth/access_token", form, _Access)
        user = await self._http.get(f"{self._api}/user", _GitHubUser, bearer=got.access_token)
        return Proven(self.issuer, str(user.id), user.name or user.login)


class _Access(msgspec.Struct, frozen=True):
    access_token: str


class _GitHubUser(msgspec.Struct, frozen=True):
    id: int
    login: str
    name: str | None = None


def check_url(url: str) -> None:
    """Raises UpstreamFailed for anything but https, and http to this machine."""
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise UpstreamFailed("a provider's addresses begin with https://")
