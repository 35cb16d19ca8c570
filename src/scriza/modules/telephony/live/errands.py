"""What a call has done beside talking: a message sent, a call promised, a number never called again.

Each is done once, however often the call is taken up again, and has its time still when the stream is closed.
"""

import asyncio

import structlog

from scriza.kernel.clock import WallClock
from scriza.kernel.errors import ScrizaError
from scriza.kernel.ids import derived_id
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.live.journal import persistently
from scriza.modules.telephony.placing.books import BarredBook
from scriza.modules.telephony.placing.callbacks import Callback, CallbackBook
from scriza.modules.telephony.placing.texts import Texts
from scriza.ports.agent import ScheduleCallback
from scriza.ports.call_desk import BarredNumber

_log = structlog.get_logger()

KEEPING_SECONDS = 300.0
"""How long what a call leaves is tried to be kept while the store is away."""


class Errands:
    """Those of one call. `deadline_s` is for what is asked of the carrier."""

    def __init__(
        self,
        texts: Texts,
        barred: BarredBook,
        callbacks: CallbackBook,
        clock: WallClock,
        call: JournaledCall,
        deadline_s: float,
    ) -> None:
        self._texts, self._barred, self._callbacks, self._clock = texts, barred, callbacks, clock
        self._call, self._deadline_s = call, deadline_s

    async def send_text(self, text: str) -> None:
        """Send the caller a text message, once however often the call is taken up again."""
        call, (us, them) = self._call, self._numbers
        if not them:
            _log.info("telephony.no_number_to_text")
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                key = derived_id("sms", call.call_id, text)
                await self._texts.send(key, text, workspace=call.workspace, sender=us, to=them)
        except (ScrizaError, TimeoutError) as error:
            _log.warning("telephony.text_not_sent", error=type(error).__name__)

    async def call_back(self, wanted: ScheduleCallback) -> None:
        """Keep that they are called again, once however often the call is taken up again."""
        call, (us, them) = self._call, self._numbers
        if not them:
            _log.info("telephony.no_number_to_call_back")
            return
        promised = Callback(
            callback_id=derived_id("cb", call.call_id, wanted.at.isoformat()),
            workspace=call.workspace,
            due_at=wanted.at,
            sender=us,
            to=them,
            playbook=call.assignment.playbook,
            reason=wanted.reason,
            variables=wanted.variables,
        )
        try:
            async with asyncio.timeout(KEEPING_SECONDS):
                await persistently(lambda: self._callbacks.put(promised), "callback")
        except TimeoutError:
            _log.error("telephony.callback_not_kept")

    async def bar(self) -> None:
        """Never call again who has asked for that; what they were told is kept also where the store is away."""
        _, them = self._numbers
        if not them:
            _log.info("telephony.no_number_to_bar")
            return
        entry = BarredNumber(them, "call", "asked for in a call", self._clock())
        try:
            async with asyncio.timeout(KEEPING_SECONDS):
                await persistently(lambda: self._barred.put(self._call.workspace, entry), "do-not-call list")
        except TimeoutError:
            _log.error("telephony.not_barred")

    @property
    def _numbers(self) -> tuple[str, str]:
        """Ours, and that of the other side, which is empty when it is withheld."""
        call = self._call
        return (call.callee, call.caller) if call.direction == "inbound" else (call.caller, call.callee)
