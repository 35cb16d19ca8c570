"""Endpointing by what the words look like and by the caller's own habit of pausing.

A finished sentence or a plain answer needs little silence; a trailing "and" needs much. Callers who pause long inside
their turns, or who were cut off, are given longer. The figures start from measured prompts, in which no pause without
punctuation lasted 400 ms; spontaneous speech pauses longer, hence the margins.
"""

import re

import msgspec

from scriza.modules.telephony.turns.endpointing import Pause

_CLOSED = frozenset(
    "yes yeah yep no nope okay ok sure right correct thanks goodbye bye hello hi maybe exactly absolutely".split()
)
_OPEN = frozenset(
    "and but or so because if when then that which a an the to of for with from at in on is are was my your i i'm "
    "i'd we our it's um uh er like about".split()
)
_LAST = frozenset("please bye goodbye thanks".split())
_NUMBER_WORDS = frozenset("zero one two three four five six seven eight nine oh double triple plus".split())
_WORD = re.compile(r"[\w']+")


class AdaptiveOptions(msgspec.Struct, frozen=True):
    """All in milliseconds of silence since the last voiced frame."""

    complete: int = 300
    """After a finished sentence or a closed answer such as "yes please"."""
    neutral: int = 550
    incomplete: int = 1000
    """After a word that cannot end a sentence, a trailing comma, or while digits are being dictated."""
    no_words: int = 700
    """While the words are not there yet."""
    short_speech: int = 200
    """Added when the turn has less than 400 ms of speech and is no closed answer."""
    usual_pause: int = 250
    """Pauses inside turns up to this cost nothing extra."""
    cut_off: int = 100
    """Added for each time that the caller was cut off."""
    least: int = 250
    most: int = 1500


class AdaptiveSilence:
    """Between `least` and `most`, by words and habit."""

    def __init__(self, options: AdaptiveOptions | None = None) -> None:
        self._options = options or AdaptiveOptions()

    def silence_needed(self, pause: Pause) -> int:
        """See `AdaptiveOptions`."""
        options = self._options
        words = _WORD.findall(pause.text.lower())
        needed = self._by_words(pause, words)
        if pause.speech_ms < 400 and not (words and words[0] in _CLOSED):
            needed += options.short_speech
        needed += options.cut_off * pause.cuts
        needed += max(0, _ninetieth(pause.inner_pauses_ms, options.usual_pause) - options.usual_pause)
        return min(max(needed, options.least), options.most)

    def _by_words(self, pause: Pause, words: list[str]) -> int:
        options = self._options
        if not pause.understood or not words:
            return options.no_words
        text = pause.text.rstrip()
        dictating = len(words) >= 2 and all(word in _NUMBER_WORDS or word.isdigit() for word in words[-2:])
        if text.endswith(",") or words[-1] in _OPEN or dictating:
            return options.incomplete
        if text.endswith((".", "?", "!")) or (words[0] in _CLOSED and len(words) <= 3) or words[-1] in _LAST:
            return options.complete
        return options.neutral


def _ninetieth(pauses: tuple[int, ...], otherwise: int) -> int:
    """The 90th percentile of the last ten; `otherwise` while there are fewer than three."""
    latest = sorted(pauses[-10:])
    return latest[round(0.9 * (len(latest) - 1))] if len(latest) >= 3 else otherwise
