"""What the module asks of an engine that makes speech."""

from collections.abc import AsyncGenerator
from typing import Protocol

from scriza.audio.mulaw import Samples
from scriza.ports.tts import Speak, SpokenWord

Piece = tuple[Samples, list[SpokenWord]]
"""The next samples of a clip, and the words that end in them or later: told no later than their audio."""


class Engine(Protocol):
    """Makes speech. `name` is in events, logs and cache keys; engines of one `provider` are down together."""

    name: str
    provider: str

    def sound(self, request: Speak) -> str:
        """Everything that decides how a text sounds, besides the text: clips of the same sound are interchangeable."""
        ...

    def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
        """The clip, piece by piece, at 8000 or 22050 Hz.

        The last word's `chars` is the text's length. Closing the iterator stops the making. `format`, `delivery` and
        `call_id` of the request have no meaning here. Raises ScrizaError; before the first samples the work may be
        given to another engine.
        """
        ...

    def prepare(self, request: Speak) -> None:
        """A text of this voice will be asked for soon: begin what would make it late. Raises BadInput."""
        ...

    async def warm_up(self) -> None:
        """Do now what would make the first clip late. Raises ScrizaError when the engine cannot work."""
        ...
