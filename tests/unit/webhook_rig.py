"""An office that signed requests of Twilio's are sent to, with everything around it in memory."""

import hmac
import re
from base64 import b64encode
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode

import msgspec

from scriza.kernel.events import Event, Topic
from scriza.kernel.pseudonym import pseudonym
from scriza.modules.telephony.call_log import Ending, HandOver, JournaledCall
from scriza.modules.telephony.forms import parse_form
from scriza.modules.telephony.signatures import Signature, SignatureGate, SigningKeys, signed_text
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.twiml import Twiml
from scriza.modules.telephony.webhooks import Webhook, Webhooks
from scriza.ports.telephony import CallMetrics
from tests.memory_log import MemoryCallLog, MemoryOnce
from tests.memory_placing import MemoryPlacing
from tests.standins.carrier import StandInCarrier

PUBLIC = "https://pbx.example"
TOKEN = "auth-token"
CALL = "CA0123456789abcdef0123456789abcdef"
WHO = pseudonym("key", "default", "+14155550123")
"""Who calls, as events name them."""
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
INCOMING = {
    "CallSid": CALL,
    "AccountSid": "AC1",
    "From": "+14155550123",
    "To": "+18005551212",
    "CallStatus": "ringing",
    "Direction": "inbound",
    "ToState": "",
    "ApiVersion": "2010-04-01",
}


def signed(target: str, form: dict[str, str], *, token: str = TOKEN, idempotency: str = "") -> Webhook:
    body = urlencode(form).encode()
    text = signed_text(PUBLIC + target, parse_form(body))
    signature = b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    return Webhook(target, "application/x-www-form-urlencoded", body, Signature(signature), idempotency)


class Office:
    """Webhooks with everything around them in memory."""

    def __init__(
        self,
        log: MemoryCallLog | None = None,
        once: MemoryOnce | None = None,
        placing: MemoryPlacing | None = None,
    ) -> None:
        self.now = NOW
        self.log = log or MemoryCallLog(lambda: self.now)
        self.once = once or MemoryOnce(lambda: self.now)
        self.room = True
        self.heard: list[tuple[str, str]] = []
        self.tokens = StreamTokens("key", self.once, now=lambda: self.now)
        self.carrier = StandInCarrier(lambda: self.now)
        self.placing = placing or MemoryPlacing(self.carrier, lambda: self.now)
        self.webhooks = self.another_process()

    def another_process(self) -> Webhooks:
        return Webhooks(
            self.log,
            self.once,
            SignatureGate(SigningKeys((TOKEN,)), public_url=PUBLIC, mode="enforce"),
            self.tokens,
            Twiml(public_url=PUBLIC, stream_url="wss://pbx.example"),
            self.placing.reception,
            stopped=self.placing.switch.stopped,
            has_credit=self.placing.purse.for_calls().begins,
            accepts=lambda call_id: self.room,
            on_answered=lambda call_id, who: self.heard.append((call_id, who)),
            on_status=self.hear,
            name_of=partial(pseudonym, "key"),
            now=lambda: self.now,
        )

    async def hear(self, call_id: str, status: str) -> None:
        self.heard.append((call_id, status))

    async def voice(self, **changes: str) -> str:
        return await self.webhooks.voice(signed("/voice", INCOMING | changes))

    async def after(self, target: str = "/voice/after", **changes: str) -> str:
        return await self.webhooks.after(signed(target, INCOMING | {"CallStatus": "in-progress"} | changes))

    async def handed_over(self, whisper: str = "Somebody asks for you.", **voice: str) -> None:
        """A stream of the call has come, and has handed the caller over."""
        await self.voice(**voice)
        await self.log.attach(CALL)
        metrics = CallMetrics(turns=4, transfers=1)
        await self.log.hand_over(HandOver(CALL, "+15550001111", whisper, 1, self.now, metrics, "demo_booked"))

    async def dialled(self, result: str, **more: str) -> str:
        form = {"CallStatus": "in-progress", "DialCallSid": "CAchild", "DialCallStatus": result} | more
        return await self.webhooks.dialled(signed("/voice/dialled", INCOMING | form))

    async def whisper(self, target: str, **more: str) -> str:
        """As the leg to the person asks."""
        form = INCOMING | {"CallSid": "CAchild", "ParentCallSid": CALL, "CallStatus": "in-progress"} | more
        ask = self.webhooks.whispered if "Digits" in more else self.webhooks.whisper
        return await ask(signed(target, form))

    async def answered_by(self, who: str) -> None:
        form = {"CallSid": CALL, "AccountSid": "AC1", "AnsweredBy": who, "MachineDetectionDuration": "4200"}
        await self.webhooks.answered_by(signed("/voice/answered-by", form))

    async def status(self, word: str, sequence: int | str, **more: str) -> None:
        form = INCOMING | {"CallStatus": word, "SequenceNumber": str(sequence)} | more
        await self.webhooks.status(signed("/status-callback", form))

    async def found(self) -> JournaledCall:
        call = await self.log.find(CALL)
        assert call is not None
        return call

    def told(self, topic: Topic) -> list[Event]:
        return [event for event in self.log.told if event.type == topic]


def token_in(twiml: str) -> str:
    match = re.search(r'url="wss://pbx.example/stream/([^"]+)"', twiml)
    assert match, twiml
    return match[1]


def ending(**changes: object) -> Ending:
    plain = Ending(CALL, "agent-goodbye", NOW, 30, CallMetrics())
    return msgspec.structs.replace(plain, **changes)
