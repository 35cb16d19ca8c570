"""The simulated carrier as a whole: calls in both directions, over the real protocol, in real time."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from scriza.kernel.errors import NotFound
from scriza.simulator.call import Call, new_sid
from scriza.simulator.callbacks import Plan
from scriza.simulator.clips import Voice, VoiceBox
from scriza.simulator.clock import FrameClock
from scriza.simulator.numbers import Number, OptOuts
from scriza.simulator.options import Fault, Options
from scriza.simulator.report import CallOutcome, Happening, Message
from scriza.simulator.scenario import Scenario
from scriza.simulator.twiml import Fetch
from scriza.simulator.webhooks import Answered, Webhooks

Tell = Callable[[str, Happening], None]
"""Hears of everything as it happens, with the CallSid."""

SILENT_CALLEE = Scenario(name="silent-callee", lines=[])


class Simulator:
    """A strict Twilio in front of the Scriza at `target`, such as ``http://127.0.0.1:8000``.

    Used as an async context; calls that still run when it is left are broken off. `voice` speaks the callers' texts.
    With a `rest_port` (0 for any) its REST API listens on loopback, at `rest_url`; calls that are placed there are
    answered by `callee`. `on_happening` hears of everything as it happens.
    """

    def __init__(
        self,
        target: str,
        *,
        auth_token: str,
        voice: Voice,
        rest_port: int | None = None,
        callee: Scenario = SILENT_CALLEE,
        options: Options = Options(),  # noqa: B008 - it is frozen
        on_happening: Tell | None = None,
    ) -> None:
        self.auth_token, self.options, self.callee = auth_token, options, callee
        self.voices = VoiceBox(voice)
        self.calls: dict[str, Call] = {}
        self.messages: list[Message] = []
        self.opt_outs = OptOuts()
        self.faults: deque[Fault] = deque()
        """What the next requests to the REST API meet."""
        self.rest_url = ""
        self._rest_port = rest_port
        self._target = target.rstrip("/")
        self._public_url = (options.public_url or target).rstrip("/")
        self._tell = on_happening
        self.numbers = {number: self._number(number) for number in (options.number, *options.more_numbers)}
        self._placed: dict[str, asyncio.Task[CallOutcome]] = {}
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            routes = dict(self.options.routes)
            if self._public_url != self._target:
                routes[self._public_url] = self._target
            self.webhooks = Webhooks(self.auth_token, routes, self.options.policy)
            opened.push_async_callback(self.webhooks.close)
            self.clock = FrameClock()
            opened.callback(self.clock.close)
            if self._rest_port is not None:
                # Litestar takes half a second to import, which callers without REST need not wait for.
                from scriza.simulator.rest import rest_app, serving

                self.rest_url = await opened.enter_async_context(serving(rest_app(self), self._rest_port))
            opened.push_async_callback(self._break_off)
            self._resources = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def call(self, scenario: Scenario, *, number: str = "") -> CallOutcome:
        """Call one of the numbers, by default the options', with this caller; returns when all is over.

        With an outbound scenario the number calls it, as if REST had asked for that with Scriza's own URLs. Raises
        BadInput for a scenario's unreadable file.
        """
        called = self.numbers[number or self.options.number]
        if scenario.direction == "outbound":
            return await (await self._prepare(self._outbound(called, scenario), scenario)).run()
        fallback = called.voice_fallback_url
        plan = Plan(
            sid=new_sid("CA"),
            direction="inbound",
            caller=scenario.caller,
            callee=called.phone_number,
            first=Fetch(called.voice_url, called.voice_method),
            document="",
            fallback=Fetch(fallback, called.voice_fallback_method) if fallback else None,
            status_callback=called.status_callback,
            status_events=self.options.status_events,
        )
        return await (await self._prepare(plan, scenario)).run()

    async def outcome(self, call_sid: str) -> CallOutcome:
        """Wait for the end of a call that was placed by REST. Raises NotFound."""
        task = self._placed.get(call_sid)
        if task is None:
            raise NotFound(f"no call {call_sid} was placed by REST")
        return await asyncio.shield(task)

    async def place(self, plan: Plan) -> Call:
        """Begin a call to `callee`, as REST asks for it."""
        call = await self._prepare(plan, self.callee)
        self._placed[plan.sid] = asyncio.create_task(call.run())
        return call

    async def text(self, person: str, body: str, *, number: str = "") -> Answered:
        """A person texts one of the numbers, by default the options'. Raises Refused when the webhook fails.

        STOP and its kin hold back what is sent to the person from then on.
        """
        texted = self.numbers[number or self.options.number]
        sid = new_sid("SM")
        fields = [
            ("AccountSid", self.options.account_sid),
            ("ApiVersion", "2010-04-01"),
            *((name, sid) for name in ("MessageSid", "SmsMessageSid", "SmsSid")),
            ("From", person),
            ("To", texted.phone_number),
            ("Body", body),
            ("SmsStatus", "received"),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            *((who + "Country", "US") for who in ("From", "To")),
            *((who + part, "") for who in ("From", "To") for part in ("City", "State", "Zip")),
        ]
        word = self.opt_outs.hear(person, texted.phone_number, body)
        if word:
            fields.append(("OptOutType", word))
        return await self.webhooks.send(texted.sms_method, texted.sms_url, fields)

    def deliver(self, message: Message) -> None:
        """Take a text message; every live call of that number shows it."""
        self.messages.append(message)
        for call in self.calls.values():
            call.text_arrives(message)

    def _outbound(self, number: Number, scenario: Scenario) -> Plan:
        fallback = number.voice_fallback_url
        return Plan(
            sid=new_sid("CA"),
            direction="outbound-api",
            caller=number.phone_number,
            callee=scenario.caller,
            first=Fetch(number.voice_url, number.voice_method),
            document="",
            fallback=Fetch(fallback, number.voice_fallback_method) if fallback else None,
            status_callback=number.status_callback,
            status_events=("initiated", "ringing", "answered", "completed"),
            detection="DetectMessageEnd",
            answered_by_callback=f"{self._public_url}/voice/answered-by",
        )

    def _number(self, number: str) -> Number:
        url = self._public_url
        return Number(
            sid=new_sid("PN"),
            phone_number=number,
            friendly_name=number,
            voice_url=f"{url}/voice",
            voice_fallback_url=f"{url}/voice/fallback",
            status_callback=f"{url}/status-callback",
            sms_url=f"{url}/sms",
        )

    async def _prepare(self, plan: Plan, scenario: Scenario) -> Call:
        clips = await self.voices.clips(scenario)
        tell = self._tell
        call = Call(self, plan, scenario, clips)
        call.timeline.listen(None if tell is None else lambda happening: tell(plan.sid, happening))
        self.calls[plan.sid] = call
        return call

    async def _break_off(self) -> None:
        for task in self._placed.values():
            task.cancel()
        await asyncio.gather(*self._placed.values(), return_exceptions=True)
