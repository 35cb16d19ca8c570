"""What conversations in writing promise, in this process and over HTTP alike."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from scriza.kernel.errors import BadInput, Conflict, NotFound, UpstreamFailed
from scriza.kernel.principal import Principal, acting
from scriza.kernel.pseudonym import pseudonym
from scriza.modules.agent.chat.service import ChatService
from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.ports.agent import Clause, HangUp, SendSms, SetOutcome
from scriza.ports.conversations import Conversations, ConversationTurn, StartConversation, Utterance
from scriza.ports.llm import ToolPiece
from scriza.ports.playbook import Tool
from scriza.ports.tts import Speak, Spoken
from tests.contract.doors import Doors
from tests.memory_chats import MemoryChatBook
from tests.memory_runs import MemoryRunBook
from tests.playbooks import PAPER_KITE
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.memory import Recollections
from tests.standins.strategy import Shelf, version_of
from tests.standins.teller import Told
from tests.standins.tools import ScriptedTools, workshop

TOOLS = [
    Tool(name="book", description="Book a day.", url="https://crm.example/book"),
    Tool(name="send_sms", description="Send a text message.", kind="builtin"),
]
PLAYBOOK = msgspec.structs.replace(PAPER_KITE, tools=TOOLS)


class Voice:
    """Speaks a second for each word, or fails."""

    def __init__(self) -> None:
        self.asked: list[Speak] = []
        self.broken = False

    async def speak(self, request: Speak) -> Spoken:
        self.asked.append(request)
        if self.broken:
            raise UpstreamFailed("scripted")
        return Spoken(float(len(request.text.split())), cache_hit=False, audio_base64=b"sound")


class Rig:
    def __init__(self, engine: ScriptedEngine | None = None) -> None:
        self.llm = LlmService(Told(), **routes(engine))
        self.tools, self.runs, self.book, self.voice = ScriptedTools(), MemoryRunBook(), MemoryChatBook(), Voice()
        self.workshop = workshop(self.tools, self.runs)
        self.agent = AgentService(self.llm, Shelf([PLAYBOOK]), Recollections(), self.workshop)
        self.service = ChatService(self.agent, self.voice, self.book, self.runs, lambda *who: pseudonym("key", *who))  # type: ignore[arg-type]  # of the voice only speak is asked
        self.chats: Conversations = self.service

    async def close(self) -> None:
        await self.workshop.close()
        await self.agent.close()
        await self.llm.close()


@pytest.fixture
def engine() -> ScriptedEngine | None:
    return None


@pytest.fixture
async def rig(doors: Doors, engine: ScriptedEngine | None) -> AsyncIterator[Rig]:
    rig = Rig(engine)
    async with doors(Conversations, rig.service) as chats:
        rig.chats = chats
        yield rig
    await rig.close()


async def started(rig: Rig, **told: object) -> ConversationTurn:
    return await rig.chats.start(StartConversation(**told))  # type: ignore[arg-type]  # the tests name the fields


async def test_a_conversation_begins_with_its_opening(rig: Rig) -> None:
    turn = await started(rig, variables={"first_name": "Ada"})
    assert (turn.turn, turn.text, turn.stage) == (0, PLAYBOOK.opening.inbound, "greeting")
    assert turn.slots == {"first_name": "Ada"}
    assert turn.audio is None
    record = await rig.chats.conversation(turn.conversation_id)
    assert (record.playbook, record.turns, record.ended) == (version_of(PLAYBOOK), [turn], False)


async def test_it_is_led_as_a_call_is(rig: Rig) -> None:
    id_ = (await started(rig)).conversation_id
    price = await rig.chats.say(id_, Utterance("how much does it cost per month"))
    assert "nineteen dollars" in price.text
    assert (price.turn, price.user, price.notes.meant) == (1, "how much does it cost per month", "price")
    assert price.usage is not None
    message = await rig.chats.say(id_, Utterance("can you send me an email"))
    assert any(isinstance(act, SendSms) for act in message.acts), "told, and carried out by nobody"
    bye = await rig.chats.say(id_, Utterance("thank you goodbye"))
    assert (bye.acts[-1], bye.ended) == (HangUp(), True)
    record = await rig.chats.conversation(id_)
    assert [turn.turn for turn in record.turns] == [0, 1, 2, 3]
    assert record.turns[1:] == [price, message, bye]
    with pytest.raises(Conflict) as refused:
        await rig.chats.say(id_, Utterance("one more thing"))
    assert refused.value.reason == "ended"


async def test_keys_are_understood(rig: Rig) -> None:
    id_ = (await started(rig)).conversation_id
    assert (await rig.chats.say(id_, Utterance(digits="51"))).user == "pressed 5 1"


async def test_the_turn_comes_clause_by_clause_if_wanted(rig: Rig) -> None:
    id_ = (await started(rig)).conversation_id
    *clauses, turn = [part async for part in rig.chats.stream_say(id_, Utterance("how much does it cost"))]
    assert isinstance(turn, ConversationTurn)
    assert " ".join(clause.text for clause in clauses if isinstance(clause, Clause)) == turn.text


async def test_audio_comes_along_if_wanted(rig: Rig) -> None:
    opening = await started(rig, speak=True, audio_format="wav")
    assert opening.audio is not None
    assert (opening.audio.format, opening.audio.audio_base64) == ("wav", b"sound")
    assert opening.audio.duration == len(opening.text.split())
    reply = await rig.chats.say(opening.conversation_id, Utterance("how much does it cost", speak=True))
    assert reply.audio is not None
    assert reply.audio.format == "mp3"
    assert rig.voice.asked[-1].tone == PLAYBOOK.persona.tone[0]
    assert all(turn.audio is None for turn in (await rig.chats.conversation(opening.conversation_id)).turns)


async def test_a_voice_that_fails_loses_no_turn(rig: Rig) -> None:
    rig.voice.broken = True
    id_ = (await started(rig, speak=True)).conversation_id
    reply = await rig.chats.say(id_, Utterance("how much does it cost", speak=True))
    assert reply.text
    assert reply.audio is None


async def test_a_conversation_of_another_workspace_is_not_there(rig: Rig) -> None:
    with acting(Principal("acme")):
        id_ = (await rig.service.start(StartConversation())).conversation_id
    for asked in (
        lambda: rig.chats.say(id_, Utterance("hello")),
        lambda: rig.chats.conversation(id_),
        lambda: rig.chats.say("chat_unknown", Utterance("hello")),
    ):
        with pytest.raises(NotFound):
            await asked()
    await rig.chats.forget(id_)
    assert id_ in rig.book.chats


async def test_a_playbook_that_is_not_there_begins_nothing(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await started(rig, playbook="another")
    assert rig.book.chats == {}


@pytest.mark.parametrize("told", [Utterance("x" * 2_001), Utterance(digits="12; drop")])
async def test_what_is_no_utterance_is_refused_at_the_door(told: Utterance) -> None:
    rig = Rig()
    async with Doors(remote=True)(Conversations, rig.service) as chats:
        id_ = (await chats.start(StartConversation())).conversation_id
        with pytest.raises(BadInput):
            await chats.say(id_, told)
    await rig.close()


async def test_what_is_erased_is_gone_with_all_that_was_done_in_it(rig: Rig) -> None:
    id_ = (await started(rig)).conversation_id
    await rig.chats.forget(id_)
    await rig.chats.forget(id_)
    with pytest.raises(NotFound):
        await rig.chats.conversation(id_)


class TestByAModel:
    @pytest.fixture
    def engine(self) -> ScriptedEngine:
        return ScriptedEngine()

    async def test_another_turn_waits_until_the_one_under_way_is_over(self, rig: Rig, engine: ScriptedEngine) -> None:
        id_ = (await started(rig)).conversation_id
        gate = asyncio.Semaphore(0)
        engine.will(Says(["It is nineteen dollars."], gate=gate))
        first = asyncio.create_task(rig.chats.say(id_, Utterance("how much is it")))
        await engine.begun.wait()
        with pytest.raises(Conflict) as refused:
            await rig.chats.say(id_, Utterance("hello?"))
        assert refused.value.reason == "turn-under-way"
        gate.release()
        assert (await first).text == "It is nineteen dollars."
        assert (await rig.chats.say(id_, Utterance("and then"))).turn == 2

    async def test_a_turn_that_fails_was_not_said(self, rig: Rig, engine: ScriptedEngine) -> None:
        id_ = (await started(rig)).conversation_id
        engine.will(Says(["It costs nineteen dollars. ", "And"], fail_after=2, failure=UpstreamFailed("gone")))
        with pytest.raises(UpstreamFailed):
            await rig.chats.say(id_, Utterance("how much is it"))
        assert len((await rig.chats.conversation(id_)).turns) == 1
        assert (await rig.chats.say(id_, Utterance("how much is it"))).turn == 1

    async def test_tools_run_as_in_a_call_and_are_told(self, rig: Rig, engine: ScriptedEngine) -> None:
        id_ = (await started(rig)).conversation_id
        engine.will(Says(["Let me see.", ToolPiece("c1", "book", "{}")]), Says(["Booked."]))
        engine.will(Says([ToolPiece("c1", "set_outcome", '{"outcome": "callback"}'), "I will call."]))
        turn = await rig.chats.say(id_, Utterance("book it"))
        assert (turn.text, [run.name for run in turn.notes.tools]) == ("Let me see. Booked.", ["book"])
        turn = await rig.chats.say(id_, Utterance("call me"))
        assert (turn.acts, turn.outcome) == ([SetOutcome("callback")], "callback")
        assert len(rig.tools.asked) == 1
        await rig.chats.forget(id_)
        assert rig.runs.runs == {}
