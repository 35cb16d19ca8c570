"""An object that is stored part by part.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from collections.abc import Sequence

import structlog

from scriza.kernel.errors import ScrizaError
from scriza_adapters.objects_s3.connection import Connection

_PART_S = 60.0
_ABORT_S = 5.0
_log = structlog.get_logger()


class Upload:
    """One upload, begun; it ends by `complete` or by `abort`, and the object is there only after the first.

    All methods take the connection by which they ask: they belong to its event loop.
    """

    def __init__(self, name: str, upload_id: str) -> None:
        self._name, self._id = name, upload_id
        self._tags: list[str] = []

    @classmethod
    async def begin(cls, connection: Connection, name: str, content_type: str) -> "Upload":
        """Tell S3 that parts of this object will come."""
        async with connection.asking() as client:
            begun = await client.create_multipart_upload(Bucket=connection.bucket, Key=name, ContentType=content_type)
            return cls(name, begun["UploadId"])

    async def add(self, pieces: Sequence[memoryview], connection: Connection) -> None:
        """Store the next part: 5 MB or more, unless it is the last one."""
        async with connection.asking(_PART_S) as client:
            answer = await client.upload_part(
                Bucket=connection.bucket,
                Key=self._name,
                UploadId=self._id,
                PartNumber=len(self._tags) + 1,
                Body=b"".join(pieces),
            )
            self._tags.append(answer["ETag"])

    async def complete(self, rest: Sequence[memoryview], connection: Connection) -> None:
        """Put the parts together, with what is left as the last one: from now on the object is there."""
        if rest:
            await self.add(rest, connection)
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(self._tags, 1)]
        async with connection.asking(_PART_S) as client:
            await client.complete_multipart_upload(
                Bucket=connection.bucket,
                Key=self._name,
                UploadId=self._id,
                MultipartUpload={"Parts": parts},
            )

    async def abort(self, connection: Connection) -> None:
        """Have S3 forget the parts. When that fails, the bucket's lifecycle rule does it a day later."""
        try:
            async with connection.asking(_ABORT_S) as client:
                await client.abort_multipart_upload(Bucket=connection.bucket, Key=self._name, UploadId=self._id)
        except ScrizaError as error:
            _log.warning("objects.upload_not_aborted", error=error.slug)
