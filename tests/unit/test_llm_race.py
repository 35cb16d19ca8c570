"""Who is asked when a model is late or fails, who is heard, and what is left of the others; on a clock that jumps."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.kernel.breaker import Tolerance
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.kernel.principal import Principal, acting
from scriza.kernel.remarks import remarks
from scriza.modules.llm.engine import Patience, Route, Upstream
from scriza.modules.llm.service import LlmService
from scriza.ports.llm import Message, ModelRefused, ScriptLine, TextPiece, Turn, UsagePiece
from scriza.ports.usage import LlmUsed
from tests.standins.llm_engine import Says, ScriptedEngine
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

TURN = Turn([Message("user", "how much is it")])
WITH_SCRIPT = msgspec.structs.replace(TURN, script=[ScriptLine("price", "Nineteen dollars.")])
DOWN = Says(fail_after=0, failure=UpstreamFailed("down"))
PATIENCE = Patience(hedge_s=0.7, first_token_s=2.5, first_token_alone_s=9, next_token_s=4)


@dataclass
class Rig:
    """An `LlmService` with a route of engines whose models are called ``first``, ``second`` and so on."""

    engines: list[ScriptedEngine]
    patience: Patience = PATIENCE
    tolerance: Tolerance = field(default_factory=Tolerance)

    def __post_init__(self) -> None:
        names = ("first", "second", "third", "fourth")
        upstreams = (Upstream(engine, name) for engine, name in zip(self.engines, names, strict=False))
        route = Route(tuple(upstreams), self.patience)
        self.told = Told()
        self.llm = LlmService(self.told, critical=route, cheap=route, cache_ttl_s=0, tolerance=self.tolerance)

    @property
    def asked(self) -> list[int]:
        """How often each model was asked."""
        return [len(engine.asked) for engine in self.engines]

    @property
    def used(self) -> list[LlmUsed]:
        return [msgspec.json.decode(event.data, type=LlmUsed) for event in self.told.events]


def rig(*says: Says | Sequence[Says], tolerance: Tolerance | None = None) -> Rig:
    """One engine for each argument, which says one thing or several, and then the usual for ever."""
    engines = [ScriptedEngine(*([say] if isinstance(say, Says) else say)) for say in says]
    return Rig(engines, tolerance=tolerance or Tolerance())


def now() -> float:
    return asyncio.get_running_loop().time()


# ---- who is heard -----------------------------------------------------------------------------------------------


def test_beside_a_late_model_the_next_is_asked_and_the_first_to_speak_is_heard() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says(first_s=0.2))
        async with aclosing(of.llm.stream_turn(TURN)) as parts:
            await anext(parts)
            assert now() == pytest.approx(0.9)
            await asyncio.sleep(0)
            assert of.engines[0].left == 1, "the other one is stopped at once"
            assert [part async for part in parts][-1].model == "second"

    run_virtual(scenario())


def test_a_late_model_that_speaks_before_the_other_is_heard() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=0.8), Says(first_s=0.5))
        assert (await of.llm.turn(TURN)).model == "first"
        assert now() == pytest.approx(0.8)
        assert [engine.left for engine in of.engines] == [0, 1]

    run_virtual(scenario())


def test_a_model_in_time_is_asked_alone() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=0.69), Says())
        assert (await of.llm.turn(TURN)).model == "first"
        assert of.asked == [1, 0]

    run_virtual(scenario())


def test_a_model_that_fails_is_followed_by_the_next_at_once() -> None:
    async def scenario() -> None:
        of = rig(DOWN, Says([], usage=None), Says(first_s=0.1))
        assert (await of.llm.turn(TURN)).model == "third"
        assert now() == pytest.approx(0.1)

    run_virtual(scenario())


def test_a_model_that_fails_beside_a_late_one_is_followed_by_the_next_at_once() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), DOWN, Says(first_s=0.1))
        assert (await of.llm.turn(TURN)).model == "third"
        assert now() == pytest.approx(0.8)

    run_virtual(scenario())


def test_each_late_model_gets_another_beside_it() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says(first_s=60), Says(first_s=0.1))
        assert (await of.llm.turn(TURN)).model == "third"
        assert now() == pytest.approx(1.5)
        assert [engine.left for engine in of.engines] == [1, 1, 0]

    run_virtual(scenario())


def test_a_model_that_was_only_at_work_and_failed_is_followed_by_the_next() -> None:
    async def scenario() -> None:
        of = rig(Says(["", "", "never said"], fail_after=2, failure=UpstreamFailed("gone")), Says())
        assert (await of.llm.turn(TURN)).model == "second"
        assert [used.model for used in of.used] == ["first", "second"], "its vendor counts what it did"

    run_virtual(scenario())


@pytest.mark.parametrize(
    "says", [Says(fail_after=1, failure=UpstreamFailed("gone")), Says(stall_after=1), Says(fail_after=1)]
)
def test_after_the_first_token_nobody_else_is_asked(says: Says) -> None:
    async def scenario() -> None:
        of = rig(says, Says())
        parts = of.llm.stream_turn(WITH_SCRIPT)
        assert await anext(parts) == TextPiece("It is ")
        with pytest.raises(ScrizaError):
            await anext(parts)
        assert of.asked == [1, 0]

    run_virtual(scenario())


@pytest.mark.parametrize("says", [DOWN, Says(first_s=60)])
def test_when_all_fail_the_playbook_answers_in_time(says: Says) -> None:
    async def scenario() -> None:
        of = rig(says, says, says)
        reply = await of.llm.turn(WITH_SCRIPT)
        assert (reply.model, reply.text) == ("playbook", "Nineteen dollars.")
        assert of.asked == [1, 1, 1]
        assert now() <= PATIENCE.first_token_s + 0.01

    run_virtual(scenario())


def test_without_a_script_the_last_failure_is_told() -> None:
    async def scenario() -> None:
        with pytest.raises(TooLarge):
            await rig(DOWN, Says(fail_after=0, failure=TooLarge("too long"))).llm.turn(TURN)
        with pytest.raises(DeadlineExceeded):
            await rig(Says(first_s=60), Says(first_s=60)).llm.turn(TURN)

    run_virtual(scenario())


def test_the_same_model_may_be_asked_a_second_time() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(Says(first_s=60), Says(first_s=0.1))
        of = Rig([engine, engine])
        assert (await of.llm.turn(TURN)).text == "It is nineteen dollars."
        assert now() == pytest.approx(0.8)

    run_virtual(scenario())


# ---- who is left alone ------------------------------------------------------------------------------------------


def test_a_model_that_keeps_failing_is_left_alone_and_then_tried_once() -> None:
    async def scenario() -> None:
        of = rig([DOWN] * 3 + [Says(first_s=0.5)], Says(), tolerance=Tolerance(failures=3, rest_s=10))
        for _ in range(5):
            await of.llm.turn(TURN)
        assert of.asked == [3, 5]
        assert (await of.llm.models()).data[0].state == "open"
        await asyncio.sleep(10)
        replies = await asyncio.gather(*(of.llm.turn(TURN) for _ in range(3)))
        assert sorted(reply.model for reply in replies) == ["first", "second", "second"]
        assert (await of.llm.models()).data[0].state == "closed"
        assert (await of.llm.turn(TURN)).model == "first"

    run_virtual(scenario())


def test_a_model_that_asked_for_patience_is_left_alone_until_then() -> None:
    async def scenario() -> None:
        busy = Says(fail_after=0, failure=UpstreamFailed("busy", retry_after=30))
        of = rig([busy], Says())
        assert (await of.llm.turn(TURN)).model == "second"
        await asyncio.sleep(29.9)
        assert (await of.llm.turn(TURN)).model == "second"
        assert of.asked[0] == 1
        await asyncio.sleep(0.2)
        assert (await of.llm.turn(TURN)).model == "first"

    run_virtual(scenario())


def test_a_model_that_may_be_asked_again_at_once_is() -> None:
    async def scenario() -> None:
        of = rig([Says(fail_after=0, failure=UpstreamFailed("busy", retry_after=0))], Says())
        assert (await of.llm.turn(TURN)).model == "second"
        assert (await of.llm.turn(TURN)).model == "first"

    run_virtual(scenario())


def test_a_refusal_that_will_not_pass_opens_the_breaker_at_once() -> None:
    async def scenario() -> None:
        of = rig([Says(fail_after=0, failure=ModelRefused("no key", lasting=True))], Says())
        for _ in range(2):
            assert (await of.llm.turn(TURN)).model == "second"
        assert of.asked[0] == 1

    run_virtual(scenario())


def test_when_all_rest_the_playbook_answers_at_once_and_without_a_script_it_is_said_when_to_come_back() -> None:
    async def scenario() -> None:
        of = rig([Says(fail_after=0, failure=UpstreamFailed("busy", retry_after=30))])
        for _ in range(2):
            assert (await of.llm.turn(WITH_SCRIPT)).model == "playbook"
        assert (now(), of.asked) == (0, [1])
        with pytest.raises(Unavailable) as raised:
            await of.llm.turn(TURN)
        assert raised.value.retry_after == 30

    run_virtual(scenario())


def test_a_model_that_is_always_late_is_left_alone_after_a_while() -> None:
    async def scenario() -> None:
        of = rig([Says(first_s=60)] * 3, Says(), tolerance=Tolerance(failures=3))
        times = []
        for _ in range(4):
            began = now()
            await of.llm.turn(TURN)
            times.append(now() - began)
        assert times == pytest.approx([0.7, 0.7, 0.7, 0])

    run_virtual(scenario())


def test_a_model_that_used_up_all_patience_is_blamed_also_where_none_would_be_asked_beside_it() -> None:
    async def scenario() -> None:
        patience = Patience(hedge_s=5, first_token_s=2.5)
        of = Rig([ScriptedEngine(*[Says(first_s=60)] * 3)], patience, Tolerance(failures=3))
        times = []
        for _ in range(4):
            began = now()
            assert (await of.llm.turn(WITH_SCRIPT)).model == "playbook"
            times.append(now() - began)
        assert times == pytest.approx([2.5, 2.5, 2.5, 0])
        assert of.engines[0].too_slow == ["the model said nothing in time"] * 3

    run_virtual(scenario())


def test_a_model_that_lost_in_good_time_is_not_blamed() -> None:
    async def scenario() -> None:
        of = rig([Says(first_s=0.8)] * 3, [Says(first_s=0.5)] * 3, tolerance=Tolerance(failures=1))
        for _ in range(3):
            assert (await of.llm.turn(TURN)).model == "first"
        assert of.asked == [3, 3]

    run_virtual(scenario())


def test_a_conversation_that_is_too_long_says_nothing_about_the_model() -> None:
    async def scenario() -> None:
        of = rig([Says(fail_after=0, failure=TooLarge("too long"))] * 3, tolerance=Tolerance(failures=1))
        for _ in range(3):
            with pytest.raises(TooLarge):
                await of.llm.turn(TURN)
        assert (await of.llm.turn(TURN)).model == "first"

    run_virtual(scenario())


# ---- what is told -----------------------------------------------------------------------------------------------


def test_what_a_loser_used_is_told_beside_what_the_speaker_used() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says())
        with acting(Principal(), request_id="req_1", call_id="CA1"):
            await of.llm.turn(TURN)
        lost, heard = of.used
        assert (lost.model, lost.estimated, lost.prompt_tokens > 0, lost.completion_tokens) == ("first", True, True, 0)
        assert (heard.model, heard.estimated, heard.prompt_tokens) == ("second", False, 40)
        assert len({event.id for event in of.told.events}) == 2

    run_virtual(scenario())


def test_a_model_that_failed_by_itself_used_nothing() -> None:
    async def scenario() -> None:
        of = rig(DOWN, Says())
        await of.llm.turn(TURN)
        assert [used.model for used in of.used] == ["second"]

    run_virtual(scenario())


def test_who_leaves_before_the_first_token_stops_all_models_and_pays_for_them() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says(first_s=60))
        asking = asyncio.create_task(of.llm.turn(TURN))
        await asyncio.sleep(1)
        asking.cancel()
        await asyncio.wait({asking})
        assert [engine.left for engine in of.engines] == [1, 1]
        assert sorted(used.model for used in of.used) == ["first", "second"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(scenario())


def test_a_model_that_was_given_up_for_the_playbook_is_told_too() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60))
        await of.llm.turn(WITH_SCRIPT)
        assert [(used.model, used.cost_micro_usd) for used in of.used] == [("first", None), ("playbook", 0)]

    run_virtual(scenario())


def test_headers_say_who_spoke_after_how_many_requests_and_what_we_took_ourselves() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says(first_s=0.2))
        with remarks() as noted:
            await of.llm.turn(TURN)
        assert noted["x-scriza-model"] == "second"
        assert noted["x-scriza-attempts"] == "2"
        assert float(noted["x-scriza-overhead-ms"]) < 1, "waiting for models is not ours"

    run_virtual(scenario())


def test_an_engine_is_told_of_what_was_given_up_because_it_was_too_slow_and_of_nothing_else() -> None:
    async def scenario() -> None:
        of = rig(Says(first_s=60), Says(first_s=0.2), Says())
        await of.llm.turn(TURN)
        assert [engine.too_slow for engine in of.engines] == [["the model said nothing in time"], [], []]
        of = rig(Says(first_s=0.8), Says(first_s=0.5))
        await of.llm.turn(TURN)
        assert [engine.too_slow for engine in of.engines] == [[], []]
        of = rig(Says(stall_after=1))
        with pytest.raises(DeadlineExceeded):
            await of.llm.turn(TURN)
        assert [engine.too_slow for engine in of.engines] == [["the model stalled: it said nothing for 4 s"]]

    run_virtual(scenario())


# ---- whatever happens -------------------------------------------------------------------------------------------


says = st.builds(
    lambda first_s, each_s, fail_after, stall_after, empty: Says(
        ["", *"abc"] if empty else list("abc"),
        first_s=first_s,
        each_s=each_s,
        fail_after=fail_after,
        stall_after=stall_after,
        failure=UpstreamFailed("of the test"),
    ),
    st.sampled_from([0.0, 0.1, 0.69, 0.7, 0.71, 1.4, 2.0, 2.5, 60.0]),
    st.sampled_from([0.0, 0.5, 3.0, 5.0]),
    st.sampled_from([None, 0, 1, 3]),
    st.sampled_from([None, 0, 1]),
    st.booleans(),
)


@given(st.lists(says, min_size=1, max_size=4), st.booleans())
@settings(deadline=None, max_examples=150)
def test_one_voice_speaks_in_time_and_nothing_stays_behind(told: list[Says], with_script: bool) -> None:
    async def scenario() -> None:
        of = rig(*told)
        request = WITH_SCRIPT if with_script else TURN
        first_at, texts, done = None, [], None
        budget = PATIENCE.first_token_s if with_script else PATIENCE.first_token_alone_s
        try:
            async for part in of.llm.stream_turn(request):
                first_at = now() if first_at is None else first_at
                match part:
                    case TextPiece():
                        texts.append(part.text)
                    case UsagePiece():
                        pass
                    case _:
                        done = part
        except ScrizaError:
            assert not with_script or texts, "with a script there is always an answer"
        else:
            assert done is not None
            assert "".join(texts) == done.text == ("Nineteen dollars." if done.model == "playbook" else "abc")
        assert first_at is None or first_at <= budget + PATIENCE.next_token_s
        ours = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not ours, "every request has an owner that waits for its end"
        assert all(count <= 1 for count in of.asked)
        used = [entry.model for entry in of.used]
        assert len(used) == len(set(used)), "each request is told once"
        assert done is None or done.model in used

    run_virtual(scenario())
