"""What every book of conversations keeps to: the one in the store, and the one in memory that other tests use."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scriza.modules.agent.chat.book import Chat, ChatBook
from scriza.ports.agent import Conversation, Voice
from scriza.ports.conversations import ConversationTurn
from tests.memory_chats import MemoryChatBook

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LATER = START + timedelta(days=30)


@pytest.fixture(params=["memory", "store"])
def book(request: pytest.FixtureRequest) -> ChatBook:
    if request.param == "memory":
        return MemoryChatBook()
    from scriza.modules.agent.chat.stored import MongoChatBook

    return MongoChatBook(request.getfixturevalue("store"))


def chat(name: str = "chat_1", **changes: object) -> Chat:
    conversation = Conversation("sv_1", "greeting", "Hello.", slots={"na.me$": "Ada"})
    turn = ConversationTurn(name, 0, "Hello.", "greeting")
    known = Chat(name, "acme", "+14155550100", "who_1", conversation, Voice("v1", "calm"), [turn])
    return msgspec.structs.replace(known, **changes)


async def take(book: ChatBook, *, at: float = 0, for_s: float = 60, workspace: str = "acme") -> str:
    now = START + timedelta(seconds=at)
    return await book.take(workspace, "chat_1", now=now, until=now + timedelta(seconds=for_s))


async def test_a_conversation_is_found_in_its_workspace_alone(book: ChatBook) -> None:
    await book.put(chat(), LATER)
    assert await book.find("acme", "chat_1") == chat()
    assert await book.find("other", "chat_1") is None
    assert await book.find("acme", "chat_2") is None


async def test_one_turn_at_a_time(book: ChatBook) -> None:
    await book.put(chat(), LATER)
    token = await take(book)
    assert token
    assert await take(book, at=1) == ""
    after = chat(conversation=Conversation("sv_1", "pitch"))
    assert await book.keep(after, token, LATER)
    assert await book.find("acme", "chat_1") == after
    assert await take(book, at=2)


async def test_nobody_takes_what_is_not_theirs_or_not_there(book: ChatBook) -> None:
    assert await take(book) == ""
    await book.put(chat(), LATER)
    assert await take(book, workspace="other") == ""


async def test_a_turn_that_was_not_made_lets_the_next_one_begin(book: ChatBook) -> None:
    await book.put(chat(), LATER)
    await book.give_back("chat_1", await take(book))
    assert await take(book, at=1)
    await book.give_back("chat_1", "turn_of_somebody_else")
    assert await take(book, at=2) == ""


async def test_who_took_too_long_has_lost_the_right(book: ChatBook) -> None:
    await book.put(chat(), LATER)
    first = await take(book)
    second = await take(book, at=61)
    assert second
    assert not await book.keep(chat(conversation=Conversation("sv_1", "pitch")), first, LATER)
    assert await book.keep(chat(), second, LATER)


async def test_the_conversations_of_a_caller_are_found_and_forgotten(book: ChatBook) -> None:
    for name, who in (("chat_1", "who_1"), ("chat_2", "who_1"), ("chat_3", "who_2"), ("chat_4", "")):
        await book.put(chat(name, who=who), LATER)
    await book.put(chat("chat_5", workspace="other"), LATER)
    assert sorted(await book.of_caller("acme", "who_1")) == ["chat_1", "chat_2"]
    assert await book.of_caller("acme", "") == [], "nobody is not somebody"
    assert await book.forget("acme", ["chat_1", "chat_5", "chat_9"]) == 1
    assert await book.find("acme", "chat_1") is None
    assert await book.find("other", "chat_5") is not None
