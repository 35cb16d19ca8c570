"""Order in a media stream: gaps become silence, repeats and latecomers are dropped."""

from hypothesis import given
from hypothesis import strategies as st

from scriza.audio.mulaw import silence
from scriza.modules.telephony.media import Dtmf, DtmfDetails, Mark, MarkDetails, Media, MediaDetails, Sequencer, Stop

STREAM = "MZ1"
FRAME = b"\x55" * 160


def frame(chunk: int, *, at: int | None = None, number: int | None = None, track: str = "inbound") -> Media:
    """The chunk as Twilio counts it: one `start` before it, first audio at 155 ms, 20 ms each."""
    return Media(
        media=MediaDetails(FRAME, track, chunk, 155 + 20 * (chunk - 1) if at is None else at),
        stream_sid=STREAM,
        sequence_number=chunk + 1 if number is None else number,
    )


def test_audio_in_order_passes_as_it_is() -> None:
    sequencer = Sequencer(STREAM)
    assert [sequencer.audio(frame(chunk)) for chunk in (1, 2, 3)] == [FRAME] * 3
    assert (sequencer.gaps, sequencer.dropped) == (0, 0)


def test_a_missing_frame_becomes_silence_of_its_length() -> None:
    sequencer = Sequencer(STREAM)
    sequencer.audio(frame(1))
    assert sequencer.audio(frame(4)) == silence(40) + FRAME
    assert (sequencer.gaps, sequencer.filled_ms) == (1, 40)


def test_a_late_first_timestamp_is_not_a_gap() -> None:
    sequencer = Sequencer(STREAM)
    assert sequencer.audio(frame(1, at=171)) == FRAME


def test_a_long_gap_is_filled_up_to_the_bound_and_the_rest_is_counted() -> None:
    sequencer = Sequencer(STREAM, max_fill_ms=500)
    sequencer.audio(frame(1))
    assert sequencer.audio(frame(102)) == silence(500) + FRAME
    assert (sequencer.filled_ms, sequencer.skipped_ms) == (500, 1500)


def test_audio_lost_before_it_was_numbered_shows_in_the_timestamp() -> None:
    sequencer = Sequencer(STREAM)
    sequencer.audio(frame(1, at=155))
    assert sequencer.audio(frame(2, at=375)) == silence(200) + FRAME


def test_jitter_of_the_timestamp_is_not_a_gap() -> None:
    sequencer = Sequencer(STREAM)
    for chunk, at in enumerate((155, 180, 195, 240, 236, 255), start=1):
        assert sequencer.audio(frame(chunk, at=at)) == FRAME
    assert sequencer.gaps == 0


def test_without_chunk_and_timestamp_the_sequence_number_tells_the_gap() -> None:
    sequencer = Sequencer(STREAM)
    sequencer.audio(frame(0, at=0, number=2))
    assert sequencer.audio(frame(0, at=0, number=5)) == silence(40) + FRAME


def test_a_mark_between_two_frames_is_not_a_gap_of_audio() -> None:
    sequencer = Sequencer(STREAM)
    sequencer.audio(frame(0, at=0, number=2))
    sequencer.admit(Mark(MarkDetails("a"), STREAM, 3))
    assert sequencer.audio(frame(0, at=0, number=4)) == FRAME


def test_a_frame_that_tells_nothing_of_its_place_is_taken_as_the_next() -> None:
    sequencer = Sequencer(STREAM)
    bare = Media(media=MediaDetails(FRAME))
    assert [sequencer.audio(bare) for _ in range(3)] == [FRAME] * 3


def test_a_repeated_frame_is_dropped() -> None:
    sequencer = Sequencer(STREAM)
    sequencer.audio(frame(1))
    assert sequencer.audio(frame(1)) == b""
    assert sequencer.dropped == 1


def test_a_frame_that_comes_after_its_place_was_filled_is_dropped() -> None:
    sequencer = Sequencer(STREAM)
    arrived = [sequencer.audio(frame(chunk)) for chunk in (1, 3, 2, 4)]
    assert arrived == [FRAME, silence(20) + FRAME, b"", FRAME]
    assert sequencer.dropped == 1


def test_the_agents_own_track_is_not_the_caller() -> None:
    sequencer = Sequencer(STREAM)
    assert sequencer.audio(frame(1, track="outbound")) == b""


def test_messages_of_another_stream_are_dropped() -> None:
    sequencer = Sequencer("MZ2")
    assert sequencer.audio(frame(1)) == b""
    assert not sequencer.admit(Stop(STREAM, 3))
    assert sequencer.dropped == 2


def test_a_digit_told_twice_counts_once_and_a_late_mark_still_counts() -> None:
    sequencer = Sequencer(STREAM)
    assert sequencer.admit(Dtmf(DtmfDetails("5"), STREAM, 9))
    assert not sequencer.admit(Dtmf(DtmfDetails("5"), STREAM, 9))
    assert sequencer.admit(Dtmf(DtmfDetails("5"), STREAM, 10))
    assert sequencer.admit(Mark(MarkDetails("a"), STREAM, 8))


def test_messages_without_a_number_are_never_taken_for_repeats() -> None:
    sequencer = Sequencer(STREAM)
    assert all(sequencer.admit(Mark(MarkDetails("a"))) for _ in range(3))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2**40)), max_size=60))
def test_whatever_arrives_audio_is_bounded_and_every_message_is_accounted_for(told: list[tuple[int, int]]) -> None:
    sequencer = Sequencer(STREAM, max_fill_ms=1000)
    out = [sequencer.audio(frame(chunk, at=at)) for chunk, at in told]
    assert all(len(audio) <= 8000 + len(FRAME) for audio in out)
    assert sum(not audio for audio in out) == sequencer.dropped
    assert sum(len(audio) for audio in out) == 8 * sequencer.filled_ms + len(FRAME) * (len(told) - sequencer.dropped)


@given(st.sets(st.integers(2, 80), max_size=40))
def test_lost_frames_leave_the_audio_as_long_as_it_was(lost: set[int]) -> None:
    sequencer = Sequencer(STREAM)
    audio = b"".join(sequencer.audio(frame(chunk)) for chunk in range(1, 101) if chunk not in lost)
    assert len(audio) == 100 * len(FRAME)
