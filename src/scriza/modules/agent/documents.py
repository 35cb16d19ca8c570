"""The agent's documents: uses of tools, each kept so that none happens twice, and conversations in writing."""

from datetime import UTC, datetime, timedelta

import msgspec
from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from scriza.modules.agent.chat.book import Chat
from scriza.modules.agent.tools.runs import Run, State

Session = AsyncClientSession
AlreadyThere = DuplicateKeyError
"""Raised by an insert of what is there already."""

NEVER = datetime.fromtimestamp(0, UTC)
_KEPT = timedelta(days=30)
"""Longer than any call lasts, so that who is asked what was done can look it up."""


class ToolUse(Document):
    """One use of a tool."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    call_id: str
    turn: int
    tool: str
    arguments: str
    """JSON: names may be such as the store's documents do not allow."""
    started_at: datetime
    overdue_at: datetime
    harmless: bool
    state: State
    result: str
    ms: int
    attempt: int
    expires_at: datetime

    class Settings:
        """Read by call; the store removes what has expired, a minute late or so."""

        name = "tool_runs"
        indexes = [
            IndexModel([("call_id", ASCENDING), ("started_at", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


class WrittenConversation(Document):
    """A conversation in writing."""

    id: str = Field(alias="_id")  # type: ignore[assignment] # Document leaves the kind of id to us
    workspace: str
    who: str
    caller: str
    chat: bytes
    """JSON: variables may have names that the store's documents do not allow."""
    taken_by: str = ""
    taken_until: datetime = NEVER
    expires_at: datetime

    class Settings:
        """Found by whom it was with; the store removes what has expired, a minute late or so."""

        name = "conversations"
        indexes = [
            IndexModel([("workspace", ASCENDING), ("who", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]


AGENT_DOCUMENTS: tuple[type[Document], ...] = (ToolUse, WrittenConversation)


def use_of(run: Run) -> ToolUse:
    """A run as the store keeps it."""
    fields = msgspec.structs.asdict(run)
    del fields["run_id"]
    return ToolUse(_id=run.run_id, expires_at=run.started_at + _KEPT, **fields)


def run_of(document: ToolUse) -> Run:
    """A run as it was kept."""
    return Run(run_id=document.id, **document.model_dump(exclude={"id", "revision_id", "expires_at"}))


def written_of(chat: Chat) -> dict[str, object]:
    """What a turn changes of a conversation, as the store keeps it; nobody has the right to the next one."""
    return {
        "workspace": chat.workspace,
        "who": chat.who,
        "caller": chat.caller,
        "chat": msgspec.json.encode(chat),
        "taken_by": "",
        "taken_until": NEVER,
    }


def chat_of(document: WrittenConversation) -> Chat:
    """A conversation as it was kept."""
    return _CHAT.decode(document.chat)


_CHAT = msgspec.json.Decoder(Chat)
