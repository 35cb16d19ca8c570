"""What is kept of a conversation in writing, and the door behind which it is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from scriza.ports.agent import Conversation, Voice
from scriza.ports.conversations import ConversationTurn


class Chat(msgspec.Struct, frozen=True):
    """A conversation in writing, between two turns."""

    conversation_id: str
    workspace: str
    caller: str
    """E.164, or empty."""
    who: str
    """The caller's pseudonym, or empty."""
    conversation: Conversation
    voice: Voice
    turns: list[ConversationTurn]

    @property
    def ended(self) -> bool:
        """Nothing more is answered."""
        return bool(self.turns) and self.turns[-1].ended


class ChatBook(Protocol):
    """Keeps conversations."""

    async def put(self, chat: Chat, expires_at: datetime) -> None:
        """Keep a new one."""
        ...

    async def find(self, workspace: str, conversation_id: str) -> Chat | None:
        """The conversation as it stands, if the workspace has it."""
        ...

    async def take(self, workspace: str, conversation_id: str, *, now: datetime, until: datetime) -> str:
        """The sole right to the next turn, by a token, until it is given back or `until`.

        Empty while somebody else has it, and for a conversation that there is not.
        """
        ...

    async def keep(self, chat: Chat, token: str, expires_at: datetime) -> bool:
        """Keep what the turn has made of it, and give the right back; False when the right was lost meanwhile."""
        ...

    async def give_back(self, conversation_id: str, token: str) -> None:
        """No turn was made."""
        ...

    async def of_caller(self, workspace: str, who: str) -> list[str]:
        """The ids of all conversations with a caller, by their pseudonym."""
        ...

    async def forget(self, workspace: str, conversation_ids: Sequence[str]) -> int:
        """Drop these conversations; returns how many there were."""
        ...
