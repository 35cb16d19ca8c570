"""Posts events to URLs of a team's own, behind the guard that keeps tools away from what is ours."""

import asyncio
from collections.abc import Mapping, Sequence

import httpcore

from scriza.kernel.errors import BadInput, Forbidden
from scriza.ports.poster import Posted
from scriza_adapters.http_tools.allowed import Pattern, Place, place_of
from scriza_adapters.http_tools.guard import GuardedBackend, Resolve, Resolver

_MOST_CONNECTIONS = 32
_KEEP_ALIVE_S = 20.0
_UNSENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
SETTING = "SCRIZA_WEBHOOK_PRIVATE_HOSTS"


class HttpPoster:
    """Implements Poster. An attempt has `seconds`; the hosts in `private` may have addresses that are not public.

    Others are asked by https alone. No proxy of the environment is used: it would resolve names beyond the guard.
    """

    def __init__(
        self, private: Sequence[Pattern] = (), *, seconds: float = 10.0, resolve: Resolve | None = None
    ) -> None:
        self._private_hosts, self._seconds = tuple(private), seconds
        self._resolver = Resolver()
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=GuardedBackend(self._private, resolve or self._resolver, setting=SETTING),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
        self._resolver.close()

    def check(self, url: str) -> None:
        """See Poster."""
        self._place(url)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """See Poster."""
        try:
            place = self._place(url)
            async with asyncio.timeout(self._seconds):
                return Posted(await self._status(place, headers, body))
        except (BadInput, Forbidden) as error:
            return Posted(failure=error.detail)
        except _UNSENT:
            return Posted(failure="the server cannot be reached")
        except TimeoutError:
            return Posted(failure=f"there was no answer within {self._seconds:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return Posted(failure="the answer got lost")

    async def _status(self, place: Place, headers: Mapping[str, str], body: bytes) -> int:
        sent = {
            "Host": place.authority,
            "User-Agent": "Scriza",
            "Content-Type": "application/cloudevents+json",
            "Content-Length": str(len(body)),
            "Accept-Encoding": "identity",
            **headers,
        }
        url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target.encode())
        encoded = [(name.encode(), value.encode()) for name, value in sent.items()]
        async with self._pool.stream("POST", url, headers=encoded, content=body) as response:
            return response.status  # leaving it closes a connection whose body was not read

    def _place(self, url: str) -> Place:
        try:
            place = place_of(url)
        except Forbidden:
            raise BadInput("url: it is https://, a host, a path and a query, and nothing else") from None
        if place.scheme != "https" and not self._private(place.host, place.port):
            raise BadInput(f"url: it must be https://; {SETTING} names hosts of one's own that need not")
        return place

    def _private(self, host: str, port: int) -> bool:
        return any(pattern.fits(Place(pattern.scheme, host, port, "")) for pattern in self._private_hosts)
