"""The recorder of one stream: what was heard, and what was played, each where it sounded."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scriza.audio.mulaw import SILENCE, silence
from scriza.modules.telephony.live.recorder import RecorderOptions, Segment, TwoLegs

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
FRAME = 20


def voice(ms: int, code: int = 7) -> bytes:
    return bytes([code]) * (ms * 8)


@dataclass
class Tape:
    """A recorder with a clock of its own, and what it has handed over."""

    now: float = 100.0
    segments: list[Segment] = field(default_factory=list)
    ended: int = 0

    def __post_init__(self) -> None:
        self._started = self.now
        options = RecorderOptions(segment=1000, grace=200)
        self.recorder = TwoLegs(self.segments.append, self._end, clock=self._clock, time=self._time, options=options)

    def _clock(self) -> datetime:
        return NOON + timedelta(seconds=self.now - 100)

    def _time(self) -> float:
        return self.now

    def _end(self) -> None:
        self.ended += 1

    def hear(self, ms: int, code: int = 7, *, skipped_ms: int = 0) -> None:
        """Frames come, each as soon as it has sounded."""
        for _ in range(ms // FRAME):
            self.now += FRAME / 1000
            self.recorder.heard(voice(FRAME, code), skipped_ms)

    def legs(self) -> tuple[bytes, bytes]:
        return b"".join(each.caller for each in self.segments), b"".join(each.agent for each in self.segments)


def test_both_legs_stand_where_they_sounded() -> None:
    tape = Tape()
    tape.hear(200)
    tape.recorder.played(voice(60, 9), tape.now)
    tape.hear(100, 8)
    tape.recorder.stop()
    caller, agent = tape.legs()
    assert caller == voice(200) + voice(100, 8)
    assert agent == silence(200) + voice(60, 9) + silence(40)


def test_pieces_sent_ahead_follow_one_another_without_a_gap() -> None:
    tape = Tape()
    for number in range(5):
        tape.recorder.played(voice(60, number), 100.0 + number * 0.06)
    tape.hear(300)
    tape.recorder.stop()
    assert tape.legs()[1] == b"".join(voice(60, number) for number in range(5))


def test_what_was_sent_but_cleared_is_not_in_it() -> None:
    tape = Tape()
    tape.recorder.played(voice(160, 9), tape.now)
    tape.hear(100)
    tape.recorder.cleared(tape.now)
    tape.hear(100)
    tape.recorder.played(voice(60, 5), tape.now)
    tape.hear(100)
    tape.recorder.stop()
    assert tape.legs()[1] == voice(100, 9) + silence(100) + voice(60, 5) + silence(40)


def test_what_was_sent_but_not_played_when_the_stream_ended_is_not_in_it() -> None:
    tape = Tape()
    tape.recorder.played(voice(160, 9), tape.now)
    tape.hear(100)
    tape.recorder.stop()
    assert tape.legs()[1] == voice(100, 9)


def test_a_long_call_is_handed_over_in_segments_that_follow_one_another() -> None:
    tape = Tape()
    tape.hear(2_500)
    assert [len(segment.caller) for segment in tape.segments] == [8_000, 8_000]
    tape.recorder.stop()
    assert [segment.last for segment in tape.segments] == [False, False, True]
    assert [segment.began_at for segment in tape.segments] == [NOON + timedelta(seconds=at) for at in (0, 1, 2)]
    assert tape.legs() == (voice(2_500), silence(2_500))


def test_what_the_stream_lost_is_silence() -> None:
    tape = Tape()
    tape.hear(100)
    tape.now += 0.5
    tape.hear(100, 8, skipped_ms=500)
    tape.recorder.stop()
    assert tape.legs()[0] == voice(100) + silence(500) + voice(100, 8)


def test_a_stall_of_the_network_moves_nothing() -> None:
    tape = Tape()
    tape.hear(100)
    tape.now += 0.3
    for _ in range(15):
        tape.recorder.heard(voice(FRAME), 0)
    tape.recorder.played(voice(60, 9), tape.now)
    tape.hear(100, 8)
    tape.recorder.stop()
    assert tape.legs() == (voice(400) + voice(100, 8), silence(400) + voice(60, 9) + silence(40))


def test_frames_that_waited_for_the_call_to_be_looked_up_began_before_it() -> None:
    tape = Tape()
    for _ in range(10):
        tape.recorder.heard(voice(FRAME), 0)
    tape.recorder.played(voice(60, 9), tape.now)
    tape.hear(100, 8)
    tape.recorder.stop()
    caller, agent = tape.legs()
    assert caller == voice(200) + voice(100, 8)
    assert agent == silence(200) + voice(60, 9) + silence(40)
    assert tape.segments[0].began_at == NOON - timedelta(milliseconds=200)


def test_a_leg_that_falls_behind_the_clock_is_brought_back_to_it() -> None:
    tape = Tape()
    for _ in range(30):  # a sender whose seconds are a tenth too long
        tape.hear(100)
        tape.now += 0.01
    tape.hear(1_000, 8)
    tape.recorder.stop()
    caller, _ = tape.legs()
    began = caller.index(voice(20, 8)) / 8
    assert abs(began - 3_300) < 140


def test_after_its_end_nothing_is_taken_and_the_end_is_told_on() -> None:
    tape = Tape()
    tape.hear(100)
    tape.recorder.stop()
    tape.recorder.heard(voice(FRAME), 0)
    tape.recorder.played(voice(60), tape.now)
    tape.recorder.cleared(tape.now)
    tape.recorder.stop()
    assert len(tape.segments) == 1
    tape.recorder.call_ended()
    assert tape.ended == 1


def test_a_stream_without_a_sound_is_an_empty_last_segment() -> None:
    tape = Tape()
    tape.recorder.stop()
    assert [(segment.caller, segment.last) for segment in tape.segments] == [(b"", True)]


def test_the_agents_leg_alone_is_handed_over_as_well() -> None:
    tape = Tape()
    for number in range(40):
        tape.now = 100.0 + number * 0.06
        tape.recorder.played(voice(60, 9), tape.now)
    assert len(tape.segments) == 2
    tape.recorder.stop()
    assert tape.legs()[1].rstrip(SILENCE) == voice(40 * 60 - 60, 9)


@given(
    st.lists(
        st.tuples(st.sampled_from(["heard", "played", "cleared", "pass"]), st.integers(0, 400), st.integers(-50, 300)),
        max_size=60,
    )
)
def test_whatever_is_told_the_legs_are_equally_long_and_in_order(told: list[tuple[str, int, int]]) -> None:
    tape = Tape()
    skipped = 0
    for act, ms, ahead in told:
        match act:
            case "heard":
                tape.recorder.heard(voice(ms), skipped)
            case "played":
                tape.recorder.played(voice(ms), tape.now + ahead / 1000)
            case "cleared":
                tape.recorder.cleared(tape.now)
            case _:
                tape.now += ms / 1000
                skipped += ahead % 7
    tape.recorder.stop()
    assert all(len(segment.caller) == len(segment.agent) for segment in tape.segments)
    assert [segment.last for segment in tape.segments][-1:] == [True]
    assert not any(segment.last for segment in tape.segments[:-1])
