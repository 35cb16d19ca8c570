"""What Scriza tells Twilio to do with a call: TwiML documents, by Twilio's own builder.

https://www.twilio.com/docs/voice/twiml. `<Connect><Stream>` holds the call until we close the stream; then Twilio asks
its `action` how to go on, and should it not, the `<Redirect>` behind it makes it ask all the same.
"""

from typing import Literal
from urllib.parse import urlsplit

from twilio.twiml.voice_response import Connect, Dial, VoiceResponse

from scriza.modules.telephony.call.machine import WITHOUT_A_PLAN

AFTER = "/voice/after"
STREAM = "/stream"
TOKEN_PARAMETER = "token"  # noqa: S105 - a name
ATTEMPT = "attempt"

APOLOGY = WITHOUT_A_PLAN
UNREACHED = "Sorry, nobody could be reached. Please try again later. Goodbye."

_RINGING_SECONDS = 30

TokenPlace = Literal["path", "parameter"]


class Twiml:
    """Writes the documents. `stream_url` is the sockets' base, ``wss://host``; `public_url` the webhooks'.

    The token that opens a stream is `carried_in` the stream's path, or in a `<Parameter>`.
    """

    def __init__(self, *, public_url: str, stream_url: str, carried_in: TokenPlace = "path") -> None:
        self._after = urlsplit(public_url).path.rstrip("/") + AFTER
        self._stream_url = stream_url.rstrip("/") + STREAM
        self._in_path = carried_in == "path"

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

    def transfer(self, number: str, *, caller_id: str = "") -> str:
        """Connect the caller to a person; Twilio then asks how that went. `caller_id` empty shows the caller's own."""
        dial = Dial(
            action=self._after,
            answer_on_bridge=True,
            timeout=_RINGING_SECONDS,
            **({"caller_id": caller_id} if caller_id else {}),
        )
        dial.number(number)
        response = VoiceResponse()
        response.append(dial)
        response.hangup()
        return str(response)


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
