"""The work on calls that are over: what they came to, and what they teach of who called.

A call becomes due in the transaction that tells of its end, so whoever is there does the work, also when the process
that heard of the end was killed. What rules can find is kept first, within milliseconds, since the same caller may call
again at once; what a model says of the call comes on top when it is there.
"""

import asyncio
import contextlib
from datetime import timedelta

import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import NoCredit, NotFound, ScrizaError, Unavailable
from scriza.kernel.events import Event
from scriza.kernel.principal import Principal, acting
from scriza.modules.memory.book import Findings, Job, MemoryBook
from scriza.modules.memory.findings import by_rules, checked, lesson_of
from scriza.modules.memory.judging import judge
from scriza.modules.memory.telling import told_of
from scriza.ports.llm import Llm
from scriza.ports.memory import RememberedCall
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import PlaybookRef, Strategy

_log = structlog.get_logger()

_SIDE_BY_SIDE = 4
_DEADLINE_S = 60.0
_LEASE = timedelta(seconds=90)
"""Longer than the deadline: nobody else begins while the work may still be under way."""
_LOOK_S = 2.0
"""Between two looks for what other processes have left; what ends here is begun at once."""
_FIRST_PAUSE = timedelta(seconds=5)
_MOST_ATTEMPTS = 6


class PostCall:
    """Works over what is due, a few calls side by side."""

    def __init__(
        self, book: MemoryBook, llm: Llm, strategy: Strategy, *, clock: WallClock = utc_now, lease: timedelta = _LEASE
    ) -> None:
        self._book = book
        self._llm = llm
        self._strategy = strategy
        self._clock = clock
        self._lease = lease
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A call has ended: look now."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. What is under way then is taken up by whoever comes next."""
        room = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                self._woken.clear()
                job = await self._next()
                if job is not None:
                    tasks.create_task(self._work(job)).add_done_callback(lambda _: room.release())
                    continue
                room.release()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._woken.wait()

    async def work(self) -> bool:
        """Work over one call that is due; False when none is."""
        job = await self._next()
        if job is not None:
            await self._work(job)
        return job is not None

    async def _next(self) -> Job | None:
        now = self._clock()
        try:
            return await self._book.take_job(now, now + self._lease)
        except ScrizaError as error:
            _log.warning("memory.work_not_taken", reason=error.detail)
            return None

    async def _work(self, job: Job) -> None:
        """The shell around a job: whatever it raises, it is logged, and done again later."""
        try:
            with acting(Principal(workspace=job.workspace, subject="memory"), call_id=job.call_id):
                async with asyncio.timeout(_DEADLINE_S):
                    await self._work_over(job)
        except (ScrizaError, TimeoutError) as error:
            await self._put_off(job, error)
        except Exception as error:
            _log.exception("memory.work_broke", call_id=job.call_id)
            await self._put_off(job, error)

    async def _work_over(self, job: Job) -> None:
        call = await self._book.call(job.workspace, job.call_id)
        if call is None:
            return
        playbook = await self._playbook_of(call)
        rules = by_rules(call, playbook)
        lesson = lesson_of(call, playbook, rules)
        if playbook is None or lesson is None:
            await self._book.keep(job, rules, lesson, final=True, tell=self._told(job, call, playbook, rules))
        elif await self._book.keep(job, rules, lesson, final=False):
            findings = await self._judged(job, call, playbook, rules)
            tell = self._told(job, call, playbook, findings)
            await self._book.keep(job, findings, lesson_of(call, playbook, findings), final=True, tell=tell)

    def _told(self, job: Job, call: RememberedCall, playbook: Playbook | None, findings: Findings) -> list[Event]:
        return told_of(call, playbook, findings, job.workspace, self._clock())

    async def _judged(self, job: Job, call: RememberedCall, playbook: Playbook, rules: Findings) -> Findings:
        """With what a model says of the call. Raises while it makes sense to ask one again later."""
        try:
            report = await judge(self._llm, call, playbook)
        except ScrizaError as error:
            if not _is_final(error) and job.attempts < _MOST_ATTEMPTS:
                raise
            return rules
        return checked(report, call, playbook, rules)

    async def _playbook_of(self, call: RememberedCall) -> Playbook | None:
        """The version that led the call; none when nothing did, or nobody has it any more."""
        if not call.playbook:
            return None
        try:
            return (await self._strategy.playbook(PlaybookRef(call.playbook))).playbook
        except NotFound:
            _log.warning("memory.playbook_not_found", playbook=call.playbook)
            return None

    async def _put_off(self, job: Job, error: Exception) -> None:
        pause = _FIRST_PAUSE * 2 ** min(job.attempts, _MOST_ATTEMPTS)
        _log.warning("memory.work_put_off", call_id=job.call_id, error=type(error).__name__, next_try_s=pause.seconds)
        with contextlib.suppress(ScrizaError):  # then it is due when the lease ends
            await self._book.put_off(job, self._clock() + pause)


def _is_final(error: ScrizaError) -> bool:
    """No model is configured, or none is paid for, rather than that one is away for a while."""
    return isinstance(error, NoCredit) or (isinstance(error, Unavailable) and error.retry_after is None)
