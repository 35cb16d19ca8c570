"""Which turns are taken at all: the same checks for a caller in this process and for one over HTTP."""

from collections.abc import Iterator
from typing import get_args, get_type_hints

import msgspec

from scriza.kernel.errors import BadInput, TooLarge
from scriza.ports.llm import Message, Turn

MAX_MESSAGES = 1_000
MAX_BYTES = 400_000
"""Of everything that a turn holds, in UTF-8: about what chat models with a context of 128,000 tokens take."""

_JSON = msgspec.json.Encoder()
_ROLES = frozenset(get_args(get_type_hints(Message)["role"]))


def check(turn: Turn) -> None:
    """Raises BadInput for a conversation that no model can take, TooLarge for one that is too long."""
    if not turn.messages:
        raise BadInput("messages must not be empty")
    if len(turn.messages) > MAX_MESSAGES or len(turn.script) > MAX_MESSAGES:
        raise TooLarge(f"a turn takes {MAX_MESSAGES} messages and {MAX_MESSAGES} lines of script at most")
    try:
        size = sum(len(text.encode()) for text in _texts(turn)) + sum(len(_JSON.encode(tool)) for tool in turn.tools)
    except UnicodeEncodeError:
        raise BadInput("a text is not valid Unicode") from None
    if size > MAX_BYTES:
        raise TooLarge(f"a turn takes {MAX_BYTES} bytes of text at most")
    for position, message in enumerate(turn.messages):
        if message.role not in _ROLES:
            raise BadInput(f"messages[{position}] has a role that is none of {', '.join(sorted(_ROLES))}")
        if message.role == "tool" and not message.tool_call_id:
            raise BadInput(f"messages[{position}] answers a tool, but tool_call_id is empty")
    if not any(message.content.strip() or message.tool_calls for message in turn.messages):
        raise BadInput("no message has any content")
    if not 0 <= turn.policy.temperature <= 2 or not 1 <= turn.policy.max_tokens <= 4096:
        raise BadInput("policy takes a temperature from 0 to 2 and max_tokens from 1 to 4096")
    if not all(line.text.strip() for line in turn.script):
        raise BadInput("a line of the script has no text")


def _texts(turn: Turn) -> Iterator[str]:
    for message in turn.messages:
        yield message.content
        for call in message.tool_calls:
            yield call.arguments
    for line in turn.script:
        yield line.text
    yield from turn.goals
    yield from turn.persona.style
