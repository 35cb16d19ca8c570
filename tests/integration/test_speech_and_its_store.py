"""Clips in both stores: the carrier fetches them, and a store in bad weather is not noticed by who listens."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from scriza.gateway.objects import objects_route
from scriza.kernel.errors import Unavailable
from scriza.modules.tts.service import TtsService
from scriza.ports.objects import Objects
from scriza.ports.tts import Speak, SpokenDone
from scriza.simulator.scenario import parse
from scriza.simulator.simulator import Simulator
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.objects_s3.connection import Patience
from scriza_adapters.objects_s3.store import S3Objects
from tests.serving import serving
from tests.standins.bad_line import CUT_OFF, REFUSED, SLOW_HEADERS, STALL, BadLine, Fault, Refusal
from tests.standins.moto_server import CREDENTIALS, make_bucket, moto_server
from tests.standins.parrot import Parrot, beeping_voice
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as endpoint:
        make_bucket(endpoint, "speech")
        yield endpoint


@pytest.fixture(params=["directory", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    if request.param == "s3":
        store = S3Objects(f"s3://speech?endpoint={request.getfixturevalue('endpoint')}&region=us-east-1")
        yield store
        await store.close()
        return
    opening = DirectoryObjects(tmp_path, url="", key="secret")
    async with serving(Litestar([objects_route(opening)])) as url:
        yield DirectoryObjects(tmp_path, url=url, key="secret")
    await opening.close()


@pytest.mark.parametrize("form", ["mp3", "wav", "mulaw"])
async def test_the_carrier_plays_what_was_spoken_by_url(objects: Objects, form: str) -> None:
    speech = TtsService([ToneEngine()], objects, Told())
    spoken = await speech.speak(Speak("one two three four five", format=form, delivery="url"))  # type: ignore[arg-type]  # one of the three
    async with Parrot().serve() as parrot:
        parrot.answer("/voice", f"<Play>{spoken.url.replace('&', '&amp;')}</Play><Hangup/>")
        async with Simulator(parrot.url, auth_token="local-token", voice=beeping_voice) as twilio:
            outcome = await twilio.call(parse("name: listens\nlines: [wait]"))
    await speech.close()
    assert outcome.violations == []
    heard = sum(span.end_ms - span.start_ms for span in outcome.agent)
    assert heard == pytest.approx(spoken.duration * 1000, abs=100)


FORBIDDEN = Refusal("wrong key", 403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "application/xml")
SLOW_DOWN = Refusal("slow down", 503, "<Error><Code>SlowDown</Code></Error>", "application/xml")
BURST = Refusal("burst", 500, "<Error><Code>InternalError</Code></Error>", "application/xml")
NO_BUCKET = Refusal("no bucket", 404, "<Error><Code>NoSuchBucket</Code></Error>", "application/xml")


@pytest.mark.parametrize(
    "fault", [REFUSED, SLOW_HEADERS, STALL, CUT_OFF, FORBIDDEN, SLOW_DOWN, BURST, NO_BUCKET], ids=str
)
async def test_what_happens_to_the_store_is_not_heard(endpoint: str, fault: Fault) -> None:
    async with BadLine(endpoint) as line:
        store = S3Objects(f"s3://speech?endpoint={line.url}&region=us-east-1", Patience(1.0, 1.0, 10.0))
        speech = TtsService([ToneEngine()], store, Told())
        await store.put("warm", b"", "text/plain")
        await line.turn(fault)
        with capture_logs() as logs:
            for number in range(6):
                parts = [part async for part in speech.stream_speak(Speak(f"{fault} clause {number}"))]
                assert isinstance(parts[-1], SpokenDone)
            await speech.close()
        await store.close()
    looked = [line for line in logs if line["event"] == "tts.cache_unreadable"]
    assert len(looked) < 6, "a store that fails is left alone"
    assert "very-secret" not in str(logs)


async def test_a_url_is_refused_in_a_sentence_while_the_store_is_away(endpoint: str) -> None:
    async with BadLine(endpoint) as line:
        store = S3Objects(f"s3://speech?endpoint={line.url}&region=us-east-1", Patience(1.0, 1.0, 10.0))
        speech = TtsService([ToneEngine()], store, Told())
        await line.turn(REFUSED)
        with pytest.raises(Unavailable, match="delivery: inline"):
            await speech.speak(Speak("one two", format="wav", delivery="url"))
        await speech.close()
        await store.close()
