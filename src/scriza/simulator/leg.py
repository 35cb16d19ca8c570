"""The other leg of a transfer: the phone that a `<Dial>` calls, and what it is told before the two are connected.

https://www.twilio.com/docs/voice/twiml/number#url. The document of `<Number url>` runs on this leg, with a CallSid of
its own. A leg that it hangs up, or that hangs up in it, was answered, but not bridged.
"""

import asyncio
import math
from typing import Protocol

import msgspec

from scriza.audio.mulaw import SAMPLE_RATE
from scriza.simulator.callbacks import Fields, Plan
from scriza.simulator.clips import VoiceBox
from scriza.simulator.messages import Refused
from scriza.simulator.options import Options
from scriza.simulator.report import Timeline
from scriza.simulator.scenario import Pickup, Transfer
from scriza.simulator.twiml import Bridge, Dial, Fetch, Gather, Hangup, Pause, Program, Say
from scriza.simulator.webhooks import Webhooks

_SAY_VOICE = "en-us"
_THINKS_SECONDS = 0.3
"""From the end of what was said until the key."""


class Exchange(Protocol):
    """What legs share."""

    options: Options
    webhooks: Webhooks
    voices: VoiceBox


class Dialled(msgspec.Struct, frozen=True):
    """How a `<Dial>` went; `status` is Twilio's word."""

    sid: str
    status: str
    bridged: bool
    seconds: int | None = None

    def fields(self) -> Fields:
        """What the `<Dial>`'s action is told."""
        told = [
            ("DialCallSid", self.sid),
            ("DialCallStatus", self.status),
            ("DialBridged", "true" if self.bridged else "false"),
        ]
        return told if self.seconds is None else [*told, ("DialCallDuration", str(self.seconds))]


class Leg:
    """One call to a person. `sid` is its own, `plan` that of the call which is transferred."""

    def __init__(self, exchange: Exchange, plan: Plan, sid: str, transfer: Transfer, timeline: Timeline) -> None:
        self._exchange, self._plan, self._transfer, self._timeline = exchange, plan, transfer, timeline
        self._sid = sid
        self._program = Program(leg=True)

    async def answered(self, verb: Dial, pickup: Pickup) -> Dialled:
        """What comes of it when the phone was picked up so: they talk, or nobody took the call."""
        self._timeline.note("leg", f"the dialled phone: {pickup}")
        if pickup != "answers":
            return Dialled(self._sid, pickup, bridged=False)
        try:
            taken = verb.whisper is None or await self._led(verb.whisper, verb)
        except Refused as refused:
            self._timeline.violation(refused.code, refused.reason)
            return Dialled(self._sid, "failed", bridged=False)
        if not taken:
            self._timeline.note("leg", "hung up before the two were connected")
            return Dialled(self._sid, "completed", bridged=False)
        self._timeline.note("leg", "connected")
        await asyncio.sleep(self._transfer.talk_ms / 1000)
        return Dialled(self._sid, "completed", bridged=True, seconds=math.ceil(self._transfer.talk_ms / 1000))

    async def _led(self, document: Fetch, verb: Dial) -> bool:
        """Do the document; whether it ends in being connected. Raises Refused."""
        await self._fetch(document, verb, [])
        while True:
            match step := self._program.next():
                case Bridge():
                    return True
                case Hangup():
                    return False
                case Fetch():
                    await self._fetch(step, verb, [])
                case Say():
                    await self._listen(step)
                case Pause():
                    await asyncio.sleep(step.length)
                case Gather():
                    if (keys := await self._press(step)) and step.action:
                        await self._fetch(step.action, verb, [("Digits", keys), ("msg", "Gather End")])
                case _:
                    raise Refused(12200, f"schema validation: the simulator does no {type(step).__name__} on a leg")

    async def _press(self, gather: Gather) -> str:
        for say in gather.says:
            await self._listen(say)
        keys = self._transfer.presses[: gather.most]
        await asyncio.sleep(_THINKS_SECONDS if keys else gather.timeout)
        self._timeline.note("leg", f"presses {keys}" if keys else "presses no key")
        return keys

    async def _listen(self, say: Say) -> None:
        self._timeline.note("leg", f'hears "{say.text}"')
        spoken = await self._exchange.voices.speak(say.text, _SAY_VOICE)
        await asyncio.sleep(say.loop * len(spoken) / SAMPLE_RATE)

    async def _fetch(self, document: Fetch, verb: Dial, more: Fields) -> None:
        self._timeline.note("webhook", f"{document.method} {document.url}")
        told = [
            ("AccountSid", self._exchange.options.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", self._sid),
            ("ParentCallSid", self._plan.sid),
            ("CallStatus", "in-progress"),
            ("Direction", "outbound-dial"),
            ("From", verb.caller_id or self._plan.party),
            ("To", verb.number),
        ]
        answer = await self._exchange.webhooks.send(
            document.method, document.url, [*told, *more], tell=self._timeline.remark
        )
        if answer.content_type.split(";")[0].strip() not in ("text/xml", "application/xml"):
            raise Refused(12300, f"invalid content type {answer.content_type!r}")
        self._program.load(answer.body, document.url)
