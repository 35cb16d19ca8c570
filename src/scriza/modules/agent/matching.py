"""What the caller means: words to an intent of the playbook. Pure, and the same words always mean the same."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from scriza.modules.agent.playbook import Intent, Playbook, Slot, Stage

_LONGEST = 60
"""Words of an utterance that are looked at."""
_THRESHOLD = 0.5
"""A score from 0 to 1 must be above this to be taken for what is meant."""
_STAGE_BONUS = 0.15
_TRIGGER, _TRIGGER_WORD, _TRIGGER_MORE = 0.55, 0.1, 0.1
"""The score of one trigger of one word, for each further word of it, and for each further trigger."""
_WEAK, _WEAK_COVERAGE = 0.35, 0.6
"""A weak intent's score: a base, and a share by how much of the utterance its triggers cover."""
# The lists of words are English. In other languages phrases and triggers are matched without their help.
_FILLERS = frozenset("a an the uh um er hm well so just please oh and to of i my me you it is that really".split())
_FILLER_WEIGHT = 0.2
_NEGATIONS = frozenset({"not", "never", "without"})
_NEGATION_REACH = 3
_LEADING = frozenset({"in", "at", "around", "on"})
_TRAILING = frozenset({"in", "at", "around", "on", "the", "this", "next", "after", "half", "past"})

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_HALF_DAY = re.compile(r"\b([ap])\.\s?m\b\.?")
_WHOLE = {"can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not", "o'clock": "o'clock"}
_ENDINGS = {"n't": " not", "'m": " am", "'re": " are", "'ve": " have", "'ll": " will", "'d": " would", "'s": " is"}


def words(text: str) -> list[str]:
    """The words of a text in lower case, contractions written out: ``I'm`` becomes ``i am``."""
    found = _WORD.findall(_HALF_DAY.sub(r"\1m", text.replace("\u2019", "'").casefold()))
    return [part for word in found for part in _written_out(word).split(" ")]


def _written_out(word: str) -> str:
    if word in _WHOLE:
        return _WHOLE[word]
    for ending, long in _ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return word[: -len(ending)] + long
    return word


class _Pattern(msgspec.Struct, frozen=True):
    """An intent, prepared for scoring."""

    intent: Intent
    phrases: list[tuple[frozenset[str], float]]
    """Each with the weight of its words."""
    triggers: list[list[str]]


class Matcher:
    """Scores every intent of a playbook against an utterance.

    A phrase counts by the Dice coefficient of its words and the utterance's, weighted by how rare a word is among all
    phrases; a trigger counts where it stands in the utterance unless a negation stands shortly before it. An intent
    that the stage has an answer for is a little likelier. Of equals, the first in the playbook wins.
    """

    def __init__(self, playbook: Playbook) -> None:
        phrases = {intent.id: [frozenset(words(phrase)) for phrase in intent.phrases] for intent in playbook.intents}
        total = sum(map(len, phrases.values()))
        seen = Counter(word for several in phrases.values() for phrase in several for word in phrase)
        self._weights = {word: self._rarity(total, count, word) for word, count in seen.items()}
        self._weight_of_new = self._rarity(total, 1, "")
        self._patterns = [
            _Pattern(
                intent,
                [(phrase, self._weight(phrase)) for phrase in phrases[intent.id]],
                [words(trigger) for trigger in intent.triggers],
            )
            for intent in playbook.intents
        ]

    @staticmethod
    def _rarity(phrases: int, count: int, word: str) -> float:
        return math.log(1 + phrases / count) * (_FILLER_WEIGHT if word in _FILLERS else 1)

    def match(self, utterance: str, stage: Stage) -> Intent | None:
        """The intent that the utterance fits best, or none when it fits nothing."""
        said = words(utterance)[:_LONGEST]
        best, best_score = None, _THRESHOLD
        for pattern in self._patterns if said else ():
            score = self._score(pattern, said)
            if score and pattern.intent.id in stage.answers:
                score += _STAGE_BONUS
            if score > best_score:
                best, best_score = pattern.intent, score
        return best

    def by_key(self, digits: str) -> Intent | None:
        """The intent of the first key that means something."""
        for digit in digits:
            for pattern in self._patterns:
                if digit in pattern.intent.keys:
                    return pattern.intent
        return None

    def _score(self, pattern: _Pattern, said: Sequence[str]) -> float:
        spoken = frozenset(said)
        weight = self._weight(spoken)
        similar = max(
            (2 * self._weight(spoken & phrase) / (weight + heavy) for phrase, heavy in pattern.phrases), default=0.0
        )
        hits = [trigger for trigger in pattern.triggers if _stands_in(trigger, said)]
        if not hits:
            return similar
        if pattern.intent.weak:
            covered = spoken.intersection(word for trigger in hits for word in trigger)
            triggered = _WEAK + _WEAK_COVERAGE * self._weight(covered) / weight
        else:
            longest = max(len(trigger) for trigger in hits)
            triggered = _TRIGGER + _TRIGGER_WORD * (longest - 1) + _TRIGGER_MORE * (len(hits) - 1)
        return max(similar, min(triggered, 0.95))

    def _weight(self, spoken: Iterable[str]) -> float:
        return sum(self._weights.get(word, self._weight_of_new) for word in spoken)


def slot_value(slot: Slot, triggers: Iterable[str], utterance: str) -> str:
    """The longest run of the slot's words that holds a trigger; empty when there is none.

    >>> slot_value(Slot("time", ["tomorrow afternoon at three"]), ["tomorrow"], "How about tomorrow at three?")
    'tomorrow at three'
    """
    vocabulary = {word for item in slot.words for word in item.split(" ")}
    wanted = [words(trigger) for trigger in triggers]
    runs: list[list[str]] = [[]]
    for word in words(utterance)[:_LONGEST]:
        if word in vocabulary:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    fitting = [_trimmed(run) for run in runs if any(_find(trigger, run) >= 0 for trigger in wanted)]
    longest: list[str] = max(fitting, key=len, default=[])
    return " ".join(longest)


def _trimmed(run: list[str]) -> list[str]:
    """Without words at the ends that need others beside them."""
    start, end = 0, len(run)
    while start < end and run[start] in _LEADING:
        start += 1
    while end > start and run[end - 1] in _TRAILING:
        end -= 1
    return run[start:end]


def _stands_in(trigger: Sequence[str], said: Sequence[str]) -> bool:
    position = _find(trigger, said)
    if position < 0:
        return False
    before = said[max(0, position - _NEGATION_REACH) : position]
    return bool(_NEGATIONS.intersection(trigger)) or not _NEGATIONS.intersection(before)


def _find(part: Sequence[str], whole: Sequence[str]) -> int:
    length = len(part)
    for position in range(len(whole) - length + 1):
        if list(whole[position : position + length]) == list(part):
            return position
    return -1
