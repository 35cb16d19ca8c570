"""Which addresses may be connected to on somebody else's word. Pure.

A tool's URL is written by whoever writes playbooks, and its name resolves to whatever its owner says, so it may lead to
what only this machine or its network can reach (server-side request forgery). Public unicast addresses are open, all
others are closed: what the registries of IANA call special
(https://www.iana.org/assignments/iana-ipv4-special-registry, …ipv6-special-registry), multicast, and IPv6 addresses
that carry a closed IPv4 address inside.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_CLOSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",  # cloud metadata lives here
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved and broadcast
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
"""An IPv6-only network reaches IPv4 by it, so a public address inside is a public address (RFC 6052)."""


def is_open(address: str) -> bool:
    """Whether an address, as a resolver gives it, is a public unicast one."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_open(ip)


def _is_open(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv6Address):
        if inside := ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None):
            return _is_open(inside)
        if ip not in _UNICAST:
            return False
    return not any(ip in network for network in _CLOSED if network.version == ip.version)
