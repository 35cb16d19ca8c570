"""One media stream of one call, from its `start` to its end.

What the socket, the ear, the agent and the clock tell goes into the machine, and what the machine commands is done.
Everything that runs for the call runs in this session's task group.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import assert_never

import msgspec
import structlog

from scriza.kernel.clock import WallClock
from scriza.kernel.errors import BadInput, TooLarge
from scriza.kernel.events import Event
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.announcements import about_call, call_completed, told_at_the_end
from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.call.replay import Recording
from scriza.modules.telephony.call_log import CallLog, Ending, Entry, HandOver, JournaledCall
from scriza.modules.telephony.credit import CallCredit
from scriza.modules.telephony.live.answerer import learn_who_answered
from scriza.modules.telephony.live.ear import Ear
from scriza.modules.telephony.live.errands import KEEPING_SECONDS, Errands
from scriza.modules.telephony.live.journal import JournalWriter, persistently
from scriza.modules.telephony.live.mouth import Mouth
from scriza.modules.telephony.live.player import Pacing, Player
from scriza.modules.telephony.live.recogniser import Recogniser
from scriza.modules.telephony.live.recorder import NO_RECORDER, Recorder
from scriza.modules.telephony.live.spare_lines import SpareLines
from scriza.modules.telephony.live.thinker import Thinker, ZoneOf
from scriza.modules.telephony.media import Dtmf, Mark, Media, MediaSocket, Sequencer, SocketClosed, Stop, decode
from scriza.modules.telephony.placing.books import BarredBook
from scriza.modules.telephony.placing.callbacks import CallbackBook
from scriza.modules.telephony.placing.texts import Texts
from scriza.modules.telephony.turns.barge_in import BACKCHANNELS, BargeInOptions
from scriza.modules.telephony.turns.callee import PHRASES, CalleeOptions
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.limits import Limits
from scriza.modules.telephony.vad import Vad
from scriza.ports.agent import Agent
from scriza.ports.asr import Asr
from scriza.ports.asr import Start as AsrStart
from scriza.ports.telephony import (
    TERMINAL,
    AudioSynthesized,
    CallMetrics,
    CallUpdated,
    ReplyGenerated,
    UtteranceTranscribed,
)
from scriza.ports.tts import Tts

_log = structlog.get_logger()

_MOST_REFUSED = 50
"""Malformed messages after which a stream is given up."""
_RECORDING_PART = 256 * 1024
"""Bytes of event log after which a part of it is kept: some ten minutes of talk."""
_PARTS_A_STREAM = 1000


class SessionOptions(msgspec.Struct, frozen=True):
    """How calls are led; times in milliseconds."""

    limits: Limits = Limits()
    barge_in: BargeInOptions = BargeInOptions()
    callee: CalleeOptions = CalleeOptions()
    pacing: Pacing = Pacing()
    speculate: bool = True
    thinking_deadline: int = 8_000
    """For the plan, and between two parts of an answer."""
    speaking_deadline: int = 4_000
    """Between two parts of a clip."""
    ending_deadline: int = 10_000
    """For keeping the call at its end, and for a text message."""


@dataclass(frozen=True)
class Doors:
    """Whom a session talks to."""

    agent: Agent
    asr: Asr
    tts: Tts
    log: CallLog
    texts: Texts
    barred: BarredBook
    callbacks: CallbackBook
    credit: CallCredit
    vad: Callable[[], Vad]
    endpointer: Callable[[], Endpointer]
    clock: WallClock
    spare_lines: SpareLines
    zone_of: ZoneOf
    recorder: Callable[[JournaledCall], Recorder] = lambda _: NO_RECORDER


class Session:
    """Leads a call for as long as its media stream lives. To be made and run within a running loop, once."""

    def __init__(
        self, doors: Doors, options: SessionOptions, socket: MediaSocket, stream_sid: str, journal: JournaledCall
    ) -> None:
        self._doors, self._options, self._socket, self._journal = doors, options, socket, journal
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        self._principal = Principal(workspace=journal.workspace, subject="telephony")
        self._call = Call(
            options.limits,
            options.barge_in,
            doors.endpointer(),
            callee=options.callee,
            speculate=options.speculate,
        )
        self._recording = Recording()
        self._parts = 0
        self._stage_changes = 0
        self._sequencer = Sequencer(stream_sid)
        self._recogniser: Recogniser | None = None
        self._ear = Ear(doors.vad(), self.tell, self._hear)
        self._recorder = doors.recorder(journal)
        self._player = Player(socket, stream_sid, self.tell, options.pacing, self._recorder)
        self._writer = JournalWriter(doors.log)
        self._timers: dict[do.Timer, asyncio.TimerHandle] = {}
        self._errands = Errands(
            doors.texts, doors.barred, doors.callbacks, doors.clock, journal, options.ending_deadline / 1000
        )
        self._under_way: set[asyncio.Task[None]] = set()
        """Errands that have been set out on."""
        self._ending: do.End | do.HandOver | None = None
        self._over = asyncio.Event()
        self.finished = asyncio.Event()
        """Everything about the call, as far as this stream goes, is kept."""
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Lead the call until its stream is over; returns when everything about it is kept.

        Raises what the call machine raised, should it ever; the call can then be gone on with on a new stream.
        """
        try:
            await self._lead()
        finally:
            self.finished.set()
        if self._failure:
            raise self._failure

    async def _lead(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._open(tasks)
            running = [tasks.create_task(self._player.run()), tasks.create_task(self._read())]
            writing = tasks.create_task(self._writer.run())
            self.tell(on.StreamStarted(self._journal, self._elapsed_ms()))
            try:
                await self._over.wait()
            finally:
                self._recorder.stop()
            for task in (*running, *self._background):
                task.cancel()
            await self._conclude()
            writing.cancel()
            self._thinker.close()
            self._mouth.clear()

    def _open(self, tasks: asyncio.TaskGroup) -> None:
        options, call = self._options, self._journal
        self._tasks = tasks
        self._background: list[asyncio.Task[None]] = []
        """What ends with the stream, without being waited for."""
        self._thinker = Thinker(
            self._doors.agent,
            self.tell,
            tasks,
            call=call,
            principal=self._principal,
            deadline_ms=options.thinking_deadline,
            zone_of=self._doors.zone_of,
        )
        self._mouth = Mouth(
            self._doors.tts,
            self._player,
            self.tell,
            tasks,
            call=call,
            principal=self._principal,
            deadline_ms=options.speaking_deadline,
        )

    def tell(self, happened: on.Event) -> None:
        """Let the machine take in what happened, and do what it wants."""
        if self._over.is_set():
            return
        now = int((self._loop.time() - self._origin) * 1000)
        self._recording.note(now, happened)
        if len(self._recording) >= _RECORDING_PART:
            self._errand(self._keep_recording())
        try:
            commands = self._call.receive(happened, now)
        except Exception as error:  # a mistake in the machine ends this stream, not the process
            self._failure = error
            self._over.set()
            return
        entries = [self._entry(command) for command in commands if isinstance(command, do.Journal)]
        told = [self._event(command.data) for command in commands if isinstance(command, do.Publish)]
        if entries or told:
            self._writer.append(entries, told, self._metrics())
        for command in commands:
            self._do(command)

    def _do(self, command: do.Command) -> None:
        match command:
            case do.SetTimer():
                self._cancel_timer(command.timer)
                at = self._origin + command.at / 1000
                self._timers[command.timer] = self._loop.call_at(at, self._timer_fired, command.timer)
            case do.CancelTimer():
                self._cancel_timer(command.timer)
            case do.Begin():
                self._background.append(self._tasks.create_task(self._begin()))
            case do.Transcribe():
                self._transcribe()
            case do.NewTurn():
                if self._recogniser:
                    self._recogniser.new_turn()
            case do.Think():
                self._thinker.think(command.thought, command.reply)
            case do.CancelThinking():
                self._thinker.cancel(command.thought)
            case do.Synthesise():
                self._mouth.synthesise(command.clip, command.text, command.previous_text)
            case do.Dial():
                self._mouth.dial(command.clip, command.keys)
            case do.Play():
                self._mouth.play(command.clip)
            case do.Forget():
                self._mouth.forget(command.clip)
            case do.Hold():
                self._player.hold()
            case do.GoOn():
                self._player.go_on()
            case do.Clear():
                self._mouth.clear()
                self._player.clear()
            case do.Prefetch():
                fetching = self._doors.spare_lines.fetch(command.lines, self._mouth.voice, self._principal)
                self._background.append(self._tasks.create_task(fetching))
            case do.SendText():
                self._errand(self._errands.send_text(command.text))
            case do.CallBack():
                self._errand(self._errands.call_back(command.wanted))
            case do.Bar():
                self._errand(self._errands.bar())
            case do.End() | do.HandOver():
                self._ending = command
                self._over.set()
            case do.Detach():
                self._over.set()
            case do.Journal() | do.Publish():
                pass  # kept together, before anything else is done
            case _:
                assert_never(command)

    # ---- in ---------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read until the stream is over. A malformed message is refused and counted; too many end the stream."""
        refused = 0
        while refused < _MOST_REFUSED:
            try:
                message = decode(await self._socket.receive())
            except SocketClosed:
                break
            except (BadInput, TooLarge) as error:
                refused += 1
                _log.warning("telephony.message_refused", reason=error.detail, refused=refused)
                continue
            if type(message) is Media:
                if audio := self._sequencer.audio(message):
                    self._recorder.heard(audio, self._sequencer.skipped_ms)
                    self._ear.hear(audio)
            elif isinstance(message, Mark | Dtmf | Stop) and self._sequencer.admit(message):
                match message:
                    case Mark():
                        self.tell(on.MarkEchoed(message.mark.name))
                    case Dtmf():
                        self.tell(on.Digit(message.dtmf.digit))
                    case Stop():
                        self.tell(on.StreamStopped())
                        return
        self.tell(on.StreamLost())

    def _hear(self, block: bytes) -> None:
        if self._recogniser:
            self._recogniser.hear(block)

    def _transcribe(self) -> None:
        if self._recogniser:
            self._recogniser.finalize()
        else:
            self._loop.call_soon(self.tell, on.RecogniserFailed())

    async def _begin(self) -> None:
        plan = await self._thinker.plan()
        if plan is None:
            self.tell(on.PlanFailed())
            return
        self._mouth.voice = plan.voice
        opening = AsrStart(
            call_id=self._journal.call_id,
            language=plan.language,
            phrases=[*plan.phrases, *BACKCHANNELS, *(PHRASES if self._journal.direction == "outbound" else ())],
            prompt=plan.prompt,
        )
        self._background.append(self._tasks.create_task(self._keep_credit()))
        self._recogniser = Recogniser(self._doors.asr, opening, self.tell, self._principal)
        self._background.append(self._tasks.create_task(self._recogniser.run()))
        if self._journal.direction == "outbound" and not self._journal.answered_by:
            learning = learn_who_answered(self._doors.log, self._journal.call_id, self.tell)
            self._background.append(self._tasks.create_task(learning))
        self.tell(on.Planned(plan))

    async def _keep_credit(self) -> None:
        with acting(self._principal, call_id=self._journal.call_id):
            await self._doors.credit.keep(self._journal.call_id, lambda: self._elapsed_ms() / 1000)
        _log.warning("telephony.credit_used_up")
        self.tell(on.CreditUsedUp())

    def _timer_fired(self, timer: do.Timer) -> None:
        self._timers.pop(timer, None)
        self.tell(on.TimerFired(timer))

    def _cancel_timer(self, timer: do.Timer) -> None:
        if handle := self._timers.pop(timer, None):
            handle.cancel()

    # ---- out --------------------------------------------------------------------------------------------------

    def _entry(self, line: do.Journal) -> Entry:
        return Entry(
            call_id=self._journal.call_id,
            turn=line.turn,
            kind=line.kind,
            text=line.text,
            stage=line.stage,
            at=self._doors.clock(),
            confidence=line.confidence,
            tokens=line.tokens,
            conversation=line.conversation,
            told=line.told,
        )

    def _event(self, data: UtteranceTranscribed | ReplyGenerated | AudioSynthesized | CallUpdated) -> Event:
        match data:
            case AudioSynthesized():
                key = f"{self._journal.attached}:{data.clip}"
            case CallUpdated():
                self._stage_changes += 1
                key = f"stage:{self._journal.attached}:{self._stage_changes}"
            case _:
                key = str(data.turn)
        return about_call(data, key, time=self._doors.clock(), workspace=self._journal.workspace)

    def _errand(self, work: Coroutine[object, object, None]) -> None:
        """Something that has its time still when the stream is closed."""
        task = self._tasks.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _conclude(self) -> None:
        """Keep everything, then close the stream: the carrier asks next what to do, and must find it there.

        A store that is away holds the stream open only for so long; what is to be kept is tried on behind it.
        """
        for timer in list(self._timers):
            self._cancel_timer(timer)
        keeping = self._tasks.create_task(self._keep_all())
        kept, _ = await asyncio.wait({keeping}, timeout=self._options.ending_deadline / 1000)
        if not kept:
            _log.warning("telephony.ending_waits_for_store")
        await self._socket.close()
        if not kept:
            kept, _ = await asyncio.wait({keeping}, timeout=KEEPING_SECONDS)
        if not kept:
            _log.error("telephony.ending_not_kept")
            keeping.cancel()
        if self._under_way:  # a carrier that is slow to take a message keeps nobody on the line
            _, late = await asyncio.wait(self._under_way, timeout=KEEPING_SECONDS)
            if late:
                _log.error("telephony.errands_given_up", errands=len(late))
            for errand in late:
                errand.cancel()

    async def _keep_all(self) -> None:
        await self._writer.flushed()
        match self._ending:
            case do.End() as ending:
                await persistently(lambda: self._end(ending), "ending")
            case do.HandOver() as hand_over:
                await persistently(lambda: self._hand_over(hand_over), "hand-over")
        await self._keep_recording()

    def _keep_recording(self) -> Coroutine[object, object, None]:
        """Keep the event log's next part, taken at once; parts of one stream follow those of the streams before it."""
        part, lines = self._journal.attached * _PARTS_A_STREAM + self._parts, self._recording.take()
        self._parts += 1
        return persistently(lambda: self._doors.log.keep_event_log(self._journal.call_id, part, lines), "recording")

    def _metrics(self) -> CallMetrics:
        metrics = self._call.metrics
        return msgspec.structs.replace(metrics, latencies=[*metrics.latencies])

    def _elapsed_ms(self) -> int:
        """Since the call began, on whatever stream."""
        return max(0, round((self._doors.clock() - self._journal.started_at).total_seconds() * 1000))

    async def _hand_over(self, hand_over: do.HandOver) -> None:
        _log.info("telephony.hands_over", outcome=hand_over.outcome)
        await self._doors.log.hand_over(
            HandOver(
                call_id=self._journal.call_id,
                to=hand_over.to,
                whisper=hand_over.whisper,
                stream=self._journal.attached,
                at=self._doors.clock(),
                metrics=self._call.metrics,
                outcome=hand_over.outcome,
            )
        )

    async def _end(self, ending: do.End) -> None:
        now, duration = self._doors.clock(), round(self._elapsed_ms() / 1000)
        call = await self._doors.log.find(self._journal.call_id) or self._journal
        completed = call_completed(
            call,
            self._call.metrics,
            status=ending.reason if ending.reason in TERMINAL else "completed",
            reason=ending.reason,
            outcome=ending.outcome,
            seconds=duration,
        )
        _log.info("telephony.call_ended", reason=ending.reason, outcome=ending.outcome, seconds=duration)
        await self._doors.log.end(
            Ending(
                call_id=self._journal.call_id,
                reason=ending.reason,
                at=now,
                duration_seconds=duration,
                metrics=self._call.metrics,
                outcome=ending.outcome,
                stream=self._journal.attached,
            ),
            *told_at_the_end(call, completed, now),
        )
        self._recorder.call_ended()
