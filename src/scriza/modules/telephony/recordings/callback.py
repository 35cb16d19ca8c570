"""The carrier's word on its recordings, without the HTTP around it.

https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback
"""

import asyncio

import structlog

from scriza.kernel.errors import Unavailable
from scriza.modules.telephony.forms import one, sid
from scriza.modules.telephony.recordings.service import Recordings
from scriza.modules.telephony.signatures import SignatureGate
from scriza.modules.telephony.webhooks import Webhook

PATH = "/recording-callback"

_ANSWER_S = 10.0
_log = structlog.get_logger()


class RecordingCallback:
    """Takes what is told, signed. Being told twice is fine."""

    def __init__(self, gate: SignatureGate, recordings: Recordings) -> None:
        self._gate, self._recordings = gate, recordings

    async def tell(self, webhook: Webhook) -> None:
        """A recording's status has changed. Raises Forbidden, BadInput, and Unavailable, to be told again."""
        form = self._gate.webhook(webhook.target, webhook.content_type, webhook.body, webhook.signature)
        call_id, recording_id, status = sid(form, "CallSid"), sid(form, "RecordingSid"), one(form, "RecordingStatus")
        try:
            async with asyncio.timeout(_ANSWER_S):
                match status:
                    case "completed":
                        await self._recordings.complete_at_carrier(call_id, recording_id)
                    case "absent":
                        await self._recordings.absent_at_carrier(call_id)
                    case _:
                        _log.info("recording.status_ignored", call_id=call_id, status=status[:40])
        except TimeoutError as error:
            raise Unavailable("the recording could not be noted in time") from error
