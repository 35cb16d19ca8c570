"""A turn as the body of a request for a chat completion."""

import msgspec

from scriza.ports.llm import Message, Tool, Turn

_JSON = msgspec.json.Encoder()


def body(model: str, turn: Turn, limit_name: str, *, temperature: bool = True) -> bytes:
    """The JSON text; `limit_name` is what the server calls the most tokens that it may write.

    Without `temperature` the model's own is left as it is.
    """
    fields: dict[str, object] = {
        "model": model,
        "messages": [_message(message) for message in turn.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        limit_name: turn.policy.max_tokens,
    }
    if temperature:
        fields["temperature"] = turn.policy.temperature
    if turn.tools:
        fields["tools"] = [_tool(tool) for tool in turn.tools]
    return _JSON.encode(fields)


def _message(message: Message) -> dict[str, object]:
    match message.role:
        case "tool":
            return {"role": "tool", "content": message.content, "tool_call_id": message.tool_call_id}
        case "assistant" if message.tool_calls:
            return {
                "role": "assistant",
                "content": message.content or None,
                "tool_calls": [
                    {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                    for call in message.tool_calls
                ],
            }
        case role:
            return {"role": role, "content": message.content}


def _tool(tool: Tool) -> dict[str, object]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
