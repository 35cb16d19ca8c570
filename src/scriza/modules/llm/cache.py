"""Answers that can be given again: keyed by what decides the answer, kept for a while, bounded in number."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from scriza.ports.llm import ScriptLine, Turn, Usage


class Answer(msgspec.Struct, frozen=True):
    """A completed reply without tool calls."""

    text: str
    model: str
    usage: Usage
    estimated: bool


class TurnCache:
    """Keeps `size` answers at most, each for `ttl_s` seconds; the least recently used one goes first.

    Times are seconds of any clock that does not go back; a `ttl_s` of 0 keeps nothing.
    """

    def __init__(self, ttl_s: float, size: int = 4_096) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._answers: OrderedDict[str, tuple[float, Answer]] = OrderedDict()

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._ttl_s > 0 and self._size > 0

    def get(self, key: str, now: float) -> Answer | None:
        """The answer under `key`, unless it is too old."""
        found = self._answers.get(key)
        if found is None:
            return None
        expires, answer = found
        if now >= expires:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: str, answer: Answer, now: float) -> None:
        """Keep an answer."""
        if not self.keeps:
            return
        self._answers[key] = (now + self._ttl_s, answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._answers)


def cache_key(workspace: str, model: str, turn: Turn, script: Sequence[ScriptLine] = ()) -> str:
    """What decides the answer: workspace, model, persona, goals, messages, and tools when there are any.

    `script` belongs to it where the answer is chosen from it. Conversation and temperature do not.
    """
    decides = (workspace, model, turn.persona, turn.goals, turn.messages, turn.tools, script)
    return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()
