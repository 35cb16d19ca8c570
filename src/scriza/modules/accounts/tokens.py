"""Access tokens: JWTs of ten minutes (RFC 9068) signed by Ed25519 (RFC 8037, RFC 9864).

After OWASP ASVS 5.0, V9: one algorithm, keys of our own only, whatever a token's header says of others (`jku`, `jwk`,
`x5u`); type, issuer, audience and time are checked on each.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from scriza.kernel.errors import Unauthenticated
from scriza.kernel.ids import new_id
from scriza.ports.accounts import Jwk, Role

LIFE = timedelta(minutes=10)
AUDIENCE = "scriza"

_ALGORITHM, _TYPE = "Ed25519", "at+jwt"
_SKEW = timedelta(seconds=30)
"""Clocks of two machines may differ by so much."""
_LONGEST = 4096
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an access token says. Times are seconds since 1970."""

    iss: str
    sub: str
    aud: str
    exp: int
    iat: int
    jti: str
    workspace: str
    sid: str
    """The session that it belongs to."""
    role: Role
    scope: str
    """Separated by spaces (RFC 8693)."""
    nbf: int = 0
    """Not good before; ours say none."""

    @property
    def scopes(self) -> frozenset[str]:
        """As a principal holds them."""
        return frozenset(self.scope.split())


class SigningKey:
    """A key pair; `kid` names it."""

    def __init__(self, key: OKPKey) -> None:
        self.key = key
        self.kid = str(key.kid)

    @classmethod
    def made(cls) -> "SigningKey":
        """A new one."""
        return cls(OKPKey.generate_key("Ed25519", {"kid": new_id("key"), "use": "sig", "alg": _ALGORITHM}))

    @classmethod
    def read(cls, text: bytes) -> "SigningKey":
        """As `written`."""
        return cls(OKPKey.import_key(msgspec.json.decode(text, type=dict[str, str | list[str]])))

    def written(self) -> bytes:
        """The private JWK, which has to be sealed."""
        return msgspec.json.encode(self.key.as_dict(private=True))

    @property
    def public(self) -> Jwk:
        """For the key set that others read."""
        told = self.key.as_dict(private=False)
        return Jwk(kid=self.kid, kty=str(told["kty"]), crv=str(told["crv"]), x=str(told["x"]), alg=_ALGORITHM)


def signed(key: SigningKey, claims: Claims) -> str:
    """The token."""
    header = {"alg": _ALGORITHM, "kid": key.kid, "typ": _TYPE}
    return jwt.encode(header, msgspec.to_builtins(claims), key.key, algorithms=[_ALGORITHM])


def verified(keys: Sequence[SigningKey], token: str, *, issuer: str, now: datetime) -> Claims:
    """What the token says. Raises Unauthenticated, without saying what is wrong with it."""
    if len(token) > _LONGEST or not looks_like_one(token):
        raise Unauthenticated("the token is not valid")
    try:
        read = jwt.decode(token, KeySet([key.key for key in keys]), algorithms=[_ALGORITHM])
        claims = msgspec.convert(read.claims, Claims)
    except (JoseError, msgspec.ValidationError, ValueError, TypeError, KeyError):
        # A token is a stranger's text, and the library may find any of these wrong with it.
        raise Unauthenticated("the token is not valid") from None
    if read.header.get("typ") != _TYPE or "kid" not in read.header or "crit" in read.header:
        raise Unauthenticated("the token is not valid")
    begun = max(claims.iat, claims.nbf) <= (now + _SKEW).timestamp()
    if claims.iss != issuer or claims.aud != AUDIENCE or not begun:
        raise Unauthenticated("the token is not valid")
    if claims.exp <= now.timestamp():
        raise Unauthenticated("the token has expired", reason="token-expired")
    return claims


def looks_like_one(token: str) -> bool:
    """Whether a bearer credential has a JWT's form; nothing is said of whether it is good."""
    return _FORM.fullmatch(token) is not None
