"""The book of conversations in memory, for tests; held to the same contract as the one in the store."""

from collections.abc import Sequence
from datetime import datetime

from scriza.kernel.ids import new_id
from scriza.modules.agent.chat.book import Chat


class MemoryChatBook:
    """Implements ChatBook, in one process."""

    def __init__(self) -> None:
        self.chats: dict[str, Chat] = {}
        self._taken: dict[str, tuple[str, datetime]] = {}

    async def put(self, chat: Chat, expires_at: datetime) -> None:
        self.chats[chat.conversation_id] = chat

    async def find(self, workspace: str, conversation_id: str) -> Chat | None:
        chat = self.chats.get(conversation_id)
        return chat if chat and chat.workspace == workspace else None

    async def take(self, workspace: str, conversation_id: str, *, now: datetime, until: datetime) -> str:
        _, taken_until = self._taken.get(conversation_id, ("", now))
        if await self.find(workspace, conversation_id) is None or taken_until > now:
            return ""
        token = new_id("turn")
        self._taken[conversation_id] = token, until
        return token

    async def keep(self, chat: Chat, token: str, expires_at: datetime) -> bool:
        if self._taken.get(chat.conversation_id, ("",))[0] != token:
            return False
        self.chats[chat.conversation_id] = chat
        del self._taken[chat.conversation_id]
        return True

    async def give_back(self, conversation_id: str, token: str) -> None:
        if self._taken.get(conversation_id, ("",))[0] == token:
            del self._taken[conversation_id]

    async def of_caller(self, workspace: str, who: str) -> list[str]:
        theirs = [chat for chat in self.chats.values() if who and (chat.workspace, chat.who) == (workspace, who)]
        return [chat.conversation_id for chat in theirs]

    async def forget(self, workspace: str, conversation_ids: Sequence[str]) -> int:
        gone = [id_ for id_ in conversation_ids if await self.find(workspace, id_)]
        for id_ in gone:
            del self.chats[id_]
        return len(gone)
