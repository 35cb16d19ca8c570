"""Several processes that serve one port: each is a `scriza serve` of its own, on the listener that it inherits."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import structlog

from scriza.cli import CANNOT
from scriza.settings import Settings

_log = structlog.get_logger()

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
"""Before a process that has died is replaced, doubled each time it dies again soon."""
_STEADY_AFTER_S = 60.0


async def serve_by_several(settings: Settings, listener: socket.socket) -> bool:
    """Keep `settings.workers` processes serving until SIGINT or SIGTERM, and wait until they have stopped.

    Each signal is passed on to all of them, so that a second one means to each what it means to one alone. One that
    dies is replaced. False when one cannot start, which it has told itself: then the others are stopped as well.
    """
    workers = _Workers(settings, listener.fileno())
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, workers.stop)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(settings.workers):
            tasks.create_task(workers.keep_one())
    return not workers.cannot


class _Workers:
    def __init__(self, settings: Settings, listener: int) -> None:
        self._command = [
            *(sys.executable, "-m", "scriza", "serve", "--fd", str(listener)),
            *("--host", settings.host, "--port", str(settings.port), "--modules", settings.modules),
        ]
        self._listener = listener
        self._alive: set[Process] = set()
        self._stopping = asyncio.Event()
        self.cannot = False

    def stop(self) -> None:
        self._stopping.set()
        for process in self._alive:
            _terminate(process)

    async def keep_one(self) -> None:
        clock, pause, first = asyncio.get_running_loop().time, _FIRST_PAUSE_S, True
        while not self._stopping.is_set():
            began = clock()
            code = await self._one()
            if self._stopping.is_set():
                return
            if first and code == CANNOT:
                self.cannot = True
                self.stop()
                return
            if clock() - began > _STEADY_AFTER_S:
                pause = _FIRST_PAUSE_S
            _log.error("process.died", exit_code=code, restart_in_s=pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause, first = min(2 * pause, _LONGEST_PAUSE_S), False

    async def _one(self) -> int:
        """Run one to its end; returns its exit code.

        It has a session of its own, so that a terminal's Ctrl-C comes from us alone, and stops when its standard input
        ends: then we have been killed.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, pass_fds=(self._listener,), start_new_session=True
        )
        self._alive.add(process)
        try:
            if self._stopping.is_set():
                _terminate(process)
            return await process.wait()
        finally:
            self._alive.discard(process)
            if process.returncode is None:
                _terminate(process)
                await process.wait()


def _terminate(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
