"""Objects in an S3 bucket, or in a server that speaks S3."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as BrokenAnswer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from scriza.kernel.errors import DeadlineExceeded, NotFound, Unavailable, UpstreamFailed
from scriza.ports.objects import StoredObject
from scriza_adapters.object_keys import checked

_DEADLINE_S = 15.0
_CONFIG = AioConfig(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "max_attempts": 2},
    max_pool_connections=50,
    signature_version="s3v4",
)


class S3Objects:
    """Implements `ports.objects.Objects` by ``s3://BUCKET/PREFIX?endpoint=URL&region=R``.

    The bucket's own lifecycle rules keep ``tts-cache/`` from growing without end.
    Credentials come from where AWS's tools look for them: the environment, a profile, the machine's role. One client
    serves the process; it is made at the first use, in the event loop that it then belongs to.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        if parts.scheme != "s3" or not parts.netloc or not options.keys() <= {"endpoint", "region"}:
            raise ValueError("objects are at s3://BUCKET/PREFIX?endpoint=URL&region=R")
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._endpoint = options.get("endpoint", [None])[0]
        self._region = options.get("region", [None])[0]
        self._lock = asyncio.Lock()
        self._open = AsyncExitStack()
        self._client: Any = None  # aiobotocore makes the class at run time

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store; S3 answers when the object is durable. Raises BadInput, UpstreamFailed, Unavailable."""
        name = self._name(key)
        async with self._asking() as client:
            await client.put_object(Bucket=self._bucket, Key=name, Body=body, ContentType=content_type)

    async def get(self, key: str) -> StoredObject:
        """The object. Raises NotFound."""
        name = self._name(key)
        async with self._asking() as client:
            answer = await client.get_object(Bucket=self._bucket, Key=name)
            async with answer["Body"] as stream:
                return StoredObject(await stream.read(), answer.get("ContentType", "application/octet-stream"))

    async def delete(self, key: str) -> None:
        """Forget the object."""
        name = self._name(key)
        async with self._asking() as client:
            await client.delete_object(Bucket=self._bucket, Key=name)

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        """A presigned GET."""
        parameters = {"Bucket": self._bucket, "Key": self._name(key)}
        async with self._asking() as client:
            url: str = await client.generate_presigned_url(
                "get_object", Params=parameters, ExpiresIn=max(1, int(expires_in.total_seconds()))
            )
        return url

    async def close(self) -> None:
        """Close the client and its connections."""
        async with self._lock:
            self._client = None
            await self._open.aclose()

    def _name(self, key: str) -> str:
        return self._prefix + checked(key)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                yield self._client or await self._connected()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"NoSuchKey", "404"}:
                raise NotFound("there is no such object") from None
            raise UpstreamFailed(f"the object store answered {code}") from error
        except (TimeoutError, ReadTimeoutError, ConnectTimeoutError) as error:
            raise DeadlineExceeded("the object store does not answer") from error
        except (EndpointConnectionError, NoCredentialsError) as error:
            raise Unavailable(f"the object store: {type(error).__name__}") from error
        except (BotoCoreError, BrokenAnswer) as error:
            raise UpstreamFailed(f"the object store: {type(error).__name__}") from error

    async def _connected(self) -> Any:
        async with self._lock:
            if self._client is None:
                made = get_session().create_client(
                    "s3", region_name=self._region, endpoint_url=self._endpoint, config=_CONFIG
                )
                self._client = await self._open.enter_async_context(made)
            return self._client
