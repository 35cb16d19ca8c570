"""What the caller means: words to an intent, an objection or an FAQ. Pure, and the same words always mean the same."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from scriza.modules.agent.meaning import Meaning
from scriza.ports.playbook import SlotWords, Stage

_LONGEST = 60
"""Words of an utterance that are looked at."""
# Scores go from 0 to 1.
_SIMILAR = 0.7
"""From here on a phrase counts without a trigger."""
_VERBATIM = 1.0
_STAGE_BONUS = 0.15
_TRIGGER, _TRIGGER_WORD, _TRIGGER_MORE, _MOST_TRIGGERED = 0.55, 0.1, 0.1, 0.95
"""The score of one trigger of one word, for each further word of it, for each further trigger, and at most."""
_WEAK, _WEAK_COVERAGE, _WEAK_COUNTS = 0.35, 0.6, 0.5
"""The score of a weak one: a base, a share by how much of the words its triggers cover, and the least that counts."""
# The lists of words are English. In other languages phrases and triggers are matched without their help.
FILLERS = frozenset("a an the uh um er hm well so just please oh and to of i my me you it is that really".split())
_FILLER_WEIGHT = 0.2
NEGATIONS = frozenset({"not", "never", "without"})
_NEGATION_REACH = 3
_NEGATION_OF_WISHES = 1
"""Words before a trigger in which a negation denies it; what prevails is denied only outright."""
_LEADING = frozenset({"in", "at", "around", "on"})
_TRAILING = frozenset({"in", "at", "around", "on", "the", "this", "next", "after", "half", "past"})

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_HALF_DAY = re.compile(r"\b([ap])\.\s?m\b\.?")
_WHOLE = {"can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not"}
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


class _Phrase(msgspec.Struct, frozen=True, eq=False):
    """A phrase that means something, prepared for scoring; two are never the same."""

    meaning: str
    negated: bool
    weight: float


class Matcher:
    """Scores everything that callers may mean against an utterance.

    A phrase counts by the Dice coefficient of its words and the utterance's, weighted by how rare a word is among all
    phrases, unless one of the two is negated and the other is not. A trigger counts where it stands in the utterance
    unless a negation stands shortly before it. What the stage has an answer for is a little likelier, and a weak one
    counts when it is said verbatim or when nothing else fits. Of equals, the first one wins. What prevails, as the wish
    to be called no more does, goes before all when it is triggered.
    """

    def __init__(self, meanings: Iterable[Meaning]) -> None:
        self._meanings = list(meanings)
        self._prevailing = [meaning for meaning in self._meanings if meaning.prevails]
        self._triggers = {
            meaning.id: [(f" {' '.join(words(trigger))} ", len(words(trigger))) for trigger in meaning.triggers]
            for meaning in self._meanings
        }
        said = [(meaning.id, frozenset(words(phrase))) for meaning in self._meanings for phrase in meaning.phrases]
        seen = Counter(word for _, phrase in said for word in phrase)
        self._weights = {word: _rarity(len(said), count, word) for word, count in seen.items()}
        self._weight_of_new = _rarity(len(said), 1, "")
        self._phrases_with: dict[str, list[_Phrase]] = {word: [] for word in seen}
        for meaning_id, phrase in said:
            prepared = _Phrase(meaning_id, not NEGATIONS.isdisjoint(phrase), self._weight(phrase))
            for word in phrase:
                self._phrases_with[word].append(prepared)

    def match(self, utterance: str, stage: Stage) -> Meaning | None:
        """What the utterance fits best, or none when it fits nothing."""
        said = words(utterance)[:_LONGEST]
        if not said:
            return None
        if wish := next((meaning for meaning in self._prevailing if self._triggered(meaning, said)), None):
            return wish
        similar = self._similarities(frozenset(said))
        best: dict[bool, tuple[float, Meaning | None]] = {True: (0.0, None), False: (0.0, None)}
        for meaning in self._meanings:
            score = max(self._triggered(meaning, said), similar.get(meaning.id, 0.0))
            if score and meaning.id in stage.answers:
                score += _STAGE_BONUS
            if score > best[meaning.weak][0]:
                best[meaning.weak] = score, meaning
        (weak_score, weak), (_, strong) = best[True], best[False]
        return weak if strong is None or weak_score >= _VERBATIM else strong

    def _similarities(self, said: frozenset[str]) -> dict[str, float]:
        """The similarity of each meaning's most similar phrase, where it is close enough to count."""
        weight, negated = self._weight(said), not NEGATIONS.isdisjoint(said)
        common: dict[_Phrase, float] = {}
        for word in said:
            for phrase in self._phrases_with.get(word, ()):
                common[phrase] = common.get(phrase, 0.0) + self._weights[word]
        best: dict[str, float] = {}
        for phrase, shared in common.items():
            similarity = 2 * shared / (weight + phrase.weight)
            if phrase.negated == negated and similarity >= _SIMILAR:
                best[phrase.meaning] = max(similarity, best.get(phrase.meaning, 0.0))
        return best

    def _triggered(self, meaning: Meaning, said: Sequence[str]) -> float:
        line = f" {' '.join(said)} "
        reach = _NEGATION_OF_WISHES if meaning.prevails else _NEGATION_REACH
        hits = [hit for hit in self._triggers[meaning.id] if hit[0] in line and not _is_negated(hit[0], line, reach)]
        if not hits:
            return 0.0
        if meaning.weak:
            covered = {word for trigger, _ in hits for word in trigger.split()}
            share = self._weight(covered) / self._weight(frozenset(said))
            score = _WEAK + _WEAK_COVERAGE * share
            return score if score > _WEAK_COUNTS else 0.0
        longest = max(length for _, length in hits)
        return min(_TRIGGER + _TRIGGER_WORD * (longest - 1) + _TRIGGER_MORE * (len(hits) - 1), _MOST_TRIGGERED)

    def _weight(self, said: Iterable[str]) -> float:
        return sum(self._weights.get(word, self._weight_of_new) for word in said)

    def by_key(self, digits: str) -> Meaning | None:
        """What the first key that means something means."""
        meant = (meaning for digit in digits for meaning in self._meanings if digit in meaning.keys)
        return next(meant, None)


def _rarity(phrases: int, count: int, word: str) -> float:
    return math.log(1 + phrases / count) * (_FILLER_WEIGHT if word in FILLERS else 1)


def slot_value(slot: SlotWords, triggers: Iterable[str], utterance: str) -> str:
    """The longest run of the slot's words that holds a trigger; empty when there is none.

    >>> slot_value(SlotWords(name="time", words=["tomorrow at three"]), ["tomorrow"], "How about tomorrow at three?")
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


def _is_negated(trigger: str, line: str, reach: int) -> bool:
    """Whether a negation stands shortly before the trigger, which has none of its own; both have spaces around."""
    before = line[: line.index(trigger)].split()[-reach:]
    return not NEGATIONS.isdisjoint(before) and NEGATIONS.isdisjoint(trigger.split())


def _find(part: Sequence[str], whole: Sequence[str]) -> int:
    length = len(part)
    for position in range(len(whole) - length + 1):
        if list(whole[position : position + length]) == list(part):
            return position
    return -1
