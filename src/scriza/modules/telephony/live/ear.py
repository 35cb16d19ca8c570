"""Listens to the caller: voice activity becomes events, speech becomes blocks for the recogniser.

Nothing here waits or hops: each frame is judged where it is read. The recogniser gets speech only, with what came
just before it, since voice activity is noticed some 60 to 100 ms late.
"""

from collections import deque
from collections.abc import Callable

from scriza.audio.mulaw import BYTES_PER_MS
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.live.player import Tell
from scriza.modules.telephony.vad import Offset, Ongoing, Onset, SpeechGate, Vad

_PRE_ROLL = 300 * BYTES_PER_MS
_BLOCK = 100 * BYTES_PER_MS


class Ear:
    """One call's listener. `heard` takes blocks of mu-law, 100 ms or more."""

    def __init__(self, vad: Vad, tell: Tell, heard: Callable[[bytes], None]) -> None:
        self._vad, self._gate, self._tell, self._heard = vad, SpeechGate(vad.window_ms), tell, heard
        self._before: deque[bytes] = deque()
        self._before_bytes = 0
        self._block = bytearray()

    def hear(self, audio: bytes) -> None:
        """The next audio of the stream, usually a frame of 20 ms."""
        if self._gate.speaking:
            self._block += audio
            if len(self._block) >= _BLOCK:
                self._hand_over()
        else:
            self._keep(audio)
        for probability, level_dbfs in self._vad.push(audio):
            match self._gate.push(probability, level_dbfs):
                case Onset(level_dbfs=level):
                    self._block += b"".join(self._before)
                    self._before.clear()
                    self._before_bytes = 0
                    self._tell(on.SpeechStarted(level))
                case Ongoing(speech_ms=speech_ms, level_dbfs=level):
                    self._tell(on.SpeechGoesOn(speech_ms, level))
                case Offset(speech_ms=speech_ms, silence_ms=silence_ms, level_dbfs=level):
                    self._hand_over()
                    self._tell(on.SpeechEnded(speech_ms, silence_ms, level))
                case None:
                    pass

    def _keep(self, audio: bytes) -> None:
        self._before.append(audio)
        self._before_bytes += len(audio)
        while self._before_bytes - len(self._before[0]) >= _PRE_ROLL:
            self._before_bytes -= len(self._before.popleft())

    def _hand_over(self) -> None:
        if self._block:
            self._heard(bytes(self._block))
            self._block.clear()
