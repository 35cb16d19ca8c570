"""Answers from the lines that come with the turn: with no model configured, and when the model is down."""

import re
from collections.abc import AsyncGenerator

from scriza.kernel.errors import Unavailable
from scriza.modules.llm.engine import Piece
from scriza.ports.llm import TextPiece, Turn, UsagePiece
from scriza.ports.tokens import estimated_usage

PLAYBOOK = "playbook"
"""The name of this engine, and of the only model that it has."""

_WORDS = re.compile(r"\S+\s*|\s+")


class PlaybookEngine:
    """Says the best line of the script that has not been said yet. The same turn always gets the same answer."""

    async def stream(self, turn: Turn) -> AsyncGenerator[Piece, None]:
        """The line, word by word. Raises Unavailable when the turn has no script."""
        if not turn.script:
            raise Unavailable("no language model is configured, and the request has no script to answer from")
        line = _best_line(turn)
        for words in _WORDS.findall(line):
            yield TextPiece(words)
        usage = estimated_usage(turn.messages, line)
        yield UsagePiece(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, estimated=True)


def _best_line(turn: Turn) -> str:
    """The first line that no message of ours holds; when all have been said, the first."""
    said = [_plain(message.content) for message in turn.messages if message.role == "assistant"]
    fresh = (line.text for line in turn.script if not any(_plain(line.text) in earlier for earlier in said))
    return next(fresh, turn.script[0].text)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
