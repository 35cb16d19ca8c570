"""A stream of server-sent events, however the network cuts it, and what is read of the chunks in it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.ports.llm import ToolPiece, UsagePiece
from scriza_adapters.openai.chunks import CallDelta, Calls, Chunk, FunctionDelta, chunks, events, usage_of


async def _sent(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def read(*parts: bytes) -> list[bytes]:
    async def all_of() -> list[bytes]:
        return [data async for data in events(_sent(parts))]

    return asyncio.run(all_of())


def gathered(*deltas: CallDelta) -> list[ToolPiece]:
    calls = Calls()
    for delta in deltas:
        calls.take(delta)
    return calls.whole()


def chunked(text: bytes) -> list[Chunk]:
    async def all_of() -> list[Chunk]:
        return [chunk async for chunk in chunks(_sent([text]))]

    return asyncio.run(all_of())


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\r\n\r\ndata:  b\r\n\r\n", [b"a", b" b"]),
        (b": still here\n\nevent: x\nid: 7\nretry: 9\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        ("data: a\u2028b\x85c\n\n".encode(), ["a\u2028b\x85c".encode()]),
        (b"data: a\n\ndata: cut off", [b"a"]),
        (b"data: a\n\ndata: cut off\n", [b"a"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_the_data_of_events_is_read_and_nothing_else(text: bytes, data: list[bytes]) -> None:
    assert read(text) == data


@given(st.lists(st.binary(max_size=8).filter(lambda part: not set(part) & {10, 13}), max_size=6), st.data())
def test_it_does_not_matter_where_the_network_cuts_the_stream(data: list[bytes], draw: st.DataObject) -> None:
    text = b"".join(b"data: " + part + b"\n\n" for part in data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(*parts) == data


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="without an end"):
        read(*[b"x" * 100_000] * 11)


def test_nothing_is_read_after_the_announced_end() -> None:
    chunk = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": null}]}\n\n'
    assert len(chunked(chunk + b"data: [DONE]\n\n" + b"data: garbage\n\n")) == 1


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (b'{"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}', UsagePiece(9, 2, 11)),
        (
            b'{"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}',
            UsagePiece(9, 2, 11, cached_prompt_tokens=4),
        ),
        (
            b'{"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}}',
            UsagePiece(9, 2, 11, cached_prompt_tokens=9),
        ),
        (b'{"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": null}', UsagePiece(9, 2, 11)),
        (b"null", None),
        (b'{"prompt_tokens": -1, "completion_tokens": 2}', None),
        (b'{"prompt_tokens": "many", "completion_tokens": 2}', None),
        (b"{}", None),
        (b"7", None),
    ],
)
def test_usage_that_makes_no_sense_is_none(told: bytes, usage: UsagePiece | None) -> None:
    (chunk,) = chunked(b'data: {"choices": [], "usage": ' + told + b"}\n\n")
    assert usage_of(chunk) == usage


@pytest.mark.parametrize("text", [b"data: {not json\n\n", b"data: []\n\n", b'data: {"choices": 7}\n\n'])
def test_what_is_no_chunk_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        chunked(text)


def test_the_parts_of_tool_calls_find_each_other_by_their_index() -> None:
    assert gathered(
        CallDelta(1, "c1", FunctionDelta("end_call", "")),
        CallDelta(0, "c0", FunctionDelta("set", '{"a"')),
        CallDelta(0, None, FunctionDelta(None, ": 1}")),
        CallDelta(1, None, FunctionDelta(None, "{}")),
    ) == [ToolPiece("c0", "set", '{"a": 1}'), ToolPiece("c1", "end_call", "{}")]


def test_an_id_that_comes_with_every_part_is_one_call() -> None:
    deltas = [CallDelta(0, "c0", FunctionDelta("set", part)) for part in ('{"a"', ": 1}")]
    assert gathered(*deltas) == [ToolPiece("c0", "set", '{"a": 1}')]


@pytest.mark.parametrize("index", [b'"index": 0, ', b""], ids=["all at the first index", "without an index"])
def test_calls_of_servers_that_do_not_count_them_are_told_apart_by_their_ids(index: bytes) -> None:
    calls = [b'{%b"id": "c%d", "function": {"name": "f", "arguments": "{}"}}' % (index, call) for call in range(3)]
    sent = b"".join(b'data: {"choices": [{"delta": {"tool_calls": [%b]}}]}\n\n' % call for call in calls)
    deltas = [
        delta for chunk in chunked(sent) for choice in chunk.choices or () for delta in choice.delta.tool_calls or ()
    ]
    assert gathered(*deltas) == [ToolPiece(f"c{call}", "f", "{}") for call in range(3)]
