"""What of a text has been handed on, so that another engine can go on from there."""

from collections import deque

from scriza.audio import mulaw
from scriza.modules.tts.clip import Made
from scriza.ports.tts import SpokenWord


class Handing:
    """Hands pieces for the phone line on, each word just before the audio in which it ends.

    When the making breaks off, words that have not ended are not told, so that `rest` is said from the last word that
    was, by pieces that begin again at zero.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = 0
        self._part_began = (0, 0)
        """Milliseconds and characters before the part that is being said."""
        self._chars = 0
        self._held: deque[SpokenWord] = deque()

    @property
    def begun(self) -> bool:
        """Whether anything has been heard of it."""
        return self._bytes > 0

    @property
    def seconds(self) -> float:
        """How long what was handed on sounds."""
        return self._bytes / mulaw.SAMPLE_RATE

    @property
    def said(self) -> str:
        """What has been said by words that are over."""
        return self._text[: self._chars]

    @property
    def rest(self) -> str:
        """What is still to be said; empty when no letter and no digit of it is left."""
        rest = self._text[self._chars :].lstrip()
        return rest if any(map(str.isalnum, rest)) else ""

    def take(self, piece: Made) -> Made:
        """The piece, with the words that end in it."""
        self._held.extend(self._placed(word) for word in piece.words)
        self._bytes += len(piece.audio)
        ended: list[SpokenWord] = []
        while self.begun and self._held and self._held[0].end_ms * mulaw.BYTES_PER_MS <= self._bytes:
            ended.append(self._held.popleft())
        self._tell(ended)
        return Made(piece.audio, ended)

    def finished(self) -> Made:
        """The words that are said to end after the last audio."""
        late = list(self._held)
        self._held.clear()
        self._tell(late)
        return Made(b"", late)

    def broken_off(self) -> None:
        """What comes next says the `rest`: the whole text where nothing has been heard of it."""
        self._held.clear()
        if not self.begun:
            return
        left_out = len(self._text[self._chars :]) - len(self._text[self._chars :].lstrip())
        self._part_began = (self._bytes // mulaw.BYTES_PER_MS, self._chars + left_out)

    def _placed(self, word: SpokenWord) -> SpokenWord:
        ms, chars = self._part_began
        return SpokenWord(word.start_ms + ms, word.end_ms + ms, word.chars + chars)

    def _tell(self, words: list[SpokenWord]) -> None:
        if words:
            self._chars = words[-1].chars
