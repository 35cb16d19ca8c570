"""The calls that live in this process."""

import asyncio
from contextlib import suppress

from scriza.kernel.errors import Conflict, ScrizaError, Unavailable
from scriza.modules.telephony.call.events import AnsweredBy, CarrierStatus, StopAsked, StreamLost
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.live.session import Doors, Session, SessionOptions
from scriza.modules.telephony.media import MediaSocket, Start
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import TERMINAL, CallStatus

_ENDING_SECONDS = 3.0
_STREAM_SECONDS = 60.0
"""So long a place is kept for a call whose stream has not come; its token is good no longer."""
_DRAIN_POLL_SECONDS = 0.1


class Switchboard:
    """Answers media streams, one session each; a call has at most one that lives."""

    def __init__(self, doors: Doors, options: SessionOptions, *, most_calls: int) -> None:
        self._doors, self._options, self._most_calls = doors, options, most_calls
        self._sessions: dict[str, Session] = {}
        self._awaited: dict[str, float] = {}
        """Until when a place is kept for which call, by the loop's clock."""
        self._draining = False

    def accepts(self, call_id: str) -> bool:
        """Whether this call can be taken now; a place is then kept until its stream comes, or does not."""
        now = asyncio.get_running_loop().time()
        self._awaited = {call: until for call, until in self._awaited.items() if until > now and call != call_id}
        if self._draining or len(self._sessions) + len(self._awaited) >= self._most_calls:
            return False
        self._awaited[call_id] = now + _STREAM_SECONDS
        return True

    async def answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        """Lead the call until this stream is over. A stream of the same call that still lives here lets go of it.

        Raises what the session raises, Conflict when the call has ended with the stream before, and Unavailable when
        this process stops; the call can then be gone on with on a new stream.
        """
        while superseded := self._sessions.get(call.call_id):
            call = await self._take_over(superseded, call)
        if self._draining:
            raise Unavailable("this process stops")
        if call.ended_reason:
            raise Conflict("the call has ended")
        session = Session(self._doors, self._options, socket, start.stream_sid, call)
        self._sessions[call.call_id] = session
        self._awaited.pop(call.call_id, None)
        try:
            await session.run()
        finally:
            if self._sessions.get(call.call_id) is session:
                del self._sessions[call.call_id]

    async def _take_over(self, superseded: Session, call: JournaledCall) -> JournaledCall:
        """Have the stream before let go; returns the call with all that came of it, as far as it is kept in time."""
        superseded.tell(StreamLost())
        with suppress(TimeoutError, ScrizaError):
            async with asyncio.timeout(_ENDING_SECONDS):
                await superseded.finished.wait()
                call = await self._doors.log.find(call.call_id) or call
        if self._sessions.get(call.call_id) is superseded:
            del self._sessions[call.call_id]
        return call

    async def carrier_says(self, call_id: str, status: CallStatus) -> None:
        """A status callback came. Returns when a call that it ends has ended by its own account, or is taking too long.

        A call that does not live here is fine.
        """
        session = self._sessions.get(call_id)
        if session is None:
            return
        session.tell(CarrierStatus(status))
        if status in TERMINAL:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_SECONDS):
                    await session.finished.wait()

    def answered(self, call_id: str, by: Answerer) -> None:
        """Somebody, or something, took a call that we placed. A call that does not live here is fine."""
        if session := self._sessions.get(call_id):
            session.tell(AnsweredBy(by))

    def stop_all(self) -> int:
        """Have every call say goodbye and end; returns how many there are. Doing it again is fine."""
        for session in list(self._sessions.values()):
            session.tell(StopAsked())
        return len(self._sessions)

    async def drain(self, seconds: float) -> None:
        """Take no new call, and return when none is left; streams that are still there after `seconds` are let go.

        The carrier then asks how those calls go on, and another process takes them up.
        """
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._sessions:  # noqa: ASYNC110 # sessions come and go meanwhile
                    await asyncio.sleep(_DRAIN_POLL_SECONDS)
        left = list(self._sessions.values())
        for session in left:
            session.tell(StreamLost())
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                for session in left:
                    await session.finished.wait()

    async def takes_calls(self) -> None:
        """Raises Unavailable when this process stops."""
        if self._draining:
            raise Unavailable("this process stops")

    @property
    def live(self) -> int:
        """How many calls are being led."""
        return len(self._sessions)
