"""The playout buffer on a clock of its own: what is heard when, and when marks come back."""

from hypothesis import given
from hypothesis import strategies as st

from scriza.audio.mulaw import SILENCE
from scriza.simulator.playout import Playout, Underrun

MS = 8


def audio(ms: int, code: int = 1) -> bytes:
    return bytes([code]) * (ms * MS)


def test_audio_is_heard_from_the_very_sample_at_which_it_arrives() -> None:
    playout = Playout()
    playout.advance(1003)
    playout.add(audio(20))
    playout.advance(2000)
    assert playout.take_heard() == SILENCE * 1003 + audio(20) + SILENCE * (2000 - 1003 - 160)


def test_audio_that_arrives_early_waits_for_what_is_before_it() -> None:
    playout = Playout()
    playout.add(audio(30, 1))
    playout.advance(10 * MS)
    playout.add(audio(30, 2))
    assert playout.buffered == 50 * MS
    playout.advance(60 * MS)
    assert playout.take_heard() == audio(30, 1) + audio(30, 2)


def test_a_mark_comes_back_when_the_audio_before_it_has_been_heard() -> None:
    playout = Playout()
    playout.add(audio(40))
    assert playout.mark("end") == []
    playout.add(audio(40))
    assert playout.advance(40 * MS - 1) == []
    assert playout.advance(40 * MS) == ["end"]
    assert playout.advance(500 * MS) == []


def test_a_mark_comes_back_at_once_when_nothing_is_buffered() -> None:
    playout = Playout()
    assert playout.mark("first") == ["first"]
    playout.add(audio(20))
    playout.advance(20 * MS)
    assert playout.mark("second") == ["second"]


def test_clear_sends_back_all_marks_and_what_it_drops_is_never_heard() -> None:
    playout = Playout()
    playout.add(audio(40))
    playout.mark("a")
    playout.add(audio(40))
    playout.mark("b")
    playout.advance(10 * MS)
    assert playout.clear() == ["a", "b"]
    playout.add(audio(10, 2))
    assert playout.mark("c") == []
    assert playout.advance(100 * MS) == ["c"]
    assert playout.take_heard() == audio(10) + audio(10, 2) + SILENCE * (80 * MS)


def test_clear_of_an_empty_buffer_has_no_marks_to_send() -> None:
    assert Playout().clear() == []


def test_media_that_comes_late_within_a_burst_is_an_underrun() -> None:
    playout = Playout()
    assert playout.add(audio(20)) is None
    playout.advance(20 * MS + 1)
    assert playout.add(audio(20)) == Underrun(at=20 * MS, length=1)
    playout.advance(playout.position + 20 * MS)
    assert playout.add(audio(20)) is None


def test_a_longer_silence_and_a_clear_begin_a_new_burst() -> None:
    playout = Playout()
    playout.add(audio(20))
    playout.advance(20 * MS + 200 * MS + 1)
    assert playout.add(audio(20)) is None
    playout.clear()
    playout.advance(playout.position + 5 * MS)
    assert playout.add(audio(20)) is None


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 400)),
        st.tuples(st.just("advance"), st.integers(0, 400)),
        st.tuples(st.just("mark"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


@given(ACTS)
def test_every_mark_comes_back_exactly_once_in_order_and_every_sample_is_heard_or_cleared(
    acts: list[tuple[str, int]],
) -> None:
    playout = Playout()
    sent: list[str] = []
    back: list[str] = []
    added = cleared = now = 0
    for act, amount in acts:
        if act == "add":
            playout.add(b"\x01" * amount)
            added += amount
        elif act == "advance":
            now += amount
            back += playout.advance(now)
        elif act == "mark":
            sent.append(str(len(sent)))
            back += playout.mark(sent[-1])
        else:
            cleared += playout.buffered
            back += playout.clear()
    now += playout.buffered
    back += playout.advance(now)
    heard = playout.take_heard()
    assert back == sent
    assert len(heard) == now
    assert heard.count(1) == added - cleared


@given(st.lists(st.integers(1, 500), max_size=20), st.integers(0, 5000))
def test_how_often_it_is_asked_does_not_change_what_is_heard(steps: list[int], audio_length: int) -> None:
    often, once = Playout(), Playout()
    payload = bytes(index % 255 for index in range(audio_length))
    often.add(payload)
    once.add(payload)
    for step in steps:
        often.advance(often.position + step)
    once.advance(sum(steps))
    assert often.take_heard() == once.take_heard()
    assert often.buffered == once.buffered
