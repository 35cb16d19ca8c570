"""What is asked of the vendor for one clip, whichever way it travels."""

import re

import msgspec

from scriza.kernel.errors import BadInput
from scriza_adapters.elevenlabs.casting import Manner

_VOICE_ID = re.compile(r"[A-Za-z0-9]{1,64}")


class Dictionary(msgspec.Struct, frozen=True):
    """A pronunciation dictionary kept at the vendor. An empty `version` is the latest."""

    id: str
    version: str = ""


class Order(msgspec.Struct, frozen=True):
    """Everything that decides how the clip sounds. `language` is empty for models that refuse to be told."""

    text: str
    voice_id: str
    model: str
    language: str
    manner: Manner
    dictionaries: tuple[Dictionary, ...] = ()
    previous_text: str = ""
    next_text: str = ""

    def check(self) -> None:
        """Raises BadInput for a voice that cannot be one: its id becomes a part of a path."""
        if not _VOICE_ID.fullmatch(self.voice_id):
            raise BadInput("a voice of ElevenLabs is named by letters and digits")

    def sound(self) -> str:
        """The same for two orders that sound alike but for their text."""
        return msgspec.json.encode(
            [self.voice_id, self.model, self.language, self.manner, self.dictionaries]
            + ([self.previous_text, self.next_text] if self.previous_text or self.next_text else [])
        ).decode()


class Patience(msgspec.Struct, frozen=True):
    """Seconds to the first audio of a try, and between two pieces of it."""

    first_s: float = 1.6
    next_s: float = 2.0
