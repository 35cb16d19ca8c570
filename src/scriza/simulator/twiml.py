"""TwiML: reading documents strictly, and stepping through them as Twilio does.

https://www.twilio.com/docs/voice/twiml. A document is done verb by verb; `<Redirect>`, and the `action` of a verb that
has ended, replace it by the document fetched there; at its end the call is hung up. `<Connect>` blocks until its
stream ends, then comes its `action` or, without one, the next verb.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Literal, NoReturn
from urllib.parse import urljoin, urlsplit

import msgspec

from scriza.simulator.messages import Refused

_MAX_DOCUMENT = 64 * 1024
_MAX_PARAMETER = 500

Method = Literal["POST", "GET"]


class Say(msgspec.Struct, frozen=True):
    """Speak a text, `loop` times."""

    text: str
    voice: str
    loop: int


class Play(msgspec.Struct, frozen=True):
    """Play the audio file at `url`, `loop` times."""

    url: str
    loop: int


class Pause(msgspec.Struct, frozen=True):
    """Silence for `length` seconds."""

    length: int


class Connect(msgspec.Struct, frozen=True):
    """Open a media stream both ways to `url`, which has no query any more; `parameters` go into its start message."""

    url: str
    parameters: dict[str, str]
    name: str
    status_callback: str


class Dial(msgspec.Struct, frozen=True):
    """Call `number` and talk to it, once it answers within `timeout` seconds.

    With a `whisper`, whoever answers is first led by the document there; at its end the two are connected.
    """

    number: str
    timeout: int
    caller_id: str
    whisper: "Fetch | None" = None


class Gather(msgspec.Struct, frozen=True):
    """Say the texts, and take keys until there are `most` of them or none came for `timeout` seconds."""

    says: tuple[Say, ...]
    action: "Fetch | None"
    most: int
    timeout: int


class Bridge(msgspec.Struct, frozen=True):
    """The document of a dialled leg is at its end: it is connected with the call that dialled it."""


class Hangup(msgspec.Struct, frozen=True):
    """End the call."""


class Reject(msgspec.Struct, frozen=True):
    """Do not take the call."""

    status: Literal["busy", "no-answer"]


class Fetch(msgspec.Struct, frozen=True):
    """Go on with the document at `url`."""

    url: str
    method: Method


Verb = Say | Play | Pause | Connect | Dial | Gather | Hangup | Reject | Fetch | Bridge


class Program:
    """The document that a call is doing, and the place in it.

    `allow_ws` lets streams go unencrypted on loopback. On a dialled `leg` keys are gathered, but no call is placed and
    no stream opened, and the document's end connects it.
    """

    def __init__(self, *, allow_ws: bool = False, leg: bool = False) -> None:
        self._allow_ws, self._leg = allow_ws, leg
        self._steps: Iterator[tuple[Verb, Fetch | None]] = iter(())
        self._action: Fetch | None = None

    def load(self, document: bytes | str, url: str) -> None:
        """Go on at the head of this document, which was fetched from `url`. Raises Refused with Twilio's error."""
        self._steps = iter(_Reader(url, self._allow_ws, leg=self._leg).read(document))
        self._action = None

    def next(self) -> Verb:
        """What is to be done now; the verb returned before is over. The document's end is Hangup, on a leg Bridge."""
        if self._action is not None:
            action, self._action = self._action, None
            return action
        verb, self._action = next(self._steps, (Bridge() if self._leg else Hangup(), None))
        return verb


class _Reader:
    def __init__(self, url: str, allow_ws: bool, *, leg: bool) -> None:
        self._url, self._allow_ws, self._leg = url, allow_ws, leg

    def read(self, document: bytes | str) -> list[tuple[Verb, Fetch | None]]:
        data = document.encode() if isinstance(document, str) else document
        if len(data) > _MAX_DOCUMENT:
            raise Refused(11750, "the TwiML is larger than 64 kB")
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise Refused(12100, "document parse failure: TwiML has no document type")
        try:
            root = ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
        except ElementTree.ParseError as error:
            raise Refused(12100, f"document parse failure: {error}") from error
        if root.tag != "Response":
            raise Refused(12100, f"document parse failure: the root is <{root.tag}>, not <Response>")
        _attributes(root)
        _no_text(root)
        return [self._verb(element) for element in root]

    def _verb(self, element: ElementTree.Element) -> tuple[Verb, Fetch | None]:
        read = _VERBS.get(element.tag)
        if read is None or element.tag in (_NOT_ON_LEGS if self._leg else _ONLY_ON_LEGS):
            _invalid(f"<{element.tag}> is not a verb, or not one that the simulator does here")
        return read(self, element)

    def say(self, element: ElementTree.Element) -> tuple[Say, None]:
        given = _attributes(element, "voice", "language", "loop")
        text = _only_text(element)
        if not text:
            raise Refused(13520, "<Say> has no text")
        return Say(text, given.get("voice", ""), _number(given, "loop", 1)), None

    def play(self, element: ElementTree.Element) -> tuple[Verb, None]:
        given = _attributes(element, "loop")
        url = _only_text(element)
        if not url:
            raise Refused(13420, "<Play> has no URL")
        return Play(self._absolute(url), _number(given, "loop", 1)), None

    def pause(self, element: ElementTree.Element) -> tuple[Verb, None]:
        given = _attributes(element, "length")
        _empty(element)
        return Pause(_number(given, "length", 1)), None

    def hangup(self, element: ElementTree.Element) -> tuple[Verb, None]:
        _attributes(element)
        _empty(element)
        return Hangup(), None

    def reject(self, element: ElementTree.Element) -> tuple[Verb, None]:
        reason = _attributes(element, "reason").get("reason", "rejected")
        _empty(element)
        if reason not in ("busy", "rejected"):
            _invalid(f"<Reject reason={reason!r}>")
        return Reject("busy" if reason == "busy" else "no-answer"), None

    def redirect(self, element: ElementTree.Element) -> tuple[Verb, None]:
        given = _attributes(element, "method")
        url = _only_text(element)
        if not url:
            _invalid("<Redirect> has no URL")
        return Fetch(self._absolute(url), _method(given)), None

    def connect(self, element: ElementTree.Element) -> tuple[Verb, Fetch | None]:
        given = _attributes(element, "action", "method")
        _no_text(element)
        children = list(element)
        if len(children) != 1 or children[0].tag != "Stream":
            _invalid("<Connect> holds exactly one <Stream>")
        stream = children[0]
        of_stream = _attributes(stream, "url", "name", "track", "statusCallback", "statusCallbackMethod")
        _no_text(stream)
        if of_stream.get("track", "inbound_track") != "inbound_track":
            raise Refused(31941, "a stream both ways has the inbound track alone")
        callback = of_stream.get("statusCallback", "")
        verb = Connect(
            url=self._stream_url(of_stream.get("url", "")),
            parameters=_parameters(stream),
            name=of_stream.get("name", ""),
            status_callback=self._absolute(callback) if callback else "",
        )
        return verb, self._then(given)

    def dial(self, element: ElementTree.Element) -> tuple[Verb, Fetch | None]:
        given = _attributes(
            element, "action", "method", "timeout", "callerId", "answerOnBridge", "timeLimit", "hangupOnStar"
        )
        children = list(element)
        number = (element.text or "").strip()
        whisper = None
        if not number and len(children) == 1 and children[0].tag == "Number":
            of_number = _attributes(
                children[0], "url", "method", "statusCallback", "statusCallbackEvent", "statusCallbackMethod"
            )
            number = _only_text(children[0])
            if url := of_number.get("url", ""):
                whisper = Fetch(self._absolute(url), _method(of_number))
        elif children:
            _invalid("the simulator dials one <Number>")
        if not number.lstrip("+").isdigit():
            raise Refused(13223, f"<Dial> has no number that can be called: {number!r}")
        verb = Dial(number, _number(given, "timeout", 30), given.get("callerId", ""), whisper)
        return verb, self._then(given)

    def gather(self, element: ElementTree.Element) -> tuple[Verb, None]:
        given = _attributes(element, "action", "method", "timeout", "numDigits", "finishOnKey", "input")
        _no_text(element)
        if given.get("input", "dtmf") != "dtmf":
            _invalid("the simulator gathers keys alone")
        says = []
        for child in element:
            if child.tag != "Say":
                _invalid(f"<Gather> holds no <{child.tag}> that the simulator does")
            says.append(self.say(child)[0])
        return Gather(
            tuple(says), self._then(given), _number(given, "numDigits", 64), _number(given, "timeout", 5)
        ), None

    def _then(self, given: dict[str, str]) -> Fetch | None:
        action = given.get("action", "")
        return Fetch(self._absolute(action), _method(given)) if action else None

    def _absolute(self, url: str) -> str:
        absolute = urljoin(self._url, url)
        if urlsplit(absolute).scheme not in ("http", "https"):
            raise Refused(11100, f"invalid URL: {url!r}")
        return absolute

    def _stream_url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError as error:
            raise Refused(11100, f"invalid URL: {url!r}") from error
        unencrypted = parts.scheme == "ws" and self._allow_ws and _is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "wss" or unencrypted):
            raise Refused(11100, f"invalid URL: the stream {url!r} is not wss://")
        if port != 443 and not unencrypted:
            raise Refused(31910, f"the stream {url!r} is not at port 443, the only one that media streams go to")
        return parts._replace(query="", fragment="").geturl()


_VERBS: dict[str, Callable[[_Reader, ElementTree.Element], tuple[Verb, Fetch | None]]] = {
    "Say": _Reader.say,
    "Play": _Reader.play,
    "Pause": _Reader.pause,
    "Hangup": _Reader.hangup,
    "Reject": _Reader.reject,
    "Redirect": _Reader.redirect,
    "Connect": _Reader.connect,
    "Dial": _Reader.dial,
    "Gather": _Reader.gather,
}
_NOT_ON_LEGS = frozenset({"Connect", "Dial", "Reject"})
_ONLY_ON_LEGS = frozenset({"Gather"})


def _invalid(reason: str) -> NoReturn:
    raise Refused(12200, f"schema validation: {reason}")


def _attributes(element: ElementTree.Element, *allowed: str) -> dict[str, str]:
    unknown = set(element.attrib) - set(allowed)
    if unknown:
        _invalid(f"<{element.tag}> has no attribute {', '.join(sorted(unknown))}")
    return element.attrib


def _only_text(element: ElementTree.Element) -> str:
    if len(element):
        _invalid(f"<{element.tag}> holds no elements")
    return (element.text or "").strip()


def _no_text(element: ElementTree.Element) -> None:
    pieces = [element.text, *(child.tail for child in element)]
    if any((piece or "").strip() for piece in pieces):
        _invalid(f"<{element.tag}> holds no text")


def _empty(element: ElementTree.Element) -> None:
    if _only_text(element):
        _invalid(f"<{element.tag}> holds no text")


def _number(given: dict[str, str], name: str, default: int) -> int:
    value = given.get(name, str(default))
    if not value.isdecimal():
        _invalid(f"{name}={value!r} is not a number")
    return int(value)


def _method(given: dict[str, str]) -> Method:
    method = given.get("method", "POST").upper()
    if method == "POST":
        return "POST"
    if method == "GET":
        return "GET"
    _invalid(f"method={method!r}")


def _parameters(stream: ElementTree.Element) -> dict[str, str]:
    parameters = {}
    for child in stream:
        if child.tag != "Parameter":
            _invalid(f"<Stream> holds no <{child.tag}>")
        given = _attributes(child, "name", "value")
        _empty(child)
        name, value = given.get("name", ""), given.get("value", "")
        if not name:
            _invalid("<Parameter> has no name")
        if len(name) + len(value) >= _MAX_PARAMETER:
            _invalid(f"<Parameter name={name!r}> has 500 characters or more")
        parameters[name] = value
    return parameters


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
