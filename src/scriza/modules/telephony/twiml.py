"""What Scriza tells Twilio to do with a call: TwiML documents, by Twilio's own builder.

https://www.twilio.com/docs/voice/twiml. `<Connect><Stream>` holds the call until we close the stream; then Twilio asks
its `action` how to go on, and should it not, the `<Redirect>` behind it makes it ask all the same.
"""

from typing import Literal
from urllib.parse import urlencode, urlsplit

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

from scriza.modules.telephony.call.machine import WITHOUT_A_PLAN
from scriza.modules.telephony.handover import TAKES_IT

AFTER = "/voice/after"
DIALLED = "/voice/dialled"
WHISPER = "/voice/whisper"
WHISPERED = "/voice/whispered"
STREAM = "/stream"
TOKEN_PARAMETER = "token"  # noqa: S105 - a name
ATTEMPT = "attempt"
CALL = "call"
"""In a query: the call that is being transferred."""

APOLOGY = WITHOUT_A_PLAN
TAKE_IT = f"Press {TAKES_IT} to take the call."
CALLED_IN_VAIN = "Hello. We wanted to talk to you, but cannot at the moment. Sorry for the call. Goodbye."
UNREACHED = "Sorry, nobody could be reached. Please try again later. Goodbye."

_KEY_SECONDS = 8

TokenPlace = Literal["path", "parameter"]


class Twiml:
    """Writes the documents. `stream_url` is the sockets' base, ``wss://host``; `public_url` the webhooks'.

    The token that opens a stream is `carried_in` the stream's path, or in a `<Parameter>`. A person to whom a caller is
    transferred is rung for `ring_seconds`.
    """

    def __init__(
        self, *, public_url: str, stream_url: str, carried_in: TokenPlace = "path", ring_seconds: int = 30
    ) -> None:
        self._base = urlsplit(public_url).path.rstrip("/")
        self._after = self._base + AFTER
        self._stream_url = stream_url.rstrip("/") + STREAM
        self._in_path = carried_in == "path"
        self._ring_seconds = ring_seconds

    def connect(self, token: str, *, attempt: int = 1) -> str:
        """Open a media stream with us; `attempt` counts the streams that this call was told to open."""
        after = self._after if attempt == 1 else f"{self._after}?{ATTEMPT}={attempt}"
        connect = Connect(action=after)
        if self._in_path:
            connect.stream(url=f"{self._stream_url}/{token}")
        else:
            connect.stream(url=self._stream_url).parameter(name=TOKEN_PARAMETER, value=token)
        response = VoiceResponse()
        response.append(connect)
        response.redirect(after)
        return str(response)

    def transfer(self, number: str, *, caller_id: str = "", whisper_for: str = "") -> str:
        """Connect the caller, who hears it ringing, to a person; Twilio then tells how that went.

        `caller_id` empty shows the caller's own. `whisper_for` is the call of which the person is told something
        first; empty connects them at once.
        """
        dial = Dial(
            action=self._base + DIALLED,
            answer_on_bridge=True,
            timeout=self._ring_seconds,
            **({"caller_id": caller_id} if caller_id else {}),
        )
        dial.number(number, **({"url": self._about(WHISPER, whisper_for)} if whisper_for else {}))
        response = VoiceResponse()
        response.append(dial)
        response.hangup()
        return str(response)

    def whisper(self, call_id: str, text: str) -> str:
        """Tell the person whom we call who is waiting, and ask for a key; without one this leg ends."""
        gather = Gather(action=self._about(WHISPERED, call_id), num_digits=1, finish_on_key="", timeout=_KEY_SECONDS)
        gather.say(f"{text} {TAKE_IT}")
        response = VoiceResponse()
        response.append(gather)
        response.hangup()
        return str(response)

    def _about(self, path: str, call_id: str) -> str:
        return f"{self._base}{path}?{urlencode({CALL: call_id})}"


def connect_them() -> str:
    """The person takes the call: nothing more is said to them, and the two are connected."""
    return str(VoiceResponse())


def nothing() -> str:
    """Nothing is to be done: the answer to a message."""
    return str(MessagingResponse())


def hang_up() -> str:
    """End the call."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def say_goodbye(text: str = APOLOGY) -> str:
    """Say something polite and end the call: needs nothing that could be down."""
    response = VoiceResponse()
    response.say(text)
    response.hangup()
    return str(response)


def busy() -> str:
    """Do not take the call: the caller hears the busy tone and pays nothing."""
    response = VoiceResponse()
    response.reject(reason="busy")
    return str(response)
