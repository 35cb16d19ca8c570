"""Has fixed lines spoken: takes versions off the list of what is to be, whoever put them there, until they are.

The list is in the store, so that what was asked for is done although a process dies in it; any process takes up what
another has left.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, NotFound, ScrizaError, TooLarge
from scriza.kernel.ids import new_id
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.modules.strategy.books import Rendering, RenderingBook, StrategyBook
from scriza.modules.strategy.voice_assets import Asset, VoiceAssets
from scriza.ports.tts import Tts

_log = structlog.get_logger()

_HELD = timedelta(seconds=15)
"""So long a version is this process's, unless it says more; after that it has died."""
_AT_ONCE = 2
"""Clips that are made at the same time: calls have the voice before us."""
_CLIP_S = 40.0
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=1)
_GIVE_UP = 5
"""Lines that fail in one try: the voice is down, and the others would only wait as well."""
_LINES_OF_A_DRAFT = 50
"""Then it is looked whether something more urgent has come."""
_TEXTS_FAULT = (BadInput, TooLarge)
"""Another try would end the same."""


class Renderer:
    """Speaks what is on the list. `look` does all that is due; it is to be called again and again."""

    def __init__(
        self, book: RenderingBook, strategies: StrategyBook, assets: VoiceAssets, tts: Tts, clock: WallClock = utc_now
    ) -> None:
        self._book, self._strategies, self._assets, self._tts, self._clock = book, strategies, assets, tts, clock

    async def look(self) -> int:
        """Speak what is due, the published versions first; returns how many versions were taken up.

        Raises what the store raises.
        """
        taken_up = 0
        while taken := await self._book.take(self._clock(), self._clock() + _HELD, new_id("op")):
            taken_up += 1
            with acting(Principal(workspace=taken.workspace, subject="strategy", scopes=frozenset({ALL}))):
                async with self._held(taken):
                    await self._speak(taken)
        return taken_up

    async def _speak(self, taken: Rendering) -> None:
        if not await self._is_wanted(taken):
            await self._book.finish(taken)
            return
        try:
            assets, _ = await self._assets.of(taken.version)
        except (NotFound, BadInput) as error:  # the agent cannot lead a call by it
            _log.warning("assets.none", version=taken.version, reason=error.slug)
            await self._book.finish(taken)
            return
        except ScrizaError as error:
            await self._put_off(taken, error.slug)
            return
        missing = [asset for asset in assets if not asset.clip.kept]
        turn = missing if taken.urgent else missing[:_LINES_OF_A_DRAFT]
        failures = await self._speak_all(turn)
        if failures:
            await self._put_off(taken, f"{len(failures)} of {len(assets)} lines failed: {failures[0]}")
            return
        if len(turn) < len(missing):
            await self._book.put_off(taken, taken.due_at)
            return
        await self._book.finish(taken)
        _log.info("assets.ready", version=taken.version, assets=len(assets), made=len(missing))

    @asynccontextmanager
    async def _held(self, taken: Rendering) -> AsyncIterator[None]:
        """Tells the others inside that this process lives."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_HELD.total_seconds() / 3)
                with suppress(ScrizaError):  # a store that is away has taken it from nobody
                    await self._book.hold(taken, self._clock() + _HELD)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _is_wanted(self, taken: Rendering) -> bool:
        """Whether it is still what somebody works on, or what calls are led by."""
        if taken.urgent:
            return True
        refs = await self._strategies.refs(taken.workspace, taken.slug)
        return refs is not None and taken.version in {refs.draft, refs.published}

    async def _speak_all(self, missing: Sequence[Asset]) -> list[str]:
        """Speak them, a few at a time; returns why some could not be, in words for programs."""
        failures: list[str] = []
        waiting = iter(missing)

        async def worker() -> None:
            for asset in waiting:
                if failure := await self._failed(asset):
                    failures.append(failure)
                    if len(failures) >= _GIVE_UP:
                        return

        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(worker())
        return failures

    async def _failed(self, asset: Asset) -> str:
        try:
            async with asyncio.timeout(_CLIP_S):
                await self._tts.speak(asset.speak())
        except _TEXTS_FAULT as error:
            _log.warning("assets.unspeakable", line=asset.line, reason=error.slug)
        except ScrizaError as error:
            return error.slug
        except TimeoutError:
            return "deadline-exceeded"
        return ""

    async def _put_off(self, taken: Rendering, reason: str) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(taken.tries, 16), _LONGEST_PAUSE)
        _log.warning("assets.put_off", version=taken.version, seconds=pause.total_seconds(), reason=reason)
        await self._book.put_off(taken, self._clock() + pause, reason)
