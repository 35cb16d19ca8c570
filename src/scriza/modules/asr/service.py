"""Speech in: whole recordings and live calls, recognised by one engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from scriza.audio.mulaw import Samples
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, DeadlineExceeded
from scriza.modules.asr.cutting import cut
from scriza.modules.asr.engine import Engine
from scriza.modules.asr.live import Live
from scriza.modules.asr.places import Places
from scriza.modules.asr.recognition import Asked, Recognition, joined, later
from scriza.modules.asr.sound import check_rate, recording
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.events import Teller

_RECORDING_S = 58.0
"""A little less than the door gives, so that the reason is told."""
_RECORDINGS_WAITING = 16
_MOST_PHRASES, _LONGEST_PHRASE = 2000, 200
_LONGEST_PROMPT = 2000


class AsrService:
    """Implements `ports.asr.Asr` by `engine`. A recording has a place of its own beside those of live calls."""

    def __init__(self, engine: Engine, teller: Teller, *, clock: WallClock = utc_now) -> None:
        self._engine = engine
        self._teller = teller
        self._clock = clock
        self._calls = Places(engine.places)
        self._recordings = Places(1, waiting=_RECORDINGS_WAITING, latest_first=False)

    async def start(self) -> None:
        """Load the engine. Raises ScrizaError when it cannot work."""
        await self._engine.warm_up()

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()

    async def transcribe(self, request: Transcribe) -> Transcript:
        """Words of a whole recording, recognised piece by piece."""
        _check_hints(request.phrases, request.prompt)
        samples, rate = await asyncio.to_thread(recording, request)
        if not len(samples):
            raise BadInput("audio: there is none")
        asked = Asked(request.call_id, rate, request.language, request.phrases, request.prompt)
        recognition = Recognition(self._engine, self._recordings, self._teller, self._clock, asked)
        try:
            async with asyncio.timeout(_RECORDING_S):
                return await _transcribed(recognition, samples, rate)
        except TimeoutError:
            seconds = len(samples) / rate
            raise DeadlineExceeded(
                f"{seconds:.0f} s of audio take longer than {_RECORDING_S:.0f} s: send it in shorter pieces"
            ) from None

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        """Words of a live call."""
        check_rate(opening.sample_rate)
        _check_hints(opening.phrases, opening.prompt)
        asked = Asked(opening.call_id, opening.sample_rate, opening.language, opening.phrases, opening.prompt)
        live = Live(opening, Recognition(self._engine, self._calls, self._teller, self._clock, asked))
        async with aclosing(live.run(blocks)) as heard:
            async for item in heard:
                yield item


async def _transcribed(recognition: Recognition, samples: Samples, rate: int) -> Transcript:
    pieces: list[Transcript] = []
    done = 0
    while done < len(samples):
        piece = samples[done:][: cut(samples[done:], rate)]
        pieces.append(later(await recognition.words(piece, "recording"), done / rate))
        done += len(piece)
    return joined(pieces)


def _check_hints(phrases: Sequence[str], prompt: str) -> None:
    if len(phrases) > _MOST_PHRASES or any(len(phrase) > _LONGEST_PHRASE for phrase in phrases):
        raise BadInput(f"at most {_MOST_PHRASES} phrases of at most {_LONGEST_PHRASE} characters are taken")
    if len(prompt) > _LONGEST_PROMPT:
        raise BadInput(f"a prompt of at most {_LONGEST_PROMPT} characters is taken")
