"""Answers that can be given again: keyed by what decides the answer, kept for a while, bounded in number and size."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import structlog

from scriza.kernel.errors import ScrizaError
from scriza.ports.llm import ScriptLine, Turn, UsagePiece
from scriza.ports.shared_state import SharedState

_log = structlog.get_logger()

_SHARED_DEADLINE_S = 0.05
"""A caller waits for the answer: asking the model costs more than this, but not much more."""
_AWAY_S = 5.0
"""A shared state that did not answer is not asked again for so long."""


class Answer(msgspec.Struct, frozen=True):
    """A completed reply without tool calls."""

    text: str
    model: str
    usage: UsagePiece


class TurnCache:
    """Keeps `size` answers of `most_characters` together at most; the least recently used one goes first.

    Each is kept for `ttl_s` seconds of any clock that does not go back; a `ttl_s` of 0 keeps nothing.
    """

    def __init__(self, ttl_s: float, size: int = 4_096, most_characters: int = 8_000_000) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._most_characters = most_characters
        self._characters = 0
        self._answers: OrderedDict[str, tuple[float, Answer]] = OrderedDict()

    def get(self, key: str, now: float) -> Answer | None:
        """The answer under `key`, unless it is too old."""
        found = self._answers.get(key)
        if found is None:
            return None
        expires, answer = found
        if now >= expires:
            self._forget(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: str, answer: Answer, now: float) -> None:
        """Keep an answer."""
        if self._ttl_s <= 0:
            return
        self._forget(key)
        self._answers[key] = (now + self._ttl_s, answer)
        self._characters += len(answer.text)
        while len(self._answers) > self._size or self._characters > self._most_characters:
            self._forget(next(iter(self._answers)))

    def clear(self) -> int:
        """Keep nothing; returns how many answers there were."""
        kept, self._characters = len(self._answers), 0
        self._answers.clear()
        return kept

    def _forget(self, key: str) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self._characters -= len(found[1].text)

    def __len__(self) -> int:
        return len(self._answers)


class AnswerCache:
    """Where a module keeps its answers: in this process, or in the state that all processes share.

    A shared state that does not answer at once is a miss; that it is away is told in the log when it goes, and that it
    is back when it comes.
    """

    def __init__(self, ttl_s: float, size: int = 4_096, shared: SharedState | None = None) -> None:
        self.keeps = ttl_s > 0 and size > 0
        """Whether anything is kept at all."""
        self._here = TurnCache(ttl_s, size)
        self._ttl = timedelta(seconds=ttl_s)
        self._shared = shared
        self._away = False
        self._ask_again_at = 0.0

    async def get(self, key: str) -> Answer | None:
        """The answer under `key`, if there is one that can be had at once."""
        now = asyncio.get_running_loop().time()
        if self._shared is None:
            return self._here.get(key, now)
        if now < self._ask_again_at:
            return None
        try:
            async with asyncio.timeout(_SHARED_DEADLINE_S):
                kept = await self._shared.get(_name(key))
        except (ScrizaError, TimeoutError) as error:
            self._gone(error)
            return None
        self._back()
        try:
            return None if kept is None else msgspec.json.decode(kept, type=Answer)
        except msgspec.DecodeError:
            return None

    async def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, if that can be done at once."""
        now = asyncio.get_running_loop().time()
        if self._shared is None:
            self._here.put(key, answer, now)
            return
        if now < self._ask_again_at:
            return
        try:
            async with asyncio.timeout(_SHARED_DEADLINE_S):
                await self._shared.put(_name(key), msgspec.json.encode(answer), self._ttl)
        except (ScrizaError, TimeoutError) as error:
            self._gone(error)
        else:
            self._back()

    async def forget(self, workspace: str) -> int:
        """Forget the answers of a workspace; in this process those of all others too. Returns how many there were.

        Raises what the shared state raises.
        """
        forgotten = self._here.clear()
        if self._shared is not None:
            async for name in self._shared.keys(_name(f"{workspace}/")):
                forgotten += await self._shared.delete(name)
        return forgotten

    def _gone(self, error: ScrizaError | TimeoutError) -> None:
        if not self._away:
            _log.warning("llm.shared_cache_away", error=type(error).__name__)
        self._away = True
        self._ask_again_at = asyncio.get_running_loop().time() + _AWAY_S

    def _back(self) -> None:
        if self._away:
            _log.info("llm.shared_cache_back")
        self._away = False


def cache_key(workspace: str, model: str, turn: Turn, script: Sequence[ScriptLine] = ()) -> str:
    """What decides the answer: workspace, model, persona, goals, messages, and tools when there are any.

    `script` belongs to it where the answer is chosen from it. Conversation and temperature do not. The form is JSON
    with its keys in order, so that it does not matter in which order a client wrote a tool's parameters.
    """
    decides = (workspace, model, turn.persona, turn.goals, turn.messages, turn.tools, script)
    digest = hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()
    return f"{workspace}/{digest}"


def ran_tools(turn: Turn) -> bool:
    """Whether tools have run for this turn: what they found may be another thing the next time."""
    for message in reversed(turn.messages):
        if message.role == "user":
            return False
        if message.role == "tool":
            return True
    return False


def _name(key: str) -> str:
    return f"llm/answer/2/{key}"
