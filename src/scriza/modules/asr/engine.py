"""What the module asks of an engine that recognises speech."""

from collections.abc import Sequence
from typing import Literal, Protocol

from scriza.audio.mulaw import Samples
from scriza.ports.asr import Transcript

Purpose = Literal["partial", "final", "recording"]
"""A `partial` is soon thrown away, for a `final` somebody waits on the phone, a `recording` may take time."""


class Engine(Protocol):
    """Recognises speech. `name` is in events and logs."""

    name: str

    places: int
    """How many live recognitions make sense at the same time; one recording, and the rest of an abandoned one, may run
    beside them."""

    partials: bool
    """Whether a growing utterance is worth being recognised again and again."""

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Purpose,
    ) -> Transcript:
        """Words of at most 30 s of audio, times in seconds since its start; an empty text when nobody speaks.

        `language` is BCP-47 or empty, `phrases` are likely, names and products first, `prompt` is a text such as the
        transcript may be, for engines that take one. Raises UpstreamFailed, Unavailable, DeadlineExceeded, and
        BadInput for a language that the engine cannot hear. Cancelling stops the work, or lets it end unheard.
        """
        ...

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        """The language that is spoken, BCP-47; empty when the engine is not sure, or hears one language only.

        Raises as `recognise`.
        """
        ...

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        """Do now what would make the first recognition with these late. Raises as `recognise`."""
        ...

    async def warm_up(self) -> None:
        """Load what is needed. Raises ScrizaError when the engine cannot work."""
        ...

    async def close(self) -> None:
        """Give back what was loaded; nothing is asked any more."""
        ...
