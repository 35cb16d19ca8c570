"""Turns words into clips: one task a clip, a few at a time, the first clause first."""

import asyncio

import structlog

from scriza.audio.tones import dial_tones
from scriza.kernel.errors import ScrizaError
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.live.player import Clip, Player, Tell
from scriza.ports.agent import Voice
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWords, Tts

_AT_ONCE = 2
_log = structlog.get_logger()


class Mouth:
    """Synthesises for one call. Its tasks belong to the session's task group."""

    def __init__(
        self,
        tts: Tts,
        player: Player,
        tell: Tell,
        tasks: asyncio.TaskGroup,
        *,
        call: JournaledCall,
        principal: Principal,
        deadline_ms: int,
    ) -> None:
        self.voice = Voice()
        self._tts, self._player, self._tell, self._tasks = tts, player, tell, tasks
        self._call, self._principal, self._deadline = call, principal, deadline_ms / 1000
        self._clips: dict[int, Clip] = {}
        self._making: dict[int, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def synthesise(self, number: int, text: str, previous_text: str = "") -> None:
        """Begin a clip; `previous_text` is what is said before it."""
        clip = self._clips[number] = self._player.clip(number)
        task = self._making[number] = self._tasks.create_task(self._make(clip, text, previous_text))
        task.add_done_callback(lambda _: self._making.pop(number, None))

    def dial(self, number: int, keys: str) -> None:
        """Make a clip of keys' tones."""
        clip = self._clips[number] = self._player.clip(number)
        clip.add(dial_tones(keys))
        clip.finish()

    def play(self, number: int) -> None:
        """Have a clip sent; it stays known until then."""
        if clip := self._clips.pop(number, None):
            self._player.play(clip)

    def forget(self, number: int) -> None:
        """This clip will not be played."""
        self._clips.pop(number, None)
        if task := self._making.get(number):
            task.cancel()

    def clear(self) -> None:
        """No clip that exists will be played."""
        self._clips.clear()
        for task in list(self._making.values()):
            task.cancel()

    def _request(self, text: str, previous_text: str) -> Speak:
        return Speak(
            text=text,
            voice_id=self.voice.voice_id,
            tone=self.voice.tone,
            locale=self.voice.locale,
            format="mulaw",
            call_id=self._call.call_id,
            previous_text=previous_text,
            pronunciation=dict(self.voice.pronunciation),
        )

    async def _make(self, clip: Clip, text: str, previous_text: str) -> None:
        request_id = f"{self._call.call_id}:clip:{self._call.attached}:{clip.number}"
        try:
            async with self._turns:
                with acting(self._principal, request_id=request_id, call_id=self._call.call_id):
                    await self._fill(clip, self._request(text, previous_text))
        except (ScrizaError, TimeoutError) as error:
            _log.warning("telephony.clip_failed", clip=clip.number, error=type(error).__name__)
            clip.finish()
            self._tell(on.ClipFailed(clip.number))

    async def _fill(self, clip: Clip, request: Speak) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._deadline) as deadline:
            async for part in self._tts.stream_speak(request):
                deadline.reschedule(loop.time() + self._deadline)
                match part:
                    case SpokenAudio(payload=payload):
                        if not clip.audio and payload:
                            self._tell(on.ClipReady(clip.number))
                        clip.add(payload)
                    case SpokenWords(words=words):
                        clip.time(words)
                        self._tell(on.ClipTimed(clip.number, words))
                    case SpokenDone(duration=duration, cache_hit=cache_hit):
                        self._tell(on.ClipComplete(clip.number, round(duration * 1000), cache_hit))
        clip.finish()
