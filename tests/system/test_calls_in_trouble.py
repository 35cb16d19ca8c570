"""Calls while processes die, stop, move and share: the caller talks on, and the record is whole."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scriza.kernel.events import Event, Topic
from scriza.ports.telephony import CallRecord
from scriza.simulator.report import Happening
from tests.phone_line import caller, free_port, phone_line
from tests.running_scriza import RunningScriza, running_scriza
from tests.serving import listening_socket

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

TOKEN = "the-token-that-all-processes-know"
TWO_QUESTIONS = caller(
    "wait",
    "say: how much does it cost per month",
    "wait",
    "say: do you have a free trial",
    "wait",
    "say: thank you goodbye",
)
ANSWERED = ["how much does it cost per month", "do you have a free trial", "thank you goodbye"]


class Watch:
    """Hears the phone's timeline, and lets a test wait for a moment in it."""

    def __init__(self) -> None:
        self._happened: list[Happening] = []
        self._news = asyncio.Event()

    def __call__(self, call_id: str, happening: Happening) -> None:
        self._happened.append(happening)
        self._news.set()

    async def until(self, moment: Callable[[list[Happening]], object], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not moment(self._happened):
                self._news.clear()
                await self._news.wait()


def agent_answers(after: str) -> Callable[[list[Happening]], object]:
    """The agent speaks, the caller having said `after`."""

    def moment(happened: list[Happening]) -> object:
        said = next((at for at, what in enumerate(happened) if what.kind == "caller" and after in what.text), None)
        return said is not None and any(what.kind == "agent" and what.text == "speaks" for what in happened[said:])

    return moment


def understood(record: CallRecord) -> list[str]:
    return [turn.user for turn in record.turns if turn.user]


def answers(record: CallRecord) -> list[str]:
    return [turn.agent for turn in record.turns if turn.user]


def completions(told: list[Event]) -> int:
    return [event.type for event in told].count(Topic.CALL_COMPLETED)


async def test_with_everything_but_the_phone_in_another_process_the_conversation_is_the_same(tmp_path: Path) -> None:
    async def talk(server: RunningScriza, token: str) -> CallRecord:
        async with phone_line(server, service_token=token) as line:
            outcome = await line.twilio.call(TWO_QUESTIONS)
            assert outcome.ok, outcome.unmet
            return await line.record(outcome.call_sid)

    # Data directories are apart, so the token that lets one process into the other is given to both.
    shared = {"SCRIZA_SERVICE_TOKEN": TOKEN}
    with (
        running_scriza(tmp_path / "whole", ["--port", str(free_port())]) as whole,
        running_scriza(tmp_path / "engines", ["--modules", "agent,asr,llm,tts"], **shared) as engines,
    ):
        elsewhere = {f"SCRIZA_{module}_URL": engines.url for module in ("AGENT", "ASR", "TTS")}
        with running_scriza(tmp_path / "phone", ["--modules", "telephony"], **shared, **elsewhere) as phone:
            expected, record = await asyncio.gather(talk(whole, ""), talk(phone, TOKEN))
            assert phone.children("worker_child") == {}
            assert len(engines.children("worker_child")) >= 2
    assert understood(record) == understood(expected) == ANSWERED
    assert answers(record) == answers(expected)
    assert [turn.stage for turn in record.turns] == [turn.stage for turn in expected.turns]


async def test_a_part_without_the_token_is_not_let_in_and_the_caller_hears_a_sentence(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "engines", ["--modules", "agent,asr,llm,tts"]) as engines:
        elsewhere = {f"SCRIZA_{module}_URL": engines.url for module in ("AGENT", "ASR")}
        with running_scriza(tmp_path / "phone", ["--modules", "telephony"], **elsewhere) as phone:
            async with phone_line(phone) as line:
                outcome = await line.twilio.call(caller(patience_ms=30_000))
                record = await line.record(outcome.call_sid)
    assert (outcome.ended_by, record.ended_reason) == ("agent", "no-plan")
    assert outcome.agent, "not silence"
    assert "Traceback" not in phone.output


@pytest.mark.parametrize("victims", [["store/"], ["sphinx", "espeak"]], ids=["the store", "the engines"])
async def test_a_child_that_is_killed_in_a_call_is_back_before_the_caller_notices(
    tmp_path: Path, victims: list[str]
) -> None:
    watch = Watch()
    with running_scriza(tmp_path / "one", ["--port", str(free_port())]) as scriza:
        async with phone_line(scriza, tell=watch) as line:
            calling = asyncio.create_task(line.twilio.call(TWO_QUESTIONS))
            await watch.until(agent_answers("how much"))
            before = {victim: scriza.children(victim).keys() for victim in victims}
            for pid in set().union(*before.values()):
                os.kill(pid, signal.SIGKILL)
            outcome = await calling
            record = await line.record(outcome.call_sid, seconds=30)
            [told] = await line.told(outcome.call_sid)
            for victim, killed in before.items():
                assert killed
                assert scriza.children(victim).keys() - killed, "there is another one"
    assert outcome.ok, outcome.unmet
    assert understood(record) == ANSWERED
    assert all(answers(record))
    assert record.ended_reason == "agent-goodbye"
    assert completions(told) == 1


async def test_a_stop_in_a_call_takes_everything_with_it_and_keeps_what_was_said(tmp_path: Path) -> None:
    watch = Watch()
    arguments = ["--port", str(free_port())]
    with running_scriza(tmp_path / "one", arguments, SCRIZA_DRAIN_SECONDS="1") as scriza:
        async with phone_line(scriza, tell=watch) as line:
            calling = asyncio.create_task(line.twilio.call(TWO_QUESTIONS))
            await watch.until(agent_answers("free trial"))
            assert await asyncio.to_thread(scriza.stop) == 0
            outcome = await calling
        assert scriza.leftovers() == []
        assert "Traceback" not in scriza.output
    with running_scriza(tmp_path / "one", arguments) as again:
        async with phone_line(again) as line:
            answer = await line.api.get(f"/api/v1/calls/{outcome.call_sid}")
    turns = [(turn["user"], turn["agent"]) for turn in answer.json()["turns"]]
    assert [user for user, _ in turns if user] == ANSWERED[:2]
    assert turns[1][1].startswith("It is nineteen dollars a month")


def test_ctrl_c_in_the_sample_call_ends_the_call_and_the_server_without_a_traceback(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", ["--port", str(free_port()), "--sample-call"]) as scriza:
        while "what does it do" not in scriza.output:
            assert scriza.process.poll() is None, scriza.output
            time.sleep(0.1)
        os.killpg(scriza.process.pid, signal.SIGINT)  # as a terminal does it: to all of its foreground
        assert scriza.process.wait(30) == 0
        assert scriza.leftovers() == []
        assert "Traceback" not in scriza.output


async def test_two_servers_on_one_data_directory_share_one_store_until_the_last_one_stops(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with running_scriza(folder, ["--port", str(free_port())]) as first:
        async with phone_line(first) as line:
            outcome = await line.twilio.call(caller("wait", "hang_up"))
            record = await line.record(outcome.call_sid)
            store = first.children("store/")
            with running_scriza(folder, ["--port", str(free_port())]) as second:
                async with phone_line(second) as other:
                    assert second.children("store/") == store
                    assert await other.record(outcome.call_sid) == record
                    assert await asyncio.to_thread(first.stop) == 0
                    assert second.children("store/") == store
                    later = await other.twilio.call(caller("wait", "hang_up"))
                    assert (await other.record(later.call_sid)).ended_reason == "caller-hung-up"
                assert await asyncio.to_thread(second.stop) == 0
                assert second.children() == {}


async def test_another_process_goes_on_with_a_call_whose_own_process_was_killed(tmp_path: Path) -> None:
    watch = Watch()
    folder = tmp_path / "one"
    scenario = caller(
        "wait",
        "say: how much does it cost per month",
        "interrupt_after: 1500",
        "pause: 1500",
        "wait",
        "say: do you have a free trial",
        "wait",
        "say: thank you goodbye",
    )
    async with front_door() as door:
        public = {"SCRIZA_PUBLIC_URL": door.url}
        with (
            running_scriza(folder, ["--port", str(free_port())], **public) as first,
            running_scriza(folder, ["--port", str(free_port())], **public) as second,
        ):
            for scriza in (first, second):
                await asyncio.to_thread(scriza.wait_for, "Ready: ")
            door.leads_to = port_of(first)
            async with phone_line(second, tell=watch) as line:
                calling = asyncio.create_task(line.twilio.call(scenario))
                await watch.until(agent_answers("how much"))
                await asyncio.sleep(1)
                door.leads_to = port_of(second)
                first.process.kill()
                outcome = await calling
                record = await line.record(outcome.call_sid)
                [told] = await line.told(outcome.call_sid)
    assert (outcome.status, outcome.ended_by, outcome.streams, outcome.violations) == ("completed", "agent", 2, [])
    assert understood(record) == ANSWERED
    assert any("line dropped" in turn.agent for turn in record.turns)
    assert (record.ended_reason, record.metrics.reattached) == ("agent-goodbye", 1)
    assert completions(told) == 1
    assert len({event.id for event in told}) == len(told)


def port_of(scriza: RunningScriza) -> int:
    """The one that its command line asked for."""
    arguments = [str(argument) for argument in scriza.process.args]  # type: ignore[union-attr]  # a list of words
    return int(arguments[-1])


class FrontDoor:
    """One address before several servers; `leads_to` is the port of the one that new connections go to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.leads_to = 0

    async def let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.leads_to)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_carry(reader, inner_writer))
            tasks.create_task(_carry(inner_reader, writer))


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def front_door() -> AsyncIterator[FrontDoor]:
    with listening_socket() as listener:
        door = FrontDoor(f"http://127.0.0.1:{listener.getsockname()[1]}")
        async with await asyncio.start_server(door.let_in, sock=listener):
            yield door
