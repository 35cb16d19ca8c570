"""The scripted caller, asked for one frame after the other."""

from pathlib import Path

import numpy as np
import pytest

from scriza.audio.levels import dbfs
from scriza.audio.mulaw import Samples, decode, encode, silence
from scriza.audio.wav import encode_wav
from scriza.kernel.errors import BadInput
from scriza.simulator.caller import Caller
from scriza.simulator.clips import Clip, VoiceBox, cough, white_noise
from scriza.simulator.ears import Ears, Stretch
from scriza.simulator.report import measure
from scriza.simulator.scenario import Scenario, parse

FRAME_MS = 20
LOUD = encode((8000 * np.cos(np.arange(160) / 3)).astype(np.int16))


def hum(ms: int) -> Samples:
    return (8000 * np.cos(np.arange(ms * 8) / 3)).astype(np.int16)


async def spell(text: str, voice: str) -> Samples:
    """100 ms a letter, with 40 ms of silence around."""
    pad = np.zeros(320, np.int16)
    return np.concatenate([pad, hum(100 * len(text)), pad])


class Scene:
    """A caller and an agent that speaks in the given stretches (ms)."""

    def __init__(self, caller: Scenario, clips: dict[int, Clip], agent: list[tuple[int, int]]) -> None:
        self.did: list[tuple[int, str]] = []
        self.at_ms = 0
        self.said = b""
        self.ears = Ears()
        self._agent = agent
        self._caller = Caller(caller, clips, self)

    def run(self, ms: int) -> "Scene":
        for _ in range(ms // FRAME_MS):
            self.said += self._caller.frame(self.at_ms * 8, self.ears)
            speaks = any(start <= self.at_ms < end for start, end in self._agent)
            self.ears.hear(LOUD if speaks else silence(FRAME_MS), self.at_ms * 8)
            self.at_ms += FRAME_MS
        return self

    def level(self, start_ms: int, end_ms: int) -> float:
        return dbfs(decode(self.said[start_ms * 8 : end_ms * 8]))

    def begins(self, clip: Clip, at: int) -> None:
        self.did.append((at // 8, clip.text or clip.kind))

    def presses(self, digit: str) -> None:
        self.did.append((self.at_ms, digit))

    def hangs_up(self) -> None:
        self.did.append((self.at_ms, "hangs up"))

    def loses_socket(self) -> None:
        self.did.append((self.at_ms, "loses socket"))

    def waits_in_vain(self, what: str) -> None:
        self.did.append((self.at_ms, f"in vain: {what}"))


async def scene(lines: str, *agent: tuple[int, int], more: str = "") -> Scene:
    scenario = parse(f"name: x\nlines: [{lines}]\n{more}")
    return Scene(scenario, await VoiceBox(spell).clips(scenario), list(agent))


async def test_it_waits_until_the_agent_has_spoken_and_then_been_silent() -> None:
    played = await scene("wait: 500, say: ab", (1000, 2000), (2300, 2600))
    assert played.run(6000).did == [(3100, "ab")]


async def test_a_wait_after_speaking_is_for_the_agents_next_words() -> None:
    played = await scene("wait: 500, say: ab, wait: 500, say: c", (0, 1000), (3000, 4000))
    assert played.run(6000).did == [(1500, "ab"), (4500, "c")]


async def test_a_wait_after_pressing_keys_is_for_the_agents_next_words() -> None:
    played = await scene("wait: 500, digits: '1', wait: 500, say: c", (0, 1000), (3000, 4000))
    assert played.run(6000).did == [(1500, "1"), (4500, "c")]


async def test_a_wait_has_a_limit() -> None:
    played = await scene("wait: {silence_ms: 500, limit_ms: 800}, hang_up")
    assert played.run(2000).did == [(800, "in vain: the agent to finish"), (800, "hangs up")]


async def test_it_interrupts_after_so_much_of_the_agents_speech() -> None:
    played = await scene("interrupt_after: 700, say: ab, cough, mm_hm", (1000, 9000))
    assert played.run(4000).did == [(1700, "ab"), (1980, "cough"), (2240, "uh-huh")]


async def test_short_pauses_of_the_agent_do_not_put_off_an_interruption() -> None:
    played = await scene("interrupt_after: 1500, say: ab", (1000, 2000), (2400, 9000))
    assert played.run(4000).did == [(2500, "ab")]
    played = await scene("interrupt_after: 1500, say: ab", (1000, 2000), (2600, 9000))
    assert played.run(6000).did == [(4100, "ab")]


async def test_the_next_interruption_is_counted_from_the_last() -> None:
    played = await scene("interrupt_after: 500, cough, interrupt_after: 500, cough", (1000, 9000))
    assert played.run(4000).did == [(1500, "cough"), (2240, "cough")]


async def test_keys_pauses_and_a_lost_socket_come_in_their_time() -> None:
    played = await scene("pause: 100, digits: {digits: '1#', gap_ms: 200}, drop_socket, hang_up")
    assert played.run(2000).did == [(100, "1"), (300, "#"), (500, "loses socket"), (500, "hangs up")]


async def test_after_the_last_line_it_waits_as_long_as_its_patience_and_hangs_up() -> None:
    played = await scene("pause: 100", more="patience_ms: 1000")
    assert played.run(5000).did == [(1100, "hangs up")]


async def test_speech_has_the_scenarios_level_and_the_line_hisses_otherwise() -> None:
    played = (await scene("pause: 500, say: abc", more="level_dbfs: -26\nline_noise_dbfs: -60")).run(2000)
    assert played.level(0, 500) == pytest.approx(-60, abs=1.5)
    assert played.level(540, 840) == pytest.approx(-26, abs=0.5)
    assert played.level(1000, 2000) == pytest.approx(-60, abs=1.5)


async def test_noise_lies_under_the_lines_that_follow_for_its_time() -> None:
    played = (await scene("noise: {ms: 1000, snr_db: 12}, pause: 500, say: ab", more="level_dbfs: -24")).run(2000)
    assert played.level(0, 500) == pytest.approx(-36, abs=0.7)
    assert played.level(540, 740) == pytest.approx(-24 + 0.3, abs=0.5)
    assert played.level(800, 1000) == pytest.approx(-36, abs=0.7)
    assert played.level(1020, 2000) < -60


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "hum.wav").write_bytes(encode_wav(np.repeat(hum(400), 2), 16000))
    return str(tmp_path)


async def test_a_wav_line_is_played_as_it_is(folder: str) -> None:
    clips = await VoiceBox(spell).clips(parse("name: x\nlines: [play: hum.wav]", folder=folder))
    assert clips[0].voiced.end == pytest.approx(400 * 8, abs=16)
    assert dbfs(clips[0].samples) == pytest.approx(dbfs(hum(400)), abs=0.5)


async def test_a_wav_that_cannot_be_played_is_named(folder: str) -> None:
    with pytest.raises(BadInput, match=r"none\.wav"):
        await VoiceBox(spell).clips(parse("name: x\nlines: [play: none.wav]", folder=folder))


async def test_each_text_is_spoken_once() -> None:
    asked: list[str] = []

    async def voice(text: str, name: str) -> Samples:
        asked.append(text)
        return hum(100)

    box = VoiceBox(voice)
    scenario = parse("name: x\nlines: [say: a, say: b, say: a]")
    await box.clips(scenario)
    await box.clips(scenario)
    assert asked == ["a", "b"]


def test_generated_sounds_are_the_same_every_time() -> None:
    assert np.array_equal(cough(300), cough(300))
    assert len(cough(300)) == 2400
    assert dbfs(white_noise(-40)) == pytest.approx(-40, abs=0.2)


def test_ears_tell_speech_to_the_sample_and_bridge_short_pauses() -> None:
    ears = Ears()
    line = np.zeros(8000 * 3, np.int16)
    line[1005:4005] = 8000
    line[5005:8005] = 8000
    line[15000:16000] = -8000
    changes = [at for at in range(0, len(line), 160) if ears.hear(encode(line[at : at + 160]), at)]
    assert ears.stretches == [Stretch(1005, 8005), Stretch(15000, 16000)]
    assert len(changes) == 4


def test_ears_do_not_take_hiss_for_speech() -> None:
    ears = Ears()
    noise = white_noise(-56)
    assert not any(ears.hear(encode(noise[at : at + 160]), at) for at in range(0, 8000, 160))


def measured(
    uttered: list[tuple[int, int]], agent: list[tuple[int, int]], *clears: int
) -> list[tuple[int | None, int | None, int | None]]:
    clips = [(Clip("say", "x", hum(end - start), white_noise(-66)), start * 8) for start, end in uttered]
    stretches = [Stretch(start * 8, end * 8) for start, end in agent]
    utterances = measure(clips, stretches, [at * 8 for at in clears])
    return [(one.response_ms, one.barge_in_ms, one.paused_ms) for one in utterances]


def test_a_response_is_measured_from_the_last_voiced_sample() -> None:
    assert measured([(1000, 2000)], [(0, 500), (2400, 3000)]) == [(400, None, None)]


def test_an_answer_that_comes_after_the_callers_next_words_answers_those() -> None:
    assert measured([(1000, 2000), (2500, 3000)], [(3300, 4000)]) == [(None, None, None), (300, None, None)]


def test_a_barge_in_is_measured_until_the_agent_is_silent() -> None:
    assert measured([(1000, 2000)], [(0, 1250), (2800, 3000)]) == [(800, 250, None)]
    assert measured([(1000, 2000)], [(0, 1250), (2100, 3000)], 1260) == [(100, 250, None)]


def test_an_agent_that_speaks_on_has_not_given_way() -> None:
    assert measured([(1000, 1200)], [(0, 4000)]) == [(None, None, None)]
    assert measured([(1000, 1200)], [(0, 1250), (1600, 4000)]) == [(None, None, 350)]
