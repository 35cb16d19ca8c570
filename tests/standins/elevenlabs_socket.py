"""The stand-in's socket with several contexts: ``/v1/text-to-speech/{voice}/multi-stream-input``."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.standins.elevenlabs_shapes import Misshapen, read_said

if TYPE_CHECKING:
    from tests.standins.elevenlabs import Behaviour, Request

CONTEXTS = 5


class Cut(Exception):
    """The connection breaks."""


class ContextSocket:
    """One connection. `ordered` is told each text and says how to behave; `sound` says what a text sounds like."""

    def __init__(
        self,
        receive: Callable[[], Any],
        send: Callable[[Any], Any],
        ordered: "Callable[[dict[str, Any]], tuple[Request, Behaviour]]",
        sound: Callable[[str], bytes],
        character_s: float,
    ) -> None:
        self._receive, self._send, self._ordered, self._sound = receive, send, ordered, sound
        self._character_ms = round(character_s * 1000)
        self._settings: dict[str, dict[str, Any]] = {}
        self._making: dict[str, asyncio.Task[None]] = {}
        self._closing: set[str] = set()
        self._requests: dict[str, Request] = {}
        self._close_errors: dict[str, str] = {}
        self._broken = asyncio.Event()

    async def serve(self) -> None:
        """Until either side closes it."""
        reading = asyncio.ensure_future(self._read())
        breaking = asyncio.ensure_future(self._broken.wait())
        await asyncio.wait({reading, breaking}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, breaking, *self._making.values()):
            task.cancel()
        told = await asyncio.gather(reading, *self._making.values(), return_exceptions=True)
        for request in self._requests.values():
            request.disconnected.set()
        if self._broken.is_set():
            raise ConnectionAbortedError("as the test wants it")
        if isinstance(told[0], Misshapen):
            await self._tell({"error": "invalid_message", "message": str(told[0]), "code": 1008})
            await self._send({"type": "websocket.close", "code": 1008, "reason": "invalid_message"})

    async def _read(self) -> None:
        while (event := await self._receive())["type"] == "websocket.receive":
            said = read_said(event.get("text") or "", set(self._settings))
            context = said.context_id or "default"
            if said.close_socket:
                await self._send({"type": "websocket.close", "code": 1000})
                return
            if said.close_context:
                await self._close(context)
                continue
            if context not in self._settings:
                if len(self._settings) >= CONTEXTS:
                    raise Misshapen("too many contexts")
                self._settings[context] = json.loads(event["text"])
            elif said.text and said.flush:
                asked = {"text": said.text.removesuffix(" ")} | {
                    name: value for name, value in self._settings[context].items() if name not in {"text", "context_id"}
                }
                request, behaviour = self._ordered(asked)
                self._requests[context] = request
                self._close_errors[context] = behaviour.close_error
                self._making[context] = asyncio.ensure_future(self._make(context, asked["text"], behaviour))

    async def _close(self, context: str) -> None:
        if error := self._close_errors.get(context):
            self._making.pop(context).cancel()
            self._settings.pop(context)
            await self._tell({"error": error, "contextId": context})
            return
        self._closing.add(context)
        if not self._broken.is_set() and (context not in self._making or self._making[context].done()):
            await self._over(context)

    async def _over(self, context: str) -> None:
        self._closing.discard(context)
        self._settings.pop(context, None)
        self._making.pop(context, None)
        self._requests.pop(context, None)
        await self._tell({"isFinal": True, "contextId": context})

    async def _make(self, context: str, text: str, behaviour: "Behaviour") -> None:
        await asyncio.sleep(behaviour.first_s)
        if behaviour.status != 200:
            await self._tell({"error": behaviour.code, "message": "something private: sk_secret", "code": 1008})
            await self._send({"type": "websocket.close", "code": 1008, "reason": behaviour.code})
            return
        for number, start in enumerate(range(0, len(text), behaviour.characters)):
            if number == behaviour.stall_after:
                await asyncio.Event().wait()
            if number == behaviour.cut_after:
                self._broken.set()
                return
            if number == behaviour.end_after:
                break
            if number == behaviour.drop:
                await self._send({"type": "websocket.send", "text": "\x00garbage"})
                continue
            told = text[start : start + behaviour.characters]
            times = {
                "chars": list(told),
                "charStartTimesMs": [place * self._character_ms for place in range(len(told))],
                "charDurationsMs": [self._character_ms] * len(told),
            }
            await self._tell(
                {
                    "audio": base64.b64encode(self._sound(told)).decode(),
                    "isFinal": None,
                    "contextId": context,
                    "alignment": times if behaviour.alignment else None,
                    "normalizedAlignment": times if behaviour.alignment else None,
                }
            )
            await asyncio.sleep(behaviour.gap_s)
        if context in self._closing:
            await self._over(context)

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps(message)})
