"""Learns from the log who took a call that we placed, when another process was told."""

import asyncio

import structlog

from scriza.kernel.errors import ScrizaError
from scriza.modules.telephony.call.events import AnsweredBy
from scriza.modules.telephony.call_log import CallLog
from scriza.modules.telephony.live.player import Tell

_EVERY_SECONDS = 2.0
_TIMES = 30
"""A minute: the longest greeting that the carrier waits for is shorter."""
_log = structlog.get_logger()


async def learn_who_answered(log: CallLog, call_id: str, tell: Tell) -> None:
    """Look every two seconds, for a minute, until the log knows who it was."""
    for _ in range(_TIMES):
        await asyncio.sleep(_EVERY_SECONDS)
        try:
            async with asyncio.timeout(_EVERY_SECONDS):
                call = await log.find(call_id)
        except (ScrizaError, TimeoutError) as error:
            _log.info("telephony.answerer_not_read", error=type(error).__name__)
            continue
        if call and call.answered_by:
            tell(AnsweredBy(call.answered_by))
            return
