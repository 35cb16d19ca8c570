"""What a call tells of its turns while it goes on: who said what when, how fast, from where, and by which playbook."""

import msgspec

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.replay import Noted, replay
from scriza.ports.agent import TurnNotes
from scriza.ports.telephony import CallUpdated, ReplyGenerated, UtteranceTranscribed
from tests.unit.call_rig import OPENING, Rig, journal, plan


def test_an_utterance_is_told_with_its_stage_and_its_times_since_the_call_began() -> None:
    rig = Rig()
    rig.tell(on.StreamStarted(journal(), elapsed_ms=20_000))
    rig.tell(on.Planned(plan()))
    rig.hear_all()
    began = rig.now + 20_000
    rig.turn("what does it cost")
    (told,) = rig.told(UtteranceTranscribed)
    assert told == UtteranceTranscribed("CA1", 1, "what does it cost", 0.9, "greeting", began, began + 1000)


def test_keys_have_no_voice_and_so_no_beginning() -> None:
    rig = Rig().after_opening()
    rig.tell(on.Digit("1"))
    rig.tell(on.Digit("#"))
    (told,) = rig.told(UtteranceTranscribed)
    assert (told.text, told.began_ms) == ("pressed 1", None)


def test_an_answer_is_told_with_what_was_noticed_and_how_fast_it_was() -> None:
    rig = Rig().after_opening()
    thought = rig.turn("what does it cost")
    rig.tell(on.ClauseThought(thought.thought, "Ten dollars."))
    notes = TurnNotes(meant="price", kind="faq", learned={"budget": "low"}, playbook="sample")
    rig.done(thought, "Ten dollars.", cached=True, notes=notes)
    began = rig.now
    rig.hear_all()
    told = rig.told(ReplyGenerated)[-1]
    assert (told.text, told.heard, told.model, told.tokens, told.cached) == (
        "Ten dollars.",
        "Ten dollars.",
        "playbook",
        15,
        True,
    )
    assert (told.stage_before, told.stage, told.notes) == ("greeting", "pitch", notes)
    assert told.latency == rig.call.metrics.latencies[-1]
    assert (told.began_ms, told.ended_ms) == (began, rig.now)
    assert not told.interrupted


def test_the_clips_of_an_answer_are_counted_with_those_that_were_in_the_cache() -> None:
    rig = Rig().after_opening()
    thought = rig.turn("what does it cost")
    rig.answer(thought, "Ten dollars.", "A month.")
    first, second = rig.played[-2:]
    rig.tell(on.ClipComplete(first, 400, cache_hit=True))
    rig.tell(on.ClipComplete(second, 400, cache_hit=False))
    rig.start_speaking()
    rig.tell(on.Words("no no wait a moment", 0.9, final=False))
    told = rig.told(ReplyGenerated)[-1]
    assert (told.clips, told.clips_cached) == (2, 1)


def test_an_answer_from_which_the_caller_takes_the_turn_is_told_as_interrupted() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("what does it cost"), "Ten dollars a month for the whole team.")
    rig.hear(rig.played[-1], 400)
    rig.start_speaking()
    rig.pass_ms(300)
    rig.tell(on.Words("that is too much for us", 0.9, final=False))
    told = rig.told(ReplyGenerated)[-1]
    assert (told.heard, told.interrupted) == ("Ten dollars", True)


def test_the_opening_answers_nobody_so_that_it_has_times_but_no_latency() -> None:
    rig = Rig().after_opening()
    (told,) = rig.told(ReplyGenerated)
    assert (told.text, told.latency, told.model, told.began_ms) == (OPENING, None, "", 0)


def test_an_answer_that_never_sounded_has_no_times() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("what does it cost"), "Ten dollars.")
    rig.tell(on.StreamLost())
    told = rig.told(ReplyGenerated)[-1]
    assert (told.heard, told.began_ms, told.ended_ms, told.latency) == ("", None, None, None)


def test_every_change_of_stage_names_the_version_that_leads_the_call() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("what does it cost"), "Ten dollars.")
    assert [(told.stage, told.playbook) for told in rig.told(CallUpdated)] == [
        ("greeting", "sample"),
        ("pitch", "sample"),
    ]


def test_prompts_into_silence_are_counted_over_all_streams_of_a_call() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("hello"), "Hi.")
    rig.hear_all()
    rig.pass_ms(11_000)
    assert rig.call.metrics.silence_prompts == 1
    again = Rig().begin(metrics=rig.call.metrics, attached=2)
    assert again.call.metrics.silence_prompts == 1


def test_the_journal_has_what_is_to_be_told_of_an_answer_before_it_was_heard() -> None:
    rig = Rig().after_opening()
    notes = TurnNotes(meant="price", kind="faq")
    thought = rig.turn("what does it cost")
    rig.tell(on.ClauseThought(thought.thought, "Ten dollars."))
    rig.done(thought, "Ten dollars.", notes=notes)
    kept = [line for line in rig.commands if isinstance(line, do.Journal) and line.kind == "reply"][-1].told
    rig.hear_all()
    told = rig.told(ReplyGenerated)[-1]
    assert kept is not None
    assert (kept.turn, kept.text, kept.notes, kept.model, kept.heard) == (told.turn, told.text, notes, told.model, "")


def test_a_replayed_call_tells_the_same_to_the_millisecond() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("what does it cost"), "Ten dollars.", "A month.")
    rig.hear_all()
    recorded = msgspec.json.decode(msgspec.json.encode(rig.log), type=list[Noted])
    again = [command for _, commands in replay(Rig().call, recorded) for command in commands]
    assert again == rig.commands
