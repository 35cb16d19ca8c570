"""Which servers may be asked at all: the allow-list, read from settings. Pure."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from scriza.kernel.errors import Forbidden

_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""A host's name: its last label begins with a letter, so that no number in whatever notation is one."""
_QUAD = re.compile(r"(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}")
_STRANGE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")
_PORTS = {"https": 443, "http": 80}


class Place(msgspec.Struct, frozen=True):
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def origin(self) -> str:
        """The server alone, as it is named in errors."""
        return f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The server alone, as it is named in a request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Pattern(msgspec.Struct, frozen=True):
    """One entry of the list: a host, ``*.example.com`` for all below it, or ``*``, at one port and by one scheme."""

    scheme: str
    host: str
    port: int

    def fits(self, place: Place) -> bool:
        """Whether the place is meant by this entry."""
        below = self.host.startswith("*.") and place.host.endswith(self.host[1:])
        named = self.host in ("*", place.host) or below
        return named and (self.scheme, self.port) == (place.scheme, place.port)


class AllowedHosts:
    """The hosts that tools may be at, and among them those that may have private addresses.

    `tokens` are by the name and the host that they were set for: no token goes anywhere else. A name may begin with a
    workspace, ``WORKSPACE/NAME``, whose playbooks alone may use it then.
    """

    def __init__(
        self, hosts: Iterable[Pattern], private: Iterable[Pattern] = (), tokens: Mapping[tuple[str, str], str] = {}
    ) -> None:
        self._private = tuple(private)
        self._hosts = (*hosts, *self._private)
        self._tokens = dict(tokens)

    def place(self, url: str) -> Place:
        """Where the URL leads. Raises Forbidden, with what is missing, for what may not be asked."""
        place = place_of(url)
        if not any(pattern.fits(place) for pattern in self._hosts):
            named = place.host if place.scheme == "https" else f"{place.scheme}://{place.host}"
            raise Forbidden(f"tools may not be at {named}, port {place.port}: SCRIZA_TOOL_HOSTS names where they may")
        return place

    def private(self, host: str, port: int) -> bool:
        """Whether the host may have an address that is not public; never by a ``*``."""
        return any(
            pattern.host != "*" and pattern.fits(Place(pattern.scheme, host, port, "")) for pattern in self._private
        )

    def token(self, name: str, place: Place, workspace: str) -> str:
        """The bearer token of this name for the place. Raises Forbidden when none was set that the workspace may use.

        The workspace's own one goes before one that is for all.
        """
        found = self._tokens.get((f"{workspace}/{name}", place.host)) or self._tokens.get((name, place.host))
        if not found or "/" in name:
            raise Forbidden(f"SCRIZA_TOOL_TOKENS has no {name}@{place.host}")
        return found


def pattern(entry: str) -> Pattern:
    """An entry as it is written: ``HOST``, ``HOST:PORT`` or ``http://HOST:PORT``. Raises ValueError."""
    scheme, found, _ = entry.partition("://")
    url = urlsplit(entry if found else f"https://{entry}")
    scheme = scheme if found else "https"
    host, port = _normal(url.hostname or ""), url.port
    bare = host.removeprefix("*.") if host != "*" else ""
    strange = url.path or url.query or url.fragment or "@" in url.netloc or scheme not in _PORTS
    if strange or (host != "*" and not _is_host(bare)):
        raise ValueError(f"{entry!r} is no host: write HOST, HOST:PORT, *.DOMAIN, * or http://HOST:PORT")
    return Pattern(scheme, host, port or _PORTS[scheme])


def place_of(url: str) -> Place:
    """Where a URL leads. Raises Forbidden for one that is written so that two readers may read it differently."""
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise Forbidden("a tool's URL cannot be read") from None
    host = _normal(split.hostname or "")
    if _STRANGE.search(url) or "@" in split.netloc or split.scheme not in _PORTS or not _is_host(host):
        raise Forbidden("a tool's URL is https:// or http://, a host, a path and a query, and nothing else")
    return Place(split.scheme, host, port or _PORTS[split.scheme], _target(split))


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _normal(host: str) -> str:
    return host.lower().removesuffix(".")


def _is_host(host: str) -> bool:
    return bool(_NAME.fullmatch(host) or _QUAD.fullmatch(host) or ":" in host)
