"""Reading TwiML strictly, and the order in which it is done."""

import pytest

from scriza.simulator.messages import Refused
from scriza.simulator.twiml import Bridge, Connect, Dial, Fetch, Gather, Hangup, Pause, Play, Program, Reject, Say

URL = "https://scriza.example/voice"


def program(inside: str, *, allow_ws: bool = False) -> Program:
    loaded = Program(allow_ws=allow_ws)
    loaded.load(f'<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>', URL)
    return loaded


def refusal(document: str) -> int:
    with pytest.raises(Refused) as refused:
        Program().load(document, URL)
    return refused.value.code


def test_verbs_are_done_in_order_and_the_end_hangs_up() -> None:
    steps = program('<Say voice="a" loop="2">Hi &amp; hello</Say><Pause/><Play>/clip.wav</Play>')
    assert steps.next() == Say("Hi & hello", "a", 2)
    assert steps.next() == Pause(1)
    assert steps.next() == Play("https://scriza.example/clip.wav", 1)
    assert steps.next() == Hangup()
    assert steps.next() == Hangup()


def test_connect_goes_on_with_its_action_and_leaves_the_rest_undone() -> None:
    steps = program(
        '<Connect action="/voice/after"><Stream url="wss://m.example/stream/t?a=1#x" name="n">'
        '<Parameter name="token" value="123"/></Stream></Connect><Redirect>/voice/next</Redirect>'
    )
    assert steps.next() == Connect("wss://m.example/stream/t", {"token": "123"}, "n", "")
    assert steps.next() == Fetch("https://scriza.example/voice/after", "POST")


def test_connect_without_an_action_falls_through_to_the_next_verb() -> None:
    steps = program('<Connect><Stream url="wss://m.example/s"/></Connect><Redirect method="GET">next?x=1</Redirect>')
    assert isinstance(steps.next(), Connect)
    assert steps.next() == Fetch("https://scriza.example/next?x=1", "GET")


def test_a_new_document_replaces_what_is_left_and_an_action_that_waits() -> None:
    steps = program('<Connect action="/after"><Stream url="wss://m.example/s"/></Connect>')
    steps.next()
    steps.load("<Response><Hangup/></Response>", URL)
    assert steps.next() == Hangup()


def test_dial_takes_a_number_as_text_or_noun_and_has_an_action() -> None:
    steps = program('<Dial timeout="5" callerId="+14155550100" action="/dialled"><Number>+14155550177</Number></Dial>')
    assert steps.next() == Dial("+14155550177", 5, "+14155550100")
    assert steps.next() == Fetch("https://scriza.example/dialled", "POST")
    assert program("<Dial>+14155550177</Dial>").next() == Dial("+14155550177", 30, "")


def test_reject_tells_busy_from_no_answer() -> None:
    assert program('<Reject reason="busy"/>').next() == Reject("busy")
    assert program("<Reject/>").next() == Reject("no-answer")


def test_streams_are_encrypted_but_for_loopback_where_that_is_allowed() -> None:
    def stream(url: str) -> str:
        return f'<Connect><Stream url="{url}"/></Connect>'

    for host in ("127.0.0.1:8000", "localhost", "[::1]:1"):
        assert isinstance(program(stream(f"ws://{host}/s"), allow_ws=True).next(), Connect)
    for url in (
        "ws://127.0.0.1/s",
        "https://m.example/s",
        "/stream",
        "",
        "wss:///s",
        "wss://m.example:99999",
        "wss://[",
    ):
        assert refusal(f"<Response>{stream(url)}</Response>") == 11100
    with pytest.raises(Refused):
        program(stream("ws://m.example/s"), allow_ws=True)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("", 12100),
        ("hello", 12100),
        ("<Response><Hangup></Response>", 12100),
        ("<response/>", 12100),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response>&a;</Response>', 12100),
        ("<Response>" + " " * 70_000 + "</Response>", 11750),
        ("<Response>words</Response>", 12200),
        ("<Response><hangup/></Response>", 12200),
        ("<Response><Gather/></Response>", 12200),
        ("<Response><Hangup reason='x'/></Response>", 12200),
        ("<Response><Pause length='soon'/></Response>", 12200),
        ("<Response><Redirect/></Response>", 12200),
        ("<Response><Redirect method='PUT'>/x</Redirect></Response>", 12200),
        ("<Response><Redirect>mailto:a@b.example</Redirect></Response>", 11100),
        ("<Response><Reject reason='tired'/></Response>", 12200),
        ("<Response><Connect/></Response>", 12200),
        (
            "<Response><Connect><Stream url='wss://a.example/'/><Stream url='wss://a.example/'/></Connect></Response>",
            12200,
        ),
        ("<Response><Connect><Stream url='wss://a.example:8443/'/></Connect></Response>", 31910),
        ("<Response><Connect><Stream url='wss://a.example/' token='x'/></Connect></Response>", 12200),
        ("<Response><Connect><Stream url='wss://a.example/' track='both_tracks'/></Connect></Response>", 31941),
        (
            "<Response><Connect><Stream url='wss://a.example/'><Parameter name='n' value='"
            + "v" * 499
            + "'/></Stream></Connect></Response>",
            12200,
        ),
        ("<Response><Say/></Response>", 13520),
        ("<Response><Play/></Response>", 13420),
        ("<Response><Dial>Bob</Dial></Response>", 13223),
        ("<Response><Dial><Number url='mailto:a@b.example'>+14155550177</Number></Dial></Response>", 11100),
        ("<Response><Dial><Sip>sip:x@a.example</Sip></Dial></Response>", 12200),
    ],
)
def test_what_twilio_would_not_do_is_refused_with_its_number(document: str, code: int) -> None:
    assert refusal(document) == code


def test_the_twilio_librarys_documents_are_understood() -> None:
    from twilio.twiml.voice_response import Connect as TwilioConnect
    from twilio.twiml.voice_response import Stream, VoiceResponse

    response = VoiceResponse()
    connect = TwilioConnect(action="/voice/after")
    stream = Stream(url="wss://m.example/stream")
    stream.parameter(name="token", value="t<>&\"'")
    connect.append(stream)
    response.append(connect)
    response.redirect("/voice/after")
    steps = Program()
    steps.load(str(response), URL)
    assert steps.next() == Connect("wss://m.example/stream", {"token": "t<>&\"'"}, "", "")


def test_a_dialled_legs_document_gathers_keys_and_ends_in_being_connected() -> None:
    steps = Program(leg=True)
    gather = '<Gather action="/taken?of=1" numDigits="1" timeout="8"><Say>Ann.</Say></Gather><Pause/>'
    steps.load(f"<Response>{gather}</Response>", URL)
    taken = Fetch("https://scriza.example/taken?of=1", "POST")
    assert steps.next() == Gather((Say("Ann.", "", 1),), taken, 1, 8)
    assert steps.next() == Pause(1)
    assert steps.next() == Bridge()


@pytest.mark.parametrize("verb", ["<Dial>+14155550177</Dial>", "<Reject/>", "<Gather input='speech'/>"])
def test_a_dialled_leg_neither_dials_nor_refuses_nor_understands_speech(verb: str) -> None:
    with pytest.raises(Refused):
        Program(leg=True).load(f"<Response>{verb}</Response>", URL)
