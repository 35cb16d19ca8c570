"""Conversations in writing: led by the same agent as calls, for the console, for tests, and for who would rather type.

What the agent wants done beside talking (a text message, a transfer, a callback) is told and not carried out; tools
that bring something back do run, as in a call.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope
from scriza.ports.agent import Act, Clause, TurnNotes
from scriza.ports.llm import Usage

_Number = Annotated[str, msgspec.Meta(pattern=r"^(\+[1-9]\d{6,14})?$")]
_Value = Annotated[str, msgspec.Meta(max_length=500)]


class StartConversation(msgspec.Struct):
    """How a conversation begins."""

    playbook: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """A slug for its published version, a version, or empty for the default."""
    caller: _Number = ""
    """As whom to be remembered, E.164; empty is nobody."""
    direction: Literal["inbound", "outbound"] = "inbound"
    """Which opening is said."""
    variables: Annotated[dict[str, _Value], msgspec.Meta(max_length=50)] = {}
    language: Annotated[str, msgspec.Meta(max_length=35)] = ""
    """BCP 47; empty is the playbook's own."""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """IANA; empty is UTC."""
    speak: bool = False
    """The audio of the opening comes along."""
    audio_format: Literal["mp3", "wav"] = "mp3"


class Utterance(msgspec.Struct):
    """What the other side says."""

    text: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    digits: Annotated[str, msgspec.Meta(pattern=r"^[0-9*#A-D]{0,64}$")] = ""
    """Keys, as if it were a phone."""
    speak: bool = False
    """The audio of the reply comes along."""
    audio_format: Literal["mp3", "wav"] = "mp3"


class Audio(msgspec.Struct):
    """Spoken text; `duration` is in seconds."""

    audio_base64: bytes
    format: Literal["mp3", "wav"]
    duration: float


class ConversationTurn(msgspec.Struct, tag="turn", omit_defaults=True):
    """The agent's turn; the first one, without `user`, is the opening."""

    conversation_id: str
    turn: int
    text: str
    stage: str
    user: str = ""
    acts: list[Act] = []
    slots: dict[str, str] = {}
    """What is known of the other side after it."""
    outcome: str = ""
    """Of the conversation so far."""
    ended: bool = False
    """The agent has said goodbye, or hands over: nothing more is answered."""
    notes: TurnNotes = msgspec.field(default_factory=TurnNotes)
    model: str = ""
    cached: bool = False
    usage: Usage | None = None
    cost_micro_usd: int = 0
    audio: Audio | None = None
    """Absent unless it was asked for, and when the voice failed."""


class ConversationRecord(msgspec.Struct):
    """A conversation as it stands."""

    conversation_id: str
    playbook: str
    """The version that leads it to its end."""
    stage: str
    ended: bool
    slots: dict[str, str]
    turns: list[ConversationTurn]
    """Without audio."""


class Conversations(Protocol):
    """Leads conversations in writing. They are kept for thirty days after their last turn."""

    @operation("POST /api/v1/conversations", timeout=30, keyed=True, scope=Scope.CONVERSATIONS)
    async def start(self, request: StartConversation) -> ConversationTurn:
        """Begin one; the reply is its opening. Raises NotFound for a playbook that there is not."""
        ...

    @operation("POST /api/v1/conversations/{conversation_id}/turns", timeout=60, keyed=True, scope=Scope.CONVERSATIONS)
    async def say(self, conversation_id: str, request: Utterance) -> ConversationTurn:
        """Say something; the reply is the agent's.

        Raises NotFound; Conflict while another turn is under way (`turn-under-way`) or when the conversation has ended
        (`ended`); and what the agent raises, in which case nothing was said.
        """
        ...

    @operation(
        "POST /api/v1/conversations/{conversation_id}/stream-turns",
        timeout=60,
        keyed=True,
        scope=Scope.CONVERSATIONS,
    )
    def stream_say(self, conversation_id: str, request: Utterance) -> AsyncIterator[Clause | ConversationTurn]:
        """The same, clause by clause; the whole turn is the last item. Raises what `say` raises."""
        ...

    @operation("GET /api/v1/conversations/{conversation_id}", scope=Scope.CONVERSATIONS)
    async def conversation(self, conversation_id: str) -> ConversationRecord:
        """All of it so far. Raises NotFound."""
        ...

    @operation("DELETE /api/v1/conversations/{conversation_id}", idempotent=True, scope=Scope.CONVERSATIONS)
    async def forget(self, conversation_id: str) -> None:
        """Erase it. One that is not there is fine."""
        ...
