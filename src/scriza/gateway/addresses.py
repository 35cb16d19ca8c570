"""Who is at the other end: the client's own address, also behind proxies that we trust to tell it."""

import ipaddress
from collections.abc import Sequence

from litestar.datastructures import Headers
from litestar.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SUBSCRIBER_BITS = 64
"""An IPv6 subscriber has at least such a network, and any address in it to choose from (RFC 6177)."""
_MOST_HOPS = 20


def networks(text: str) -> list[Network]:
    """``10.0.0.0/8, 192.0.2.7`` as networks. Raises ValueError."""
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def client_address(scope: Scope, trusted: Sequence[Network] = ()) -> str:
    """The address that a client is told apart by, its network where it is IPv6; empty when there is none.

    `X-Forwarded-For` counts only as far as trusted proxies have written it: from the right, the first address that is
    not one of theirs. Anybody can send the rest.
    """
    client = scope.get("client")
    nearest = _parsed(client[0]) if client else None
    if nearest is None:
        return ""
    if _is_among(nearest, trusted):
        forwarded = Headers.from_scope(scope).get("x-forwarded-for", "").split(",")
        for hop in reversed(forwarded[-_MOST_HOPS:]):
            address = _parsed(hop)
            if address is None:
                break
            nearest = address
            if not _is_among(address, trusted):
                break
    return _told_apart_by(nearest)


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_among(address: Address, known: Sequence[Network]) -> bool:
    return any(address in network for network in known)


def _told_apart_by(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, _SUBSCRIBER_BITS), strict=False).network_address)
