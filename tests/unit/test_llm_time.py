"""Patience and the cache's age, on a clock that jumps."""

import asyncio

import msgspec
import pytest

from scriza.kernel.errors import DeadlineExceeded, UpstreamFailed
from scriza.modules.llm.cache import Answer, TurnCache
from scriza.modules.llm.engine import Patience
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, ScriptLine, ToolPiece, Turn, UsagePiece
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

TURN = Turn([Message("user", "how much is it")])
WITH_SCRIPT = msgspec.structs.replace(TURN, script=[ScriptLine("price", "Nineteen dollars.")])


def service(engine: ScriptedEngine, patience: Patience | None = None, cache_ttl_s: float = 3600) -> LlmService:
    return LlmService(Told(), cache_ttl_s=cache_ttl_s, **routes(engine, patience))


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_script_stands_in_after_the_budget_to_the_first_token() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(Says(first_s=2.4), Says(first_s=2.6))
        llm = service(engine, cache_ttl_s=0)
        assert (await llm.turn(WITH_SCRIPT)).model == "cheap-1"
        begun = now()
        assert (await llm.turn(WITH_SCRIPT)).model == "playbook"
        assert now() - begun == pytest.approx(2.5)
        assert engine.left == 1

    run_virtual(scenario())


def test_a_model_that_nobody_can_stand_in_for_gets_more_time() -> None:
    async def scenario() -> None:
        llm = service(ScriptedEngine(Says(first_s=8.9), Says(first_s=60)), cache_ttl_s=0)
        assert (await llm.turn(TURN)).model == "cheap-1"
        begun = now()
        with pytest.raises(DeadlineExceeded):
            await llm.turn(TURN)
        assert now() - begun == pytest.approx(9)

    run_virtual(scenario())


def test_a_stall_ends_the_reply() -> None:
    async def scenario() -> None:
        llm = service(ScriptedEngine(Says(stall_after=2)), patience=Patience(next_token_s=3))
        with pytest.raises(DeadlineExceeded):
            await llm.turn(WITH_SCRIPT)
        assert now() == pytest.approx(3)

    run_virtual(scenario())


def test_a_model_that_takes_long_to_write_a_tool_call_is_not_stalled() -> None:
    async def scenario() -> None:
        call = ToolPiece("c1", "end_call", "{}")
        llm = service(ScriptedEngine(Says(["", "", "", call], each_s=2)))
        reply = await llm.turn(WITH_SCRIPT)
        assert (reply.model, reply.text, len(reply.tool_calls)) == ("cheap-1", "", 1)
        assert now() == pytest.approx(8)

    run_virtual(scenario())


def test_a_model_that_does_not_stop_is_stopped() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(Says(["word " * 1_000] * 1_000))
        with pytest.raises(UpstreamFailed):
            await service(engine).turn(WITH_SCRIPT)
        assert engine.left == 1

    run_virtual(scenario())


def test_an_answer_is_kept_for_its_time_to_live_and_no_longer() -> None:
    async def scenario() -> None:
        llm = service(ScriptedEngine(), cache_ttl_s=60)
        assert not (await llm.turn(TURN)).cached
        await asyncio.sleep(59)
        assert (await llm.turn(TURN)).cached
        await asyncio.sleep(2)
        assert not (await llm.turn(TURN)).cached

    run_virtual(scenario())


def test_a_failed_warm_up_stops_nothing() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine()
        engine.warm_up_failure = DeadlineExceeded("slow")
        llm = service(engine)
        await llm.warm_up()
        assert not engine.warm
        assert (await llm.turn(TURN)).text
        engine.warm_up_failure = None
        await llm.warm_up()
        assert engine.warm

    run_virtual(scenario())


def test_one_route_without_the_other_is_not_taken() -> None:
    with pytest.raises(ValueError, match="critical"):
        LlmService(Told(), cheap=routes(ScriptedEngine())["cheap"])


def answer(text: str) -> Answer:
    return Answer(text, "m", UsagePiece(1, 1, 2))


def test_the_cache_lets_the_least_recently_used_go() -> None:
    cache = TurnCache(ttl_s=60, size=2)
    cache.put("a", answer("a"), now=0)
    cache.put("b", answer("b"), now=1)
    assert cache.get("a", now=2) == answer("a")
    cache.put("c", answer("c"), now=3)
    assert [cache.get(key, now=4) is not None for key in "abc"] == [True, False, True]
    assert len(cache) == 2


def test_the_cache_forgets_at_the_end_of_the_time_to_live() -> None:
    cache = TurnCache(ttl_s=60)
    cache.put("a", answer("a"), now=0)
    assert cache.get("a", now=59.9)
    assert cache.get("a", now=60) is None
    assert len(cache) == 0


def test_the_cache_holds_only_so_many_characters() -> None:
    cache = TurnCache(ttl_s=60, most_characters=10)
    for key in "abc":
        cache.put(key, answer("12345"), now=0)
    cache.put("c", answer("54321"), now=0)
    assert [cache.get(key, now=1) is not None for key in "abc"] == [False, True, True]
    cache.put("d", answer("longer than all of it"), now=0)
    assert len(cache) == 0


def test_a_cache_that_keeps_nothing_keeps_nothing() -> None:
    cache = TurnCache(ttl_s=0)
    cache.put("a", answer("a"), now=0)
    assert cache.get("a", now=0) is None
