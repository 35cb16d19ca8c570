"""The media path: what a second of one call costs, from a message's text to voice activity, by what is on the line.

CPU time of this process, the best of several rounds; the cost of one bare run of the network is printed beside it, as
it says how fast this machine is just now. Prints a table and writes `benchmarks/results/media_path.json`.
"""

import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scriza.audio import mulaw
from scriza.audio.wav import decode_wav
from scriza.modules.telephony.media import Media, Sequencer, decode, media_encoder
from scriza.modules.telephony.vad import EnergyVad, SpeechGate, Vad
from scriza_adapters.silero_vad import SileroModel

RESULTS = Path(__file__).parent / "results" / "media_path.json"
CLIPS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"
FRAME = 160
SECONDS = 30
ROUNDS = 5

Line = NDArray[np.float64]


def noise(dbfs: float) -> Line:
    """White noise at that level."""
    return np.random.default_rng(1).standard_normal(SECONDS * mulaw.SAMPLE_RATE) * 10 ** (dbfs / 20)


def speech(pause_seconds: float) -> Line:
    """Human sentences at about -22 dBFS, with as much silence behind each."""
    parts: list[Line] = []
    for path in sorted(CLIPS.glob("*.wav"))[::5]:
        samples, _ = decode_wav(path.read_bytes())
        line = samples.astype(np.float64) / 32768
        if 0.8 < len(line) / mulaw.SAMPLE_RATE < 4 and (power := float(np.mean(line**2))) > 1e-5:
            parts += [line * 10 ** (-22 / 20) / np.sqrt(power), np.zeros(int(pause_seconds * mulaw.SAMPLE_RATE))]
    return np.resize(np.concatenate(parts), SECONDS * mulaw.SAMPLE_RATE)


def messages(line: Line) -> list[str]:
    """The line as Twilio sends it."""
    audio = mulaw.encode((np.clip(line, -1, 1) * 32767).astype(np.int16))
    frames = [audio[start : start + FRAME] for start in range(0, len(audio) - FRAME + 1, FRAME)]
    return [
        json.dumps(
            {
                "event": "media",
                "sequenceNumber": str(number + 1),
                "media": {
                    "track": "inbound",
                    "chunk": str(number),
                    "timestamp": str(135 + 20 * number),
                    "payload": b64encode(frame).decode(),
                },
                "streamSid": STREAM,
            }
        )
        for number, frame in enumerate(frames, 1)
    ]


def cpu_ms_a_second(texts: list[str], make: Callable[[], Vad] | None) -> float:
    """CPU-ms per second of the call, the best round."""
    rounds = []
    for _ in range(ROUNDS):
        sequencer, vad = Sequencer(STREAM), make() if make else None
        gate = SpeechGate(32)
        began = time.process_time()
        for text in texts:
            message = decode(text)
            assert isinstance(message, Media)
            audio = sequencer.audio(message)
            if vad:
                for window in vad.push(audio):
                    gate.push(*window)
        rounds.append((time.process_time() - began) * 1000 / SECONDS)
    return min(rounds)


def shown(model: SileroModel, texts: list[str]) -> float:
    """The share of windows that the network has seen."""
    vad, sequencer, windows = model.vad(), Sequencer(STREAM), 0
    for text in texts:
        message = decode(text)
        assert isinstance(message, Media)
        windows += len(vad.push(sequencer.audio(message)))
    return vad.shown / windows


def encoding_us() -> float:
    """Microseconds of one outbound message."""
    encode, audio, count = media_encoder(STREAM), b"\x55" * FRAME, 20_000
    began = time.process_time()
    for _ in range(count):
        encode(audio)
    return (time.process_time() - began) / count * 1e6


def network_us(model: SileroModel) -> float:
    """Microseconds of one bare run of the network."""
    state, count = np.zeros((1, 1, 128), np.float32), 2000
    inputs = {"input": np.zeros((1, 576), np.float32), "h": state, "c": state}
    began = time.process_time()
    for _ in range(count):
        model._session.run(None, inputs)
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    """Measure everything."""
    if not CLIPS.exists():
        sys.exit("human speech comes with the package asterisk-core-sounds-en-wav")
    model = SileroModel()
    lines = {
        "digital silence": np.zeros(SECONDS * mulaw.SAMPLE_RATE),
        "a quiet line, -62 dBFS": noise(-62),
        "noise, -40 dBFS": noise(-40),
        "sentences, 2 s between them": speech(2.0) + noise(-60),
        "speech without a pause": speech(0.0) + noise(-60),
    }
    print(f"{'CPU-ms per call-second':<32}{'decode, order':>14}{'+ energy':>10}{'+ Silero':>10}{'shown':>8}")
    rows = []
    for name, line in lines.items():
        texts = messages(line)
        bare, energy, silero = (cpu_ms_a_second(texts, make) for make in (None, EnergyVad, model.vad))
        share = shown(model, texts)
        print(f"{name:<32}{bare:>14.2f}{energy:>10.2f}{silero:>10.2f}{share:>8.0%}")
        rows.append({"line": name, "decode": bare, "energy": energy, "silero": silero, "shown": share})
    told = {"network_us": network_us(model), "encoding_us": encoding_us(), "load": os.getloadavg()[0]}
    print(", ".join(f"{name} {value:.1f}" for name, value in told.items()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows, **told}, indent=2) + "\n")


if __name__ == "__main__":
    main()
