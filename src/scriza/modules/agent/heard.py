"""What of the agent's words the caller has heard, so that nothing is said twice. Pure."""

from collections.abc import Iterable, Sequence

from scriza.modules.agent.texts import plain, sentences
from scriza.ports.agent import Conversation
from scriza.ports.llm import ScriptLine

_TELLING = 4
"""Words from which on a sentence is one of its own: a "Great." may stand before many things."""


class Heard:
    """The lines and sentences that have reached the caller, in the order in which they did."""

    def __init__(self, conversation: Conversation) -> None:
        said = [exchange for exchange in conversation.exchanges if exchange.agent]
        self._lines = {id_: at for at, exchange in enumerate(said, 1) for id_ in exchange.line_ids}
        self._sentences = {
            sentence: at
            for at, text in enumerate([conversation.opening, *(exchange.agent for exchange in said)])
            for sentence in map(plain, sentences(text))
        }
        self.last_lines = list(said[-1].line_ids) if said else []
        """What the latest answer was made of."""
        self.ids = {id_ for exchange in conversation.exchanges for id_ in exchange.line_ids}
        """Lines and messages that were given, heard or not."""

    def latest(self, line: ScriptLine) -> int:
        """When it, or a telling sentence of it, was heard last: the number of the answer; -1 for never."""
        telling = [said for said in map(plain, sentences(line.text)) if len(said.split()) >= _TELLING]
        by_words = max((self._sentences.get(said, -1) for said in telling or [plain(line.text)]), default=-1)
        return max(by_words, self._lines.get(line.id, -1))

    def new(self, lines: Iterable[ScriptLine]) -> list[ScriptLine]:
        """Those of the lines that were not heard."""
        return [line for line in lines if self.latest(line) < 0]

    def whole(self, line: ScriptLine) -> bool:
        """Whether all of its sentences were heard, whatever line they belonged to."""
        return all(plain(sentence) in self._sentences for sentence in sentences(line.text))

    def times(self, lines: Sequence[ScriptLine]) -> int:
        """How many of the lines were heard."""
        return sum(self.latest(line) >= 0 for line in lines)
