"""What a process does between being asked to stop, by a signal, and stopping."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def before_stopping(work: Callable[[], Coroutine[None, None, None]]) -> Iterator[None]:
    """Inside, a signal to stop begins `work`, and reaches whom it was meant for when that is done.

    A second signal waits for nothing. To be entered in the main thread's running loop, once the server handles signals.
    """
    loop = asyncio.get_running_loop()
    meant_for = {sign: signal.getsignal(sign) for sign in _SIGNALS}
    working: asyncio.Task[None] | None = None

    def begin(sign: signal.Signals) -> None:
        nonlocal working
        if working is None:
            working = loop.create_task(work())
            working.add_done_callback(lambda _: pass_on(sign))
        elif not working.cancel():
            pass_on(sign)

    def pass_on(sign: signal.Signals) -> None:
        handler = meant_for[sign]
        if callable(handler):
            handler(sign, None)

    def handle(number: int, frame: FrameType | None) -> None:
        # Between any two instructions of the loop's thread, so the loop is told as another thread would tell it.
        loop.call_soon_threadsafe(begin, signal.Signals(number))

    for sign in _SIGNALS:
        signal.signal(sign, handle)
    try:
        yield
    finally:
        for sign, handler in meant_for.items():
            signal.signal(sign, handler)
        if working is not None:
            working.cancel()
