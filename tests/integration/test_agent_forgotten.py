"""What the agent keeps of a caller goes with them: uses of tools in their calls, what they wrote, summaries."""

from datetime import UTC, datetime, timedelta

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.modules.agent.chat.book import Chat
from scriza.modules.agent.chat.stored import MongoChatBook
from scriza.modules.agent.forgetting import AgentForgetting
from scriza.modules.agent.tools.runs import Run
from scriza.modules.agent.tools.stored import MongoRunBook
from scriza.ports.agent import Conversation, Voice
from scriza.ports.memory import CallerErased, CallerForgotten
from scriza_adapters.mongo.store import MongoStore

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Rig:
    def __init__(self, store: MongoStore) -> None:
        self.runs, self.chats = MongoRunBook(store), MongoChatBook(store)
        self.let_go: list[object] = []
        self.told: list[Event] = []
        self.forgetting = AgentForgetting(self.runs, self.chats, self.let_go.append, self, lambda: NOON)

    async def publish(self, *events: Event) -> None:
        self.told.extend(events)

    async def keep(self, call_id: str, who: str = "", workspace: str = "default") -> None:
        run = Run(f"run_{call_id}", workspace, call_id, 1, "book", "{}", NOON, NOON, harmless=False)
        await self.runs.claim(run)
        if who:
            chat = Chat(call_id, workspace, "+14155550100", who, Conversation("sv_1", "pitch"), Voice(), [])
            await self.chats.put(chat, NOON + timedelta(days=30))


def order(*call_ids: str) -> Event:
    told = CallerForgotten("era_1", "who_ada", list(call_ids))
    return event(
        Topic.CALLER_FORGOTTEN, told, source="memory", subject="era_1", key="1", time=NOON, workspace="default"
    )


async def test_all_of_a_caller_goes_and_nothing_of_others(store: MongoStore) -> None:
    rig = Rig(store)
    await rig.keep("CA1")
    await rig.keep("CA2")
    await rig.keep("chat_1", "who_ada")
    await rig.keep("chat_2", "who_bob")
    await rig.keep("chat_3", "who_ada", workspace="other")
    await rig.forgetting.forget(order("CA1"))
    assert [await rig.runs.find(f"run_{id_}") is None for id_ in ("CA1", "chat_1", "CA2", "chat_2", "chat_3")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert await rig.chats.find("default", "chat_1") is None
    assert await rig.chats.find("default", "chat_2") is not None
    assert rig.let_go == [["CA1", "chat_1"]]
    (proof,) = rig.told
    assert msgspec.json.decode(proof.data, type=CallerErased) == CallerErased(
        "era_1", "agent", {"tool_runs": 2, "conversations": 1}
    )


async def test_an_order_that_comes_twice_is_followed_twice_and_proven_under_the_same_name(store: MongoStore) -> None:
    rig = Rig(store)
    await rig.keep("CA1")
    await rig.forgetting.forget(order("CA1"))
    await rig.forgetting.forget(order("CA1"))
    assert len({proof.id for proof in rig.told}) == 1


async def test_another_process_that_has_erased_empties_the_memory_of_this_one(store: MongoStore) -> None:
    rig = Rig(store)
    proof = CallerErased("era_1", "agent", {})
    told = event(Topic.CALLER_ERASED, proof, source="agent", subject="era_1", key="1", time=NOON, workspace="default")
    await rig.forgetting.erased(told)
    assert rig.let_go == [None]
