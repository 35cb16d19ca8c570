"""The calls that live in this process."""

import asyncio
from contextlib import suppress

from scriza.modules.telephony.call.events import CarrierStatus, StreamLost
from scriza.modules.telephony.call_log import TERMINAL, JournaledCall
from scriza.modules.telephony.live.session import Doors, Session, SessionOptions
from scriza.modules.telephony.media import MediaSocket, Start
from scriza.ports.telephony import CallStatus

_ENDING_SECONDS = 3.0


class Switchboard:
    """Answers media streams, one session each; a call has at most one that lives."""

    def __init__(self, doors: Doors, options: SessionOptions, *, most_calls: int) -> None:
        self._doors, self._options, self._most_calls = doors, options, most_calls
        self._sessions: dict[str, Session] = {}

    def accepts(self) -> bool:
        """Whether one more call can be taken now."""
        return len(self._sessions) < self._most_calls

    async def answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        """Lead the call until this stream is over. A stream of the same call that still lives here lets go of it.

        Raises what the session raises; the call can then be gone on with on a new stream.
        """
        session = Session(self._doors, self._options, socket, start.stream_sid, call)
        if superseded := self._sessions.get(call.call_id):
            superseded.tell(StreamLost())
        self._sessions[call.call_id] = session
        try:
            await session.run()
        finally:
            if self._sessions.get(call.call_id) is session:
                del self._sessions[call.call_id]

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

    @property
    def live(self) -> int:
        """How many calls are being led."""
        return len(self._sessions)
