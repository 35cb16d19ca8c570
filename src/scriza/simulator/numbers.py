"""The account's phone numbers, where each leads, and who has asked for no more messages.

https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource and, for the words that Twilio itself acts
on, https://help.twilio.com/articles/223134027.
"""

import msgspec

from scriza.simulator.twiml import Method

_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "YES", "UNSTOP"})
_HELP = frozenset({"HELP", "INFO"})


class Number(msgspec.Struct):
    """A phone number. REST changes where it leads."""

    sid: str
    phone_number: str
    friendly_name: str
    voice_url: str = ""
    voice_method: Method = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: Method = "POST"
    status_callback: str = ""
    status_callback_method: Method = "POST"
    sms_url: str = ""
    sms_method: Method = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: Method = "POST"
    voice_application_sid: str = ""
    sms_application_sid: str = ""
    trunk_sid: str = ""


class OptOuts:
    """Who has texted STOP to which of the numbers."""

    def __init__(self) -> None:
        self._out: set[tuple[str, str]] = set()

    def hear(self, person: str, number: str, text: str) -> str:
        """A text message to a number has come; returns what kind of word it is: STOP, START, HELP or none."""
        word = text.strip().upper()
        if word in _STOP:
            self._out.add((person, number))
            return "STOP"
        if word in _START:
            self._out.discard((person, number))
            return "START"
        return "HELP" if word in _HELP else ""

    def are_out(self, person: str, number: str) -> bool:
        """Whether messages from the number to the person are held back."""
        return (person, number) in self._out
