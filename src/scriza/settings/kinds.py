"""Kinds of values."""

import ipaddress
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def http_url(value: str) -> str:
    """The URL of a server, without a slash at its end; empty stays so. Raises ValueError with what is wrong."""
    return _url(value, "http", "https")


def _socket_url(value: str) -> str:
    return _url(value, "ws", "wss")


def _url(value: str, *schemes: str) -> str:
    """Without a user, whose password would be shown wherever the URL is. Raises ValueError."""
    url = urlsplit(value)
    if value and (url.scheme not in schemes or not url.hostname or url.query or url.fragment or "@" in url.netloc):
        raise ValueError(f"must be {schemes[0]}:// or {schemes[1]}://, a host, and no user and no query")
    try:
        _ = url.port
    except ValueError:
        raise ValueError("the port must be a number up to 65535") from None
    return value.rstrip("/")


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if not token.isascii() or (token and not token.isprintable()) or " " in token:
        raise ValueError("must be printable ASCII without spaces: it travels as a header")
    return value


def origins(value: str) -> str:
    """``https://console.example, http://localhost:5173``: no paths, and never ``*``. Raises ValueError."""
    for origin in filter(None, map(str.strip, value.split(","))):
        if http_url(origin) != origin or urlsplit(origin).path or "*" in origin:
            raise ValueError("each must be https://HOST or http://HOST, without a path, and none is a wildcard")
    return value


def addresses(value: str) -> str:
    """``10.0.0.0/8, 192.0.2.7``. Raises ValueError."""
    for address in filter(None, map(str.strip, value.split(","))):
        ipaddress.ip_network(address, strict=False)
    return value


def mail_address(value: str) -> str:
    """``Scriza <calls@team.example>`` or the address alone. Raises ValueError."""
    _, address = parseaddr(value)
    if "@" not in address or not value.isprintable():
        raise ValueError("must be an address, with or without a name before it")
    return value


HttpUrl = Annotated[str, AfterValidator(http_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
Token = Annotated[SecretStr, AfterValidator(_token)]
