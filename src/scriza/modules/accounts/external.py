"""Log-in by other providers: what was begun is kept sealed behind a token, and taken up once.

The token stays with whoever began, and only its id travels through the browser's address as `state`: a link that a
stranger has begun opens nothing for anybody else, and what a history or a provider's log shows opens nothing at all.
People are known by issuer and subject, never by an address, which providers do not all verify.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from scriza.kernel.errors import BadInput, Forbidden, Unauthenticated
from scriza.modules.accounts.one_time import OneTime, about
from scriza.modules.accounts.sealing import Seal
from scriza.ports.accounts import ExternalAnswer, ExternalBegun
from scriza.ports.identity_provider import Answer, Asking, IdentityProvider, Proven

_LIFE = timedelta(minutes=10)
_OVER = "this log-in is over: begin again"


class Purpose(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody proves who they are for: to log in, to take an invitation, or to link it to their account."""

    invitation: str = ""
    user_id: str = ""

    def __repr__(self) -> str:
        return "Purpose(…)"


class _Flow(msgspec.Struct, frozen=True):
    """What is sealed."""

    asking: Asking
    purpose: Purpose


class _Kept(msgspec.Struct, frozen=True):
    provider: str
    sealed: bytes


class External:
    """Begins and finishes at the providers that are set, by their names."""

    def __init__(self, providers: Mapping[str, IdentityProvider], one_time: OneTime, seal: Seal) -> None:
        self._providers = providers
        self._one_time = one_time
        self._seal = seal

    @property
    def names(self) -> list[str]:
        """Of the providers."""
        return sorted(self._providers)

    async def begin(self, name: str, purpose: Purpose) -> ExternalBegun:
        """Raises BadInput when no such provider is set, and what the provider raises."""
        provider = self._providers.get(name)
        if provider is None:
            raise BadInput("there is no such provider", reason="no-such-provider")
        state, nonce, verifier = secrets.token_hex(24), secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        flow = _Flow(Asking(state, nonce, verifier), purpose)
        url = await provider.url(flow.asking)
        kept = _Kept(name, self._seal.seal(msgspec.json.encode(flow), state))
        return ExternalBegun(url, await self._one_time.make("oidc", kept, _LIFE, state))

    async def finish(self, answer: ExternalAnswer) -> tuple[Proven, Purpose]:
        """Who came back, and what for. Whatever comes of it, the token is used up. Raises Unauthenticated."""
        try:
            token = await self._one_time.find("oidc", answer.token)
            if not secrets.compare_digest(token.id.encode(), answer.state.encode()):
                raise Unauthenticated(_OVER)
            await self._one_time.take(token)
        except Forbidden as error:
            raise Unauthenticated(_OVER) from error
        kept = about(token, _Kept)
        provider = self._providers.get(kept.provider)
        if provider is None:
            raise Unauthenticated(_OVER)
        flow = msgspec.json.decode(self._seal.open(kept.sealed, token.id), type=_Flow)
        return await provider.prove(flow.asking, Answer(answer.code, answer.iss)), flow.purpose
