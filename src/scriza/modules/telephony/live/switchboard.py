"""The calls that live in this process."""

import structlog

from scriza.modules.telephony.call.events import CarrierStatus, StreamLost
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.live.session import Doors, Session, SessionOptions
from scriza.modules.telephony.media import MediaSocket
from scriza.ports.telephony import CallStatus

_log = structlog.get_logger()


class Switchboard:
    """Answers media streams, one session each; a call has at most one that lives."""

    def __init__(self, doors: Doors, options: SessionOptions) -> None:
        self._doors, self._options = doors, options
        self._sessions: dict[str, Session] = {}

    async def answer(self, socket: MediaSocket, stream_sid: str, journal: JournaledCall) -> None:
        """Lead the call until this stream is over. A stream of the same call that still lives here lets go of it."""
        session = Session(self._doors, self._options, socket, stream_sid, journal)
        if superseded := self._sessions.get(journal.call_id):
            superseded.tell(StreamLost())
        self._sessions[journal.call_id] = session
        try:
            await session.run()
        except Exception:
            _log.exception("telephony.session_failed", call_id=journal.call_id)
            await socket.close()
        finally:
            if self._sessions.get(journal.call_id) is session:
                del self._sessions[journal.call_id]

    def carrier_says(self, call_id: str, status: CallStatus) -> None:
        """A status callback came; a call that does not live here is fine."""
        if session := self._sessions.get(call_id):
            session.tell(CarrierStatus(status))

    @property
    def live(self) -> int:
        """How many calls are being led."""
        return len(self._sessions)
