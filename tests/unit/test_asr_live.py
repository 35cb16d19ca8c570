"""A live recognition under any order of blocks: every finalize has its final, with exactly what came before it."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import Unavailable
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcript
from tests.standins.block_engine import BlockEngine, spoken, text
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

Block = Audio | Finalize | Stop

_WORD = st.integers(1, 16)
_ACTS = st.lists(st.one_of(st.lists(_WORD, max_size=12), st.just("finalize")), max_size=12)


async def heard(engine: BlockEngine, blocks: AsyncIterator[Block]) -> list[Partial | Final]:
    return [item async for item in AsrService(engine, Told()).stream(Start(), blocks)]


@settings(max_examples=60)
@given(acts=_ACTS, partials=st.booleans())
def test_every_finalize_is_answered_once_in_order_by_what_came_since_the_last(
    acts: list[list[int] | str], partials: bool
) -> None:
    async def blocks() -> AsyncIterator[Block]:
        for act in acts:
            yield Audio(mulaw.encode(spoken(*act))) if isinstance(act, list) else Finalize()
            await asyncio.sleep(0)

    expected: list[tuple[str, float]] = []
    since, end_s = list[int](), 0.0
    for act in acts:
        if isinstance(act, list):
            since += act
            end_s += 0.2 * len(act)
        else:
            expected.append((text(*since), round(end_s, 3)))
            since = []
    items = asyncio.run(heard(BlockEngine(partials=partials), blocks()))
    finals = [item for item in items if isinstance(item, Final)]
    assert [(final.text, final.end) for final in finals] == expected
    assert [final.start for final in finals] == [0.0, *(end for _, end in expected)][: len(finals)]
    ordered = [word for final in finals for word in final.words]
    assert ordered == sorted(ordered, key=lambda word: word.start)


async def test_blocks_that_break_off_break_the_recognition_off_and_leave_no_task() -> None:
    async def blocks() -> AsyncIterator[Block]:
        yield Audio(mulaw.encode(spoken(1, 2, 3, 4)))
        raise Unavailable("the line is dead")

    before = asyncio.all_tasks()
    with pytest.raises(Unavailable, match="the line is dead"):
        await heard(BlockEngine(partials=True), blocks())
    assert asyncio.all_tasks() == before


def test_closing_leaves_no_task() -> None:
    async def blocks() -> AsyncIterator[Block]:
        for number in cycle(range(1, 17)):
            yield Audio(mulaw.encode(spoken(number)))
            await asyncio.sleep(0.2)

    async def scene() -> None:
        before = asyncio.all_tasks()
        items = AsrService(BlockEngine(partials=True), Told()).stream(Start(), blocks())
        assert isinstance(await anext(items), Partial)
        await items.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert asyncio.all_tasks() == before

    run_virtual(scene())


def test_partials_are_written_as_the_engine_writes_also_without_spaces() -> None:
    class Spaceless(BlockEngine):
        async def recognise(self, samples: Samples, sample_rate: int, **told: object) -> Transcript:  # type: ignore[override]
            heard = await super().recognise(samples, sample_rate, **told)  # type: ignore[arg-type]
            return Transcript(heard.text.replace(" ", ""), heard.confidence, heard.words)

    async def blocks() -> AsyncIterator[Block]:
        for number in range(1, 13):
            yield Audio(mulaw.encode(spoken(number)))
            await asyncio.sleep(0.2)
        yield Finalize()

    *partials, final = run_virtual(heard(Spaceless(partials=True), blocks()))
    assert final.text == "w1w2w3w4w5w6w7w8w9w10w11w12"
    assert len(partials) >= 2
    assert all(final.text.startswith(partial.text) for partial in partials)
    assert all(partial.text == "".join(word.word for word in partial.words) for partial in partials)
