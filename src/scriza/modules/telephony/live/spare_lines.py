"""Lines that must be there when a provider is not: spoken into the cache once a process, before they are needed."""

import asyncio
from collections.abc import Iterable

import structlog

from scriza.kernel.errors import ScrizaError
from scriza.kernel.principal import Principal, acting
from scriza.ports.agent import Voice
from scriza.ports.tts import Speak, Tts

_MOST_KNOWN = 10_000
_log = structlog.get_logger()


class SpareLines:
    """Shared by the calls of a process."""

    def __init__(self, tts: Tts, deadline_ms: int) -> None:
        self._tts, self._deadline = tts, deadline_ms / 1000
        self._fetched: set[tuple[str, Voice, str]] = set()
        self._one_at_a_time = asyncio.Semaphore(1)

    async def fetch(self, lines: Iterable[str], voice: Voice, principal: Principal) -> None:
        """Have the lines in the cache; a line that cannot be had now is tried again by the next call."""
        for line in lines:
            key = (principal.workspace, voice, line)
            async with self._one_at_a_time:
                if key not in self._fetched and await self._speak(line, voice, principal):
                    if len(self._fetched) >= _MOST_KNOWN:
                        self._fetched.clear()
                    self._fetched.add(key)

    async def _speak(self, line: str, voice: Voice, principal: Principal) -> bool:
        request = Speak(
            text=line,
            voice_id=voice.voice_id,
            tone=voice.tone,
            locale=voice.locale,
            format="mulaw",
            pronunciation=dict(voice.pronunciation),
        )
        try:
            with acting(principal):
                async with asyncio.timeout(self._deadline):
                    async for _ in self._tts.stream_speak(request):
                        pass
        except (ScrizaError, TimeoutError) as error:
            _log.warning("telephony.line_not_prefetched", error=type(error).__name__)
            return False
        return True
