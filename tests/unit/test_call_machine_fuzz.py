"""Whatever happens in whatever order, a call never comes into a state it has no move for, and ends once."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.tables import Line, Mind, Voice
from scriza.ports.agent import HangUp, Held, PressKeys, ScheduleCallback, SendSms, SetOutcome, TransferTo
from scriza.ports.agent import ReplyDone as Done
from scriza.ports.llm import Usage
from tests.unit.call_rig import Rig, conversation, journal, plan, word_times

numbers = st.integers(1, 8)
levels = st.sampled_from([-60.0, -30.0, -20.0])
texts = st.sampled_from(
    [
        "",
        "mm hm",
        "yes",
        "what does it cost",
        "goodbye",
        "say your name",
        "leave a message",
        "I can offer, that. Shall we?",
    ]
)
events = st.one_of(
    st.builds(on.StreamStarted, st.sampled_from([journal(), journal(direction="outbound")])),
    st.builds(on.Planned, st.just(plan())),
    st.just(on.PlanFailed()),
    st.builds(on.SpeechStarted, levels),
    st.builds(on.SpeechGoesOn, st.integers(0, 40_000), levels),
    st.builds(on.SpeechEnded, st.integers(20, 5_000), st.integers(0, 300), levels),
    st.builds(on.Words, texts, st.floats(0, 1), st.booleans()),
    st.just(on.RecogniserFailed()),
    st.builds(on.ClauseThought, numbers, texts.filter(bool)),
    st.builds(
        on.ActThought,
        numbers,
        st.sampled_from(
            [
                HangUp(),
                SendSms("x"),
                SetOutcome("won"),
                TransferTo("+14155550123"),
                PressKeys("1w2"),
                ScheduleCallback(datetime(2026, 1, 2, 9, tzinfo=UTC)),
            ]
        ),
    ),
    st.builds(
        on.ThoughtDone,
        numbers,
        st.builds(Done, st.just(conversation("x")), st.just(Usage(1, 1, 2)), texts, st.booleans()),
    ),
    st.builds(on.ThoughtHeld, numbers, st.builds(Held, st.lists(texts.filter(bool), max_size=2))),
    st.builds(on.ThoughtFailed, numbers),
    st.builds(on.ClipReady, numbers),
    st.builds(on.ClipStarted, numbers),
    st.builds(on.ClipTimed, numbers, st.just(word_times("one two three"))),
    st.builds(on.MarkSent, st.sampled_from("abcdef"), numbers, st.integers(0, 2_000), st.booleans()),
    st.builds(on.MarkEchoed, st.sampled_from("abcdef")),
    st.builds(on.ClipComplete, numbers, st.integers(0, 9_000), st.booleans()),
    st.builds(on.ClipFailed, numbers),
    st.builds(on.Digit, st.sampled_from("0189#*")),
    st.builds(on.CarrierStatus, st.sampled_from(["ringing", "in-progress", "completed", "busy"])),
    st.builds(on.AnsweredBy, st.sampled_from(["human", "machine_start", "machine_end_beep", "fax", "unknown"])),
    st.just(on.StopAsked()),
    st.just(on.StreamLost()),
    st.just(on.StreamStopped()),
)
steps = st.lists(st.one_of(events, st.integers(1, 12_000)), max_size=60)
places = st.sampled_from(["before it begins", "before its opening", "after its opening", "where we placed it"])
"""Where in a call the steps begin: most events mean nothing before there is a plan."""


def call_at(place: str) -> Rig:
    match place:
        case "before its opening":
            return Rig().begin()
        case "after its opening":
            return Rig().after_opening()
        case "where we placed it":
            return Rig().begin(direction="outbound")
        case _:
            return Rig()


def play(rig: Rig, happened: list[on.Event | int]) -> None:
    for step in happened:
        if isinstance(step, int):
            rig.pass_ms(step)
        else:
            rig.tell(step)


@settings(max_examples=200, deadline=None)
@given(places, steps)
def test_any_order_of_events_is_survived_and_the_call_ends_at_most_once(
    place: str, happened: list[on.Event | int]
) -> None:
    rig = call_at(place)
    play(rig, happened)
    states = rig.call.states
    endings = rig.wanted(do.End) + rig.wanted(do.HandOver) + rig.wanted(do.Detach)
    assert endings <= 1
    assert (endings == 1) == (states.line is Line.ENDED)
    if states.line is Line.ENDED:
        assert (states.mind, states.voice) == (Mind.IDLE, Voice.SILENT)


@settings(max_examples=200, deadline=None)
@given(places, steps)
def test_a_call_on_a_live_line_is_never_silent_for_good(place: str, happened: list[on.Event | int]) -> None:
    """However it comes to be so, an idle call has a timer that will do something about it, without a recogniser too."""
    rig = call_at(place)
    play(rig, happened)
    if rig.call.states.line in (Line.OPEN, Line.ENDING):
        rig.tell(on.Planned(plan()))
        rig.tell(on.SpeechEnded(100, 100, -30.0))
        for _ in range(40):
            for clip in rig.played[-3:]:
                rig.tell(on.MarkSent(f"end{clip}", clip, 1, True))
                rig.tell(on.MarkEchoed(f"end{clip}"))
            for thought in rig.thoughts[-1:]:
                rig.tell(on.ThoughtFailed(thought.thought))
            rig.pass_ms(12_000)
        assert rig.call.states.line is Line.ENDED


@settings(max_examples=200, deadline=None)
@given(places, steps)
def test_whatever_went_before_a_call_that_is_asked_to_stop_ends(place: str, happened: list[on.Event | int]) -> None:
    rig = call_at(place)
    play(rig, happened)
    if rig.call.states.line is Line.OPEN:
        rig.tell(on.StopAsked())
        rig.pass_ms(12_000)
        assert rig.call.states.line is Line.ENDED


@settings(max_examples=100, deadline=None)
@given(st.lists(events, max_size=40))
def test_what_is_journalled_as_heard_was_generated(happened: list[on.Event]) -> None:
    rig = Rig().after_opening()
    play(rig, list(happened))
    generated = {turn: text for turn, kind, text in rig.transcript if kind == "reply"}
    for turn, kind, text in rig.transcript:
        if kind == "heard" and turn in generated and text:
            assert text.split()[0] in generated[turn] or generated[turn] == ""
