"""A peer that nobody here wrote reads what we put on the wire."""

import asyncio
import base64
import json

import numpy as np
import pytest
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.serializers.twilio import TwilioFrameSerializer

from scriza.audio import mulaw
from tests.scenarios.engines import LineAsr
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import World, call


def test_every_media_message_of_a_call_is_decoded_by_an_independent_peer() -> None:
    phones: list[MemoryPhone] = []

    async def caller(phone: MemoryPhone) -> None:
        phones.append(phone)
        await phone.heard_all()
        await phone.say(1500)
        await phone.heard_all()
        await phone.say(800)
        await phone.heard_all()

    record = call(World(asr=LineAsr("what does it cost", "goodbye")), caller)
    sent = [text for text in phones[0].sent if json.loads(text)["event"] == "media"]
    peer = TwilioFrameSerializer(
        "MZ1", params=TwilioFrameSerializer.InputParams(auto_hang_up=False, sample_rate=mulaw.SAMPLE_RATE)
    )
    peer._sample_rate = mulaw.SAMPLE_RATE  # what its `setup` takes from a pipeline, of which there is none here

    async def frames() -> list[object]:
        return [await peer.deserialize(text) for text in sent]

    heard = asyncio.run(frames())
    assert len(heard) == len(sent) > 50
    for frame, text in zip(heard, sent, strict=True):
        assert isinstance(frame, InputAudioRawFrame)
        assert np.array_equal(np.frombuffer(frame.audio, np.int16), mulaw.decode(payload(text)))
    seconds = sum(len(payload(text)) for text in sent) / mulaw.SAMPLE_RATE
    words = sum(len(turn.agent.split()) for turn in record.turns)
    assert seconds == pytest.approx(words * 0.2)


def payload(text: str) -> bytes:
    return base64.b64decode(json.loads(text)["media"]["payload"])
