"""A phone without a network: a media socket on the loop's own time, with a playout buffer, marks and clear."""

import asyncio
import base64
import json
from collections import deque

import numpy as np

from scriza.audio import mulaw
from scriza.modules.telephony.media import SocketClosed

FRAME_MS = 20
_TONE = mulaw.encode((4000 * np.sin(2 * np.pi * 220 * np.arange(160) / 8000)).astype(np.int16))
_HISS = mulaw.encode(np.random.default_rng(1).normal(0, 8, 160).astype(np.int16))


class MemoryPhone:
    """Implements MediaSocket; the test is the caller."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.started = self._loop.time()
        self._frames = 0
        self.control: deque[str] = deque()
        self._wake = asyncio.Event()
        self._speaking_until = 0.0
        self.plays_until = 0.0
        self._marks: dict[str, asyncio.TimerHandle] = {}
        self.mute = False
        """Nothing comes from it any more, not even an echo of a mark; and it does not close."""
        self.closed = False
        self.closed_at = 0.0
        self.played: list[tuple[float, float]] = []
        """When audio played: start and end, in seconds since the phone was picked up."""
        self.clears = 0
        self.sent: list[str] = []
        """Every message of the agent's side."""

    # the caller

    async def say(self, ms: int) -> None:
        """Make a voiced sound for so long."""
        self._speaking_until = self._loop.time() + ms / 1000
        await asyncio.sleep(ms / 1000)

    async def heard_all(self, limit_s: float = 60) -> None:
        """Wait until the agent has spoken and is silent for 200 ms."""
        async with asyncio.timeout(limit_s):
            before = len(self.played)
            while len(self.played) == before or self.plays_until + 0.2 > self._loop.time():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def agent_begins(self) -> None:
        """Wait until the agent speaks."""
        while not self.agent_speaks:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def press(self, digit: str) -> None:
        self._push({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}})

    def hang_up(self) -> None:
        self._push({"event": "stop", "stop": {}})

    def drop(self) -> None:
        """The network is gone."""
        self.closed = True
        self._wake.set()

    @property
    def elapsed(self) -> float:
        return self._loop.time() - self.started

    @property
    def agent_speaks(self) -> bool:
        return self.plays_until > self._loop.time()

    # MediaSocket

    async def receive(self) -> str:
        while True:
            if self.closed:
                raise SocketClosed(1006)
            if self.mute:
                self._wake.clear()
                await self._wake.wait()
                continue
            if self.control:
                return self.control.popleft()
            due = self.started + (self._frames + 1) * FRAME_MS / 1000
            if (wait := due - self._loop.time()) <= 0:
                return self._frame()
            self._wake.clear()
            alarm = self._loop.call_later(wait, self._wake.set)
            await self._wake.wait()
            alarm.cancel()

    async def send(self, text: str) -> None:
        if self.closed:
            raise SocketClosed(1006)
        self.sent.append(text)
        message = json.loads(text)
        now = self._loop.time()
        match message["event"]:
            case "media":
                seconds = len(base64.b64decode(message["media"]["payload"])) / 8000
                start = max(now, self.plays_until)
                self.plays_until = start + seconds
                if self.played and abs(self.played[-1][1] - (start - self.started)) < 1e-9:
                    self.played[-1] = (self.played[-1][0], self.plays_until - self.started)
                else:
                    self.played.append((start - self.started, self.plays_until - self.started))
            case "mark":
                name = message["mark"]["name"]
                self._marks[name] = self._loop.call_at(max(now, self.plays_until), self._echo, name)
            case "clear":
                self.clears += 1
                if self.plays_until > now:
                    self.played[-1] = (self.played[-1][0], now - self.started)
                self.plays_until = now
                for name, handle in list(self._marks.items()):
                    handle.cancel()
                    self._echo(name)

    async def close(self, code: int = 1000) -> None:
        self.closed = True
        self.closed_at = self.elapsed
        self._wake.set()

    def _frame(self) -> str:
        self._frames += 1
        audio = _TONE if self._loop.time() <= self._speaking_until else _HISS
        payload = base64.b64encode(audio).decode()
        media = {"track": "inbound", "chunk": self._frames, "timestamp": self._frames * FRAME_MS, "payload": payload}
        return json.dumps({"event": "media", "sequenceNumber": str(self._frames + 1), "media": media})

    def _echo(self, name: str) -> None:
        self._marks.pop(name, None)
        self._push({"event": "mark", "mark": {"name": name}})

    def _push(self, message: dict[str, object]) -> None:
        self.control.append(json.dumps(message))
        self._wake.set()
