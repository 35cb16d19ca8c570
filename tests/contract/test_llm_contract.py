"""What the door to the language model promises, in this process and over HTTP alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import msgspec
import pytest

from scriza.kernel.errors import BadInput, DeadlineExceeded, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.kernel.events import Topic
from scriza.kernel.principal import Principal, acting
from scriza.kernel.remarks import remarks
from scriza.modules.llm.engine import Patience
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import (
    Llm,
    Message,
    Model,
    Persona,
    Policy,
    ScriptLine,
    TextPiece,
    Tool,
    ToolCall,
    ToolPiece,
    Turn,
    TurnDone,
    TurnReply,
    Usage,
    UsagePiece,
)
from scriza.ports.usage import LlmUsed
from tests.contract.doors import Doors
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.teller import Told
from tests.waiting import eventually

ANSWER = TurnReply("It is nineteen dollars.", Usage(40, 5, 45), "cheap-1", cached=False)
SCRIPT = [ScriptLine("price.1", "It costs nineteen dollars a month."), ScriptLine("price.2", "Nineteen dollars.")]
END_CALL = Tool("end_call", "Ends the call.")

Part = TextPiece | ToolPiece | UsagePiece | TurnDone


class ToldUsage(Told):
    @property
    def used(self) -> list[LlmUsed]:
        return [msgspec.json.decode(event.data, type=LlmUsed) for event in self.events]


class Rig(NamedTuple):
    llm: Llm
    engine: ScriptedEngine
    told: ToldUsage
    service: LlmService


@pytest.fixture
async def rig(doors: Doors) -> AsyncIterator[Rig]:
    async with opened(doors, ScriptedEngine()) as rig:
        yield rig


@pytest.fixture
async def impatient(doors: Doors) -> AsyncIterator[Rig]:
    """Waits shortly, for tests in which something is late: whatever has to be in time has more of it in `rig`."""
    patience = Patience(first_token_s=0.5, first_token_alone_s=0.5, next_token_s=0.5)
    async with opened(doors, ScriptedEngine(), patience=patience) as rig:
        yield rig


@asynccontextmanager
async def opened(
    doors: Doors, engine: ScriptedEngine | None, ttl_s: float = 60, patience: Patience | None = None
) -> AsyncIterator[Rig]:
    told = ToldUsage()
    patience = patience or Patience(first_token_s=9, first_token_alone_s=9, next_token_s=9)
    service = LlmService(told, cache_ttl_s=ttl_s, **routes(engine, patience))
    async with doors(Llm, service) as llm:
        yield Rig(llm, engine or ScriptedEngine(), told, service)
    await service.close()


def turn(text: str = "how much is it", **fields: object) -> Turn:
    return msgspec.structs.replace(Turn([Message("user", text)]), **fields)


async def streamed(llm: Llm, request: Turn) -> list[Part]:
    return [part async for part in llm.stream_turn(request)]


def text_of(parts: list[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPiece))


async def test_a_turn_is_answered_by_the_cheap_model_with_its_usage(rig: Rig) -> None:
    assert await rig.llm.turn(turn()) == ANSWER
    assert rig.engine.asked[0][0] == "cheap-1"


async def test_a_critical_turn_is_answered_by_the_critical_model(rig: Rig) -> None:
    assert (await rig.llm.turn(turn(policy=Policy(critical=True)))).model == "critical-1"
    assert rig.engine.asked[0][0] == "critical-1"


async def test_a_stream_is_the_reply_in_pieces_then_usage_then_done(rig: Rig) -> None:
    assert await streamed(rig.llm, turn()) == [
        TextPiece("It is "),
        TextPiece("nineteen "),
        TextPiece("dollars."),
        UsagePiece(40, 5, 45),
        TurnDone("It is nineteen dollars.", "cheap-1", cached=False, usage=Usage(40, 5, 45)),
    ]


async def test_tool_calls_come_whole(rig: Rig) -> None:
    call = ToolPiece("c1", "end_call", '{"reason": "bye"}')
    rig.engine.will(Says(["Bye.", call]), Says(["Bye.", call]))
    assert (await streamed(rig.llm, turn(tools=[END_CALL])))[:2] == [TextPiece("Bye."), call]
    reply = await rig.llm.turn(turn(tools=[END_CALL]))
    assert reply.tool_calls == [ToolCall("c1", "end_call", '{"reason": "bye"}')]


async def test_the_first_piece_is_there_before_the_last_is_made(rig: Rig) -> None:
    gate = asyncio.Semaphore(1)
    rig.engine.will(Says(gate=gate))
    async with aclosing(rig.llm.stream_turn(turn())) as parts:
        assert await anext(parts) == TextPiece("It is ")
        gate.release()
        gate.release()
        assert isinstance([part async for part in parts][-1], TurnDone)


@pytest.mark.parametrize(
    "other",
    [
        {"persona": Persona("Ada", tone="friendly")},
        {"persona": Persona("Sunny", tone="stern")},
        {"persona": Persona("Sunny", tone="friendly", locale="en-IN")},
        {"persona": Persona("Sunny", tone="friendly", style=["short sentences"])},
        {"goals": ["collect_payment"]},
        {"goals": ["book_demo", "collect_payment"]},
    ],
)
async def test_persona_and_goals_change_the_prompt_that_the_model_gets(rig: Rig, other: dict[str, object]) -> None:
    known = turn(persona=Persona("Sunny", tone="friendly"), goals=["book_demo"])
    await rig.llm.turn(known)
    await rig.llm.turn(msgspec.structs.replace(known, **other))
    first, second = rig.engine.prompts
    assert first != second


# ---- the cache --------------------------------------------------------------------------------------------------


async def test_the_same_turn_is_served_from_the_cache(rig: Rig) -> None:
    first = await rig.llm.turn(turn(conversation_id="CA1", policy=Policy(temperature=0.1)))
    second = await rig.llm.turn(turn(conversation_id="CA2", policy=Policy(temperature=0.9)))
    assert (first.cached, second.cached) == (False, True)
    assert msgspec.structs.replace(second, cached=False) == first
    assert len(rig.engine.asked) == 1


async def test_a_cached_reply_streams_too(rig: Rig) -> None:
    made, kept = await streamed(rig.llm, turn()), await streamed(rig.llm, turn())
    assert text_of(kept) == text_of(made)
    assert kept[-1] == msgspec.structs.replace(made[-1], cached=True)
    assert len(rig.engine.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [Message("user", "how much is that")]},
        {"messages": [Message("assistant", "how much is it")]},
        {"messages": [Message("system", "Be kind."), Message("user", "how much is it")]},
        {"persona": Persona("Ada")},
        {"goals": ["book_demo"]},
        {"tools": [END_CALL]},
        {"policy": Policy(critical=True)},
    ],
)
async def test_another_turn_is_answered_anew(rig: Rig, other: dict[str, object]) -> None:
    await rig.llm.turn(turn())
    assert not (await rig.llm.turn(turn(**other))).cached


async def test_workspaces_share_neither_kept_answers_nor_those_being_made(rig: Rig) -> None:
    async def asked_in(workspace: str) -> bool:
        with acting(Principal(workspace=workspace), request_id=f"req_{workspace}"):
            return (await rig.llm.turn(turn())).cached

    gate = asyncio.Semaphore(0)
    rig.engine.will(Says(gate=gate), Says(gate=gate))
    asking = asyncio.gather(asked_in("acme"), asked_in("umbrella"))
    await eventually(lambda: len(rig.engine.asked) == 2)
    for _ in range(6):
        gate.release()
    assert await asking == [False, False]
    assert [await asked_in(workspace) for workspace in ("acme", "initech")] == [True, False]
    await eventually(lambda: len(rig.told.events) == 4)
    assert [event.workspace for event in rig.told.events[2:]] == ["acme", "initech"]


async def test_a_reply_with_tool_calls_is_never_kept(rig: Rig) -> None:
    request = turn(tools=[END_CALL])
    rig.engine.will(Says([ToolPiece("c1", "end_call", "{}")]))
    await rig.llm.turn(request)
    assert not (await rig.llm.turn(request)).cached


async def test_a_reply_that_was_cut_at_its_longest_is_not_kept(rig: Rig) -> None:
    request = turn(policy=Policy(max_tokens=5))
    await rig.llm.turn(request)
    assert not (await rig.llm.turn(request)).cached


async def test_without_a_time_to_live_nothing_is_kept(doors: Doors) -> None:
    async with opened(doors, ScriptedEngine(), ttl_s=0) as rig:
        await rig.llm.turn(turn())
        assert not (await rig.llm.turn(turn())).cached


async def test_many_who_ask_the_same_at_once_share_one_completion(rig: Rig) -> None:
    gate = asyncio.Semaphore(0)
    rig.engine.will(Says(gate=gate))
    asking = asyncio.gather(*(rig.llm.turn(turn()) for _ in range(6)))
    await rig.engine.begun.wait()
    for _ in range(3):
        await asyncio.sleep(0.02)
        gate.release()
    replies = await asking
    assert len(rig.engine.asked) == 1
    assert {reply.text for reply in replies} == {ANSWER.text}
    assert [reply.cached for reply in replies].count(False) == 1


async def test_who_asked_first_may_leave_without_harm_to_the_others(rig: Rig) -> None:
    gate = asyncio.Semaphore(1)
    rig.engine.will(Says(gate=gate))
    first = asyncio.create_task(rig.llm.turn(turn()))
    await rig.engine.begun.wait()
    other = rig.llm.stream_turn(turn())
    joined = await anext(other)
    first.cancel()
    await asyncio.wait({first})
    gate.release()
    gate.release()
    assert text_of([joined, *[part async for part in other]]) == ANSWER.text
    assert len(rig.engine.asked) == 1


async def test_headers_say_where_the_reply_came_from_and_when_usage_is_estimated(rig: Rig) -> None:
    rig.engine.will(Says(usage=None))
    for cache in ("miss", "hit"):
        with remarks() as noted:
            await rig.llm.turn(turn())
        assert (noted["x-scriza-cache"], noted["x-scriza-usage"]) == (cache, "estimated")
    with remarks() as noted:
        await rig.llm.turn(turn("another question"))
    assert (noted["x-scriza-cache"], "x-scriza-usage" in noted) == ("miss", False)
    with remarks() as noted:
        await streamed(rig.llm, turn())
    assert (noted["x-scriza-cache"], noted["x-scriza-usage"]) == ("hit", "estimated")


async def test_a_cache_that_keeps_nothing_is_said_to_be_bypassed(doors: Doors) -> None:
    async with opened(doors, ScriptedEngine(), ttl_s=0) as rig:
        with remarks() as noted:
            await rig.llm.turn(turn())
        assert noted["x-scriza-cache"] == "bypass"


async def test_what_the_script_answers_is_said_to_be_estimated_before_the_first_word(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        with remarks() as noted:
            await anext(rig.llm.stream_turn(turn(script=SCRIPT)))
        assert (noted["x-scriza-cache"], noted["x-scriza-usage"]) == ("miss", "estimated")


# ---- failures ---------------------------------------------------------------------------------------------------


async def test_leaving_a_stream_stops_the_model(rig: Rig) -> None:
    rig.engine.will(Says(stall_after=1))
    async with aclosing(rig.llm.stream_turn(turn())) as parts:
        await anext(parts)
    await eventually(lambda: rig.engine.left == 1)


async def test_a_cancelled_turn_stops_the_model_and_the_next_one_is_made_anew(rig: Rig) -> None:
    rig.engine.will(Says(stall_after=1))
    asking = asyncio.create_task(rig.llm.turn(turn()))
    await rig.engine.begun.wait()
    asking.cancel()
    await eventually(lambda: rig.engine.left == 1)
    assert await rig.llm.turn(turn()) == ANSWER


@pytest.mark.parametrize(
    "says",
    [
        Says(fail_after=0, failure=UpstreamFailed("down")),
        Says(fail_after=0, failure=DeadlineExceeded("slow")),
        Says(fail_after=0, failure=ZeroDivisionError("a surprise")),
        Says(first_s=60),
        Says([], usage=None),
        Says([]),
    ],
)
async def test_a_model_that_fails_before_its_first_token_is_stood_in_for_by_the_script(
    impatient: Rig, says: Says
) -> None:
    impatient.engine.will(says)
    reply = await impatient.llm.turn(turn(script=SCRIPT))
    assert (reply.text, reply.model, reply.cached) == (SCRIPT[0].text, "playbook", False)


async def test_an_answer_of_the_script_is_not_kept_as_the_models(rig: Rig) -> None:
    rig.engine.will(Says(fail_after=0, failure=UpstreamFailed("down")))
    await rig.llm.turn(turn(script=SCRIPT))
    assert await rig.llm.turn(turn(script=SCRIPT)) == ANSWER


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        (Says(fail_after=0, failure=UpstreamFailed("down", retry_after=7)), UpstreamFailed),
        (Says(fail_after=0, failure=TooLarge("too long")), TooLarge),
        (Says(fail_after=0, failure=ZeroDivisionError("a surprise")), UpstreamFailed),
        (Says(first_s=60), DeadlineExceeded),
        (Says([]), UpstreamFailed),
    ],
)
async def test_without_a_script_the_failure_is_told(impatient: Rig, says: Says, failure: type[ScrizaError]) -> None:
    impatient.engine.will(says)
    with pytest.raises(ScrizaError) as raised:
        await streamed(impatient.llm, turn())
    assert type(raised.value) is failure
    assert "surprise" not in raised.value.detail


@pytest.mark.parametrize(
    ("says", "failure"),
    [(Says(fail_after=2, failure=UpstreamFailed("gone")), UpstreamFailed), (Says(stall_after=2), DeadlineExceeded)],
)
async def test_after_the_first_token_a_failure_ends_the_reply_and_the_script_is_left_alone(
    impatient: Rig, says: Says, failure: type[ScrizaError]
) -> None:
    impatient.engine.will(says)
    parts = impatient.llm.stream_turn(turn(script=SCRIPT))
    assert [await anext(parts), await anext(parts)] == [TextPiece("It is "), TextPiece("nineteen ")]
    with pytest.raises(failure):
        await anext(parts)
    assert await impatient.llm.turn(turn(script=SCRIPT)) == ANSWER


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (Turn([]), BadInput),
        (turn(""), BadInput),
        (turn(" \n\t"), BadInput),
        (turn("\ud800"), BadInput),
        (turn(messages=[Message("system", "")]), BadInput),
        (turn(messages=[msgspec.structs.replace(Message("user", "hi"), role="wizard")]), BadInput),
        (turn(messages=[Message("tool", "done")]), BadInput),
        (turn(policy=Policy(temperature=9.0)), BadInput),
        (turn(policy=Policy(max_tokens=0)), BadInput),
        (turn(script=[ScriptLine("a", " ")]), BadInput),
        (turn("word " * 100_000), TooLarge),
        (turn("\N{GRINNING FACE}" * 500_000), TooLarge),
        (turn(messages=[Message("user", "hi")] * 1_001), TooLarge),
        (turn(tools=[Tool("t", "d", {"text": "x" * 500_000})]), TooLarge),
    ],
)
async def test_what_no_model_can_take_is_refused(rig: Rig, request_: Turn, refusal: type[ScrizaError]) -> None:
    with pytest.raises(ScrizaError) as raised:
        await rig.llm.turn(request_)
    assert type(raised.value) is refusal
    with pytest.raises(refusal):
        await streamed(rig.llm, request_)
    assert rig.engine.asked == []


# ---- without a model --------------------------------------------------------------------------------------------


async def test_without_a_model_the_script_answers_with_estimated_usage(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        parts = await streamed(rig.llm, turn(script=SCRIPT))
    done = parts[-1]
    assert isinstance(done, TurnDone)
    assert text_of(parts) == done.text == SCRIPT[0].text
    assert done.model == "playbook"
    assert parts[-2] == UsagePiece(
        done.usage.prompt_tokens, done.usage.completion_tokens, done.usage.total_tokens, estimated=True
    )
    assert done.usage.completion_tokens > 0


async def test_the_script_says_what_has_not_been_said(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        said = [Message("user", "price"), Message("assistant", SCRIPT[0].text.upper()), Message("user", "price")]
        assert (await rig.llm.turn(turn(messages=said, script=SCRIPT))).text == SCRIPT[1].text


async def test_another_script_is_another_answer(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        await rig.llm.turn(turn(script=SCRIPT))
        assert (await rig.llm.turn(turn(script=SCRIPT[1:]))).text == SCRIPT[1].text
        assert (await rig.llm.turn(turn(script=SCRIPT))).cached


async def test_without_a_model_and_a_script_nothing_can_be_answered(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        with pytest.raises(Unavailable):
            await rig.llm.turn(turn())


async def test_the_models_are_told_in_the_order_of_preference(rig: Rig) -> None:
    assert (await rig.llm.models()).data == [
        Model("critical-1", "critical", "scripted", first_token_ms=700),
        Model("cheap-1", "cheap", "scripted", first_token_ms=700),
        Model("playbook", "fallback", "playbook"),
    ]


async def test_without_a_model_the_playbook_is_the_only_one(doors: Doors) -> None:
    async with opened(doors, None) as rig:
        assert (await rig.llm.models()).data == [Model("playbook", "fallback", "playbook")]


# ---- usage ------------------------------------------------------------------------------------------------------


async def test_every_completion_is_told_under_the_request_that_asked_for_it(rig: Rig) -> None:
    with acting(Principal(workspace="default"), request_id="req_7", call_id="CA9"):
        await rig.llm.turn(turn())
    await eventually(lambda: bool(rig.told.events))
    (event,) = rig.told.events
    assert (event.type, event.subject, event.workspace) == (Topic.USAGE_LLM, "CA9", "default")
    assert rig.told.used == [LlmUsed("CA9", "cheap-1", 40, 5, cached=False, estimated=False)]


async def test_a_repeated_request_is_told_under_the_same_id(rig: Rig) -> None:
    for _ in range(2):
        with acting(Principal(), request_id="req_7"):
            await rig.llm.turn(turn(conversation_id="c1"))
    await eventually(lambda: len(rig.told.events) == 2)
    assert len({event.id for event in rig.told.events}) == 1


async def test_a_completion_from_the_cache_is_told_as_one(rig: Rig) -> None:
    for _ in range(2):
        await rig.llm.turn(turn())
    await eventually(lambda: len(rig.told.events) == 2)
    assert [used.cached for used in rig.told.used] == [False, True]


async def test_the_usage_of_a_server_that_tells_none_is_estimated(rig: Rig) -> None:
    rig.engine.will(Says(usage=None))
    reply = await rig.llm.turn(turn())
    await eventually(lambda: bool(rig.told.events))
    assert rig.told.used == [
        LlmUsed("", "cheap-1", reply.usage.prompt_tokens, reply.usage.completion_tokens, cached=False, estimated=True)
    ]
    assert reply.usage.completion_tokens == len(ANSWER.text) // 4 + 1


async def test_a_reply_that_was_broken_off_is_told_as_far_as_it_was_made(rig: Rig) -> None:
    rig.engine.will(Says(stall_after=2))
    async with aclosing(rig.llm.stream_turn(turn(conversation_id="c1"))) as parts:
        assert [await anext(parts), await anext(parts)] == [TextPiece("It is "), TextPiece("nineteen ")]
    await eventually(lambda: bool(rig.told.events))
    (used,) = rig.told.used
    assert (used.call_id, used.cached, used.estimated, used.completion_tokens) == ("c1", False, True, 4)


async def test_a_model_that_never_answered_is_not_told(rig: Rig) -> None:
    rig.engine.will(Says(fail_after=0, failure=UpstreamFailed("down")))
    with pytest.raises(UpstreamFailed):
        await rig.llm.turn(turn())
    await rig.service.close()
    assert rig.told.events == []


async def test_closing_the_module_ends_what_is_under_way_and_tells_its_usage(rig: Rig) -> None:
    rig.engine.will(Says(stall_after=1))
    asking = asyncio.create_task(rig.llm.turn(turn()))
    await rig.engine.begun.wait()
    await asyncio.sleep(0)
    await rig.service.close()
    with pytest.raises(Unavailable):
        await asking
    assert rig.engine.closed
    assert len(rig.told.events) == 1
