"""Words in, speech out."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

AudioFormat = Literal["mp3", "mulaw", "wav"]
"""`mulaw` is headerless G.711 mu-law at 8 kHz, as the phone line takes it; `mp3` and `wav` are mono, 22.05 kHz."""


class Speak(msgspec.Struct):
    """A text to be spoken."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    voice_id: str = ""
    """The engine's own name of a voice; empty takes the one that fits `tone` and `locale`."""
    tone: str = ""
    locale: str = "en-US"
    format: AudioFormat = "mp3"
    delivery: Literal["inline", "url"] = "inline"
    call_id: str = ""
    previous_text: str = ""
    """What was said just before, for the tone of voice; not spoken. An engine may sound the same without it."""
    next_text: str = ""
    """What will be said next, where it is known already; not spoken."""
    pronunciation: dict[str, str] = {}
    """Whole words or phrases, and what is said in their place; word times count in `text` all the same."""
    keep: bool = False
    """A fixed line of a playbook, spoken before any call: its clip is stored for good before the reply is given, and it
    is made by the engine of choice or not at all, since no stand-in may stay. For our own processes alone."""


class Spoken(msgspec.Struct, omit_defaults=True):
    """The whole clip: `audio_base64`, or a signed, expiring `url` with `delivery: url`.

    `duration` is in seconds, to the millisecond.
    """

    duration: float
    cache_hit: bool
    audio_base64: bytes | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if (self.audio_base64 is None) == (self.url is None):
            raise ValueError("either audio_base64 or url")


class SpokenWord(msgspec.Struct, frozen=True):
    """When a word of the text sounds, in milliseconds since the clip's start.

    `chars` is how much of the text has been said when the word ends: ``text[:chars]`` is what was heard by then.
    """

    start_ms: int
    end_ms: int
    chars: int


class SpokenAudio(msgspec.Struct, tag="audio"):
    """The next piece of the clip, mu-law 8 kHz: 8 bytes a millisecond."""

    payload: bytes


class SpokenWords(msgspec.Struct, tag="words"):
    """Times of the next words, told no later than the audio in which they end."""

    words: list[SpokenWord]


class SpokenDone(msgspec.Struct, tag="done"):
    """The clip is complete."""

    duration: float
    characters: int
    cache_hit: bool


class StartTalk(msgspec.Struct, tag="start"):
    """Opens a talk: texts are spoken one after the other by one voice."""

    voice_id: str = ""
    tone: str = ""
    locale: str = "en-US"
    call_id: str = ""


class TalkText(msgspec.Struct, tag="text"):
    """The next words of an utterance, cut anywhere. `context` names the utterance; a new name begins a new one."""

    text: str
    context: str = ""


class TalkFlush(msgspec.Struct, tag="flush"):
    """The utterance is complete. The same name may be used for another one after that."""

    context: str = ""


class TalkCancel(msgspec.Struct, tag="cancel"):
    """Stop making the utterance; the talk goes on. Nothing happens when it is over already."""

    context: str = ""


class TalkStop(msgspec.Struct, tag="stop"):
    """Ends the talk at once; what was not spoken is dropped."""


class TalkAudio(msgspec.Struct, tag="audio"):
    """The next piece of the utterance, mu-law 8 kHz."""

    payload: bytes
    context: str = ""


class TalkWords(msgspec.Struct, tag="words"):
    """Times of the next words, since the utterance's start; `chars` counts in all of its text."""

    words: list[SpokenWord]
    context: str = ""


class TalkDone(msgspec.Struct, tag="done"):
    """The utterance is over: spoken to its end, or `cancelled`. `duration` in seconds is what was sent of it."""

    duration: float
    characters: int
    context: str = ""
    cancelled: bool = False


class TalkFailed(msgspec.Struct, tag="failed"):
    """The utterance could not be spoken to its end; the talk goes on. The fields are those of problem details."""

    title: str
    status: int
    detail: str = ""
    context: str = ""


class SpeechCache(msgspec.Struct):
    """What one process's cache of clips was good for, since it started."""

    clips: int
    hits: int
    hit_rate: float
    """From 0 to 1."""
    characters_made: int
    characters_saved: int
    clips_in_memory: int
    bytes_in_memory: int
    engines: dict[str, Literal["closed", "open", "half-open"]]
    """Each engine's breaker: an open one is left alone for a while."""


class FixedTexts(msgspec.Struct):
    """Texts that are said word for word on the phone, by one voice. The fields are those of `Speak`."""

    texts: Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(max_length=5000)]
    voice_id: str = ""
    tone: str = ""
    locale: str = "en-US"
    pronunciation: dict[str, str] = {}


class KeptClip(msgspec.Struct, omit_defaults=True):
    """Whether a text's clip is kept for good: how large and, in seconds, how long it is; or what it costs to make."""

    kept: bool = False
    bytes: int = 0
    duration: float = 0.0
    cost_micro_usd: int | None = None
    """By the price of the engine of choice; null when that is not known."""


class KeptClips(msgspec.Struct):
    """One for each text, in their order."""

    clips: list[KeptClip]


class Tts(Protocol):
    """Speaks texts; the same text, voice and settings is synthesised once and then served from the cache."""

    @operation("POST /v1/speak", timeout=30, idempotent=True, keyed=True, scope=Scope.ENGINES)
    async def speak(self, request: Speak) -> Spoken:
        """The whole clip, in any format.

        Raises BadInput for a text with nothing to say, TooLarge past 5,000 characters, UpstreamFailed when no
        engine could speak it; with `keep` also Unavailable when the clip could not be stored, and Forbidden.
        """
        ...

    @operation("POST /v1/stream-speak", timeout=10, idempotent=True, keyed=True, scope=Scope.ENGINES)
    def stream_speak(self, request: Speak) -> AsyncIterator[SpokenAudio | SpokenWords | SpokenDone]:
        """The clip for the phone line as it is made: mu-law at 8 kHz, whatever `format` says."""
        ...

    @operation("WS /v1/stream-speak", scope=Scope.ENGINES)
    def talk(
        self, opening: StartTalk, blocks: AsyncIterator[TalkText | TalkFlush | TalkCancel | TalkStop]
    ) -> AsyncIterator[TalkAudio | TalkWords | TalkDone | TalkFailed]:
        """Texts as they are written, spoken as they come: a sentence is spoken when it is complete or flushed.

        Utterances are spoken in the order in which they began, and each ends with `done` or `failed`. When `blocks`
        end, what was sent is spoken to its end. Raises TooLarge when more than 50,000 characters, or 100 utterances,
        wait.
        """
        ...

    @operation("POST /v1/kept-clips", timeout=60, idempotent=True)
    async def kept_clips(self, asked: FixedTexts) -> KeptClips:
        """Which of these texts have a clip that `Speak.keep` has stored. Raises what `speak` says of a text."""
        ...

    @operation("GET /v1/speech-cache")
    async def speech_cache(self) -> SpeechCache:
        """How many clips came from the cache, and what that saved."""
        ...
