"""The documents, read back as XML."""

import xml.etree.ElementTree as ElementTree

from scriza.modules.telephony.twiml import APOLOGY, Twiml, busy, hang_up, say_goodbye

TWIML = Twiml(public_url="https://pbx.example", stream_url="wss://pbx.example")


def read(document: str) -> ElementTree.Element:
    root = ElementTree.fromstring(document.encode())
    assert root.tag == "Response"
    return root


def test_connect_opens_a_stream_by_a_token_in_its_path_and_asks_how_to_go_on_in_two_ways() -> None:
    assert TWIML.connect("tok") == (
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        '<Connect action="/voice/after"><Stream url="wss://pbx.example/stream/tok" /></Connect>'
        "<Redirect>/voice/after</Redirect></Response>"
    )


def test_the_token_may_ride_in_a_parameter_of_a_bare_stream() -> None:
    twiml = Twiml(public_url="https://pbx.example", stream_url="wss://pbx.example", carried_in="parameter")
    stream = read(twiml.connect("tok")).find("Connect/Stream")
    assert stream is not None
    assert stream.attrib == {"url": "wss://pbx.example/stream"}
    assert [(child.tag, child.attrib) for child in stream] == [("Parameter", {"name": "token", "value": "tok"})]


def test_every_further_attempt_is_counted_in_the_url_that_twilio_comes_back_to() -> None:
    root = read(TWIML.connect("tok", attempt=3))
    connect, redirect = root
    assert connect.attrib == {"action": "/voice/after?attempt=3"}
    assert redirect.text == "/voice/after?attempt=3"


def test_a_public_url_with_a_path_keeps_it() -> None:
    twiml = Twiml(public_url="https://pbx.example/scriza", stream_url="ws://127.0.0.1:8000/scriza/")
    root = read(twiml.connect("tok"))
    assert root[0].attrib["action"] == "/scriza/voice/after"
    assert root[0][0].attrib["url"] == "ws://127.0.0.1:8000/scriza/stream/tok"


def test_a_transfer_tells_us_its_result_and_ends_the_call_should_it_not() -> None:
    dial, following = read(TWIML.transfer("+14155550123"))
    assert dial.attrib == {"action": "/voice/dialled", "answerOnBridge": "true", "timeout": "30"}
    assert [(child.tag, child.text) for child in dial] == [("Number", "+14155550123")]
    assert following.tag == "Hangup"
    assert read(TWIML.transfer("+1", caller_id="+2"))[0].attrib["callerId"] == "+2"


def test_what_is_dialled_cannot_become_markup() -> None:
    dial = read(TWIML.transfer("<Play>x</Play>"))[0]
    assert [(child.tag, child.text) for child in dial] == [("Number", "<Play>x</Play>")]


def test_the_ways_out_are_polite_and_end_the_call() -> None:
    assert [(verb.tag, verb.text) for verb in read(say_goodbye())] == [("Say", APOLOGY), ("Hangup", None)]
    assert [verb.tag for verb in read(hang_up())] == ["Hangup"]
    assert [(verb.tag, verb.attrib) for verb in read(busy())] == [("Reject", {"reason": "busy"})]


def test_a_person_is_told_first_who_is_calling_and_must_press_a_key() -> None:
    (number,) = read(TWIML.transfer("+14155550123", whisper_for="CA1"))[0]
    assert number.attrib == {"url": "/voice/whisper?call=CA1"}
    gather, following = read(TWIML.whisper("CA1", "Ann is calling."))
    assert (gather.attrib["action"], gather.attrib["numDigits"]) == ("/voice/whispered?call=CA1", "1")
    assert gather[0].text == "Ann is calling. Press 1 to take the call."
    assert following.tag == "Hangup"
