"""Others who know people: OpenID Connect providers, and GitHub, which is nearly one."""

from typing import Protocol

import msgspec


class Asking(msgspec.Struct, frozen=True):
    """What one log-in is recognised by when it comes back."""

    state: str
    """Travels through the browser, to the provider and back."""
    nonce: str
    """Comes back inside the provider's signature."""
    verifier: str
    """Stays here until the code is exchanged (RFC 7636)."""

    def __repr__(self) -> str:
        return "Asking(…)"


class Answer(msgspec.Struct, frozen=True):
    """What the browser brought back from the provider."""

    code: str
    iss: str = ""
    """Who says so (RFC 9207); empty when the provider tells no such thing."""

    def __repr__(self) -> str:
        return "Answer(…)"


class Proven(msgspec.Struct, frozen=True):
    """Who somebody is elsewhere: a subject is unique, and never given away again, only at its issuer."""

    issuer: str
    subject: str
    name: str = ""

    @property
    def key(self) -> str:
        """As it is kept; an issuer is a URL and has no blanks."""
        return f"{self.issuer} {self.subject}"

    def __repr__(self) -> str:
        return "Proven(…)"


class IdentityProvider(Protocol):
    """One provider."""

    async def url(self, asking: Asking) -> str:
        """Where the browser goes. Raises UpstreamFailed, DeadlineExceeded."""
        ...

    async def prove(self, asking: Asking, answer: Answer) -> Proven:
        """Who came back.

        Raises Unauthenticated when anything does not fit, UpstreamFailed and DeadlineExceeded when the provider fails.
        """
        ...
