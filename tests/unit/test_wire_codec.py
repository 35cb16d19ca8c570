"""Messages as bytes, whatever is in them and however they are cut."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, Problem, UpstreamFailed
from scriza.kernel.remarks import note_header, remarks
from scriza.wire.codec import Blocks, End, Events, Failure
from scriza.wire.sse import LONGEST_EVENT, EventParser
from tests.contract.echo import Counted, Flush, Hello, Number, Piece

EVENTS = Events(Number | Counted)
BLOCKS: Blocks[msgspec.Struct] = Blocks(Piece | Flush, End, "payload")

items = st.one_of(st.builds(Number, st.integers(-(2**53), 2**53), st.text()), st.just(Counted()))


@settings(deadline=None)
@given(st.lists(items, max_size=8), st.integers(1, 60))
def test_events_survive_being_cut_anywhere(given_items: list[Number | Counted], size: int) -> None:
    stream = b":\n\n".join(EVENTS.encode(item) for item in given_items)
    parser = EventParser()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [EVENTS.decode(*event) for chunk in chunks for event in parser.feed(chunk)] == given_items


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 20))
def test_whatever_comes_as_a_stream_is_an_event_or_is_not(noise: bytes, size: int) -> None:
    parser = EventParser()
    for start in range(0, len(noise), size):
        for name, data in parser.feed(noise[start : start + size]):
            assert b"\n\n" not in data
            assert isinstance(name, str)


def test_an_event_without_an_end_is_given_up() -> None:
    parser = EventParser()
    with pytest.raises(UpstreamFailed, match="too long"):
        list(parser.feed(b"data: " + bytes(LONGEST_EVENT)))


@settings(deadline=None)
@given(st.one_of(st.builds(Piece, st.binary()), st.just(Flush())))
def test_a_block_comes_back_as_it_went(block: Piece | Flush) -> None:
    message = BLOCKS.encode(block)
    assert isinstance(message, bytes) == isinstance(block, Piece)
    assert BLOCKS.decode(message) == block


@settings(deadline=None)
@given(st.text())
def test_a_message_that_is_none_is_bad_input_and_nothing_else(text: str) -> None:
    with pytest.raises(BadInput):
        BLOCKS.decode(text)


def test_a_socket_without_audio_takes_no_binary_message() -> None:
    silent: Blocks[msgspec.Struct] = Blocks(Hello, End)
    with pytest.raises(BadInput, match="no binary messages"):
        silent.decode(b"")


def test_a_failure_tells_the_problem_it_was_made_of() -> None:
    problem = Problem("urn:scriza:problem:rate-limited", "Too many requests", 429, "slowly", "req_1", 7)
    assert Failure.of(problem).to_problem() == problem
    assert msgspec.json.decode(msgspec.json.encode(Failure.of(problem))) == {
        "type": "error",
        "title": "Too many requests",
        "detail": "slowly",
        "status": 429,
        "problem": "urn:scriza:problem:rate-limited",
        "request_id": "req_1",
        "retry_after": 7,
    }


def test_a_remark_reaches_the_nearest_who_collects() -> None:
    note_header("x-scriza-cache", "nobody hears it")
    with remarks() as outer:
        note_header("x-scriza-cache", "miss")
        with remarks() as inner:
            note_header("x-scriza-usage", "estimated")
        note_header("x-scriza-cache", "hit")
    assert (outer, inner) == ({"x-scriza-cache": "hit"}, {"x-scriza-usage": "estimated"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("set-cookie", "a"), ("x-scriza-a b", ""), ("x-scriza-", ""), ("x-scriza-a", "b\r\nc: d"), ("x-scriza-a", "ü")],
)
def test_a_remark_that_no_header_can_carry_is_refused(name: str, value: str) -> None:
    with remarks() as noted, pytest.raises(ValueError, match="not a header of ours"):
        note_header(name, value)
    assert noted == {}
