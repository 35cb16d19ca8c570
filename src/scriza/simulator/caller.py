"""The caller: a scenario's lines as a machine that is asked for a frame of audio every 20 ms.

It knows time only by the frames it is asked for, and the agent only by its ears.
"""

from collections.abc import Generator
from typing import Protocol

from scriza.audio.mulaw import SAMPLE_RATE, Samples, encode
from scriza.simulator.clips import FRAME, Clip, mix, white_noise
from scriza.simulator.ears import Ears
from scriza.simulator.scenario import Digits, DropSocket, HangUp, InterruptAfter, Noise, Pause, Scenario, Wait

_MS = SAMPLE_RATE // 1000
Speech = tuple[Clip, int] | None
"""A frame of a clip, by its index; none is silence."""


class Hands(Protocol):
    """What the caller does other than making sounds. `at` is in samples since the call began."""

    def begins(self, clip: Clip, at: int) -> None:
        """An utterance begins: its first sample is on the line at `at`."""
        ...

    def presses(self, digit: str) -> None:
        """A key is pressed."""
        ...

    def hangs_up(self) -> None:
        """The caller ends the call."""
        ...

    def loses_socket(self) -> None:
        """The media socket is to break."""
        ...

    def waits_in_vain(self, what: str) -> None:
        """The agent did not do in time what a line waits for."""
        ...


class Caller:
    """Plays `scenario` with its `clips` (by line index). After the last line it waits, then hangs up."""

    def __init__(self, scenario: Scenario, clips: dict[int, Clip], hands: Hands) -> None:
        self._scenario, self._clips, self._hands = scenario, clips, hands
        hiss = encode(white_noise(scenario.line_noise_dbfs))
        self._hiss = [hiss[start : start + FRAME] for start in range(0, len(hiss), FRAME)]
        self._script = self._perform()
        self._at = 0
        self._ears = Ears()
        self._listened_from = 0
        self._noise: Samples | None = None
        self._noise_until = 0

    def frame(self, at: int, ears: Ears) -> bytes:
        """The 160 bytes of mu-law for the 20 ms from sample `at`; `ears` have heard everything before."""
        self._at, self._ears = at, ears
        speech = next(self._script, None)
        if self._noise is not None and at < self._noise_until:
            noise = self._noise[at % SAMPLE_RATE :][:FRAME]
            if speech is None:
                return encode(noise)
            clip, index = speech
            return encode(mix(clip.samples[index * FRAME :][:FRAME], noise))
        if speech is None:
            return self._hiss[at // FRAME % len(self._hiss)]
        clip, index = speech
        return clip.frames[index]

    def _perform(self) -> Generator[Speech]:
        for index, line in enumerate(self._scenario.lines):
            match line:
                case Pause():
                    yield from self._pass(line.ms)
                case Wait():
                    yield from self._await_silence(line)
                case InterruptAfter():
                    yield from self._await_speech(line)
                case Digits():
                    for digit in line.digits:
                        self._hands.presses(digit)
                        self._listened_from = self._at
                        yield from self._pass(line.gap_ms)
                case Noise():
                    self._noise = white_noise(self._scenario.level_dbfs - line.snr_db)
                    self._noise_until = self._at + line.ms * _MS
                case HangUp():
                    self._hands.hangs_up()
                    return
                case DropSocket():
                    self._hands.loses_socket()
                    self._listened_from = self._at
                case _:
                    yield from self._utter(self._clips[index])
        yield from self._pass(self._scenario.patience_ms)
        self._hands.hangs_up()

    def _utter(self, clip: Clip) -> Generator[Speech]:
        self._hands.begins(clip, self._at)
        end = self._at + clip.voiced.end
        for index in range(len(clip.frames)):
            yield clip, index
        self._listened_from = end

    def _pass(self, ms: int) -> Generator[Speech]:
        until = self._at + ms * _MS
        while self._at < until:
            yield None

    def _await_silence(self, line: Wait) -> Generator[Speech]:
        limit = self._at + line.limit_ms * _MS
        while self._at < limit:
            has_spoken = self._ears.until > self._listened_from
            if has_spoken and self._at - self._ears.until >= line.silence_ms * _MS:
                return
            yield None
        self._hands.waits_in_vain("the agent to finish")

    def _await_speech(self, line: InterruptAfter) -> Generator[Speech]:
        limit = self._at + line.limit_ms * _MS
        while self._at < limit:
            since = max(self._ears.run_since, self._listened_from)
            if self._ears.speaking and self._at - since >= line.ms * _MS:
                return
            yield None
        self._hands.waits_in_vain("the agent to speak")
