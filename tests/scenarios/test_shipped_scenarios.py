"""Every scenario that ships, played to a real `scriza serve` with nothing set up but a person to transfer to.

Each is played in both forms of the stream's token, the second by `make system`. The calls of one form are placed some
at a time, once for all tests of this file.
"""

import asyncio
import io
import re
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from scriza.audio.levels import dbfs
from scriza.kernel.events import Event, Topic
from scriza.ports.telephony import CallRecord, ReplyGenerated
from scriza.ports.tts import Spoken
from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome, Utterance
from scriza.simulator.scenario import Scenario, load, shipped
from tests.phone_line import free_port, phone_line
from tests.playbooks import PAPER_KITE
from tests.running_scriza import RunningScriza, running_scriza

pytestmark = pytest.mark.timeout(180)

ENDED = dict.fromkeys(shipped(), "agent-goodbye") | {
    "caller-hangs-up": "caller-hung-up",
    "no-greeting-answer": "intro-timeout",
    "silence": "silence",
    "outbound-voicemail": "voicemail-left",
    "warm-transfer-answered": "transferred",
}
COLLEAGUE = "+14155550188"
_AT_ONCE = 7
"""The demos' recogniser has one process for all calls."""
OUR_NUMBER = Options().number
PLAYED = [(place, name) for place in ("path", "parameter") for name in shipped()]
"""Where the stream's token rides, and the scenario."""


@dataclass
class Played:
    """One call, from all sides."""

    outcome: CallOutcome
    record: CallRecord
    told: list[Event]
    number: str
    lengths_ms: dict[str, int]
    """How long the server's own voice takes for each text that the caller is said to have heard."""

    @property
    def understood(self) -> list[str]:
        return [turn.user for turn in self.record.turns if turn.user]

    @property
    def said(self) -> list[str]:
        return [utterance.text for utterance in self.outcome.utterances if utterance.kind == "say"]

    def replies(self) -> list[ReplyGenerated]:
        return [
            msgspec.json.decode(event.data, type=ReplyGenerated)
            for event in self.told
            if event.type == Topic.REPLY_GENERATED
        ]

    def interruptions(self) -> list[Utterance]:
        return [utterance for utterance in self.outcome.utterances if utterance.barge_in_ms is not None]

    def channels(self) -> tuple[np.ndarray, np.ndarray]:
        """The caller's and the agent's samples."""
        with wave.open(io.BytesIO(self.outcome.wav)) as file:
            assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
            both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        return both[:, 0], both[:, 1]


@dataclass
class Evening:
    """A server, and all calls that it had."""

    calls: dict[str, Played]
    server: RunningScriza


async def play(server: RunningScriza, rest_port: int, names: Sequence[str]) -> dict[str, Played]:
    numbers = (f"+1415555{number:04}" for number in count(7000))
    scenarios = [msgspec.structs.replace(load(name), caller=next(numbers)) for name in names]
    at_once = asyncio.Semaphore(_AT_ONCE)
    async with phone_line(server, rest_port=rest_port) as line:

        async def call(scenario: Scenario) -> CallOutcome:
            async with at_once:
                return await line.twilio.call(scenario)

        outcomes = await asyncio.gather(*(call(scenario) for scenario in scenarios))
        records = [await line.record(outcome.call_sid) for outcome in outcomes]
        lengths = {turn.agent: await length_ms(line.api, turn.agent) for record in records for turn in record.turns}
        told = await line.told(*(outcome.call_sid for outcome in outcomes))
    parts = zip(outcomes, records, told, (scenario.caller for scenario in scenarios), strict=True)
    return {part[0].scenario: Played(*part, lengths) for part in parts}


async def length_ms(api: httpx.AsyncClient, text: str) -> int:
    if not text:
        return 0
    answer = await api.post("/v1/speak", json={"text": text, "tone": "friendly", "format": "mulaw"})
    return round(msgspec.json.decode(answer.content, type=Spoken).duration * 1000)


def evening_of(folder: Path, token_place: str) -> Iterator[Evening]:
    rest_port = free_port()
    environment = {
        "SCRIZA_STREAM_TOKEN": token_place,
        "TWILIO_BASE_URL": f"http://127.0.0.1:{rest_port}",
        "SCRIZA_TRANSFER_TO": COLLEAGUE,
    }
    with running_scriza(folder, ["--port", str(free_port())], **environment) as server:
        names = [name for place, name in PLAYED if place == token_place]
        yield Evening(asyncio.run(play(server, rest_port, names)), server)


@pytest.fixture(scope="session")
def evening_by_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    yield from evening_of(tmp_path_factory.mktemp("scriza"), "path")


@pytest.fixture(scope="session")
def evening_by_parameter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    yield from evening_of(tmp_path_factory.mktemp("scriza"), "parameter")


@pytest.fixture
def evening(evening_by_path: Evening) -> Evening:
    """Every scenario that ships."""
    return evening_by_path


def _played(place: str, name: str) -> object:
    """The second form takes another minute, and differs in where the token rides alone."""
    return pytest.param((place, name), id=f"{place}-{name}", marks=[pytest.mark.system] if place == "parameter" else [])


@pytest.fixture(params=[_played(place, name) for place, name in PLAYED])
def played(request: pytest.FixtureRequest) -> Played:
    token_place, name = request.param
    evening: Evening = request.getfixturevalue(f"evening_by_{token_place}")
    return evening.calls[name]


@pytest.fixture
def name(played: Played) -> str:
    return played.outcome.scenario


def test_twilio_accepts_everything_and_all_goes_as_the_scenario_expects(played: Played) -> None:
    assert played.outcome.violations == []
    assert played.outcome.unmet == []


def test_the_record_tells_how_the_call_ended(played: Played, name: str) -> None:
    record, outcome = played.record, played.outcome
    assert (record.status, record.ended_reason) == ("completed", ENDED[name])
    assert record.call_id == record.conversation_id == outcome.call_sid
    assert outcome.answered_at_ms is not None
    assert record.duration_seconds == pytest.approx((outcome.ended_at_ms - outcome.answered_at_ms) / 1000, abs=2)


def test_what_the_caller_said_was_understood(played: Played, name: str) -> None:
    said = ["pressed 1", *played.said] if name == "dtmf" else played.said
    if name == "outbound-voicemail":
        said = []  # nobody answers a machine's greeting
    if name == "outbound-screened":
        said.remove("please stay on the line")
    assert played.understood == said
    assert played.record.last_transcript == (said[-1] if said else "")


def test_every_turn_has_an_answer_and_the_journal_tells_the_same_as_the_events(played: Played, name: str) -> None:
    turns = played.record.turns
    assert all(turn.agent for turn in turns if turn.user) or name == "caller-hangs-up"
    assert played.record.metrics.turns == len(turns)
    assert [reply.heard for reply in played.replies()] == [turn.agent for turn in turns]


def test_the_end_is_told_once(played: Played) -> None:
    told = [event.type for event in played.told]
    assert (told.count(Topic.CALL_STARTED), told.count(Topic.CALL_COMPLETED)) == (1, 1)
    assert len({event.id for event in played.told}) == len(played.told)


def test_history_keeps_of_an_interrupted_answer_what_was_heard_word_for_word(played: Played) -> None:
    cut_short = [reply for reply in played.replies() if reply.heard != reply.text]
    for reply in cut_short:
        assert reply.text.startswith(reply.heard)
        assert re.match(r"\W|$", reply.text[len(reply.heard) :]), "whole words"
    interruptions = played.interruptions()
    if played.outcome.scenario not in ("caller-hangs-up", "socket-lost"):
        assert len(cut_short) == len(interruptions) == played.record.metrics.barge_ins
        for reply, interruption in zip(cut_short, interruptions, strict=True):
            assert interruption.barge_in_ms is not None
            silent_at = interruption.start_ms + interruption.barge_in_ms
            began_at = max(span.start_ms for span in played.outcome.agent if span.start_ms < silent_at)
            assert played.lengths_ms[reply.heard] == pytest.approx(silent_at - began_at, abs=600)


def test_no_silence_is_heard_inside_the_agents_speech_but_for_a_stall_of_the_machine(played: Played) -> None:
    outcome = played.outcome
    gaps = [gap for gap in outcome.gaps if gap.length_ms > outcome.clock_lag_ms]
    # A server that is kept from its core for longer than its lead leaves one gap; one that paces badly leaves many.
    assert len(gaps) <= 2


def test_the_recording_has_the_caller_on_the_left_and_the_agent_on_the_right(played: Played) -> None:
    caller, agent = played.channels()
    assert len(caller) / 8 == pytest.approx(played.outcome.ended_at_ms, abs=100)
    for utterance in played.outcome.utterances:
        assert level(caller, utterance.start_ms, utterance.end_ms) > -35
        if not utterance.over_agent:
            assert level(agent, utterance.start_ms, utterance.end_ms) < -60
    for span in played.outcome.agent:
        assert level(agent, span.start_ms, span.end_ms) > -35


def level(samples: np.ndarray, start_ms: int, end_ms: int) -> float:
    return dbfs(samples[start_ms * 8 : end_ms * 8])


def test_a_noise_that_is_no_interruption_costs_not_a_word(evening: Evening) -> None:
    played = evening.calls["false-barge-in"]
    assert all(reply.heard == reply.text for reply in played.replies())
    noises = [utterance for utterance in played.outcome.utterances if utterance.kind != "say"]
    assert len(noises) == 2
    assert all(noise.over_agent and noise.barge_in_ms is None for noise in noises)
    assert played.record.metrics.barge_ins == 0
    assert not any(happening.kind == "clear" for happening in played.outcome.happenings)


def test_silence_brings_one_text_message_and_nothing_else_does(evening: Evening) -> None:
    texts = {name: played.outcome.messages for name, played in evening.calls.items()}
    [message] = texts.pop("silence")
    assert (message.sender, message.to) == (OUR_NUMBER, evening.calls["silence"].number)
    assert not any(texts.values())


def test_a_lost_socket_is_connected_again_and_the_conversation_goes_on(evening: Evening) -> None:
    record = evening.calls["socket-lost"].record
    assert record.metrics.reattached == 1
    assert any("line dropped" in turn.agent for turn in record.turns)


def test_a_machine_gets_the_message_after_its_beep_and_nothing_before(evening: Evening) -> None:
    played = evening.calls["outbound-voicemail"]
    beep = next(utterance for utterance in played.outcome.utterances if utterance.kind == "beep")
    assert played.outcome.agent[0].start_ms > beep.end_ms
    assert [turn.agent for turn in played.record.turns] == [PAPER_KITE.voicemail.text]
    assert not any(utterance.over_agent for utterance in played.outcome.utterances)


def test_a_person_whom_we_call_says_hello_first(evening: Evening) -> None:
    played = evening.calls["outbound-human"]
    hello, *_ = played.outcome.utterances
    assert played.outcome.agent[0].start_ms > hello.end_ms
    assert hello.response_ms is not None
    assert played.record.turns[0].user == "hello"


def test_a_screening_hears_who_calls_and_why_and_the_person_the_opening(evening: Evening) -> None:
    record, lines = evening.calls["outbound-screened"].record, PAPER_KITE.lines
    assert [turn.agent for turn in record.turns][:2] == [lines.introduction, PAPER_KITE.opening.outbound]


def test_a_caller_whom_nobody_took_over_is_told_so_and_goes_on_where_the_conversation_was(evening: Evening) -> None:
    played = evening.calls["warm-transfer-unanswered"]
    assert (played.record.metrics.transfers, played.record.metrics.reattached) == (1, 0)
    assert [turn.agent for turn in played.record.turns].count(PAPER_KITE.transfer.unreached) == 1
    assert len(played.record.turns) == 5


def test_a_person_hears_who_is_calling_before_the_two_are_connected(evening: Evening) -> None:
    played = evening.calls["warm-transfer-answered"]
    legs = [happening.text for happening in played.outcome.happenings if happening.kind == "leg"]
    whisper = PAPER_KITE.transfer.whisper
    assert legs[0] == "the dialled phone: answers"
    assert legs[1].startswith(f'hears "{whisper} They said: can i talk to a person.')
    assert legs[2:] == ["presses 1", "connected"]


def test_the_log_keeps_to_itself_who_called_what_was_said_and_every_secret(evening: Evening) -> None:
    log = evening.server.output
    assert "telephony.call_ended" in log
    secrets = [file.read_text() for file in (evening.server.folder / "data/secrets").iterdir()]
    calls = evening.calls.values()
    numbers = [OUR_NUMBER, COLLEAGUE, *(played.number for played in calls)]
    spoken = [text for played in calls for turn in played.record.turns for text in (turn.user, turn.agent) if text]
    texts = [message.text for played in calls for message in played.outcome.messages]
    tokens = [
        token
        for played in calls
        for happening in played.outcome.happenings
        for token in re.findall(r"/stream/(\S+)", happening.text)
    ]
    for kept in [*secrets, *numbers, *(number.strip("+") for number in numbers), *spoken, *texts, *tokens]:
        assert kept not in log
    assert "Traceback" not in log
