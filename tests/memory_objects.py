"""Objects in memory, for tests on virtual time; held to the same contract as the stores."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from scriza.kernel.errors import NotFound, ScrizaError
from scriza.ports.objects import StoredObject
from scriza_adapters.object_keys import checked


class MemoryObjects:
    """Implements Objects. While `failure` is set, everything fails with it."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredObject] = {}
        self.failure: ScrizaError | None = None

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        await self._reached()
        self.kept[checked(key)] = StoredObject(body, content_type)

    async def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        await self._reached()
        if checked(key) in self.kept:
            return False
        self.kept[key] = StoredObject(body, content_type)
        return True

    async def put_stream(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> int:
        checked(key)
        body = b"".join([part async for part in parts])
        await self.put(key, body, content_type)
        return len(body)

    async def get(self, key: str) -> StoredObject:
        await self._reached()
        if (found := self.kept.get(checked(key))) is None:
            raise NotFound("there is no such object")
        return found

    async def delete(self, key: str) -> None:
        await self._reached()
        self.kept.pop(checked(key), None)

    async def delete_all(self, folder: str) -> int:
        await self._reached()
        inside = f"{checked(folder)}/"
        found = [key for key in self.kept if key.startswith(inside)]
        for key in found:
            del self.kept[key]
        return len(found)

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        return f"memory:{checked(key)}"

    async def _reached(self) -> None:
        await asyncio.sleep(0)  # as any store, it lets others go on meanwhile
        if self.failure:
            raise self.failure
