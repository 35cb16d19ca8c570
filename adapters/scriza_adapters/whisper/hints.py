"""What Whisper is told before it listens: as many hot words, and as much of a prompt, as it profits from."""

from collections.abc import Sequence
from typing import NamedTuple

_WORDS_CHARACTERS, _PROMPT_CHARACTERS = 300, 240
"""About 80 and 60 tokens; every one makes each recognition a little slower."""
_BETWEEN = ", "


class Hints(NamedTuple):
    """Texts that are taken for what was said before; both may be empty."""

    words: str
    prompt: str

    @property
    def text(self) -> str:
        """Both, as Whisper would repeat them."""
        return f"{self.words} {self.prompt}".strip()

    @property
    def echoes(self) -> list[str]:
        """What nobody says as it stands here. One phrase alone may well be all that a caller says."""
        prompted = [self.prompt, self.text] if self.prompt else []
        return [*prompted, self.words] if _BETWEEN in self.words else prompted


NO_HINTS = Hints("", "")


def hints(phrases: Sequence[str], prompt: str) -> Hints:
    """The first of `phrases`, where names and products stand, and the end of `prompt`, which counts most."""
    words = ""
    for phrase in phrases:
        longer = f"{words}{_BETWEEN}{phrase.strip()}" if words else phrase.strip()
        if len(longer) > _WORDS_CHARACTERS:
            break
        words = longer
    end = prompt.strip()[-_PROMPT_CHARACTERS:]
    if len(end) < len(prompt.strip()):
        end = end.partition(" ")[2]
    return Hints(words, end)
