"""Speech in, words out."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

Encoding = Literal["mulaw", "pcm16"]
"""`mulaw` is G.711 mu-law, one byte a sample; `pcm16` is signed 16-bit little-endian. Mono, both."""


class HeardWord(msgspec.Struct, frozen=True):
    """One recognised word; `start` and `end` in seconds since the audio's start, `confidence` from 0 to 1."""

    word: str
    start: float
    end: float
    confidence: float


class Transcribe(msgspec.Struct):
    """A whole recording. A WAV file is recognised by its header, whatever `encoding` says."""

    audio: bytes
    """Base64 in JSON; the raw body with any other content type, the other fields then ride in the query."""
    encoding: Encoding = "mulaw"
    sample_rate: Annotated[int, msgspec.Meta(ge=8000, le=48000)] = 8000
    language: str = ""
    """BCP-47, a hint; empty lets the engine detect or assume its own."""
    phrases: list[str] = []
    """What the caller is likely to say, the hardest to hear first: names, products, then expected answers."""
    prompt: str = ""
    """A text such as the transcript may be; it primes engines that take one for spelling and style."""
    call_id: str = ""


class Transcript(msgspec.Struct):
    """What was said; `text` is empty when nothing was."""

    text: str
    confidence: float
    words: list[HeardWord]


class Start(msgspec.Struct, tag="start"):
    """Opens a live recognition."""

    call_id: str = ""
    language: str = ""
    encoding: Encoding = "mulaw"
    sample_rate: Annotated[int, msgspec.Meta(ge=8000, le=48000)] = 8000
    phrases: list[str] = []
    prompt: str = ""


class Audio(msgspec.Struct, tag="audio"):
    """A block of audio, 100 ms or more: a binary message on the socket, or base64 in a text one."""

    payload: bytes


class Finalize(msgspec.Struct, tag="finalize"):
    """Asks for the final of all that was sent since the last final. Every finalize is answered by one `Final`."""


class Stop(msgspec.Struct, tag="stop"):
    """Ends the recognition; what was not finalised is dropped."""


class Partial(msgspec.Struct, tag="partial"):
    """What seems to have been said since the last final. Words may still change."""

    text: str
    confidence: float
    words: list[HeardWord]
    start: float
    end: float


class Final(msgspec.Struct, tag="final"):
    """What was said since the last final; `text` is empty when nothing was. Times in seconds of audio since `start`."""

    text: str
    confidence: float
    words: list[HeardWord]
    start: float
    end: float


class Asr(Protocol):
    """Recognises speech, whole or live."""

    @operation("POST /v1/transcribe", binary="audio", timeout=60, scope=Scope.ENGINES)
    async def transcribe(self, request: Transcribe) -> Transcript:
        """Words of a whole recording.

        Raises BadInput for what is not audio and where there is none, TooLarge past ten minutes, UpstreamFailed when
        the engine failed.
        """
        ...

    @operation("WS /v1/stream", binary="payload", scope=Scope.ENGINES)
    def stream(self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]) -> AsyncIterator[Partial | Final]:
        """Words of a live call, as they are said. Ends after `Stop`, or when `blocks` ends."""
        ...
