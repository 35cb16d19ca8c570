"""Keeps a live recognition open for one call, and opens it again when it breaks."""

import asyncio
from collections.abc import AsyncIterator

import structlog

from scriza.audio.mulaw import BYTES_PER_MS
from scriza.kernel.errors import ScrizaError
from scriza.kernel.principal import Principal, acting
from scriza.kernel.redaction import without_cards
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.live.player import Tell
from scriza.ports.asr import Asr, Audio, Final, Finalize, Start, Stop

_BOUND = 400
"""Blocks that may wait for a slow recogniser: 40 s of speech."""
_LONGEST_BLOCK = 4000 * BYTES_PER_MS
"""A server of sockets takes no message of any length."""
_AGAIN_S = (0.1, 0.5, 2.0)
_log = structlog.get_logger()


class Recogniser:
    """Blocks of the caller's speech in, `Words` told.

    A pause is transcribed before it is clear whether it ends the turn. If the caller goes on, the turn is sent again
    from its beginning: words are understood from what stands before and after them, not from fragments.
    """

    def __init__(self, asr: Asr, opening: Start, tell: Tell, principal: Principal) -> None:
        self._asr, self._opening, self._tell, self._principal = asr, opening, tell, principal
        self._blocks: asyncio.Queue[Audio | Finalize | Stop] = asyncio.Queue(_BOUND)
        self._turn = bytearray()
        """All that was heard of the caller's turn."""
        self._lacks_turn = False
        """The recogniser has told, or lost, the turn so far: all of it is sent again before what comes next."""
        self.dropped = 0
        """Blocks that found no place."""

    def hear(self, audio: bytes) -> None:
        """A block of mu-law speech, 100 ms or more."""
        self._send_again()
        self._turn += audio
        self._put(Audio(audio))

    def new_turn(self) -> None:
        """What was heard is dealt with."""
        self._turn.clear()
        self._lacks_turn = False

    def finalize(self) -> None:
        """Ask for the words of the turn so far."""
        self._send_again()
        self._lacks_turn = bool(self._turn)
        if not self._put(Finalize()):
            self._tell(on.RecogniserFailed())

    async def run(self) -> None:
        """Recognise until cancelled; a recogniser that fails again and again is tried ever more rarely."""
        failures = 0
        while True:
            try:
                with acting(self._principal, call_id=self._opening.call_id):
                    async for heard in self._asr.stream(self._opening, self._take()):
                        failures = 0
                        self._tell(on.Words(without_cards(heard.text), heard.confidence, isinstance(heard, Final)))
            except ScrizaError as error:
                _log.warning("telephony.recogniser_failed", error=type(error).__name__, failures=failures)
            while not self._blocks.empty():
                self._blocks.get_nowait()
            self._lacks_turn = bool(self._turn)
            self._tell(on.RecogniserFailed())
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
            failures += 1

    def _send_again(self) -> None:
        if self._lacks_turn:
            self._lacks_turn = False
            for start in range(0, len(self._turn), _LONGEST_BLOCK):
                self._put(Audio(bytes(self._turn[start : start + _LONGEST_BLOCK])))

    def _put(self, block: Audio | Finalize) -> bool:
        try:
            self._blocks.put_nowait(block)
        except asyncio.QueueFull:
            self.dropped += 1
            return False
        return True

    async def _take(self) -> AsyncIterator[Audio | Finalize | Stop]:
        while True:
            yield await self._blocks.get()
