"""Where clips and recordings are kept: a directory, or S3."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

import msgspec


class StoredObject(msgspec.Struct):
    """An object's bytes and what they are."""

    body: bytes
    content_type: str


class Objects(Protocol):
    """Whole objects under keys such as ``tts-cache/ab/cdef.ulaw``: segments of ``[A-Za-z0-9._-]``, never ``..``."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store durably; a reader sees the old object or the new one, never a part. Raises BadInput for a bad key."""
        ...

    async def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Store durably unless there is an object under the key; False (and nothing changes) when there is."""
        ...

    async def put_stream(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> int:
        """Store what comes, of any length, holding a few megabytes of it at most; returns the bytes stored.

        The object is there when the last part is; a stream that raises, or is cancelled, leaves nothing behind.
        """
        ...

    async def get(self, key: str) -> StoredObject:
        """Raises NotFound."""
        ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is fine."""
        ...

    async def delete_all(self, folder: str) -> int:
        """Forget every object whose key begins with ``folder/``, also what was begun there and never became one.

        Returns how many objects there were. What is put meanwhile may stay.
        """
        ...

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        """A URL that opens this one object to anybody who holds it, until it expires."""
        ...
