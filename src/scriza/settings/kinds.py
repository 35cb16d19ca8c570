"""Kinds of values."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _http_url(value: str) -> str:
    url = urlsplit(value)
    if value and (url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment):
        raise ValueError("must be an http:// or https:// URL without a query")
    return value.rstrip("/")


def _socket_url(value: str) -> str:
    url = urlsplit(value)
    if value and (url.scheme not in {"ws", "wss"} or not url.hostname or url.query or url.fragment):
        raise ValueError("must be a ws:// or wss:// URL without a query")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
