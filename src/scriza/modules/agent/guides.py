"""Playbooks as the agent has them at hand: asked for once, compiled once, and kept by version."""

import asyncio

import structlog

from scriza.kernel.errors import DeadlineExceeded, Unavailable, UpstreamFailed
from scriza.kernel.principal import current
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.lately import Lately
from scriza.ports.strategy import PinnedPlaybook, PlaybookRef, Strategy

_log = structlog.get_logger()

_VERSION = "sv_"
_FETCH_S = 2.0
_KEPT = 64
"""Compiled playbooks, each in one language."""
_NAMES = 256
"""Names whose version is remembered for when nobody can be asked."""


class Guides:
    """Compiles what the strategy module keeps. A version is the same for ever, so that it is asked for once.

    A published playbook is asked for at every call's beginning; when nobody answers, the one of the last call leads.
    """

    def __init__(self, strategy: Strategy, transfer_to: str = "") -> None:
        self._strategy = strategy
        self._transfer_to = transfer_to
        self._guides: Lately[tuple[str, str, str], Guide] = Lately(_KEPT)
        self._latest: Lately[tuple[str, str], str] = Lately(_NAMES)
        self._compiling = asyncio.Lock()

    async def published(self, name: str, language: str = "") -> tuple[str, Guide]:
        """The version and the guide that `name` stands for: a slug, a version, or empty for the default.

        Raises NotFound for what is neither, BadInput for a playbook that does not fit together, and what the strategy
        port raises when nothing is at hand instead.
        """
        if name.startswith(_VERSION):
            return name, await self.version(name, language)
        key = current().principal.workspace, name
        try:
            pinned = await self._fetched(name)
        except (Unavailable, UpstreamFailed, DeadlineExceeded) as error:
            version = self._latest.get(key)
            if version is None:
                raise
            _log.warning("agent.playbook_of_the_last_call", reason=error.slug)
            return version, await self.version(version, language)
        self._latest.keep(key, pinned.version)
        return pinned.version, await self._compiled(pinned, language)

    async def version(self, version: str, language: str = "") -> Guide:
        """The guide of a version. Raises NotFound for one that there is not, BadInput for one that does not fit."""
        key = current().principal.workspace, version, language
        if (guide := self._guides.get(key)) is not None:
            return guide
        own = self._guides.get((key[0], version, ""))
        pinned = PinnedPlaybook(version, own.playbook) if own else await self._fetched(version)
        return await self._compiled(pinned, language)

    async def _fetched(self, name: str) -> PinnedPlaybook:
        limit = asyncio.timeout(_FETCH_S)
        try:
            async with limit:
                return await self._strategy.playbook(PlaybookRef(name))
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"the playbook was not there after {_FETCH_S:g} s") from None

    async def _compiled(self, pinned: PinnedPlaybook, language: str) -> Guide:
        """A big playbook takes milliseconds to compile, so that it is done beside the calls, and once."""
        key = current().principal.workspace, pinned.version, language
        async with self._compiling:
            guide = self._guides.get(key)
            if guide is None:
                guide = await asyncio.to_thread(Guide, pinned.playbook, language, self._transfer_to)
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
