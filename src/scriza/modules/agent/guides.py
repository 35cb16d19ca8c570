"""Playbooks as the agent has them at hand: asked for once, compiled once, and kept by version."""

import asyncio
from typing import NamedTuple

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import DeadlineExceeded, Unavailable, UpstreamFailed
from scriza.kernel.principal import current
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.lately import Lately
from scriza.ports.strategy import PinnedPlaybook, PlaybookRef, Strategy

_log = structlog.get_logger()

_VERSION = "sv_"
_FETCH_S = 2.0
_KEPT = 64
"""Playbooks, and as many compiled ones, each in one language for one day."""
_NAMES = 256
"""Names whose version is remembered for when nobody can be asked."""


class _Key(NamedTuple):
    """What a compiled playbook depends on."""

    workspace: str
    version: str
    language: str
    today: str


class Guides:
    """Compiles what the strategy module keeps. A version is the same for ever, so that it is asked for once.

    A published playbook is asked for at every call's beginning; when nobody answers, the one of the last call leads.
    """

    def __init__(self, strategy: Strategy, transfer_to: str = "", clock: WallClock = utc_now) -> None:
        self._strategy = strategy
        self._transfer_to = transfer_to
        self._clock = clock
        self._guides: Lately[_Key, Guide] = Lately(_KEPT)
        self._pinned: Lately[tuple[str, str], PinnedPlaybook] = Lately(_KEPT)
        self._latest: Lately[tuple[str, str], str] = Lately(_NAMES)
        self._compiling = asyncio.Lock()

    async def published(self, name: str, language: str = "") -> tuple[str, Guide]:
        """The version and the guide that `name` stands for: a slug, a version, or empty for the default.

        Raises NotFound for what is neither, BadInput for a playbook that does not fit together, and what the strategy
        port raises when nothing is at hand instead.
        """
        if name.startswith(_VERSION):
            return name, await self.version(name, language)
        known = current().principal.workspace, name
        try:
            pinned = await self._fetched(name)
        except (Unavailable, UpstreamFailed, DeadlineExceeded) as error:
            version = self._latest.get(known)
            if version is None:
                raise
            _log.warning("agent.playbook_of_the_last_call", reason=error.slug)
            return version, await self.version(version, language)
        self._latest.keep(known, pinned.version)
        return pinned.version, await self._compiled(pinned, language)

    async def version(self, version: str, language: str = "") -> Guide:
        """The guide of a version. Raises NotFound for one that there is not, BadInput for one that does not fit."""
        if (guide := self._guides.get(self._key(version, language))) is not None:
            return guide
        pinned = self._pinned.get((current().principal.workspace, version)) or await self._fetched(version)
        return await self._compiled(pinned, language)

    def _key(self, version: str, language: str) -> _Key:
        return _Key(current().principal.workspace, version, language, self._clock().date().isoformat())

    async def _fetched(self, name: str) -> PinnedPlaybook:
        limit = asyncio.timeout(_FETCH_S)
        try:
            async with limit:
                pinned = await self._strategy.playbook(PlaybookRef(name))
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"the playbook was not there after {_FETCH_S:g} s") from None
        self._pinned.keep((current().principal.workspace, pinned.version), pinned)
        return pinned

    async def _compiled(self, pinned: PinnedPlaybook, language: str) -> Guide:
        """A big playbook takes milliseconds to compile, so that it is done beside the calls, and once."""
        key = self._key(pinned.version, language)
        async with self._compiling:
            guide = self._guides.get(key)
            if guide is None:
                guide = await asyncio.to_thread(Guide, pinned.playbook, language, self._transfer_to, key.today)
                self._guides.keep(key, guide)
        return guide


def spoken_language(guide: Guide, asked: str) -> str:
    """Which of the playbook's locales is `asked`, a locale or a language; empty for its own, and for one it lacks."""
    language = asked.partition("-")[0]
    if not asked or language == guide.playbook.locale.partition("-")[0]:
        return ""
    locales = guide.playbook.locales
    return next((locale for locale in locales if locale == asked), "") or next(
        (locale for locale in locales if locale.partition("-")[0] == language), ""
    )
