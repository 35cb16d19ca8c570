"""What we add to the time to first audio: from the caller's words to the first audio of the first clause.

The baseline calls the two official SDKs directly: the first clause's words from the model, then its first audio. Ours
is the agent, the llm module and the tts module in this process, as a call uses them, with nothing in any cache. Both
ask the same stand-ins, in a process of their own and at 0 ms, turn by turn in pairs, so that what else the machine does
meets both. Prints a table and writes `benchmarks/results/first_audio.json`.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.standins.elevenlabs import ElevenLabsStandIn, standing_in  # noqa: E402
from tests.standins.openai import Behaviour, OpenAiStandIn  # noqa: E402
from tests.standins.teller import Told  # noqa: E402

from scriza.factories import speaking, thinking  # noqa: E402 - the path comes first
from scriza.ports.agent import CallFacts, Clause, Conversation, Reply  # noqa: E402
from scriza.ports.tts import Speak, SpokenAudio  # noqa: E402
from scriza.settings import load  # noqa: E402
from scriza_adapters.espeak.engine import espeak_worker  # noqa: E402
from scriza_adapters.objects_directory import DirectoryObjects  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "first_audio.json"
TARGETS = {"p50": 10.0, "p95": 25.0}
VOICE, MODEL = "EXAVITQu4vr4xnSDxMaL", "gpt-4o-mini"


async def _stand_ins(told: Connection, answers: int) -> None:
    async with OpenAiStandIn() as model, standing_in(ElevenLabsStandIn()) as voice:
        # No text twice, so that no cache helps.
        model.will(*(Behaviour(text=f"That would be number {number} for you.") for number in range(answers)))
        told.send((model.url, voice.url))
        await asyncio.Event().wait()


def _serve(told: Connection, answers: int) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_stand_ins(told, answers))


class Direct:
    """The two SDKs, one client each for all turns."""

    def __init__(self, model_url: str, voice_url: str) -> None:
        from elevenlabs.client import AsyncElevenLabs
        from openai import AsyncOpenAI

        self._model = AsyncOpenAI(api_key="k", base_url=model_url, max_retries=0)
        self._voice = AsyncElevenLabs(api_key="key", base_url=voice_url)

    async def turn(self, question: str) -> float:
        """Milliseconds to the first audio."""
        began = time.perf_counter()
        answer = await self._model.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": question}], stream=True
        )
        text = ""
        async for chunk in answer:
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        audio = self._voice.text_to_speech.stream_with_timestamps(
            VOICE, text=text, model_id="eleven_flash_v2_5", output_format="ulaw_8000"
        )
        async for part in audio:
            if part.audio_base_64:
                break
        took = (time.perf_counter() - began) * 1000
        await audio.aclose()
        return took


async def _ours(agent: object, tts: object, conversation: Conversation, question: str, turn: int) -> float:
    began = time.perf_counter()
    asked = Reply(f"CA{turn}", 1, question, conversation)
    async with contextlib.aclosing(agent.reply(asked)) as parts:  # type: ignore[attr-defined]  # the agent's own
        clause = await anext(parts)
        assert isinstance(clause, Clause)
        async with contextlib.aclosing(tts.stream_speak(Speak(clause.text, voice_id=VOICE))) as pieces:  # type: ignore[attr-defined]
            async for piece in pieces:
                if isinstance(piece, SpokenAudio):
                    break
            took = (time.perf_counter() - began) * 1000
        async for _ in parts:
            pass
    return took


async def _measured(model_url: str, voice_url: str, turns: int, folder: Path) -> dict[str, list[float]]:
    settings = load(
        data_dir=folder,
        openai_api_key="k",
        openai_base_url=model_url,
        openai_model_critical=MODEL,
        openai_model_cheap=MODEL,
        elevenlabs_api_key="key",
        elevenlabs_base_url=voice_url,
    )
    told = Told()
    llm = thinking.llm(settings, told)
    agent = thinking.agent(settings, llm)
    espeak = espeak_worker()
    vendor = speaking.elevenlabs(settings)
    objects = DirectoryObjects(folder / "objects", url="http://127.0.0.1", key="k")
    tts = speaking.tts(settings, vendor, espeak, objects, told)
    await llm.warm_up()
    await tts.warm_up()
    direct = Direct(model_url, voice_url)
    conversation = (await agent.begin(CallFacts("CA0"))).conversation
    found: dict[str, list[float]] = {"the SDKs": [], "Scriza": []}
    for turn in range(turns):
        question = f"what about number {turn}"
        pair = [
            ("the SDKs", lambda asked=question: direct.turn(asked)),
            ("Scriza", lambda asked=question, nth=turn: _ours(agent, tts, conversation, asked, nth)),
        ]
        for name, ask in pair if turn % 2 else reversed(pair):
            found[name].append(await ask())
    await tts.close()
    await llm.close()
    await espeak.close()
    if vendor:
        await vendor.close()
    return {name: took[turns // 10 :] for name, took in found.items()}  # the first tenth warms up


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=500)
    turns = parser.parse_args().turns
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, 2 * turns), daemon=True)
    server.start()
    model_url, voice_url = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(_measured(model_url, voice_url, turns, Path(folder)))
    server.kill()
    added = [mine - base for mine, base in zip(found["Scriza"], found["the SDKs"], strict=True)]
    rows = {**found, "added, pair by pair": added}
    print("| first audio after, ms | p50 | p95 |\n|---|---|---|")
    told = {}
    for name, took in rows.items():
        cut = statistics.quantiles(took, n=20)
        told[name] = {"p50": round(cut[9], 2), "p95": round(cut[18], 2)}
        print(f"| {name} | {cut[9]:.1f} | {cut[18]:.1f} |")
    print(f"\nTarget for what is added: {TARGETS['p50']:.0f} ms p50, {TARGETS['p95']:.0f} ms p95; {turns} pairs.")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"turns": turns, "ms": told, "targets": TARGETS}, indent=2) + "\n")


if __name__ == "__main__":
    main()
