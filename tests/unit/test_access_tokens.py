"""Access tokens against strangers: whatever is wrong with one, it opens nothing, tells nothing and asks nobody."""

import base64
import hmac
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from scriza.kernel.errors import Unauthenticated
from scriza.modules.accounts.tokens import Claims, SigningKey, signed, verified

ISSUER = "https://scriza.example"
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
KEY, OLDER = SigningKey.made(), SigningKey.made()
STRANGERS = SigningKey(OKPKey.generate_key("Ed25519", {"kid": KEY.kid}))
"""Somebody else's key, of the same name as ours."""
CLAIMS = Claims(
    iss=ISSUER,
    sub="usr_1",
    aud="scriza",
    exp=SECONDS + 600,
    iat=SECONDS,
    jti="jwt_1",
    workspace="default",
    sid="1",
    role="owner",
    scope="self users:write",
)
SAID: dict[str, Any] = {name: getattr(CLAIMS, name) for name in CLAIMS.__struct_fields__}
HEADER: dict[str, Any] = {"alg": "Ed25519", "kid": KEY.kid, "typ": "at+jwt"}

Signer = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token may name addresses of keys; to verify it nobody is looked up and nobody is asked."""

    def refuse(*_: object) -> None:
        pytest.fail("verifying a token went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def by(key: SigningKey) -> Signer:
    private = key.key.get_op_key("sign")
    assert isinstance(private, Ed25519PrivateKey)
    return private.sign


def by_secret(secret: bytes, digest: str = "sha256") -> Signer:
    return lambda text: hmac.new(secret, text, digest).digest()


def public_octets(encoding: Encoding, form: PublicFormat) -> bytes:
    private = KEY.key.get_op_key("sign")
    assert isinstance(private, Ed25519PrivateKey)
    return private.public_key().public_bytes(encoding, form)


def token(header: Any = HEADER, claims: Any = SAID, sign: Signer | None = None) -> str:
    """Put together by hand, since no library would make most of these; bytes are taken as they are. Signed by KEY."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    text = ".".join(map(b64, parts))
    return f"{text}.{b64((sign or by(KEY))(text.encode()))}"


def without(header: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in header.items() if key != name}


def check(text: str, now: datetime = NOW) -> Claims:
    return verified([KEY, OLDER], text, issuer=ISSUER, now=now)


def test_what_was_signed_is_read_again_by_the_key_in_force_and_by_the_one_before() -> None:
    assert check(signed(KEY, CLAIMS)) == check(signed(OLDER, CLAIMS)) == check(token()) == CLAIMS


ALGORITHMS = {
    "none": token(HEADER | {"alg": "none"}, sign=lambda _: b"x"),
    "None": token(HEADER | {"alg": "None"}),
    "none, and our signature": token(HEADER | {"alg": "none"}),
    "none, and no signature": token(HEADER | {"alg": "none"}, sign=lambda _: b""),
    "no algorithm": token(without(HEADER, "alg")),
    "an algorithm that is no text": token(HEADER | {"alg": ["Ed25519"]}),
    "HS256 by the public key's octets": token(
        HEADER | {"alg": "HS256"}, sign=by_secret(public_octets(Encoding.Raw, PublicFormat.Raw))
    ),
    "HS256 by the public key's PEM": token(
        HEADER | {"alg": "HS256"}, sign=by_secret(public_octets(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    ),
    "HS512 by the public JWK's x": token(HEADER | {"alg": "HS512"}, sign=by_secret(KEY.public.x.encode(), "sha512")),
    "HS256 by nothing": token(HEADER | {"alg": "HS256"}, sign=by_secret(b"")),
    "RS256 in name": token(HEADER | {"alg": "RS256"}),
    "the curve's former name": token(HEADER | {"alg": "EdDSA"}),
}
KEYS = {
    "of a stranger's key of the same name": token(sign=by(STRANGERS)),
    "of our other key": token(sign=by(OLDER)),
    "of a key that is not known": token(HEADER | {"kid": "key_0"}),
    "of a key that is a path": token(HEADER | {"kid": "../../dev/null"}),
    "without a key's name": token(without(HEADER, "kid")),
    "of a key whose name is no text": token(HEADER | {"kid": 1}),
    "that brings its key": token(HEADER | {"jwk": STRANGERS.key.as_dict(private=False)}, sign=by(STRANGERS)),
    "that says where its keys are": token(HEADER | {"jku": "http://127.0.0.1:9/jwks"}, sign=by(STRANGERS)),
    "that says where its certificate is": token(HEADER | {"x5u": "http://127.0.0.1:9/pem"}, sign=by(STRANGERS)),
    "that brings a certificate": token(HEADER | {"x5c": ["MIIB"]}, sign=by(STRANGERS)),
    "with extensions that are critical": token(HEADER | {"crit": ["exp"], "exp": SECONDS + 600}),
    "with an unencoded payload": token(HEADER | {"b64": False, "crit": ["b64"]}),
}
TYPES = {
    "of no type": token(without(HEADER, "typ")),
    "of another type": token(HEADER | {"typ": "JWT"}),
    "that is a refresh token": token(HEADER | {"typ": "rt+jwt"}),
    "that is for somebody else": token(claims=SAID | {"aud": "billing"}),
    "that is for us among others": token(claims=SAID | {"aud": ["scriza", "billing"]}),
    "that is for nobody": token(claims=without(SAID, "aud")),
    "of another issuer": token(claims=SAID | {"iss": "https://evil.example"}),
    "of an issuer whose name begins as ours": token(claims=SAID | {"iss": f"{ISSUER}.evil.example"}),
    "of no issuer": token(claims=without(SAID, "iss")),
    "that is not yet issued": token(claims=SAID | {"iat": SECONDS + 31}),
    "that never expires": token(claims=without(SAID, "exp")),
    "that is not good yet": token(claims=SAID | {"nbf": SECONDS + 31}),
}
FORMS = {
    "whose subject is no text": token(claims=SAID | {"sub": 1}),
    "whose scopes are a list": token(claims=SAID | {"scope": ["*"]}),
    "whose workspace is an object": token(claims=SAID | {"workspace": {"$ne": ""}}),
    "of a role that there is not": token(claims=SAID | {"role": "god"}),
    "whose end is text": token(claims=SAID | {"exp": str(SECONDS + 600)}),
    "whose end is no number": token(claims=json.dumps(SAID).replace(str(CLAIMS.exp), "NaN").encode()),
    "whose end is infinite": token(claims=json.dumps(SAID).replace(str(CLAIMS.exp), "1e999").encode()),
    "whose beginning is text": token(claims=SAID | {"nbf": str(SECONDS)}),
    "whose end is true": token(claims=SAID | {"exp": True}),
    "that says a list": token(claims=[SAID]),
    "that says nothing": token(claims=b""),
    "that is not JSON": token(claims=b"{"),
    "that is not UTF-8": token(claims=b'{"iss": "\xff"}'),
    "whose header is a list": token(["Ed25519"]),
    "whose header is not JSON": token(b"\x00"),
    "nested a thousand deep": token(claims=b'{"a":' * 500 + b"1" + b"}" * 500),
    "nested in its header": token(b"[" * 1000 + b"]" * 1000),
    "of a megabyte": token(claims=SAID | {"scope": "x" * 1_000_000}),
    "encrypted": f"{token()}.{b64(b'iv')}.{b64(b'tag')}",
    "with a blank": f"{token()} ",
    "with a new line": f"{token()}\n",
    "padded": f"{token()}=",
    "of two parts": ".".join(token().split(".")[:2]),
    "without a signature": ".".join(token().split(".")[:2]) + ".",
    "with the signature of another": ".".join([*token().split(".")[:2], token(claims={}).split(".")[2]]),
    "of dots": "..",
    "of nothing": "",
}


def named(tokens: dict[str, str]) -> list[Any]:
    return [pytest.param(text, id=name) for name, text in tokens.items()]


@pytest.mark.parametrize("text", named(ALGORITHMS | KEYS | TYPES | FORMS))
def test_a_token_is_refused_without_a_hint(text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        check(text)
    assert (refused.value.detail, refused.value.reason) == ("the token is not valid", "")
    assert refused.value.__cause__ is None


def test_a_token_ends_on_the_second_and_says_only_that() -> None:
    last = datetime.fromtimestamp(CLAIMS.exp - 1, UTC)
    assert check(token(), last) == CLAIMS
    with pytest.raises(Unauthenticated) as refused:
        check(token(), datetime.fromtimestamp(CLAIMS.exp, UTC))
    assert refused.value.reason == "token-expired"


def test_that_a_token_has_expired_is_told_only_of_one_that_we_have_signed() -> None:
    late = datetime.fromtimestamp(CLAIMS.exp, UTC)
    for text in (token(sign=by(STRANGERS)), token(HEADER | {"typ": "JWT"}), token(claims=SAID | {"aud": "billing"})):
        with pytest.raises(Unauthenticated) as refused:
            check(text, late)
        assert refused.value.reason == ""


def test_clocks_may_differ_by_half_a_minute() -> None:
    assert check(token(claims=SAID | {"iat": SECONDS + 30})).iat == SECONDS + 30


@given(st.data())
def test_no_letter_of_a_token_can_be_changed(data: st.DataObject) -> None:
    good = token()
    place = data.draw(st.integers(0, len(good) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_."))
    changed = good[:place] + letter + good[place + 1 :]
    if octets(changed) == octets(good):  # the last letter of a part has bits that mean nothing
        return
    with pytest.raises(Unauthenticated):
        check(changed)


def octets(text: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".") if len(part) % 4 != 1]


@given(st.text(max_size=300) | st.from_regex(r"[\w-]{1,80}\.[\w-]{1,80}\.[\w-]{1,80}", fullmatch=True))
def test_any_text_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(Unauthenticated):
        check(text)


def test_a_key_s_public_half_tells_nothing_of_its_private_one() -> None:
    assert json.loads(KEY.written())["d"] not in str(KEY.public)
