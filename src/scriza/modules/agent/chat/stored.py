"""The book of conversations in the store."""

from collections.abc import Sequence
from datetime import datetime

from scriza.kernel.ids import new_id
from scriza.modules.agent.chat.book import Chat
from scriza.modules.agent.documents import NEVER, Session, WrittenConversation, chat_of, written_of
from scriza.ports.store import Store


class MongoChatBook:
    """Implements ChatBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def put(self, chat: Chat, expires_at: datetime) -> None:
        """See ChatBook."""
        with self._store.errors():
            await WrittenConversation(**written_of(chat), _id=chat.conversation_id, expires_at=expires_at).insert()

    async def find(self, workspace: str, conversation_id: str) -> Chat | None:
        """See ChatBook."""
        with self._store.errors():
            found = await WrittenConversation.find_one({"_id": conversation_id, "workspace": workspace})
        return None if found is None else chat_of(found)

    async def take(self, workspace: str, conversation_id: str, *, now: datetime, until: datetime) -> str:
        """See ChatBook."""
        token = new_id("turn")
        free = {"_id": conversation_id, "workspace": workspace, "taken_until": {"$lte": now}}
        taken = {"$set": {"taken_by": token, "taken_until": until}}
        with self._store.errors():
            result = await WrittenConversation.get_pymongo_collection().update_one(free, taken)
        return token if result.matched_count else ""

    async def keep(self, chat: Chat, token: str, expires_at: datetime) -> bool:
        """See ChatBook."""
        changed = {**written_of(chat), "expires_at": expires_at}
        with self._store.errors():
            result = await WrittenConversation.get_pymongo_collection().update_one(
                {"_id": chat.conversation_id, "taken_by": token}, {"$set": changed}
            )
        return result.matched_count == 1

    async def give_back(self, conversation_id: str, token: str) -> None:
        """See ChatBook."""
        ours = {"_id": conversation_id, "taken_by": token}
        free = {"$set": {"taken_by": "", "taken_until": NEVER}}
        with self._store.errors():
            await WrittenConversation.get_pymongo_collection().update_one(ours, free)

    async def of_caller(self, workspace: str, who: str) -> list[str]:
        """See ChatBook."""
        with self._store.errors():
            found = await WrittenConversation.find({"workspace": workspace, "who": who}).to_list() if who else []
        return [document.id for document in found]

    async def forget(self, workspace: str, conversation_ids: Sequence[str]) -> int:
        """See ChatBook."""
        which = {"workspace": workspace, "_id": {"$in": list(conversation_ids)}}
        with self._store.errors():
            return (await WrittenConversation.get_pymongo_collection().delete_many(which)).deleted_count
