"""One client for a process, and the bucket that it is about."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from scriza.kernel.errors import DeadlineExceeded, NotFound, ScrizaError
from scriza_adapters.object_keys import checked
from scriza_adapters.objects_s3.errors import FAILURES, told
from scriza_adapters.provider_failures import provider_failed

_LONG_S = 0.2
"""Who gives up waiting sooner than this has reasons that are not the store's."""


class Patience(msgspec.Struct, frozen=True):
    """How long S3 is waited for, in seconds."""

    connecting: float = 3.0
    silence: float = 5.0
    """Between two pieces of an answer."""
    whole: float = 15.0
    """For a request and its repetitions."""


PATIENCE = Patience()


class Connection:
    """To the bucket at ``s3://BUCKET/PREFIX?endpoint=URL&region=R``. Raises ValueError for any other URL.

    Credentials come from where AWS's tools look for them: the environment, a profile, the machine's role. The client
    is made at the first use, in the event loop that it then belongs to.
    """

    def __init__(self, url: str, patience: Patience = PATIENCE) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        endpoint = options.get("endpoint", [None])[0]
        hosts = parts.netloc + urlsplit(endpoint or "").netloc
        if parts.scheme != "s3" or not parts.netloc or "@" in hosts or not options.keys() <= {"endpoint", "region"}:
            raise ValueError("objects are at s3://BUCKET/PREFIX?endpoint=URL&region=R, without a key")
        self.bucket = parts.netloc
        self.prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._endpoint = endpoint
        self._region = options.get("region", [None])[0]
        self._patience = patience
        self._lock = asyncio.Lock()
        self._open = AsyncExitStack()
        self._client: Any = None  # aiobotocore makes the class at run time

    def name(self, key: str) -> str:
        """What the object is called in the bucket. Raises BadInput for a key that is none."""
        return self.prefix + checked(key)

    @asynccontextmanager
    async def asking(self, deadline_s: float | None = None) -> AsyncIterator[Any]:
        """The client, for requests that are over before the deadline (none: what patience has for a request).

        What fails is raised as a ScrizaError; an object that is not there is no failure of the store, but one that was
        waited for in vain is.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience.whole if deadline_s is None else deadline_s):
                yield self._client or await self._connected()
        except ScrizaError:
            raise
        except asyncio.CancelledError:
            if (waited_s := time.monotonic() - began) >= _LONG_S:
                provider_failed("s3", DeadlineExceeded(f"the object store had not answered after {waited_s:.2f} s"))
            raise
        except FAILURES as error:
            failure = told(error)
            if not isinstance(failure, NotFound):
                provider_failed("s3", failure)
            raise failure from None  # the chain would show the request, with its signature

    async def warm_up(self) -> None:
        """Build the client and open a connection, so that the first request is as quick as the next.

        A bucket that cannot be reached is told in the log, and does not keep anybody from starting.
        """
        with suppress(ScrizaError):
            async with self.asking() as client:
                await client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    async def close(self) -> None:
        """Close the client and its connections."""
        async with self._lock:
            self._client = None
            await self._open.aclose()

    async def _connected(self) -> Any:
        async with self._lock:
            if self._client is None:
                made = get_session().create_client(
                    "s3", region_name=self._region, endpoint_url=self._endpoint, config=self._config()
                )
                self._client = await self._open.enter_async_context(made)
            return self._client

    def _config(self) -> AioConfig:
        return AioConfig(
            connect_timeout=self._patience.connecting,
            read_timeout=self._patience.silence,
            # All requests here may be repeated: botocore does so on broken connections, 5xx and "slow down".
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=50,
            signature_version="s3v4",
        )
