"""What a call sends to the recogniser: each turn whole, however often it is asked for, in blocks of a bounded size."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scriza.audio.mulaw import BYTES_PER_MS
from scriza.kernel.errors import UpstreamFailed
from scriza.kernel.principal import Principal
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.live.recogniser import Recogniser
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript


class Listening:
    """Answers with how many milliseconds it got for each final, and remembers the longest block."""

    def __init__(self) -> None:
        self.longest = 0

    async def transcribe(self, request: Transcribe) -> Transcript:
        raise NotImplementedError

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        heard = 0
        async for block in blocks:
            if isinstance(block, Audio):
                heard += len(block.payload)
                self.longest = max(self.longest, len(block.payload))
            else:
                yield Final(str(heard // BYTES_PER_MS), 1.0, [], 0.0, 0.0)
                heard = 0


class Breaking(Listening):
    """Breaks at the third block that it ever gets."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks_in = 3

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        async def until_it_breaks() -> AsyncIterator[Audio | Finalize | Stop]:
            async for block in blocks:
                self.breaks_in -= 1
                if self.breaks_in == 0:
                    raise UpstreamFailed("scripted")
                yield block

        async for heard in super().stream(opening, until_it_breaks()):
            yield heard


async def understood(*acts: int | str) -> tuple[list[str], int]:
    """What a call is told after so many milliseconds of speech, `asks` and new `turn`s; and the longest block."""
    told: asyncio.Queue[on.Event] = asyncio.Queue()
    asr = Listening()
    recogniser = Recogniser(asr, Start(), told.put_nowait, Principal())
    for act in acts:
        match act:
            case "asks":
                recogniser.finalize()
            case "turn":
                recogniser.new_turn()
            case int(milliseconds):
                for _ in range(milliseconds // 100):
                    recogniser.hear(bytes(100 * BYTES_PER_MS))
    running = asyncio.create_task(recogniser.run())
    async with asyncio.timeout(20):
        words = [await told.get() for act in acts if act == "asks"]
    running.cancel()
    await asyncio.wait([running])
    return [word.text for word in words if isinstance(word, on.Words)], asr.longest


async def test_a_turn_is_understood_as_a_whole_after_each_pause_in_it() -> None:
    assert (await understood(1000, "asks", 500, "asks", 300, "asks"))[0] == ["1000", "1500", "1800"]


async def test_the_next_turn_begins_anew() -> None:
    assert (await understood(1000, "asks", "turn", 500, "asks"))[0] == ["1000", "500"]


async def test_a_long_turn_is_sent_again_in_blocks_that_a_socket_takes() -> None:
    words, longest = await understood(20_000, "asks", 100, "asks")
    assert words == ["20000", "20100"]
    assert longest <= 32_000


@pytest.mark.parametrize(("more_ms", "words"), [(500, "1000"), (0, "500")])
async def test_a_recogniser_that_breaks_in_a_turn_is_sent_all_of_the_turn_again(more_ms: int, words: str) -> None:
    told: asyncio.Queue[on.Event] = asyncio.Queue()
    recogniser = Recogniser(Breaking(), Start(), told.put_nowait, Principal())
    running = asyncio.create_task(recogniser.run())
    async with asyncio.timeout(20):
        for _ in range(5):
            recogniser.hear(bytes(100 * BYTES_PER_MS))
        assert await told.get() == on.RecogniserFailed()
        for _ in range(more_ms // 100):
            recogniser.hear(bytes(100 * BYTES_PER_MS))
        recogniser.finalize()
        assert await told.get() == on.Words(words, 1.0, final=True)
    running.cancel()
    await asyncio.wait([running])
