"""Text messages that come in: who wants to hear no more of us, and what else people have to say.

STOP and its kin put a number on the do-not-call list, START and its kin take it off again; what the carrier answers to
them, and to HELP, is the carrier's own. https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out. Everything
else is kept beside the last call with that number and told as an event. A message that comes twice is the same message.
"""

import asyncio
import re
from typing import Literal

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Topic, event
from scriza.kernel.principal import Principal, acting, current
from scriza.kernel.pseudonym import NameOf
from scriza.kernel.redaction import without_cards
from scriza.modules.telephony.call_log import CallLog, CallReader, ReceivedMessage
from scriza.modules.telephony.forms import Form, one, phone_number, sid
from scriza.modules.telephony.placing.books import BarredBook
from scriza.modules.telephony.reception import Reception
from scriza.modules.telephony.signatures import SignatureGate
from scriza.modules.telephony.twiml import nothing
from scriza.modules.telephony.webhooks import Webhook
from scriza.ports.call_desk import BarredNumber
from scriza.ports.telephony import MessageReceived

Wish = Literal["stop", "start", "help", ""]

_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "UNSTOP", "YES"})
_HELP = frozenset({"HELP", "INFO"})
_BETWEEN = re.compile(r"[\W_]+")
_SECONDS = 10.0

_log = structlog.get_logger()


def wish_of(text: str, opt_out_type: str) -> Wish:
    """What a message asks of the list: by the carrier's own finding, else by its one word.

    Whoever wants to stop is understood however they write it: ``Stop.``, ``stop all``, ``opt-out``.
    """
    word = (opt_out_type or text).strip().upper()
    if _BETWEEN.sub("", word) in _STOP:
        return "stop"
    if word in _START:
        return "start"
    return "help" if word in _HELP else ""


class Messages:
    """Answers the webhook of incoming messages."""

    def __init__(
        self,
        calls: CallLog,
        reader: CallReader,
        gate: SignatureGate,
        reception: Reception,
        barred: BarredBook,
        name_of: NameOf,
        clock: WallClock = utc_now,
    ) -> None:
        self._calls, self._reader, self._gate = calls, reader, gate
        self._reception, self._barred, self._name_of, self._clock = reception, barred, name_of, clock

    async def receive(self, webhook: Webhook) -> str:
        """A message has come in; nothing is said to it.

        Raises Forbidden, BadInput, and Unavailable, to be told again.
        """
        form = self._gate.webhook(webhook.target, webhook.content_type, webhook.body, webhook.signature)
        message_id, sender = sid(form, "MessageSid"), phone_number(form, "From")
        try:
            async with asyncio.timeout(_SECONDS):
                workspace = await self._reception.workspace_of(one(form, "To"))
                with acting(Principal(workspace, subject="telephony"), request_id=current().request_id):
                    await self._take(form, workspace, message_id, sender)
        except TimeoutError as error:
            raise Unavailable("the message could not be kept in time") from error
        return nothing()

    async def _take(self, form: Form, workspace: str, message_id: str, sender: str) -> None:
        text = without_cards(one(form, "Body"))
        wish = wish_of(text, one(form, "OptOutType"))
        if not sender:
            _log.info("message.from_no_number", message=message_id)
            return
        match wish:
            case "stop":
                entry = BarredNumber(sender, "message", "asked for by a message", self._clock())
                await self._barred.put(workspace, entry)
            case "start" if await self._starts_again(workspace, sender):
                pass
            case "help":
                pass
            case _:
                wish = ""
                await self._keep(workspace, message_id, sender, text)
        _log.info("message.received", message=message_id, wish=wish)

    async def _starts_again(self, workspace: str, sender: str) -> bool:
        """Take off the list who put themselves on it. Whom the team has put there stays, and a plain yes is a reply."""
        entry = await self._barred.find(workspace, sender)
        if entry is None or entry.source == "team":
            return False
        await self._barred.forget(workspace, sender, only_source=entry.source)
        return True

    async def _keep(self, workspace: str, message_id: str, sender: str, text: str) -> None:
        call_id, now = await self._reader.last_call_with(workspace, sender), self._clock()
        who = self._name_of(workspace, sender)
        told = event(
            Topic.MESSAGE_RECEIVED,
            MessageReceived(call_id, message_id, text, who),
            source="telephony",
            subject=call_id or who,
            key=message_id,
            time=now,
            workspace=workspace,
        )
        await self._calls.keep_message(ReceivedMessage(message_id, workspace, call_id, text, now, who), told)
