"""A stand-in for an OpenID Connect provider, and for GitHub's log-in: a process of its own, honest unless told to lie.

``python -m tests.standins.identity_provider`` prints its address. A `PUT /dials` with a JSON object of `Dials` changes
how it behaves from then on. Whoever asks for `/authorize` is taken for the person that the dials name, without a page.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import socket
import time
from urllib.parse import parse_qs, urlencode

import msgspec
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from litestar import Litestar, Request, Response, get, post, put
from litestar.datastructures import State

CLIENT_ID, CLIENT_SECRET = "scriza", "not-a-secret-of-the-tests"

Parsed = dict[str, str]
Asked = Request[object, object, State]


class Dials(msgspec.Struct, frozen=True):
    """How it behaves. Empty is honest."""

    subject: str = "ada"
    claims: dict[str, object] = {}
    """Said in the place of the truth."""
    without: list[str] = []
    """Claims that are left out."""
    algorithm: str = "RS256"
    kid: str = ""
    jwk: bool = False
    """Signs by a stranger's key, and brings it."""
    response_iss: str = ""
    """Told to the browser in the place of its own; ``-`` tells none."""
    issuer: str = ""
    """In its metadata."""
    slow: float = 0
    """Seconds before each answer of the token endpoint."""
    huge: bool = False
    status: int = 200
    endpoint: str = ""
    """Where it says that codes are exchanged."""


class Provider:
    """Its state: codes that are good, keys, and the dials."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.dials = Dials()
        self.codes: dict[str, Parsed] = {}
        self.keys = [RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})]
        self.strangers = RSAKey.generate_key(2048, {"kid": "k1"})

    def id_token(self, asked: Parsed) -> str:
        now, dials = int(time.time()), self.dials
        claims: dict[str, object] = {
            "iss": self.url,
            "sub": dials.subject,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": asked.get("nonce", ""),
            "name": dials.subject.title(),
            "email": "ada@team.example",
            **dials.claims,
        }
        told = {name: value for name, value in claims.items() if name not in dials.without}
        header: dict[str, object] = {"alg": dials.algorithm, "kid": dials.kid or self.keys[-1].kid}
        if dials.algorithm in ("none", "HS256"):  # by hand: no library makes these
            text = f"{_b64(msgspec.json.encode(header))}.{_b64(msgspec.json.encode(told))}"
            secret = self.keys[-1].as_pem(private=False)
            mac = hmac.new(secret, text.encode(), "sha256").digest() if dials.algorithm == "HS256" else b""
            return f"{text}.{_b64(mac)}"
        if dials.jwk:
            header["jwk"] = self.strangers.as_dict(private=False)
            return jwt.encode(header, told, self.strangers)
        return jwt.encode(header, told, self.keys[-1])


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _refused(reason: str) -> Response[dict[str, str]]:
    return Response({"error": reason}, status_code=400)


def application(provider: Provider) -> Litestar:
    """Its routes."""

    @get("/.well-known/openid-configuration")
    async def metadata() -> dict[str, object]:
        return {
            "issuer": provider.dials.issuer or provider.url,
            "authorization_endpoint": f"{provider.url}/authorize",
            "token_endpoint": provider.dials.endpoint or f"{provider.url}/token",
            "jwks_uri": f"{provider.url}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }

    @get("/jwks")
    async def jwks() -> dict[str, object]:
        return {"keys": [key.as_dict(private=False) for key in provider.keys]}

    @get(["/authorize", "/login/oauth/authorize"])
    async def authorize(request: Asked) -> Response[str]:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked
        told = {"code": code, "state": asked["state"]}
        if provider.dials.response_iss != "-":
            told["iss"] = provider.dials.response_iss or provider.url
        return Response("", status_code=302, headers={"location": f"{asked['redirect_uri']}?{urlencode(told)}"})

    async def exchanged(request: Asked) -> tuple[Parsed, Parsed] | None:
        """What was asked of `/authorize` and what of the token endpoint; none when they do not fit."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = provider.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return None
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        return (asked, form) if challenge == asked["code_challenge"] else None

    @post("/token", status_code=200)
    async def token(request: Asked) -> Response[dict[str, str]]:
        dials = provider.dials
        await asyncio.sleep(dials.slow)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return Response({"error": "invalid_client"}, status_code=401)
        found = await exchanged(request)
        if found is None:
            return _refused("invalid_grant")
        said = {"access_token": "x", "token_type": "Bearer", "id_token": provider.id_token(found[0])}
        return Response(said | ({"more": "x" * 2_000_000} if dials.huge else {}), status_code=dials.status)

    @post("/login/oauth/access_token", status_code=200)
    async def access_token(request: Asked) -> Response[dict[str, str]]:
        found = await exchanged(request)
        if found is None or found[1]["client_secret"] != CLIENT_SECRET:
            return Response({"error": "bad_verification_code"})  # with 200, as GitHub has it
        return Response({"access_token": "gho_x", "token_type": "bearer"})

    @get("/user")
    async def user(request: Asked) -> Response[dict[str, object]]:
        if request.headers.get("authorization") != "Bearer gho_x":
            return Response({"message": "Bad credentials"}, status_code=401)
        return Response({"id": 583231, "login": provider.dials.subject, "name": None, "email": "ada@team.example"})

    @put("/dials", status_code=204)
    async def dials(request: Asked) -> None:
        provider.dials = msgspec.json.decode(await request.body(), type=Dials)

    @put("/keys", status_code=204)
    async def rotate() -> None:
        kid = f"k{len(provider.keys) + 1}"
        provider.keys.append(RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}))

    return Litestar([metadata, jwks, authorize, token, access_token, user, dials, rotate], openapi_config=None)


def main() -> None:
    """Serve until it is ended."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    print(url, flush=True)
    uvicorn.Server(uvicorn.Config(application(Provider(url)), log_level="error")).run(sockets=[sock])


if __name__ == "__main__":
    main()
