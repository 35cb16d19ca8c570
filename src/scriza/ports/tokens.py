"""About how many tokens a completion takes, where nobody tells, or before it is told."""

from collections.abc import Sequence

from scriza.ports.llm import Message, Usage

_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
"""Role and separators around each message, as OpenAI's cookbook counts them for its chat models."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is: four bytes of UTF-8 each, rounded up."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def estimated_usage(messages: Sequence[Message], completion: str) -> Usage:
    """About what a completion of `messages` takes; `completion` is its text and the arguments of its tool calls."""
    prompt = sum(
        _TOKENS_PER_MESSAGE
        + estimated_tokens(message.content)
        + sum(estimated_tokens(call.name + call.arguments) for call in message.tool_calls)
        for message in messages
    )
    completed = estimated_tokens(completion)
    return Usage(prompt_tokens=prompt, completion_tokens=completed, total_tokens=prompt + completed)
