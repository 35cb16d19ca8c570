"""Every request of the carrier against the API that Twilio has published, and the simulator's answers too."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from scriza.ports.carrier import CallOrder, Recording
from scriza.simulator.options import Options
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from scriza_adapters.twilio.carrier import TwilioCarrier
from tests.serving import serving
from tests.standins.parrot import Parrot, beeping_voice
from tests.standins.published_twilio import PublishedTwilio, faults_of_answer, faults_of_request
from tests.waiting import eventually

ACCOUNT, NUMBER = Options().account_sid, Options().number
API = f"/2010-04-01/Accounts/{ACCOUNT}"
PERSON = "+14155550142"
CALL = "CA" + "a" * 32
SINCE = datetime(2001, 1, 1, tzinfo=UTC)
ORDER = CallOrder(
    sender=NUMBER,
    to=PERSON,
    url="https://scriza.example/voice?order=1",
    fallback_url="https://scriza.example/voice/fallback",
    status_url="https://scriza.example/status-callback",
    answered_by_url="https://scriza.example/voice/answered-by",
)
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Straße ✓ &amp; more</Say></Response>'

ACTS: dict[str, Callable[[TwilioCarrier], Awaitable[object]]] = {
    "check": lambda carrier: carrier.check(),
    "place a call": lambda carrier: carrier.place_call(ORDER),
    "find calls": lambda carrier: carrier.find_calls(sender=NUMBER, to=PERSON, since=SINCE),
    "hang up": lambda carrier: carrier.hang_up(CALL),
    "redirect": lambda carrier: carrier.redirect(CALL, TWIML),
    "send a message": lambda carrier: carrier.send_sms(sender=NUMBER, to=PERSON, text="100 % & more ✓"),
    "find messages": lambda carrier: carrier.find_messages(sender=NUMBER, to=PERSON, since=SINCE),
    "record": lambda carrier: carrier.start_recording(CALL, status_url="https://scriza.example/recording-callback"),
    "recordings": lambda carrier: carrier.recordings(CALL),
    "delete a recording": lambda carrier: carrier.delete_recording("RE" + "b" * 32),
    "numbers": lambda carrier: carrier.numbers(),
    "point a number": lambda carrier: carrier.point_number(
        "PN" + "c" * 32,
        voice_url="https://scriza.example/voice",
        fallback_url="https://scriza.example/voice/fallback",
        status_url="https://scriza.example/status-callback#rc=3&rp=all",
        sms_url="https://scriza.example/sms",
    ),
}


@pytest.fixture
async def published() -> AsyncIterator[tuple[PublishedTwilio, TwilioCarrier]]:
    twilio = PublishedTwilio()
    async with serving(twilio, lifespan="off") as url:
        carrier = TwilioCarrier(ACCOUNT, "token", base_url=url, timeout=5)
        yield twilio, carrier
        await carrier.close()


@pytest.mark.parametrize("act", ACTS)
async def test_a_request_is_as_twilio_describes_it_and_twilios_own_example_is_understood(
    act: str, published: tuple[PublishedTwilio, TwilioCarrier]
) -> None:
    twilio, carrier = published
    assert await ACTS[act](carrier) not in ("", [])
    assert twilio.asked
    assert twilio.faults == []


async def test_a_call_is_ordered_with_all_that_is_to_be_told_of_it(
    published: tuple[PublishedTwilio, TwilioCarrier],
) -> None:
    twilio, carrier = published
    await carrier.place_call(ORDER)
    assert twilio.asked == [
        (
            "POST",
            f"{API}/Calls.json",
            {
                "To": [PERSON],
                "From": [NUMBER],
                "Url": ["https://scriza.example/voice?order=1"],
                "FallbackUrl": ["https://scriza.example/voice/fallback"],
                "StatusCallback": ["https://scriza.example/status-callback#rc=3&rp=all"],
                "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
                "Timeout": ["30"],
                "TimeLimit": ["1800"],
                "MachineDetection": ["DetectMessageEnd"],
                "AsyncAmd": ["true"],
                "AsyncAmdStatusCallback": ["https://scriza.example/voice/answered-by#rc=3&rp=all"],
            },
        )
    ]


async def test_an_examples_fields_are_read(published: tuple[PublishedTwilio, TwilioCarrier]) -> None:
    _, carrier = published
    call, *_ = await carrier.find_calls(sender=NUMBER, to=PERSON, since=SINCE)
    assert (call.status, call.created_at) == ("completed", datetime(2019, 10, 18, 17, 0, tzinfo=UTC))
    [recording] = await carrier.recordings(CALL)
    assert isinstance(recording, Recording)
    [number] = await carrier.numbers()
    assert (number.number_id, number.number) == ("PN" + "a" * 32, "+18089255327")


@pytest.mark.parametrize(
    ("method", "path", "query", "form"),
    [
        ("POST", f"{API}/Calls.json", "", "To=%2B14155550142&From=%2B14155550100&Uri=https%3A%2F%2Fx.example"),
        ("POST", f"{API}/Calls.json", "", "To=%2B14155550142&From=%2B14155550100&Url=x.example"),
        ("POST", f"{API}/Calls.json", "", "To=bob&From=%2B14155550100"),
        ("POST", f"{API}/Calls.json", "", "To=%2B14155550142&From=%2B14155550100&Timeout=soon"),
        ("POST", f"{API}/Calls.json", "", "From=%2B14155550100"),
        ("POST", f"{API}/Calls/{CALL}.json", "", "Status=over"),
        ("POST", f"{API}/Calls/{CALL}.json", "", "Twiml=%3CResponse%3E"),
        ("POST", f"{API}/Calls/CA1.json", "", "Status=completed"),
        ("GET", f"{API}/Calls.json", "PageSize=1001", ""),
        ("GET", f"{API}/Calls.json", "Since=today", ""),
        ("POST", f"{API}/IncomingPhoneNumbers/PN{'0' * 32}.json", "", "VoiceMethod=PUT"),
        ("PUT", f"{API}/Calls.json", "", ""),
    ],
)
def test_what_twilio_does_not_describe_is_found(method: str, path: str, query: str, form: str) -> None:
    assert faults_of_request(method, path, query, form)


async def test_the_simulators_answers_are_as_twilio_describes_them() -> None:
    callee = parse("name: callee\nlines: [pause: 20000]")
    async with Parrot().serve() as parrot:
        parrot.answer("/voice", f"<Connect>{parrot.stream()}</Connect>")
        async with (
            Simulator(
                parrot.url, auth_token="local-token", voice=beeping_voice, rest_port=0, callee=callee
            ) as simulator,
            httpx.AsyncClient(
                auth=(ACCOUNT, "local-token"), trust_env=False, base_url=f"{simulator.rest_url}{API}"
            ) as http,
        ):

            async def ask(method: str, path: str, form: dict[str, str] | None = None) -> str:
                answer = await http.request(method, path, data=form)
                assert answer.is_success, answer.text
                assert faults_of_answer(method, f"{API}{path}", answer.json()) == []
                return str(answer.json().get("sid", ""))

            call = await ask("POST", "/Calls.json", {"To": PERSON, "From": NUMBER, "Url": f"{parrot.url}/voice"})
            await eventually(lambda: parrot.lines)
            await ask("POST", f"/Calls/{call}/Recordings.json", {"RecordingChannels": "dual"})
            await ask("GET", f"/Calls/{call}/Recordings.json")
            await ask("POST", f"/Calls/{call}.json", {"Status": "completed"})
            await simulator.outcome(call)
            [recording] = simulator.calls[call].phone.recordings
            await ask("GET", f"/Recordings/{recording.sid}.json")
            await ask("GET", f"/Calls/{call}.json")
            await ask("GET", "/Calls.json")
            await ask("POST", "/Messages.json", {"To": PERSON, "From": NUMBER, "Body": "hello"})
            await ask("GET", "/Messages.json")
            await ask("GET", "/IncomingPhoneNumbers.json")
            number = simulator.numbers[NUMBER].sid
            await ask("GET", f"/IncomingPhoneNumbers/{number}.json")
            await ask("POST", f"/IncomingPhoneNumbers/{number}.json", {"FriendlyName": "front desk"})
