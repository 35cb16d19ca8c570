"""``scriza models check``: how well recordings of one's own are understood, by one or several settings side by side."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scriza.audio import mulaw
from scriza.audio.files import decode_file
from scriza.audio.mulaw import SAMPLE_RATE, Samples
from scriza.factories import listening
from scriza.kernel.clock import utc_now
from scriza.kernel.errors import BadInput, NotFound
from scriza.kernel.events import Event
from scriza.modules.asr.accuracy import (
    Bin,
    calibration_error,
    compared,
    mapping,
    plain_words,
    reliability,
    threshold,
)
from scriza.modules.asr.cutting import cut
from scriza.modules.asr.engine import Engine
from scriza.modules.asr.places import Places
from scriza.modules.asr.recognition import Asked, Recognition
from scriza.settings import Settings, load

_WANTED = 0.9
"""Share of right words above the threshold that is told."""
_FEW_WORDS = 200


class Recorded(NamedTuple):
    """A recording as it would come over the phone, and what is said in it."""

    name: str
    samples: Samples
    said: list[str]


class Outcome(NamedTuple):
    """What one setting made of all recordings."""

    title: str
    engine: str
    said: int
    wrong: int
    missing: int
    extra: int
    seconds: float
    took_s: float
    waits_s: list[float]
    """How long each piece of at most 28 s took: the wait for a final."""
    words: list[tuple[float, bool]]
    """Of every heard word its confidence, and whether it is right."""


class _Nobody:
    def tell(self, *events: Event) -> None:
        """What is checked is not counted as used."""


def variants(assignments: Sequence[str]) -> list[tuple[str, Settings]]:
    """The settings in force, and for each item of `assignments` (``name=value[,name=value]``) those with it.

    Raises BadInput for what is no assignment to a setting of listening, BadSettings for a value that cannot be.
    """
    found = [("as set", load())]
    for assignment in assignments:
        overrides: dict[str, str] = {}
        for part in assignment.split(","):
            name, equals, value = part.partition("=")
            field = name.strip().lower().removeprefix("scriza_")
            if not equals or not field.startswith("asr_") or field not in Settings.model_fields:
                raise BadInput(
                    f"--setting takes name=value of a setting of listening, as asr_model=small.en, not {part}"
                )
            overrides[field] = value.strip()
        found.append((assignment, load(**overrides)))
    return found


def recordings(folder: Path) -> list[Recorded]:
    """Every audio file with a ``.txt`` of its name beside it. Raises NotFound without any, BadInput for other files."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    found: list[Recorded] = []
    for text in sorted(folder.glob("*.txt")):
        audio = next((file for file in sorted(folder.glob(f"{text.stem}.*")) if file != text), None)
        if audio is None:
            raise NotFound(f"beside {text.name} there is no audio file of its name")
        try:
            samples = decode_file(audio.read_bytes(), SAMPLE_RATE)
            said = plain_words(text.read_text("utf-8"))
        except (BadInput, UnicodeDecodeError) as error:
            raise BadInput(f"{audio.name}: {error}") from error
        found.append(Recorded(text.stem, mulaw.decode(mulaw.encode(samples)), said))
    if not found:
        raise NotFound(
            f"{folder} holds no transcript: beside each recording, call.wav, lay what is said in it, call.txt"
        )
    return found


async def check(
    recorded: Sequence[Recorded],
    settings: Sequence[tuple[str, Settings]],
    data_dir: Path,
    language: str,
    phrases: list[str],
) -> list[Outcome]:
    """Understand all recordings by each of `settings`, one after the other. Raises what the engine raises."""
    outcomes: list[Outcome] = []
    for title, chosen in settings:
        engine = await asyncio.to_thread(listening.recogniser, chosen, data_dir)
        try:
            await engine.warm_up()
            outcomes.append(await _outcome(title, engine, recorded, language, phrases))
        finally:
            await engine.close()
    return outcomes


async def _outcome(
    title: str, engine: Engine, recorded: Sequence[Recorded], language: str, phrases: list[str]
) -> Outcome:
    said = wrong = missing = extra = 0
    waits: list[float] = []
    judged: list[tuple[float, bool]] = []
    for recording in recorded:
        asked = Asked(recording.name, SAMPLE_RATE, language, phrases)
        recognition = Recognition(engine, Places(1), _Nobody(), utc_now, asked)
        await recognition.prepare()
        heard: list[tuple[str, float]] = []
        done = 0
        while done < len(recording.samples):
            rest = recording.samples[done:]
            piece = rest[: cut(rest, SAMPLE_RATE)]
            began = time.perf_counter()
            transcript = await recognition.words(piece, "final")
            waits.append(time.perf_counter() - began)
            heard += [(plain, word.confidence) for word in transcript.words for plain in plain_words(word.word)]
            done += len(piece)
        errors = compared(recording.said, [word for word, _ in heard])
        said, wrong = said + errors.said, wrong + errors.wrong
        missing, extra = missing + errors.missing, extra + errors.extra
        judged += [(confidence, right) for (_, confidence), right in zip(heard, errors.right, strict=True)]
    seconds = sum(len(recording.samples) for recording in recorded) / SAMPLE_RATE
    return Outcome(title, engine.name, said, wrong, missing, extra, seconds, sum(waits), waits, judged)


def report(outcomes: Sequence[Outcome]) -> str:
    """What people read: a table of all settings, then each one's confidence."""
    width = max(24, *(len(outcome.title) + 2 for outcome in outcomes))
    rows = [
        ("", [outcome.title for outcome in outcomes]),
        ("engine", [outcome.engine for outcome in outcomes]),
        ("word error rate", [_share(_errors(outcome), outcome.said) for outcome in outcomes]),
        ("  wrong, missing, extra", [f"{o.wrong}, {o.missing}, {o.extra} of {o.said}" for o in outcomes]),
        ("time per second of audio", [f"{o.took_s / max(o.seconds, 0.001):.2f} s" for o in outcomes]),
        ("wait for a final, p50", [f"{statistics.median(o.waits_s) * 1000:.0f} ms" for o in outcomes]),
        ("wait for a final, longest", [f"{max(o.waits_s) * 1000:.0f} ms" for o in outcomes]),
        ("calibration error", [f"{calibration_error(reliability(o.words)):.2f}" for o in outcomes]),
    ]
    lines = [f"{name:<28}" + "".join(f"{cell:>{width}}" for cell in cells) for name, cells in rows]
    for outcome in outcomes:
        lines += ["", f"Confidence of words, {outcome.title}:", *_confidence(outcome)]
    if outcomes[0].said < _FEW_WORDS:
        lines += ["", f"{outcomes[0].said} words are few: a difference of some percent means nothing."]
    return "\n".join(lines)


def _errors(outcome: Outcome) -> int:
    return outcome.wrong + outcome.missing + outcome.extra


def _share(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else "-"


def _confidence(outcome: Outcome) -> list[str]:
    bins = reliability(outcome.words)
    if not bins:
        return ["  no words were heard"]
    lines = [_bin(found, worth) for found, (_, worth) in zip(bins, mapping(bins), strict=True)]
    found = threshold(outcome.words, _WANTED)
    wanted = f"{_WANTED:.0%} of the words are right"
    lines.append(f"  from {found:.2f} on, {wanted}" if found is not None else f"  from no confidence on, {wanted}")
    return lines


def _bin(found: Bin, worth: float) -> str:
    return (
        f"  {found.low:.1f} to {found.high:.1f}: {found.words:>5} words, {found.right:>4.0%} right;"
        f" take {found.confidence:.2f} for {worth:.2f}"
    )
