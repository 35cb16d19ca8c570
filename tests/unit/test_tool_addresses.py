"""Which addresses and URLs a tool may have: whatever leads into our own network is refused, however it is written."""

import pytest

from scriza.kernel.errors import Forbidden
from scriza_adapters.http_tools.addresses import is_open
from scriza_adapters.http_tools.allowed import AllowedHosts, Place, pattern, place_of


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "localhost",
        "",
    ],
)
def test_an_address_that_is_not_public_is_closed(address: str) -> None:
    assert not is_open(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_a_public_address_is_open(address: str) -> None:
    assert is_open(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tool.example.com/x",
        "ftp://tool.example.com/x",
        "file:///etc/passwd",
        "gopher://tool.example.com/",
        "https://",
        "https:///x",
        "https://user:secret@tool.example.com/",
        "https://tool.example.com@evil.example/",
        "https://tool.example.com\\@evil.example/",
        "https://tool.example.com:99999/",
        "https://tool.example.com/a b",
        "https://tool.example.com/\r\nX: y",
        "https://to\tol.example.com/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.01/",
        "https://①②⑦.0.0.1/",
        "https://tool。example。com/",
        "https://[::1/",
        "https://-tool.example.com/",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        place_of(url)


def test_a_url_leads_to_a_host_a_port_and_a_target() -> None:
    assert place_of("https://Tool.Example.COM./a?b=c#d") == Place("https", "tool.example.com", 443, "/a?b=c")
    assert place_of("http://10.0.0.1:81") == Place("http", "10.0.0.1", 81, "/")
    assert place_of("https://[2001:db8::1]:8443/x").authority == "[2001:db8::1]:8443"


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("api.example.com", "https://api.example.com/x", True),
        ("api.example.com", "http://api.example.com/x", False),
        ("api.example.com", "https://api.example.com:8443/x", False),
        ("api.example.com", "https://example.com/x", False),
        ("api.example.com", "https://api.example.com.evil.example/x", False),
        ("api.example.com:8443", "https://api.example.com:8443/x", True),
        ("http://api.example.com", "http://api.example.com/x", True),
        ("http://api.example.com", "https://api.example.com/x", False),
        ("*.example.com", "https://a.b.example.com/x", True),
        ("*.example.com", "https://example.com/x", False),
        ("*.example.com", "https://badexample.com/x", False),
        ("*", "https://anywhere.example/x", True),
        ("*", "http://anywhere.example/x", False),
    ],
)
def test_a_tool_is_asked_only_where_the_list_says_so(entry: str, url: str, allowed: bool) -> None:
    hosts = AllowedHosts([pattern(entry)])
    if allowed:
        assert hosts.place(url).target == "/x"
    else:
        with pytest.raises(Forbidden, match="SCRIZA_TOOL_HOSTS"):
            hosts.place(url)


@pytest.mark.parametrize("entry", ["", "a b", "https://x/y", "ftp://x", "x@y", "*.*", "127.1", "http://", "x:99999"])
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is urllib's or ours
        pattern(entry)


def test_nothing_is_allowed_where_nothing_is_named() -> None:
    with pytest.raises(Forbidden):
        AllowedHosts([]).place("https://api.example.com/")


def test_a_token_goes_to_its_own_host_alone() -> None:
    hosts = AllowedHosts([pattern("*")], tokens={("CRM", "crm.example.com"): "s3cret"})
    assert hosts.token("CRM", place_of("https://crm.example.com/x"), "ours") == "s3cret"
    with pytest.raises(Forbidden) as raised:
        hosts.token("CRM", place_of("https://evil.example.com/x"), "ours")
    assert "s3cret" not in raised.value.detail


def test_a_host_may_be_private_only_by_its_name_and_port() -> None:
    hosts = AllowedHosts([pattern("*")], private=[pattern("http://crm.internal:8080")])
    assert hosts.private("crm.internal", 8080)
    assert not hosts.private("crm.internal", 443)
    assert not hosts.private("other.internal", 8080)
    assert hosts.place("http://crm.internal:8080/x").port == 8080


def test_a_workspaces_own_token_is_used_by_no_other_workspace() -> None:
    crm = place_of("https://crm.example.com/x")
    tokens = {("ours/CRM", crm.host): "s3cret", ("theirs/CRM", crm.host): "other", ("ours/CAL", crm.host): "third"}
    hosts = AllowedHosts([pattern("*")], tokens=tokens)
    assert (hosts.token("CRM", crm, "ours"), hosts.token("CRM", crm, "theirs")) == ("s3cret", "other")
    for name in ("CAL", "ours/CAL"):
        with pytest.raises(Forbidden):
            hosts.token(name, crm, "theirs")
