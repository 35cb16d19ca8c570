"""No value, however odd, makes an operation on playbooks, conversations, memory or reports fail by a fault of ours."""

import json
import re
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec
import pytest

from scriza.kernel.cursor import cursor
from scriza.kernel.operation import Operation, operations
from scriza.ports.conversations import Conversations
from scriza.ports.memory import Memory
from scriza.ports.reports import Reports
from scriza.ports.retention import Retention
from scriza.ports.strategy import Strategy
from tests.exchange import Exchange, exchange

Asked = tuple[str, str, bytes]
"""Method, path with its query, and body."""


class Anywhen(msgspec.Struct, array_like=True):
    """A place in a list of calls, as no page has given it."""

    started_at: datetime
    call_id: str


TEXTS = (
    *("", "0", "-1", "9" * 5000, "\u00b2", "\u0663", "\x00", "\U0001f600", "x" * 5000),
    *("..", "../../etc/passwd", "America", "a.b", "$where", "+\u0663\u0663\u0663\u0663\u0663\u0663\u0663"),
    *("published", "draft", "sv_" + "0" * 32, "0001-01-01", "9999-12-31", "2026-02-30"),
    *(
        "W10",
        b64encode(b'["2026-01-01T00:00:00Z", "x", ' + b"[" * 3000).decode(),
        cursor(Anywhen(datetime(1, 1, 1, tzinfo=UTC), "x")),
    ),
)
POINTERS = ("", "/", "/faqs/\u00b2", "/faqs/" + "9" * 900, "/faqs/-1", "/title/x", "/\x00", "/persona/~2")
VALUES = ("null", "[]", "{}", "true", "-1", "1e400", "9" * 5000, "[" * 2000 + "]" * 2000, '"\\ud800"')
FILES = (b"\xff\xfe", b"\x00" * 9, b"a: &a [*a]", b"{" * 5000, b"slug: \xff", "slug: \u00b2".encode("utf-16"))
USUAL = {
    "slug": "paper-kite",
    "version": "published",
    "number": "+14155550100",
    "text": "hello",
    "ours": "published",
    "theirs": "published",
    "file": "e30=",
}


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, mongo_url, f"test_{uuid.uuid4().hex}") as office:
        yield office


def oddly(operation: Operation) -> Iterator[Asked]:
    """The operation asked again and again, each time with one value that is odd."""
    fields = msgspec.structs.fields(operation.request) if operation.request else ()
    needed = {field.name: USUAL.get(field.name, "x") for field in fields if field.required}
    body = json.dumps(needed).encode() if operation.request and operation.verb != "GET" else b""
    names = re.findall(r"\{(\w+)\}", operation.path)
    usual = {name: USUAL.get(name, "x") for name in names}
    path = operation.path.format(**usual)
    for name in names:
        for odd in filter(None, TEXTS):
            yield operation.verb, operation.path.format(**usual | {name: quote(odd, safe="")}), body
    for field in fields:
        if operation.verb == "GET":
            yield from (("GET", f"{path}?{urlencode(needed | {field.name: odd})}", b"") for odd in TEXTS)
        else:
            values = (*map(json.dumps, TEXTS), *VALUES, *(changes(field.name) if field.name in CHANGES else ()))
            rest = json.dumps({"slug": "paper-kite"} | {key: needed[key] for key in needed if key != field.name})
            yield from (
                (operation.verb, path, f"{rest[:-1]}, {json.dumps(field.name)}: {odd}}}".encode()) for odd in values
            )
    if operation.binary:
        yield from ((operation.verb, f"{path}?slug=paper-kite", file) for file in FILES)


CHANGES = ("edits", "resolutions")


def changes(kind: str) -> Iterator[str]:
    """Lists of one edit or resolution."""
    for pointer in map(json.dumps, POINTERS):
        for value in ('"x"', "[[]]", "9" * 30):
            yield f'[{{"pointer": {pointer}, "take": "value", "value": {value}}}]'
        yield f'[{{"pointer": {pointer}, "take": "value"}}]'


async def test_no_odd_value_is_a_fault_of_ours(office: Exchange) -> None:
    failed = []
    for port in (Strategy, Conversations, Memory, Reports, Retention):
        for operation in operations(port):
            for method, url, body in oddly(operation):
                raw = operation.binary and body in FILES
                headers = {"content-type": "application/octet-stream" if raw else "application/json"}
                answer = await office.api.request(method, url, content=body, headers=headers, timeout=60)
                if answer.status_code >= 500:
                    failed.append((method, url[:200], body[:200], answer.text))
    assert failed == []
