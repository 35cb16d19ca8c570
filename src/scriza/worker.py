"""A child process behind framed pipes, for engines that hold the interpreter's lock or cannot be trusted to return.

One request is served at a time, in the order of asking. A request that is cancelled or runs out of time is told to
stop, and the child is killed when it does not; a child that died is started again, with a growing pause when it dies
again and again. `scriza.worker_child` is the other side.
"""

import asyncio
import contextlib
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from typing import TypeVar

import msgspec
import structlog
from typing_extensions import TypeForm

from scriza.kernel.errors import DeadlineExceeded, Problem, ScrizaError, Unavailable, UpstreamFailed
from scriza.worker_child import HEAD, LARGEST, Kind, frame

T = TypeVar("T")

_log = structlog.get_logger()

_AHEAD = 256
"""Replies of one stream that may wait for whoever asked."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a child that has just died is started again, doubled each time it dies without a reply."""


class Worker:
    """Runs ``entry`` (``"package.module:function"``, see `worker_child.Entry`) in a child process.

    `settings` is given to the entry as msgpack. `waiting` bounds how many requests may wait behind the one that is
    served. `start_deadline` and `grace` are seconds: for the entry to load, and for a cancelled request to stop before
    the child is killed. Nothing runs before the first request or `start`. Belongs to one event loop.
    """

    def __init__(
        self,
        entry: str,
        settings: msgspec.Struct | None = None,
        *,
        name: str,
        start_deadline: float = 20.0,
        grace: float = 0.5,
        waiting: int = 32,
    ) -> None:
        self._entry = entry
        self._settings = b"" if settings is None else msgspec.msgpack.encode(settings)
        self._name = name
        self._start_deadline = start_deadline
        self._grace = grace
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(waiting)
        self._driver: asyncio.Task[None] | None = None
        self._child: _Child | None = None
        self._deaths = 0
        self._closed = False

    async def start(self) -> None:
        """Start the child now and wait for its entry to have loaded.

        Raises what the entry raised, Unavailable when it did not load in time.
        """
        job = self._submit(None, self._start_deadline + self._grace)
        try:
            await self._take(job)
        finally:
            job.abandon()

    async def call(self, request: msgspec.Struct, reply_type: TypeForm[T], *, deadline: float) -> T:
        """The one reply to `request`; `deadline` in seconds, waiting for others included.

        Raises DeadlineExceeded, UpstreamFailed when the child died or answered with something else, Unavailable when
        too many are waiting, the child cannot start or the worker is closed, and what the handler raised.
        """
        async with contextlib.aclosing(self.stream(request, reply_type, deadline=deadline)) as stream:
            replies = [reply async for reply in stream]
        if len(replies) != 1:
            raise UpstreamFailed(f"{self._name} gave {len(replies)} answers")
        return replies[0]

    async def stream(
        self, request: msgspec.Struct, item_type: TypeForm[T], *, deadline: float
    ) -> AsyncGenerator[T, None]:
        """The replies to `request` as they are made; all must be made within `deadline` seconds from now.

        Closing the iterator cancels the request. Raises as `call`.
        """
        decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(item_type)
        job = self._submit(msgspec.msgpack.encode(request), deadline)
        try:
            while (reply := await self._take(job)) is not None:
                try:
                    item = decoder.decode(reply)
                except msgspec.MsgspecError as error:
                    raise UpstreamFailed(f"{self._name} answered with something else") from error
                yield item
        finally:
            job.abandon()

    async def close(self) -> None:
        """End the child and fail every request that is still waiting."""
        self._closed = True
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
        while not self._jobs.empty():
            self._jobs.get_nowait().end(Unavailable(f"{self._name} is closed"))

    def _submit(self, request: bytes | None, deadline: float) -> "_Job":
        if self._closed:
            raise Unavailable(f"{self._name} is closed")
        job = _Job(request, asyncio.get_running_loop().time() + deadline)
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            raise Unavailable(f"{self._name} has too much to do", retry_after=1) from None
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive(), name=f"worker {self._name}")
        return job

    async def _take(self, job: "_Job") -> bytes | None:
        try:
            async with asyncio.timeout_at(job.deadline):
                return await job.take()
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} took too long") from None

    async def _drive(self) -> None:
        try:
            while True:
                job = await self._jobs.get()
                if job.abandoned:
                    continue
                try:
                    await self._serve(job)
                except ScrizaError as error:
                    job.end(error)
                except BaseException:
                    job.end(Unavailable(f"{self._name} is closed"))
                    raise
        finally:
            if self._child is not None:
                await self._child.end(self._grace)

    async def _serve(self, job: "_Job") -> None:
        child = await self._running()
        if job.request is None:
            job.end()
            return
        try:
            async with asyncio.timeout_at(job.deadline) as job.scope:
                if job.abandoned:
                    return
                await child.send(Kind.REQUEST, job.request)
                while (reply := await child.reply()) is not None:
                    await job.put(reply)
            self._deaths = 0
            job.end()
        except ScrizaError:
            self._deaths = 0
            raise
        except TimeoutError:
            await self._settle(child)
            raise DeadlineExceeded(f"{self._name} took too long") from None
        except (EOFError, OSError):
            await self._bury(child, "worker.died")
            raise UpstreamFailed(f"{self._name} died") from None
        finally:
            job.scope = None

    async def _settle(self, child: "_Child") -> None:
        """Leave the request that is being served: it stops within the grace time, or the child is killed."""
        try:
            async with asyncio.timeout(self._grace):
                await child.send(Kind.CANCEL)
                while await child.reply() is not None:
                    pass
        except (TimeoutError, EOFError, OSError):
            await self._bury(child, "worker.killed")
        except ScrizaError:
            pass  # it stopped, by failing

    async def _bury(self, child: "_Child", event: str) -> None:
        self._child = None
        self._deaths += 1
        await child.end(0)
        _log.warning(event, worker=self._name, exit_code=child.process.returncode, deaths=self._deaths)

    async def _running(self) -> "_Child":
        if self._child is not None:
            if self._child.process.returncode is None:
                return self._child
            await self._bury(self._child, "worker.died")
        if self._deaths:
            await asyncio.sleep(min(_FIRST_PAUSE * 2 ** min(self._deaths - 1, 10), _LONGEST_PAUSE))
        began = time.monotonic()
        try:
            child = self._child = await _Child.spawn(self._entry)
        except OSError as error:  # the machine has no process, memory or file descriptor left
            self._deaths += 1
            _log.warning("worker.not_started", worker=self._name, error=type(error).__name__, deaths=self._deaths)
            raise Unavailable(f"{self._name} does not start") from error
        try:
            async with asyncio.timeout(self._start_deadline):
                await child.send(Kind.SETTINGS, self._settings)
                await child.ready()
        except (TimeoutError, EOFError, OSError) as error:
            await self._bury(child, "worker.not_started")
            raise Unavailable(f"{self._name} does not start") from error
        except ScrizaError:
            await self._bury(child, "worker.not_started")
            raise
        took = round((time.monotonic() - began) * 1000)
        _log.info("worker.started", worker=self._name, pid=child.process.pid, start_ms=took)
        return child


class _Job:
    """One request and its replies, between whoever asked and the worker's driver."""

    def __init__(self, request: bytes | None, deadline: float) -> None:
        self.request = request
        self.deadline = deadline
        self.abandoned = False
        self.scope: asyncio.Timeout | None = None
        self._replies: asyncio.Queue[bytes | ScrizaError | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)

    async def put(self, reply: bytes) -> None:
        await self._room.acquire()
        self._replies.put_nowait(reply)

    def end(self, error: ScrizaError | None = None) -> None:
        self._replies.put_nowait(error)

    async def take(self) -> bytes | None:
        """The next reply; none when that was all."""
        reply = await self._replies.get()
        if isinstance(reply, ScrizaError):
            raise reply
        self._room.release()
        return reply

    def abandon(self) -> None:
        """Nobody waits any more: its time is up now. Without effect when it has been served."""
        self.abandoned = True
        if self.scope is not None and not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


class _Child:
    """One incarnation of the process. Reading can be interrupted anywhere and taken up again."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._to, self._from = process.stdin, process.stdout
        self._head: tuple[int, int] | None = None

    @staticmethod
    async def spawn(entry: str) -> "_Child":
        # The child finds the modules that this process finds; a session of its own keeps the terminal's Ctrl-C away,
        # so that it is still there while the parent shuts down in order.
        path = os.pathsep.join(place for place in sys.path if place)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "scriza.worker_child", entry, str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        return _Child(process)

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        self._to.write(frame(kind, body))
        await self._to.drain()

    async def ready(self) -> None:
        """Raises what the entry raised."""
        kind, _ = await self._receive()
        if kind != Kind.READY:
            raise EOFError("out of step")

    async def reply(self) -> bytes | None:
        """The next reply to the request that was sent; none when that was all. Raises what the handler raised."""
        kind, body = await self._receive()
        if kind not in (Kind.REPLY, Kind.DONE):
            raise EOFError("out of step")
        return body if kind == Kind.REPLY else None

    async def end(self, grace: float) -> None:
        """Close its input, which makes it end; kill it when it does not within `grace` seconds."""
        self._to.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.process.wait()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def _receive(self) -> tuple[int, bytes]:
        if self._head is None:
            kind, size = HEAD.unpack(await self._from.readexactly(HEAD.size))
            if size > LARGEST:
                raise EOFError("out of step")
            self._head = kind, size
        kind, size = self._head
        body = await self._from.readexactly(size)
        self._head = None
        if kind == Kind.PROBLEM:
            raise ScrizaError.from_problem(msgspec.msgpack.decode(body, type=Problem))
        return kind, body
