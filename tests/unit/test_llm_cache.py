"""Answers kept in the state that processes share, and which turns are not looked up at all."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, Unavailable, UpstreamFailed
from scriza.kernel.principal import Principal, acting
from scriza.kernel.remarks import remarks
from scriza.modules.llm.cache import cache_key
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import (
    Message,
    ModelRefused,
    Policy,
    ScriptLine,
    TextPiece,
    Tool,
    ToolCall,
    Turn,
    TurnReply,
    UsagePiece,
)
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

TURN = Turn([Message("user", "how much is it")])


class Away(MemorySharedState):
    """A shared state that can be away: it refuses, or says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = self.hangs = False
        self.asked = 0

    async def get(self, key: str) -> bytes | None:
        await self._be_away()
        return await super().get(key)

    async def put(self, key: str, value: bytes, ttl: timedelta) -> None:
        await self._be_away()
        await super().put(key, value, ttl)

    async def _be_away(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            raise Unavailable("of the test")


def sharing(shared: MemorySharedState, engine: ScriptedEngine) -> LlmService:
    return LlmService(Told(), cache_ttl_s=60, shared=shared, **routes(engine))


async def asked_of(llm: LlmService, turn: Turn = TURN) -> tuple[TurnReply, str]:
    with remarks() as noted:
        reply = await llm.turn(turn)
    return reply, noted["x-scriza-cache"]


def test_what_one_process_was_answered_another_one_knows() -> None:
    async def scenario() -> None:
        shared, engine = MemorySharedState(), ScriptedEngine()
        one, other = sharing(shared, engine), sharing(shared, engine)
        first, told = await asked_of(one)
        assert told == "miss"
        second, told = await asked_of(other)
        assert (told, second.cached) == ("hit", True)
        assert msgspec.structs.replace(second, cached=False) == first
        await asyncio.sleep(61)
        assert (await asked_of(other))[1] == "miss"

    run_virtual(scenario())


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_shared_state_that_is_away_is_a_miss_and_one_line_in_the_log(how: str) -> None:
    async def scenario() -> None:
        shared = Away()
        llm = sharing(shared, ScriptedEngine())
        setattr(shared, how, True)
        loop = asyncio.get_running_loop()
        with structlog.testing.capture_logs() as lines:
            for _ in range(2):
                assert (await asked_of(llm))[1] == "miss"
            assert loop.time() <= 0.06, "a caller waits for it once, and shortly"
            assert shared.asked == 1
            await asyncio.sleep(10)
            await asked_of(llm)
            setattr(shared, how, False)
            await asyncio.sleep(10)
            await asked_of(llm)
            assert (await asked_of(llm))[1] == "hit"
        assert [line["event"] for line in lines] == ["llm.shared_cache_away", "llm.shared_cache_back"]

    run_virtual(scenario())


def test_garbage_in_the_shared_state_is_a_miss() -> None:
    async def scenario() -> None:
        class Garbage(MemorySharedState):
            async def get(self, key: str) -> bytes | None:
                return b'{"text": 7}'

        assert (await asked_of(sharing(Garbage(), ScriptedEngine())))[1] == "miss"

    run_virtual(scenario())


def test_many_who_ask_the_same_at_once_look_once_and_are_answered_once() -> None:
    async def scenario() -> None:
        shared, engine = Away(), ScriptedEngine(Says(first_s=0.1))
        llm = sharing(shared, engine)
        replies = await asyncio.gather(*(llm.turn(TURN) for _ in range(5)))
        assert len(engine.asked) == 1
        assert [reply.cached for reply in replies].count(False) == 1
        assert shared.asked == 2, "one look and one put"

    run_virtual(scenario())


def test_who_brings_a_script_does_not_fail_or_wait_with_who_brings_none() -> None:
    async def scenario() -> None:
        llm = LlmService(Told(), **routes(ScriptedEngine(Says(first_s=60), Says(first_s=60))))
        alone = asyncio.create_task(llm.turn(TURN))
        await asyncio.sleep(0.1)
        helped = await llm.turn(msgspec.structs.replace(TURN, script=[ScriptLine("price", "Nineteen dollars.")]))
        assert (helped.model, helped.text) == ("playbook", "Nineteen dollars.")
        with pytest.raises(DeadlineExceeded):
            await alone

    run_virtual(scenario())


def test_nobody_gets_another_ones_line_of_the_script() -> None:
    async def scenario() -> None:
        llm = LlmService(Told(), **routes(ScriptedEngine(Says(first_s=60), Says(first_s=60))))
        lines = ["Nineteen dollars.", "Twenty dollars."]
        turns = (msgspec.structs.replace(TURN, script=[ScriptLine("price", line)]) for line in lines)
        assert [reply.text for reply in await asyncio.gather(*(llm.turn(turn) for turn in turns))] == lines

    run_virtual(scenario())


def test_who_wants_a_long_answer_does_not_get_the_short_one_that_is_being_made() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(Says(["It"], usage=UsagePiece(40, 1, 41), first_s=0.1))
        llm = LlmService(Told(), **routes(engine))
        short = msgspec.structs.replace(TURN, policy=Policy(max_tokens=1))
        replies = await asyncio.gather(llm.turn(short), llm.turn(TURN))
        assert [reply.text for reply in replies] == ["It", "It is nineteen dollars."]

    run_virtual(scenario())


def test_all_who_share_a_completion_are_told_why_it_failed() -> None:
    async def scenario() -> None:
        refusal = ModelRefused("no", code="model_not_found", lasting=True, retry_after=7)
        llm = LlmService(Told(), **routes(ScriptedEngine(Says(first_s=0.1, fail_after=0, failure=refusal))))
        failures = await asyncio.gather(llm.turn(TURN), llm.turn(TURN), return_exceptions=True)
        for failure in failures:
            assert isinstance(failure, ModelRefused)
            assert (failure.detail, failure.code, failure.lasting, failure.retry_after) == (
                "no",
                "model_not_found",
                True,
                7,
            )
        assert failures[0] is not failures[1], "each has a traceback of its own"

    run_virtual(scenario())


@given(
    st.lists(st.tuples(st.sampled_from([0, 0.05, 0.3, 1]), st.sampled_from([0, 0.1, 1, 60])), min_size=1, max_size=6),
    st.lists(
        st.builds(
            lambda first_s, fail_after, stall_after, empty: Says(
                ["", *"abc"] if empty else list("abc"),
                first_s=first_s,
                each_s=0.1,
                fail_after=fail_after,
                stall_after=stall_after,
                failure=UpstreamFailed("of the test"),
            ),
            st.sampled_from([0, 0.2, 60]),
            st.sampled_from([None, 0, 2]),
            st.sampled_from([None, 1]),
            st.booleans(),
        ),
        max_size=6,
    ),
)
@settings(deadline=None, max_examples=100)
def test_however_they_come_and_go_each_is_answered_and_nothing_stays_behind(
    askers: list[tuple[float, float]], says: list[Says]
) -> None:
    asked = msgspec.structs.replace(TURN, script=[ScriptLine("price", "Nineteen dollars.")])

    async def scenario() -> None:
        engine, told, whole = ScriptedEngine(*says), Told(), 0
        llm = LlmService(told, cache_ttl_s=0.5, **routes(engine))

        async def ask(number: int, comes_s: float, stays_s: float) -> None:
            nonlocal whole
            await asyncio.sleep(comes_s)
            spoken = ""
            try:
                with acting(Principal(), request_id=f"req_{number}"):
                    async with asyncio.timeout(stays_s), aclosing(llm.stream_turn(asked)) as parts:
                        async for part in parts:
                            spoken += part.text if isinstance(part, TextPiece) else ""
                whole += 1
            except TimeoutError:
                pass
            except ScrizaError:
                assert spoken, "with a script there is always an answer"

        await asyncio.gather(*(ask(number, *times) for number, times in enumerate(askers)))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(told.events) == len({event.id for event in told.events}) >= whole

    run_virtual(scenario())


def test_a_turn_for_which_tools_ran_is_neither_looked_up_nor_kept() -> None:
    ran = Turn(
        [
            Message("user", "when are you free"),
            Message("assistant", tool_calls=[ToolCall("c1", "calendar", "{}")]),
            Message("tool", "at nine", tool_call_id="c1"),
        ]
    )
    later = Turn([*ran.messages, Message("assistant", "At nine."), Message("user", "thanks")])

    async def scenario() -> None:
        engine = ScriptedEngine()
        llm = LlmService(Told(), **routes(engine))
        assert [(await asked_of(llm, ran))[1] for _ in range(2)] == ["bypass", "bypass"]
        assert [(await asked_of(llm, later))[1] for _ in range(2)] == ["miss", "hit"]

    run_virtual(scenario())


schemas = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _backwards(value: object) -> object:
    match value:
        case dict():
            return {key: _backwards(value[key]) for key in reversed(list(value))}
        case list():
            return [_backwards(item) for item in value]
    return value


@given(st.dictionaries(st.text(max_size=3), schemas, max_size=4))
def test_the_order_in_which_a_tools_parameters_are_written_does_not_matter(parameters: dict[str, object]) -> None:
    backwards = _backwards(parameters)
    assert isinstance(backwards, dict)
    one, other = (msgspec.structs.replace(TURN, tools=[Tool("t", "d", given)]) for given in (parameters, backwards))
    assert cache_key("default", "m", one) == cache_key("default", "m", other)
    assert cache_key("acme", "m", one) != cache_key("default", "m", one)
