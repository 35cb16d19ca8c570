"""Objects in an S3 bucket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from uuid import uuid4

from botocore.exceptions import ClientError

from scriza.kernel.errors import UpstreamFailed
from scriza.ports.objects import StoredObject
from scriza_adapters.objects_s3.bulk import LARGE, Bulk
from scriza_adapters.objects_s3.connection import PATIENCE, Connection, Patience
from scriza_adapters.objects_s3.errors import check_answer, code_of
from scriza_adapters.objects_s3.multipart import Upload
from scriza_adapters.objects_s3.parts import Parts

PART_BYTES = 5 * 1024 * 1024
"""What of a stream is held in memory: S3 takes no smaller parts, and some servers want all of one size."""

_CONFLICTS = 5
_CONFLICT_S = 0.05
_WRITER = "writer"
"""The metadata that tells who wrote an object that must not be written twice."""


class S3Objects:
    """Implements `ports.objects.Objects` by ``s3://BUCKET/PREFIX?endpoint=URL&region=R``.

    The bucket's own lifecycle rules keep it from growing without end: `setup.prepare` sets them.
    """

    def __init__(self, url: str, patience: Patience = PATIENCE) -> None:
        self._connection = Connection(url, patience)
        self._bulk = Bulk(url, patience)

    @property
    def connection(self) -> Connection:
        """Where the bucket is."""
        return self._connection

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store; S3 answers when the object is durable.

        Raises BadInput, Unavailable, RateLimited, UpstreamFailed, DeadlineExceeded.
        """
        name = self._connection.name(key)

        async def put(connection: Connection) -> None:
            async with connection.asking() as client:
                check_answer(
                    await client.put_object(Bucket=connection.bucket, Key=name, Body=body, ContentType=content_type)
                )

        await (self._bulk.run(put) if len(body) >= LARGE else put(self._connection))

    async def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Store unless there is an object: a conditional put, ``If-None-Match: *``. Raises what `put` raises.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        name, writer = self._connection.name(key), uuid4().hex
        for attempt in range(_CONFLICTS):
            async with self._connection.asking() as client:
                try:
                    answer = await client.put_object(
                        Bucket=self._connection.bucket,
                        Key=name,
                        Body=body,
                        ContentType=content_type,
                        IfNoneMatch="*",
                        Metadata={_WRITER: writer},
                    )
                except ClientError as error:
                    if code_of(error) in {"PreconditionFailed", "412"}:
                        return _was_repeated(error) and await self._wrote(name, writer)
                    if code_of(error) not in {"ConditionalRequestConflict", "409"}:
                        raise
                else:
                    check_answer(answer)
                    return True
            # Others write or delete it in this moment, so S3 cannot tell yet; it wants to be asked again.
            await asyncio.sleep(_CONFLICT_S * 2**attempt)
        raise UpstreamFailed("the object store answered ConditionalRequestConflict")

    async def put_stream(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> int:
        """Store in parts, or by one put what is shorter than a part. Raises what `put` and `parts` raise.

        Parts that a dying process leaves are removed by the bucket's lifecycle rule.
        """
        name = self._connection.name(key)
        upload: Upload | None = None
        held, stored = Parts(PART_BYTES), 0
        try:
            async for piece in parts:
                held.add(piece)
                stored += len(piece)
                while part := held.take():
                    if upload is None:
                        upload = await self._bulk.run(lambda there: Upload.begin(there, name, content_type))
                    await self._bulk.run(partial(upload.add, part))
            if upload is None:
                await self.put(key, b"".join(held.rest()), content_type)
            else:
                await self._bulk.run(partial(upload.complete, held.rest()))
        except BaseException:
            if upload:
                await self._bulk.run(upload.abort)
            raise
        return stored

    async def get(self, key: str) -> StoredObject:
        """The object. Raises NotFound, and what `put` raises."""
        name = self._connection.name(key)
        async with self._connection.asking() as client:
            answer = await client.get_object(Bucket=self._connection.bucket, Key=name)
            check_answer(answer)
            async with answer["Body"] as stream:
                return StoredObject(await stream.read(), answer.get("ContentType", "application/octet-stream"))

    async def delete(self, key: str) -> None:
        """Forget the object. Raises what `put` raises."""
        name = self._connection.name(key)
        async with self._connection.asking() as client:
            await client.delete_object(Bucket=self._connection.bucket, Key=name)

    async def delete_all(self, folder: str) -> int:
        """Forget a folder, a page of a thousand keys at a time. Raises what `put` raises."""
        bucket, deleted = self._connection.bucket, 0
        while True:
            async with self._connection.asking() as client:
                page = await client.list_objects_v2(Bucket=bucket, Prefix=f"{self._connection.name(folder)}/")
                names = [{"Key": found["Key"]} for found in page.get("Contents", [])]
                if not names:
                    return deleted
                answer = await client.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
            if failed := answer.get("Errors"):
                raise UpstreamFailed(f"the object store did not delete: {failed[0].get('Code', 'no reason given')}")
            deleted += len(names)

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        """A presigned GET. S3 opens none for longer than seven days."""
        parameters = {"Bucket": self._connection.bucket, "Key": self._connection.name(key)}
        async with self._connection.asking() as client:
            url: str = await client.generate_presigned_url(
                "get_object", Params=parameters, ExpiresIn=max(1, int(expires_in.total_seconds()))
            )
        return url

    async def close(self) -> None:
        """Close the clients and their connections."""
        await self._bulk.close()
        await self._connection.close()

    async def _wrote(self, name: str, writer: str) -> bool:
        """Whether the object there is ours: a put that was repeated may have met what it had stored itself."""
        async with self._connection.asking() as client:
            found = await client.head_object(Bucket=self._connection.bucket, Key=name)
            return bool(found.get("Metadata", {}).get(_WRITER) == writer)


def _was_repeated(error: ClientError) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))
