"""One simulated call, from the first ring to the last status callback."""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Protocol

from scriza.audio.mulaw import SAMPLE_RATE, encode
from scriza.audio.resample import resample
from scriza.audio.wav import decode_wav
from scriza.kernel.errors import BadInput
from scriza.simulator.callbacks import Callbacks, Fields, Plan, Status, call_fields
from scriza.simulator.clips import Clip, VoiceBox
from scriza.simulator.clock import FrameClock
from scriza.simulator.detection import who_answered
from scriza.simulator.leg import Leg
from scriza.simulator.messages import Refused, Writer
from scriza.simulator.options import Options
from scriza.simulator.phone import Phone
from scriza.simulator.report import (
    SAMPLES_PER_MS,
    CallOutcome,
    Gap,
    Message,
    Span,
    measure,
    unmet,
)
from scriza.simulator.scenario import EndedBy, Pickup, Scenario
from scriza.simulator.signing import sign
from scriza.simulator.stream import MediaStream
from scriza.simulator.twiml import Connect, Dial, Fetch, Hangup, Pause, Play, Program, Reject, Say, Verb
from scriza.simulator.webhooks import Webhooks

_LATE_MESSAGE_SECONDS = 5
_SAY_VOICE = "en-us"
"""What `<Say>` sounds like, whatever voice it asks for."""


class Exchange(Protocol):
    """What calls share."""

    auth_token: str
    options: Options
    webhooks: Webhooks
    voices: VoiceBox
    clock: FrameClock


class _Failed(Exception):
    """The call cannot go on: there is no document to do."""


def new_sid(kind: str) -> str:
    """Such as ``CA`` and 32 hexadecimal digits."""
    return kind + secrets.token_hex(16)


class Call:
    """A call. `run` plays it to its end; REST may `complete` it or `redirect` it in between."""

    def __init__(
        self,
        exchange: Exchange,
        plan: Plan,
        scenario: Scenario,
        clips: dict[int, Clip],
    ) -> None:
        self.plan, self.scenario = plan, scenario
        self.status: Status = "queued"
        self.messages: list[Message] = []
        self.created_at = datetime.now(UTC)
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.answered_by = ""
        """Who answered, in Twilio's word, once it was found out."""
        self._exchange, self._clips = exchange, clips
        self._loop = asyncio.get_running_loop()
        self.phone = Phone(exchange.clock, record=exchange.options.record)
        self.timeline = self.phone.timeline
        self._callbacks = Callbacks(plan, exchange.webhooks, exchange.options, self.timeline)
        self._program = Program(allow_ws=exchange.options.allow_ws)
        self._asked: asyncio.Future[None] = self._loop.create_future()
        self._wanted: Fetch | str | None = None
        self._extra: Fields = []
        self._answered_at_ms: int | None = None
        self._streams = 0
        self._texted = asyncio.Event()

    @property
    def duration_seconds(self) -> int | None:
        """Since the answer, once the call has ended."""
        if self.ended_at is None:
            return None
        if self.answered_at is None:
            return 0
        return math.ceil((self.ended_at - self.answered_at).total_seconds())

    def complete(self) -> None:
        """REST ends the call."""
        self._ask(None)

    def redirect(self, to: Fetch | str) -> None:
        """REST gives the call another document, by URL or as it is."""
        self._ask(to)

    def text_arrives(self, message: Message) -> None:
        """The other party's phone gets a text message; what comes after the outcome is not in it."""
        if message.to == self.plan.party:
            self.messages.append(message)
            self.timeline.note("message", message.text)
            self._texted.set()

    async def run(self) -> CallOutcome:
        """Play the call to its end, status callbacks and the text messages that the scenario expects included."""
        try:
            try:
                status, ended_by = await self._live()
            finally:
                self.phone.put_down()
            self.ended_at = datetime.now(UTC)
            ended_at_ms = self.phone.now_ms()
            self._set_status(status)
            for recording in self.phone.recordings:
                recording.finish()
                self._callbacks.tell_recording(recording)
            await self._await_messages()
            await self._callbacks.delivered()
        finally:
            await self._callbacks.close()
        return await asyncio.to_thread(self._outcome, ended_by, ended_at_ms)

    async def _live(self) -> tuple[Status, EndedBy]:
        try:
            async with asyncio.timeout(min(self.scenario.limit_ms, self.plan.time_limit_ms) / 1000) as limit:
                if self.plan.direction == "inbound":
                    return await self._come_in()
                return await self._go_out()
        except TimeoutError:
            if not limit.expired():
                raise
            self.timeline.note("note", "the carrier's time limit ends the call")
        except _Failed:
            pass
        return ("failed" if self.answered_at is None else "completed"), "carrier"

    async def _come_in(self) -> tuple[Status, EndedBy]:
        self._set_status("ringing")
        verb, ended_by = await self._next(first=True)
        if isinstance(verb, Reject):
            return verb.status, "agent"
        if ended_by is not None:
            return "completed" if ended_by == "agent" else "no-answer", ended_by
        self._answer()
        return "completed", await self._converse(verb)

    async def _find_out(self) -> None:
        """Who answered; told in a callback of its own, or with the first request, which waits for it."""
        who = await who_answered(self.plan, self.scenario.answer, self.phone.beeped)
        self.answered_by = who
        self.timeline.note("note", f"the carrier takes who answered for {who}")
        if self.plan.answered_by_callback:
            self._callbacks.tell_answered_by(who, self.phone.now_ms() - (self._answered_at_ms or 0))
        else:
            self._extra = [("AnsweredBy", who)]

    async def _go_out(self) -> tuple[Status, EndedBy]:
        self._set_status("initiated")
        self._set_status("ringing")
        pickup = await self._ring(self.scenario.answer.pickup, self.scenario.answer.after_ms, self.plan.ring_timeout_ms)
        if self._asked.done():
            return "canceled", "agent"
        if pickup != "answers":
            return pickup, "carrier" if pickup == "failed" else "caller"
        self._answer()
        if self.plan.detection and not self.plan.answered_by_callback:
            ended_by = await self._interruptible(self._find_out())
            if ended_by is not None:
                return "completed", ended_by
        detecting = asyncio.create_task(self._find_out()) if self.plan.answered_by_callback else None
        try:
            verb, ended_by = await self._next(first=True)
            return "completed", ended_by or await self._converse(verb)
        finally:
            if detecting:
                detecting.cancel()
                await asyncio.wait({detecting})

    async def _ring(self, pickup: Pickup, after_ms: int, timeout_ms: int) -> Pickup:
        await asyncio.wait({self._asked}, timeout=min(after_ms, timeout_ms) / 1000)
        return pickup if after_ms < timeout_ms else "no-answer"

    def _answer(self) -> None:
        self.answered_at = datetime.now(UTC)
        self._answered_at_ms = self.phone.now_ms()
        self._set_status("in-progress")
        self.phone.lift(self.scenario, self._clips)

    async def _converse(self, verb: Verb) -> EndedBy:
        """Do verb after verb until the call is over."""
        while True:
            if isinstance(verb, Hangup | Reject):
                return "agent"
            ended_by = await self._interruptible(self._do(verb))
            if ended_by is not None:
                return ended_by
            verb, ended_by = await self._next()
            if ended_by is not None:
                return ended_by

    async def _next(self, *, first: bool = False) -> tuple[Verb, EndedBy | None]:
        """The next verb that is not a fetch, or who ended the call while documents were fetched."""
        if first:
            if self.plan.first is None:
                self._load(self.plan.document, "")
            else:
                ended_by = await self._interruptible(self._fetch(self.plan.first))
                if ended_by is not None:
                    return Hangup(), ended_by
        while isinstance(verb := self._program.next(), Fetch):
            ended_by = await self._interruptible(self._fetch(verb))
            if ended_by is not None:
                return Hangup(), ended_by
        self.timeline.note("twiml", _in_words(verb))
        return verb, None

    async def _interruptible(self, act: Coroutine[None, None, None]) -> EndedBy | None:
        """Do it, unless the caller hangs up or REST wants something else; tells who ended the call, if anybody."""
        doing = asyncio.ensure_future(act)
        try:
            await asyncio.wait({doing, self.phone.over, self._asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not doing.done():
                doing.cancel()
                await asyncio.wait({doing})
        if not doing.cancelled():
            doing.result()
        if self.phone.over.done():
            self.phone.over.result()
            return "caller"
        if self._asked.done():
            self._asked = self._loop.create_future()
            if self._wanted is None:
                return "agent"
            if isinstance(self._wanted, Fetch):
                return await self._interruptible(self._fetch(self._wanted))
            self._load(self._wanted, "")
        return None

    async def _fetch(self, document: Fetch) -> None:
        extra, self._extra = self._extra, []
        try:
            await self._ask_for(document, extra)
        except Refused as refused:
            self.timeline.violation(refused.code, refused.reason)
            fallback = self.plan.fallback
            if fallback is None or fallback == document:
                raise _Failed from refused
            error = [("ErrorCode", str(refused.code)), ("ErrorUrl", document.url)]
            try:
                await self._ask_for(fallback, error)
            except Refused as again:
                self.timeline.violation(again.code, again.reason)
                raise _Failed from again

    async def _ask_for(self, document: Fetch, extra: Fields) -> None:
        self.timeline.note("webhook", f"{document.method} {document.url}")
        answer = await self._exchange.webhooks.send(
            document.method, document.url, [*self._fields(), *extra], tell=self.timeline.remark
        )
        if answer.content_type.split(";")[0].strip() not in ("text/xml", "application/xml"):
            raise Refused(12300, f"invalid content type {answer.content_type!r}")
        self._program.load(answer.body, document.url)

    def _load(self, document: str, url: str) -> None:
        try:
            self._program.load(document, url)
        except Refused as refused:
            self.timeline.violation(refused.code, refused.reason)
            raise _Failed from refused

    async def _do(self, verb: Verb) -> None:
        match verb:
            case Connect():
                await self._connect(verb)
            case Say():
                spoken = encode(await self._exchange.voices.speak(verb.text, _SAY_VOICE))
                await self._play(spoken, verb.loop)
            case Play():
                await self._play_file(verb)
            case Pause():
                await asyncio.sleep(verb.length)
            case Dial():
                await self._dial(verb)

    async def _connect(self, verb: Connect) -> None:
        sid = new_sid("MZ")
        url = self._exchange.webhooks.reached_at(verb.url)
        headers = {"X-Twilio-Signature": sign(self._exchange.auth_token, verb.url), "User-Agent": "Twilio.TmeWs/1.0"}
        try:
            stream = await MediaStream.open(url, headers)
        except Refused as refused:
            self.timeline.violation(refused.code, refused.reason)
            self._callbacks.tell_stream(verb, sid, "stream-error", refused.reason)
            return
        self._streams += 1
        self.timeline.note("stream", "started")
        self._callbacks.tell_stream(verb, sid, "stream-started")
        writer = Writer(sid, self.plan.sid, self._exchange.options.account_sid)
        self.phone.attach(stream, writer, sid, verb.parameters)
        try:
            code = await asyncio.shield(stream.ended)
            self.timeline.note("stream", "lost" if code == 1006 else f"closed by the agent's side with {code}")
        except asyncio.CancelledError:
            stream.send(writer.stop())
            self.timeline.note("stream", "stopped")
            raise
        finally:
            self.phone.detach()
            await stream.close()
            self._callbacks.tell_stream(verb, sid, "stream-stopped")

    async def _play(self, audio: bytes, loop: int) -> None:
        for _ in range(max(1, loop)):
            await self.phone.play(audio)

    async def _play_file(self, verb: Play) -> None:
        try:
            file = await self._exchange.webhooks.download(verb.url)
            audio = await asyncio.to_thread(_as_mulaw, file.body, file.content_type)
            await self._play(audio, verb.loop)
        except Refused as refused:
            self.timeline.violation(refused.code, refused.reason)
        except BadInput as error:
            self.timeline.violation(12300, f"<Play>: {error.detail}")

    async def _dial(self, verb: Dial) -> None:
        transfer = self.scenario.transfer
        leg = Leg(self._exchange, self.plan, new_sid("CA"), transfer, self.timeline)
        pickup = await self._ring(transfer.pickup, transfer.after_ms, verb.timeout * 1000)
        self._extra = (await leg.answered(verb, pickup)).fields()

    async def _await_messages(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LATE_MESSAGE_SECONDS):
                while len(self.messages) < (self.scenario.expect.messages or 0):
                    self._texted.clear()
                    await self._texted.wait()

    def _fields(self) -> Fields:
        return call_fields(self.plan, self.status, self._exchange.options.account_sid)

    def _ask(self, to: Fetch | str | None) -> None:
        self.timeline.note("rest", "complete the call" if to is None else "go on with another document")
        self._wanted = to
        if not self._asked.done():
            self._asked.set_result(None)

    def _set_status(self, status: Status) -> None:
        self.status = status
        self.timeline.note("status", status)
        self._callbacks.tell_status(status, self.duration_seconds)

    def _outcome(self, ended_by: EndedBy, ended_at_ms: int) -> CallOutcome:
        agent = self.phone.ears.stretches
        outcome = CallOutcome(
            call_sid=self.plan.sid,
            scenario=self.scenario.name,
            status=self.status,
            ended_by=ended_by,
            answered_at_ms=self._answered_at_ms,
            ended_at_ms=ended_at_ms,
            streams=self._streams,
            happenings=sorted(self.timeline.happenings, key=lambda happening: happening.at_ms),
            violations=self.timeline.violations,
            utterances=measure(self.phone.uttered, agent, self.phone.clears),
            agent=[Span(start // SAMPLES_PER_MS, end // SAMPLES_PER_MS) for start, end in agent],
            gaps=[Gap(gap.at // SAMPLES_PER_MS, gap.length / SAMPLES_PER_MS) for gap in self.phone.gaps],
            messages=list(self.messages),
            unmet=[],
            clock_lag_ms=self.phone.worst_lag * 1000,
            wav=self.phone.wav(),
            keys=self.phone.keys,
        )
        outcome.unmet = unmet(self.scenario.expect, outcome)
        return outcome


def _in_words(verb: Verb) -> str:
    match verb:
        case Connect():
            return f"Connect to {verb.url}"
        case Say():
            return f'Say "{verb.text}"'
        case Play():
            return f"Play {verb.url}"
        case Pause():
            return f"Pause for {verb.length} s"
        case Dial():
            return "Dial"
        case _:
            return type(verb).__name__


def _as_mulaw(data: bytes, content_type: str) -> bytes:
    kind = content_type.split(";")[0].strip()
    if kind in ("audio/basic", "audio/x-mulaw", "audio/mulaw"):
        return data
    if kind in ("audio/mpeg", "audio/mp3"):
        # PyAV takes long to import, and most calls play no file.
        from scriza.audio.mp3 import decode_mp3

        samples, rate = decode_mp3(data)
        return encode(resample(samples, rate, SAMPLE_RATE))
    if kind in ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"):
        samples, rate = decode_wav(data)
        return encode(resample(samples, rate, SAMPLE_RATE))
    raise BadInput(f"the simulator cannot play {content_type!r}")
