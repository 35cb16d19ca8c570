"""What a model writes on its way to the voice: cut into clauses, cleaned, held against rules, bounded."""

from collections.abc import Callable, Iterator, Mapping

from scriza.modules.agent import scopes
from scriza.modules.agent.clauses import ClauseCutter, ClauseLimits
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.heard import Heard
from scriza.modules.agent.ranking import Ranking
from scriza.modules.agent.rules import Rule, Rules
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.texts import sentences
from scriza.ports.agent import Conversation

_WHOLE_SENTENCES = ClauseLimits(first_pause=400, later_pause=400, first_longest=400, later_longest=400)
"""A rule is broken by a sentence, so that none of it may be spoken before all of it is there."""
_MOST_WORDS = 70
"""Of one answer; who listens to more on the phone has forgotten the beginning. The sentence is finished."""
_HARD_LIMIT = 100
"""Words after which not even the sentence is finished."""
_SENTENCE_ENDS = tuple(".!?\u2026\u0964\"'\u201d")


class Guard:
    """Takes in what a model writes and gives back what is spoken.

    A sentence that a rule forbids is replaced by `instead_of(rule)`, once, or left out. What comes after the answer has
    grown too long is left out as well.
    """

    def __init__(self, rules: Rules, instead_of: Callable[[Rule], str]) -> None:
        self._rules = rules
        self._instead_of = instead_of
        self._cutter = ClauseCutter(_WHOLE_SENTENCES if rules.forbid else None)
        self._replaced: set[str] = set()
        self._words = 0
        self._at_sentence_end = True

    def push(self, written: str) -> list[str]:
        """What can be spoken with this next piece of text."""
        return list(self._spoken(self._cutter.push(written)))

    def flush(self) -> list[str]:
        """The rest: the text has ended, or something else than text follows."""
        return list(self._spoken(self._cutter.flush()))

    def _spoken(self, clauses: list[str]) -> Iterator[str]:
        for clause in clauses:
            text = self._allowed(speakable(clause))
            if text and not self._is_full():
                self._words += len(text.split())
                self._at_sentence_end = text.endswith(_SENTENCE_ENDS)
                yield text

    def _allowed(self, text: str) -> str:
        """The text with other sentences in the place of forbidden ones; short ones come with their neighbours."""
        if not self._rules.broken_by(text):
            return text
        return " ".join(said for sentence in sentences(text) if (said := self._instead(sentence)))

    def _instead(self, sentence: str) -> str:
        rule = self._rules.broken_by(sentence)
        if rule is None:
            return sentence
        said = "" if rule.id in self._replaced else self._instead_of(rule)
        self._replaced.add(rule.id)
        return said

    def _is_full(self) -> bool:
        return self._words >= (_MOST_WORDS if self._at_sentence_end else _HARD_LIMIT)


def guard(guide: Guide, conversation: Conversation, slots: Mapping[str, str]) -> Guard:
    """The guard of one answer; in the place of a forbidden sentence comes what was not heard yet, if there is any."""
    ranking = Ranking(guide, Heard(conversation), slots)

    def instead_of(rule: Rule) -> str:
        lines = guide.saying(scopes.guardrail(rule.id)).lines
        usable = ranking.fresh(lines) or ranking.ready(lines)
        return usable[0].text if usable else ""

    return Guard(guide.rules, instead_of)


def spoken_line(text: str) -> list[str]:
    """A line of the playbook in the clauses that it is spoken in."""
    cutter = ClauseCutter()
    return [said for clause in (*cutter.push(text), *cutter.flush()) if (said := speakable(clause))]
