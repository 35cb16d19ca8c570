"""What the door to the agent promises, in this process and over HTTP alike."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import msgspec
import pytest

from scriza.kernel.errors import BadInput, NotFound, ScrizaError, TooLarge, UpstreamFailed
from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.ports.agent import (
    Act,
    Agent,
    CallFacts,
    Clause,
    Conversation,
    Exchange,
    HangUp,
    PressKeys,
    Reply,
    ReplyDone,
    SendSms,
    SetOutcome,
    TransferTo,
)
from scriza.ports.llm import Llm, TextPiece, ToolPiece, Turn
from scriza.ports.playbook import Answer as PlaybookAnswer
from scriza.ports.playbook import Intent, Playbook
from scriza.wire import connect, disconnect
from tests.contract.doors import Doors
from tests.playbooks import PAPER_KITE
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.memory import Recollections
from tests.standins.strategy import Shelf, version_of
from tests.standins.teller import Told
from tests.standins.tools import workshop
from tests.waiting import eventually

SALES = "+14155550123"
TOLD = "This is Sunny from Paper Kite. I have a caller for you. They said: let us see about that elephant."
"""What the person hears of the caller."""
PLAYBOOK, VERSION = PAPER_KITE, version_of(PAPER_KITE)

Part = Clause | Act | ReplyDone


class Answer(NamedTuple):
    """What came of one reply."""

    text: str
    clauses: list[str]
    acts: list[Part]
    done: ReplyDone

    @property
    def conversation(self) -> Conversation:
        return self.done.conversation


@asynccontextmanager
async def opened(
    doors: Doors, engine: ScriptedEngine | None = None, transfer_to: str = "", playbook: Playbook = PLAYBOOK
) -> AsyncIterator[Agent]:
    llm = LlmService(Told(), **routes(engine))
    service = AgentService(llm, Shelf([playbook]), Recollections(), workshop(), transfer_to=transfer_to)
    async with doors(Agent, service) as agent:
        yield agent
    await llm.close()


@pytest.fixture
async def agent(doors: Doors) -> AsyncIterator[Agent]:
    """Without a model: the playbook itself answers."""
    async with opened(doors) as agent:
        yield agent


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def modelled(doors: Doors, engine: ScriptedEngine) -> AsyncIterator[Agent]:
    """With a model that says what the test tells it to."""
    async with opened(doors, engine, transfer_to=SALES) as agent:
        yield agent


async def answered(agent: Agent, request: Reply) -> Answer:
    *parts, done = [part async for part in agent.reply(request)]
    assert isinstance(done, ReplyDone)
    clauses = [part.text for part in parts if isinstance(part, Clause)]
    return Answer(" ".join(clauses), clauses, [part for part in parts if not isinstance(part, Clause)], done)


def asking(utterance: str, conversation: Conversation, **fields: object) -> Reply:
    return msgspec.structs.replace(Reply("CA1", 1, utterance, conversation), **fields)


def at(stage: str, *exchanges: Exchange, version: str = VERSION) -> Conversation:
    return Conversation(version, stage, PLAYBOOK.opening.inbound, list(exchanges))


async def talk(agent: Agent, *utterances: str, direction: str = "inbound") -> list[Answer]:
    """A whole conversation, in which the caller hears everything."""
    plan = await agent.begin(CallFacts("CA1", direction=direction))
    conversation = msgspec.structs.replace(plan.conversation, opening=plan.lines.opening)
    answers = []
    for utterance in utterances:
        answers.append(await answered(agent, asking(utterance, conversation)))
        conversation = answers[-1].conversation
    return answers


# ---- a call begins ----------------------------------------------------------------------------------------------


async def test_a_plan_has_every_line_and_what_callers_are_likely_to_say(agent: Agent) -> None:
    plan = await agent.begin(CallFacts("CA1"))
    assert plan.conversation == Conversation(VERSION, "greeting")
    assert all(msgspec.structs.astuple(plan.lines))
    assert "how much does it cost per month" in plan.phrases
    assert (plan.language, plan.voice.locale, plan.voice.tone) == ("en", "en-US", "friendly")


async def test_who_was_called_is_greeted_otherwise_than_who_calls(agent: Agent) -> None:
    called = (await agent.begin(CallFacts("CA1", "outbound"))).lines
    calling = (await agent.begin(CallFacts("CA2", "inbound"))).lines
    assert called.opening != calling.opening
    assert msgspec.structs.replace(called, opening="") == msgspec.structs.replace(calling, opening="")


@pytest.mark.parametrize("name", ["paper-kite", VERSION, ""])
async def test_a_playbook_is_named_by_its_slug_or_by_its_version(agent: Agent, name: str) -> None:
    assert (await agent.begin(CallFacts("CA1", playbook=name))).conversation.playbook == VERSION


@pytest.mark.parametrize("name", ["sv_0000", "another", "../../etc/passwd"])
async def test_a_playbook_that_is_not_here_is_not_found(agent: Agent, name: str) -> None:
    with pytest.raises(NotFound):
        await agent.begin(CallFacts("CA1", playbook=name))
    with pytest.raises(NotFound):
        await answered(agent, asking("hello", Conversation(name, "greeting")))


# ---- by the playbook alone --------------------------------------------------------------------------------------


async def test_a_sales_call_of_eight_turns_makes_sense(agent: Agent) -> None:
    answers = await talk(
        agent,
        "Who are you?",
        "And what does it do?",
        "How much does it cost per month?",
        "That is too expensive.",
        "Yes, please.",
        "Tomorrow afternoon works.",
        "Is my data safe?",
        "No, thank you.",
    )
    for answer, words in zip(
        answers,
        ["Sunny", "invoices", "nineteen dollars", "late invoice", "tomorrow", "tomorrow afternoon", "encrypted", "bye"],
        strict=True,
    ):
        assert words in answer.text
    stages = [answer.conversation.stage for answer in answers]
    assert stages == ["greeting", "pitch", "pitch", "objection", "booking", "closing", "closing", "closing"]
    assert [act for answer in answers for act in answer.acts] == [SetOutcome("demo_booked"), HangUp()]
    assert answers[-1].acts == [HangUp()]
    assert answers[-1].conversation.slots == {"time": "tomorrow afternoon"}


@pytest.mark.parametrize("utterance", ["how much is it", "i do not understand you", "who are you", "yes please", ""])
async def test_asked_the_same_six_times_it_never_repeats_itself(agent: Agent, utterance: str) -> None:
    answers = await talk(agent, *[utterance] * 6)
    assert len({answer.text for answer in answers}) == 6


async def test_an_answer_that_was_not_heard_can_be_given_again(agent: Agent) -> None:
    first = await answered(agent, asking("how much is it", at("pitch")))
    unheard = msgspec.structs.replace(first.conversation.exchanges[0], agent="")
    again = await answered(agent, asking("how much is it", at("pitch", unheard)))
    assert again.text == first.text


async def test_no_thanks_twice_ends_the_call(agent: Agent) -> None:
    answers = await talk(agent, "yes please", "i am not interested", "no thank you", direction="outbound")
    assert answers[1].acts == []
    assert answers[2].acts == [SetOutcome("not_interested"), HangUp()]
    assert "Goodbye" in answers[2].text


async def test_words_that_fit_nothing_are_asked_about_and_then_something_is_offered(agent: Agent) -> None:
    asked, offered = await talk(agent, "purple elephants", "bananas in space")
    assert "Could you say that in other words?" in asked.text
    assert "price" in offered.text
    assert offered.conversation.stage == "greeting"


@pytest.mark.parametrize("utterance", ["", "   ", "...", "\u200b", "\N{GRINNING FACE}"])
async def test_a_turn_without_words_asks_to_say_it_again(agent: Agent, utterance: str) -> None:
    (answer,) = await talk(agent, utterance)
    assert answer.text == PLAYBOOK.lines.repair


async def test_keys_are_understood(agent: Agent) -> None:
    answer = await answered(agent, asking("", at("greeting"), digits="51"))
    assert answer.conversation.stage == "booking"
    assert answer.conversation.exchanges[-1].user == "pressed 5 1"


async def test_a_person_is_promised_only_where_there_is_one(doors: Doors, agent: Agent) -> None:
    (without,) = await talk(agent, "can i talk to a person")
    assert (without.acts, without.conversation.stage) == ([], "booking")
    async with opened(doors, transfer_to=SALES) as connected:
        (with_one,) = await talk(connected, "can i talk to a person")
    said = "This is Sunny from Paper Kite. I have a caller for you. They said: can i talk to a person."
    assert with_one.acts == [TransferTo(SALES, said)]
    assert "connect you" in with_one.text


async def test_the_person_hears_what_is_known_of_the_caller(doors: Doors) -> None:
    async with opened(doors, transfer_to=SALES) as agent:
        *_, last = await talk(agent, "tomorrow afternoon works", "can i talk to a person")
    (act,) = last.acts
    assert isinstance(act, TransferTo)
    assert act.whisper.endswith("a caller for you. time: tomorrow afternoon. They said: can i talk to a person.")


async def test_lines_for_machines_and_for_those_who_come_back_are_in_the_plan(agent: Agent) -> None:
    lines = (await agent.begin(CallFacts("CA1", direction="outbound"))).lines
    assert (lines.voicemail, lines.introduction) == (PLAYBOOK.voicemail.text, PLAYBOOK.lines.introduction)
    assert lines.unreached == PLAYBOOK.transfer.unreached != ""


async def test_keys_are_pressed_where_the_playbook_says_so_or_the_model_asks(doors: Doors) -> None:
    pressing = PlaybookAnswer(say=["Sure."], press="1w2")
    intent = Intent(id="menu", phrases=["press one for sales"], answer=pressing, triggers=["press one"])
    stages = [msgspec.structs.replace(PLAYBOOK.stages[0], keys=4), *PLAYBOOK.stages[1:]]
    playbook = msgspec.structs.replace(PLAYBOOK, intents=[*PLAYBOOK.intents, intent], stages=stages)
    engine = ScriptedEngine()
    version = version_of(playbook)
    async with opened(doors, playbook=playbook) as agent:
        answer = await answered(agent, asking("press one for sales", at("greeting", version=version)))
    assert answer.acts == [PressKeys("1w2")]
    assert answer.done.expects_keys == 4
    async with opened(doors, engine, playbook=playbook) as agent:
        for keys, acts in (("2", [PressKeys("2")]), ("hash", [])):
            engine.will(Says(["One moment.", ToolPiece("c1", "press_keys", f'{{"keys": "{keys}"}}')]))
            assert (await answered(agent, asking("about that elephant", at("pitch", version=version)))).acts == acts


async def test_a_text_message_is_sent_once_however_often_it_is_asked_for(agent: Agent) -> None:
    answers = await talk(agent, "send me an email", "can you send me an email", "send me an email please")
    assert [len(answer.acts) for answer in answers] == [1, 0, 0]
    assert isinstance(answers[0].acts[0], SendSms)


async def test_a_speculative_reply_is_the_same_as_a_sure_one(agent: Agent) -> None:
    sure = await answered(agent, asking("thank you goodbye", at("pitch")))
    guess = await answered(agent, asking("thank you goodbye", at("pitch"), speculative=True))
    assert (guess.clauses, guess.acts, guess.conversation) == (sure.clauses, sure.acts, sure.conversation)


async def test_the_conversation_comes_back_with_the_exchange_and_nothing_else_is_lost(agent: Agent) -> None:
    before = at("pitch", Exchange("hello", "Hello.", ["hello.1"]))
    before.slots["time"] = "monday"
    after = (await answered(agent, asking("is it secure", before))).conversation
    assert after.exchanges[0] == before.exchanges[0]
    assert after.exchanges[1].user == "is it secure"
    assert after.exchanges[1].line_ids == ["safety.1", "pitch.ask.demo.1"]
    assert (after.opening, after.slots, after.playbook) == (before.opening, {"time": "monday"}, before.playbook)


async def test_usage_and_model_are_told_with_the_reply(agent: Agent) -> None:
    done = (await answered(agent, asking("hello", at("greeting")))).done
    assert done.model == "playbook"
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (asking("word " * 10_000, at("greeting")), TooLarge),
        (asking("hi", at("nowhere")), BadInput),
        (asking("hi", at("")), BadInput),
        (asking("hi", at("greeting"), digits="12; drop"), BadInput),
        (asking("hi", at("greeting"), digits="1" * 20_000), TooLarge),
        (asking("hi", at("greeting", *[Exchange("hi", "hi")] * 1_001)), TooLarge),
        (asking("hi", at("greeting", Exchange("x" * 500_000))), TooLarge),
    ],
)
async def test_what_is_no_turn_of_a_call_is_refused(agent: Agent, request_: Reply, refusal: type[ScrizaError]) -> None:
    with pytest.raises(ScrizaError) as raised:
        await answered(agent, request_)
    assert type(raised.value) is refusal


async def test_strange_words_are_answered_and_change_nothing_else(agent: Agent) -> None:
    for strange in ["{time} {0} %s", "\x00\x1b[31m", "'; DROP TABLE calls; --", "\u202etest", "a" * 9_999, "ß" * 5_000]:
        answer = await answered(agent, asking(strange, at("booking")))
        assert answer.text
        assert (answer.acts, answer.conversation.stage) == ([], "booking")


# ---- by a model -------------------------------------------------------------------------------------------------


async def test_clauses_are_there_before_the_model_has_finished(modelled: Agent, engine: ScriptedEngine) -> None:
    gate = asyncio.Semaphore(2)
    engine.will(Says(["It costs nineteen dollars. ", "Shall ", "I show you?"], gate=gate))
    async with aclosing(modelled.reply(asking("how much is it", at("pitch")))) as parts:
        first = await anext(parts)
        gate.release()
        second = await anext(parts)
    assert isinstance(first, Clause)
    assert isinstance(second, Clause)
    assert (first.text, second.text) == ("It costs nineteen dollars.", "Shall I show you?")
    assert 0 < first.tokens < second.tokens, "what is used until then is told with each clause"


async def test_what_cannot_be_spoken_is_left_out(modelled: Agent, engine: ScriptedEngine) -> None:
    engine.will(
        Says(["**Sure!** \N{PARTY POPPER} See [our ", "page](https://www.papers.com/x?y=1).\n", "- one\n", "- two"])
    )
    answer = await answered(modelled, asking("where can i read more", at("pitch")))
    assert answer.clauses == ["Sure! See our page.", "one", "two"]
    assert answer.conversation.exchanges[-1].agent == "Sure! See our page. one two"


async def test_the_model_is_told_what_was_heard_and_what_fits(modelled: Agent, engine: ScriptedEngine) -> None:
    heard = Exchange("what is the price", "It is nineteen", ["price.1"])
    await answered(modelled, asking("how much is it", at("pitch", heard)))
    ((model, turn),) = engine.asked
    system, *rest = turn.messages
    assert [(message.role, message.content) for message in rest] == [
        ("assistant", PLAYBOOK.opening.inbound),
        ("user", "what is the price"),
        ("assistant", "It is nineteen"),
        ("user", "how much is it"),
    ]
    assert "You are Sunny" in system.content
    assert PLAYBOOK.facts[0].text in system.content
    assert "One flat price" in system.content
    assert turn.conversation_id == "CA1"
    assert [line.id for line in turn.script][:2] == ["price.2+pitch.ask.demo.1", "price.3+pitch.ask.demo.1"]
    assert model == "cheap-1"


async def test_the_strong_model_answers_where_the_playbook_says_so(modelled: Agent, engine: ScriptedEngine) -> None:
    await answered(modelled, asking("that is too expensive", at("pitch")))
    assert engine.asked[0][0] == "critical-1"


@pytest.mark.parametrize(
    ("calls", "acts"),
    [
        ([("end_call", "{}")], [HangUp()]),
        ([("transfer", "")], [TransferTo(SALES, TOLD)]),
        ([("set_outcome", '{"outcome": "callback"}')], [SetOutcome("callback")]),
        ([("end_call", "{}"), ("set_outcome", '{"outcome": "callback"}')], [SetOutcome("callback"), HangUp()]),
        ([("end_call", "{}"), ("end_call", "{}")], [HangUp()]),
        ([("end_call", "{}"), ("transfer", "{}")], [TransferTo(SALES, TOLD)]),
        ([("set_outcome", '{"outcome": "world peace"}')], []),
        ([("set_outcome", "{not json")], []),
        ([("set_outcome", '{"outcome": 7}')], []),
        ([("launch_missiles", "{}")], []),
    ],
)
async def test_the_models_tools_become_acts(
    modelled: Agent, engine: ScriptedEngine, calls: list[tuple[str, str]], acts: list[Part]
) -> None:
    engine.will(Says(["As you wish.", *(ToolPiece(f"c{i}", *call) for i, call in enumerate(calls))]))
    answer = await answered(modelled, asking("let us see about that elephant", at("pitch")))
    assert (answer.text, answer.acts) == ("As you wish.", acts)


async def test_a_model_that_only_acts_gets_a_line_of_the_playbook_to_say(
    modelled: Agent, engine: ScriptedEngine
) -> None:
    engine.will(Says([ToolPiece("c1", "end_call", "{}")]))
    answer = await answered(modelled, asking("goodbye", at("closing")))
    assert "oodbye" in answer.text
    assert answer.acts == [HangUp()]


async def test_what_was_asked_for_outright_is_done_in_whatever_words_the_model_answers(
    modelled: Agent, engine: ScriptedEngine
) -> None:
    engine.will(Says(["Farewell, my friend."]))
    answer = await answered(modelled, asking("ok thank you bye", at("pitch")))
    assert (answer.text, answer.acts) == ("Farewell, my friend.", [HangUp()])
    assert "the call ends" in engine.prompts[0]


async def test_what_depends_on_the_question_is_not_done_when_the_model_asked_another_one(
    modelled: Agent, engine: ScriptedEngine
) -> None:
    engine.will(Says(["Is it the price then?"]))
    answer = await answered(modelled, asking("no", at("objection")))
    assert answer.acts == []


async def test_a_model_that_is_down_is_stood_in_for_by_the_playbook(modelled: Agent, engine: ScriptedEngine) -> None:
    engine.will(Says(fail_after=0, failure=UpstreamFailed("down")))
    answer = await answered(modelled, asking("no", at("objection")))
    assert answer.done.model == "playbook"
    assert answer.acts == [SetOutcome("not_interested"), HangUp()]


async def test_a_model_that_breaks_off_ends_the_reply_with_its_error(modelled: Agent, engine: ScriptedEngine) -> None:
    engine.will(Says(["It costs nineteen dollars. ", "And"], fail_after=2, failure=UpstreamFailed("gone")))
    parts = modelled.reply(asking("how much is it", at("pitch")))
    clause = await anext(parts)
    assert isinstance(clause, Clause)
    assert clause.text == "It costs nineteen dollars."
    with pytest.raises(UpstreamFailed):
        await anext(parts)


async def test_a_model_that_breaks_off_before_a_clause_is_stood_in_for_by_the_script(
    modelled: Agent, engine: ScriptedEngine
) -> None:
    engine.will(Says(["It costs ", "nineteen"], fail_after=1, failure=UpstreamFailed("gone")))
    answer = await answered(modelled, asking("how much is it", at("pitch")))
    assert "nineteen dollars" in answer.text
    assert answer.done.model == "script"


async def test_a_language_model_that_moved_out_and_cannot_be_reached_is_stood_in_for_by_the_script(
    doors: Doors,
) -> None:
    gone = connect(Llm, "http://127.0.0.1:9", token="a-service-token")
    async with doors(Agent, AgentService(gone, Shelf([PLAYBOOK]), Recollections(), workshop())) as agent:
        answer = await answered(agent, asking("how much is it", at("pitch")))
    assert "nineteen dollars" in answer.text
    assert answer.done.model == "script"
    await disconnect(gone)


async def test_a_language_model_that_ends_its_answer_before_it_is_complete_is_stood_in_for_by_the_script(
    doors: Doors,
) -> None:
    class CutOff(LlmService):
        async def stream_turn(self, request: Turn) -> AsyncGenerator[TextPiece, None]:
            yield TextPiece("It costs ")

    llm = CutOff(Told())
    async with doors(Agent, AgentService(llm, Shelf([PLAYBOOK]), Recollections(), workshop())) as agent:
        answer = await answered(agent, asking("how much is it", at("pitch")))
    assert "nineteen dollars" in answer.text
    assert answer.done.model == "script"
    await llm.close()


async def test_leaving_a_reply_stops_the_model(modelled: Agent, engine: ScriptedEngine) -> None:
    engine.will(Says(["It costs nineteen dollars. ", "And"], stall_after=1))
    async with aclosing(modelled.reply(asking("how much is it", at("pitch")))) as parts:
        await anext(parts)
    await eventually(lambda: engine.left == 1)


# ---- what is decided before a call begins -----------------------------------------------------------------------


async def test_what_is_known_of_the_callee_is_in_the_conversation_from_its_beginning(agent: Agent) -> None:
    plan = await agent.begin(CallFacts("CA1", "outbound", variables={"first_name": "Ada"}))
    assert plan.conversation.slots == {"first_name": "Ada"}


async def test_the_person_of_a_number_goes_before_whom_the_settings_name(modelled: Agent) -> None:
    for person, expected in (("", SALES), ("+14155550177", "+14155550177")):
        plan = await modelled.begin(CallFacts("CA1", transfer_to=person))
        answer = await answered(modelled, asking("can I talk to a human", plan.conversation))
        assert [act.to for act in answer.acts if isinstance(act, TransferTo)] == [expected]
