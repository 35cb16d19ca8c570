"""Whose address counts: the peer's, or what trusted proxies say of who is behind them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.gateway.addresses import client_address, networks

PROXIES = networks("10.0.0.0/8, 192.0.2.7")


def address(peer: str | None, forwarded: str = "", trusted: str = "10.0.0.0/8, 192.0.2.7") -> str:
    headers = [(b"x-forwarded-for", forwarded.encode("latin-1"))] if forwarded else []
    scope: Any = {"type": "http", "client": (peer, 1) if peer else None, "headers": headers}
    return client_address(scope, networks(trusted))


def test_a_stranger_cannot_say_that_somebody_else_asks() -> None:
    assert address("203.0.113.5", "198.51.100.1") == "203.0.113.5"


@pytest.mark.parametrize(
    ("forwarded", "told"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("6.6.6.6, nonsense, 192.0.2.7", "192.0.2.7"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_trusted_proxies_the_first_that_is_none_of_them_asks(forwarded: str, told: str) -> None:
    assert address("10.0.0.1", forwarded) == told


def test_a_subscriber_of_ipv6_is_one_whatever_address_of_theirs_they_use() -> None:
    assert address("2001:db8:1:2:aaaa::1") == address("2001:db8:1:2:bbbb::9") != address("2001:db8:1:3::1")


def test_ipv4_inside_ipv6_is_the_same_address() -> None:
    assert address("::ffff:203.0.113.5") == "203.0.113.5"


def test_without_an_address_there_is_none() -> None:
    assert address(None) == ""


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_no_header_makes_it_fail(forwarded: str) -> None:
    assert address("10.0.0.1", forwarded)
