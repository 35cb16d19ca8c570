"""What the carrier is asked for when it is the one who records."""

import asyncio

from scriza.kernel.errors import DeadlineExceeded
from scriza.ports.carrier import Carrier

_ASK_S = 10.0
_FETCH_S = 120.0
_COMPLETED = "completed"


class RecordingsAtCarrier:
    """Has calls recorded, with a channel for each leg. `callback_url` is where the carrier tells how that went."""

    def __init__(self, carrier: Carrier, callback_url: str) -> None:
        self._carrier, self._callback_url = carrier, callback_url

    async def begin(self, call_id: str, *, first: bool) -> None:
        """Have the call recorded, once. Not `first`: somebody has asked already, or was killed before they could.

        Raises what Carrier raises.
        """
        if first:
            try:
                await self._ask(call_id)
            except DeadlineExceeded:
                pass  # it may be recording all the same
            else:
                return
        async with asyncio.timeout(_ASK_S):
            recordings = await self._carrier.recordings(call_id)
        if not recordings:
            await self._ask(call_id)

    async def find(self, call_id: str) -> str:
        """The id of the call's complete recording; empty when there is none yet. Raises what Carrier raises."""
        async with asyncio.timeout(_ASK_S):
            recordings = await self._carrier.recordings(call_id)
        complete = (recording.recording_id for recording in recordings if recording.status == _COMPLETED)
        return next(complete, "")

    async def fetch(self, recording_id: str) -> bytes:
        """The recording as WAV. Raises NotFound, and what Carrier raises."""
        async with asyncio.timeout(_FETCH_S):
            return await self._carrier.recording(recording_id)

    async def delete(self, recording_id: str) -> None:
        """Have the carrier forget it. Raises what Carrier raises."""
        async with asyncio.timeout(_ASK_S):
            await self._carrier.delete_recording(recording_id)

    async def delete_all(self, call_id: str) -> None:
        """Have the carrier forget all that it has recorded of a call. Raises what Carrier raises."""
        async with asyncio.timeout(_ASK_S):
            recordings = await self._carrier.recordings(call_id)
        for recording in recordings:
            await self.delete(recording.recording_id)

    async def _ask(self, call_id: str) -> None:
        try:
            async with asyncio.timeout(_ASK_S):
                await self._carrier.start_recording(call_id, status_url=self._callback_url)
        except TimeoutError as error:
            raise DeadlineExceeded("the carrier does not answer") from error
