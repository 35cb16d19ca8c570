"""What one call adds to the figures."""

from datetime import UTC, date, datetime, timedelta, timezone

from scriza.modules.memory.reports.counting import Cell, Led, cell_of, figures_of
from scriza.modules.memory.reports.figures import TimedFigures
from scriza.ports.memory import RememberedTurn
from tests.report_calls import MONDAY, latency, objection, talk

KITE = Led("kite", frozenset({"booked"}), "en-IN")


def test_a_call_counts_where_and_when_it_began() -> None:
    in_india = datetime(2026, 3, 3, 1, 44, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    call = talk("CA1", at=in_india, direction="outbound", outcome="booked")
    assert cell_of(call, in_india, KITE) == Cell(date(2026, 3, 2), 80, "kite", "kite.1", "outbound", "booked")


def test_a_live_call_counts_its_turns_but_no_end() -> None:
    turn = RememberedTurn(turn=1, stage="pitch", said="hello there", confidence=0.5, tokens=20)
    found = figures_of(talk("CA1", turn, state="live", outcome="booked"), KITE)
    assert (found.calls, found.turns, found.tokens, found.utterances, found.confidence) == (1, 1, 20, 1, 500)
    assert (found.ended, found.won, found.talk_seconds, found.outcomes, found.samples) == (0, 0, 0, {}, {})
    assert (found.stages_reached, found.stages_left) == ({"pitch": 1}, {})


def test_an_ended_call_counts_how_it_ended() -> None:
    found = figures_of(talk("CA1", outcome="booked", duration_seconds=42, ended_reason="agent-goodbye"), KITE)
    assert (found.ended, found.won, found.talk_seconds) == (1, 1, 42)
    assert (found.outcomes, found.ended_reasons) == ({"booked": 1}, {"agent-goodbye": 1})
    assert figures_of(talk("CA1", outcome="booked"), Led("other")).won == 0


def test_objections_count_each_time_and_once_for_the_call() -> None:
    turns = objection("price"), objection("price", answered=False), objection("time")
    call = talk("CA1", *turns, outcome="booked", state="worked")
    found = figures_of(call, KITE)
    assert found.objections_heard == {"price": 2, "time": 1}
    assert found.objections_answered == {"price": 1, "time": 1}
    assert found.objections_calls == {"price": 1, "time": 1} == found.objections_won
    assert found.hits == {"won": 1, "objected": 1, "something_unanswered": 1}
    assert found.unanswered == 1


def test_an_intent_or_a_question_is_no_objection() -> None:
    turns = [RememberedTurn(turn=n, meant=kind, kind=kind) for n, kind in enumerate(("intent", "faq"))]  # type: ignore[arg-type]
    assert figures_of(talk("CA1", *turns), KITE).objections_heard == {}


def test_a_turn_in_which_the_caller_said_nothing_is_not_unanswered() -> None:
    assert figures_of(talk("CA1", RememberedTurn(turn=0, unanswered=True)), KITE).unanswered == 0


def test_stages_count_once_in_the_order_in_which_they_were_reached() -> None:
    stages = ["opening", "pitch", "opening", "close", "pitch"]
    call = talk("CA1", *(RememberedTurn(turn=n, stage=stage) for n, stage in enumerate(stages)), outcome="booked")
    found = figures_of(call, KITE)
    assert found.stages_reached == {"opening": 1, "pitch": 1, "close": 1} == found.stages_won
    assert found.stages_steps == {"pitch": 1, "close": 2}
    assert found.stages_left == {"pitch": 1}


def test_interruptions_are_those_told_at_the_end_or_seen_in_turns_if_more() -> None:
    spoken_over = [RememberedTurn(turn=n, stage="pitch", interrupted=True) for n in range(2)]
    live = figures_of(talk("CA1", *spoken_over, state="live"), KITE)
    ended = figures_of(talk("CA1", *spoken_over, barge_ins=3, false_barge_ins=4, silence_prompts=2), KITE)
    assert (live.barge_ins, live.interrupted_calls, live.stages_interrupted) == (2, 1, {"pitch": 2})
    assert (ended.barge_ins, ended.false_barge_ins, ended.silence_prompts, ended.silent_calls) == (3, 4, 2, 1)
    assert ended.hits == {"interrupted": 1, "fell_silent": 1}


def test_moods_count_in_the_stage_in_which_the_words_were_said() -> None:
    turns = [
        RememberedTurn(turn=0, said="this is great", said_in="opening", stage="pitch"),
        RememberedTurn(turn=1, said="that is terrible", stage="pitch"),
        RememberedTurn(turn=2, said="what is it", stage="pitch"),
    ]
    found = figures_of(talk("CA1", *turns), KITE)
    assert found.mood_turns == {"opening": 1, "pitch": 2}
    assert (found.mood_positive, found.mood_negative) == ({"opening": 1}, {"pitch": 1})
    assert found.mood["opening"] > 0 > found.mood["pitch"]
    assert found.samples["sentiment"] == 1


def test_latency_counts_by_part_and_once_as_the_calls_mean() -> None:
    answers = [RememberedTurn(turn=n, latency=latency(ms, llm_ms=ms // 2)) for n, ms in enumerate((400, 800))]
    found = figures_of(talk("CA1", RememberedTurn(turn=9), *answers), KITE)
    assert found.milliseconds == {"total": 1200, "endpoint": 600, "llm": 600}
    assert sum(found.total.values()) == 2 == sum(found.asr.values())
    assert (found.sums["latency_ms"], found.squares["latency_ms"]) == (600, 360_000)


def test_caches_and_clips_count() -> None:
    turns = [RememberedTurn(turn=0, cached=True, clips=3, clips_cached=2), RememberedTurn(turn=1, clips=1)]
    found = figures_of(talk("CA1", *turns), KITE)
    assert (found.replies_cached, found.clips, found.clips_cached) == (1, 4, 2)


def test_a_call_of_which_nothing_is_known_is_a_call() -> None:
    found = figures_of(talk("CA1", state="live", playbook=""), Led(""))
    assert found == TimedFigures(calls=1)
    assert cell_of(talk("CA1"), MONDAY.astimezone(UTC), KITE).slot == 36
