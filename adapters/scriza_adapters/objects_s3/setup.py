"""A bucket as Scriza needs it: made where it is missing, with lifecycle rules, and tried out.

Everything here can be done again: what is there already is left as it is, other people's rules among it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from botocore.exceptions import ClientError

from scriza.kernel.errors import NotFound, ScrizaError, Unavailable
from scriza_adapters.object_setup import Lifetimes, Step
from scriza_adapters.objects_s3.connection import Connection
from scriza_adapters.objects_s3.errors import code_of, status_of
from scriza_adapters.objects_s3.store import S3Objects

Rule = Mapping[str, Any]

_ABORT_DAYS = 1
_HOME_REGION = "us-east-1"
"""The one region that S3 does not want to be told when a bucket is made."""
_NO_RULES = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_BAD_RULE = frozenset({"MalformedXML", "InvalidArgument", "InvalidRequest"}) | _NO_RULES
_HERE_FOR = timedelta(minutes=5)
_FETCH_S = 10.0


async def prepare(store: S3Objects, lifetimes: Lifetimes) -> AsyncIterator[Step]:
    """Set the bucket up and try it out; what comes is what was done or found, step by step, until one that is bad."""
    connection = store.connection
    acts: list[Callable[[], Awaitable[Step]]] = [
        lambda: _bucket(connection),
        lambda: _lifecycle(connection, lifetimes),
        lambda: _round_trip(store),
        lambda: _signed(store),
        lambda: _conditional(store),
        lambda: _missing(store),
    ]
    for act in acts:
        try:
            step = await act()
        except ScrizaError as error:
            step = Step("bad", error.detail)
        yield step
        if step.verdict == "bad":
            return


async def _bucket(connection: Connection) -> Step:
    async with connection.asking() as client:
        try:
            await client.head_bucket(Bucket=connection.bucket)
        except ClientError as error:
            match status_of(error):
                case 404:
                    pass
                case 301 | 400:
                    region = _headers(error).get("x-amz-bucket-region", "another one")
                    return Step("bad", f"the bucket is in region {region}: set ?region={region} in SCRIZA_OBJECTS_URL")
                case 403:
                    return Step("bad", "the bucket is not open to these credentials: they need s3:ListBucket on it")
                case _:
                    raise
        else:
            return Step("ok", f"the bucket {connection.bucket} is there")
        return await _make_bucket(client, connection.bucket)


async def _make_bucket(client: Any, bucket: str) -> Step:
    region = client.meta.region_name
    where = {} if region in {None, _HOME_REGION, "aws-global"} else {"LocationConstraint": region}
    try:
        await client.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
    except ClientError as error:
        match code_of(error):
            case "BucketAlreadyOwnedByYou":
                return Step("ok", f"the bucket {bucket} is there")
            case "BucketAlreadyExists":
                return Step("bad", f"the name {bucket} is taken by somebody else's bucket: choose another one")
            case "AccessDenied" | "403":
                return Step("bad", f"there is no bucket {bucket}, and these credentials lack s3:CreateBucket")
            case _:
                raise
    return Step("ok", f"made the bucket {bucket}")


async def _lifecycle(connection: Connection, lifetimes: Lifetimes) -> Step:
    expiring, aborting = _expiring(connection, lifetimes), _aborting(connection)
    async with connection.asking() as client:
        try:
            there = await _rules(client, connection.bucket)
        except ClientError as error:
            if code_of(error) in _NO_RULES:
                return Step("note", "this server has no lifecycle rules: clips and unfinished uploads stay for good")
            if status_of(error) == 403:
                return Step("bad", "the credentials lack s3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration")
            raise
        ours = _name(connection, "")
        others = [rule for rule in there if not str(rule.get("ID", "")).startswith(ours)]
        wanted = [*others, *expiring, aborting]
        said = _said(lifetimes)
        if _same(there, wanted) or _same(there, [*others, *expiring]):
            return Step("ok", f"lifecycle: {said} (as before)")
        try:
            await _set_rules(client, connection.bucket, wanted)
        except ClientError as error:
            if status_of(error) == 403:
                return Step("bad", "the credentials lack s3:PutLifecycleConfiguration")
            if code_of(error) not in _BAD_RULE:
                raise
        else:
            return Step("ok", f"lifecycle: {said}, unfinished uploads are removed after a day")
        # MinIO has no rule for unfinished uploads; it removes them by itself.
        if expiring or others:
            await _set_rules(client, connection.bucket, [*others, *expiring])
        return Step("note", f"lifecycle: {said}; this server takes no rule that removes unfinished uploads")


async def _rules(client: Any, bucket: str) -> list[Rule]:
    try:
        return list((await client.get_bucket_lifecycle_configuration(Bucket=bucket)).get("Rules", []))
    except ClientError as error:
        if code_of(error) == "NoSuchLifecycleConfiguration":
            return []
        raise


async def _set_rules(client: Any, bucket: str, rules: list[Rule]) -> None:
    await client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _expiring(connection: Connection, lifetimes: Lifetimes) -> list[Rule]:
    kept = {"tts-cache": lifetimes.clips, "recordings": lifetimes.recordings}
    return [
        {
            "ID": _name(connection, folder),
            "Status": "Enabled",
            "Filter": {"Prefix": f"{connection.prefix}{folder}/"},
            "Expiration": {"Days": days},
        }
        for folder, days in kept.items()
        if days
    ]


def _aborting(connection: Connection) -> Rule:
    return {
        "ID": _name(connection, "unfinished"),
        "Status": "Enabled",
        "Filter": {"Prefix": connection.prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_DAYS},
    }


def _name(connection: Connection, of: str) -> str:
    """A rule's name. Several Scrizas may share a bucket, each under its prefix."""
    return f"scriza:{connection.prefix}:{of}"


def _same(there: list[Rule], wanted: list[Rule]) -> bool:
    def by_name(rules: list[Rule]) -> dict[str, tuple[object, ...]]:
        return {
            str(rule.get("ID")): (
                rule.get("Status"),
                rule.get("Filter"),
                rule.get("Expiration"),
                rule.get("AbortIncompleteMultipartUpload"),
            )
            for rule in rules
        }

    return len(there) == len(wanted) and by_name(there) == by_name(wanted)


def _said(lifetimes: Lifetimes) -> str:
    def kept(days: int) -> str:
        return f"{days} days" if days else "for good"

    return f"clips are kept {kept(lifetimes.clips)}, recordings {kept(lifetimes.recordings)}"


def _headers(error: ClientError) -> Mapping[str, str]:
    headers: Mapping[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


async def _round_trip(store: S3Objects) -> Step:
    key, body = _trial(), uuid4().bytes
    await store.put(key, body, "text/plain")
    same = (await store.get(key)).body == body
    await store.delete(key)
    return Step("ok", "put, get and delete work") if same else Step("bad", "an object came back changed")


async def _signed(store: S3Objects) -> Step:
    key, body = _trial(), uuid4().bytes
    await store.put(key, body, "text/plain")
    url = await store.signed_url(key, _HERE_FOR)
    try:
        async with httpx.AsyncClient(timeout=_FETCH_S) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        return Step("bad", f"a signed URL does not open: {type(error).__name__}")
    finally:
        await store.delete(key)
    if answer.content == body:
        return Step("ok", "a signed URL opens without credentials")
    return Step("bad", f"a signed URL is answered with {answer.status_code}")


async def _conditional(store: S3Objects) -> Step:
    key = _trial()
    try:
        await store.put_new(key, b"first", "text/plain")
        if not await store.put_new(key, b"second", "text/plain"):
            return Step("ok", "conditional put works")
    finally:
        await store.delete(key)
    return Step("note", "this server ignores If-None-Match: of two processes that write a new object, both do")


async def _missing(store: S3Objects) -> Step:
    try:
        await store.get(_trial())
    except NotFound:
        return Step("ok", "what is missing is told as missing")
    except Unavailable:
        # Without the right to list a bucket S3 does not tell that an object is missing.
        return Step("bad", "what is missing is answered as forbidden: the credentials lack s3:ListBucket")
    return Step("bad", "an object that was never stored was found")


def _trial() -> str:
    return f"trial/{uuid4().hex}"
