"""Whether there is credit for a turn."""

import re

import structlog

from scriza.kernel.errors import NoCredit
from scriza.kernel.principal import current
from scriza.ports.credit import Check, CreditCheck, in_time

_CALL = re.compile(r"CA[0-9a-f]{32}")

_log = structlog.get_logger()


async def demand_credit(check: Check, conversation_id: str) -> None:
    """Raises NoCredit when there is none left for who asks. What is held for a call is there for its turns.

    When it cannot be told in time, the turn goes on: somebody may be on the line.
    """
    call_id = current().call_id or (conversation_id if _CALL.fullmatch(conversation_id) else "")
    answer = await in_time(check, CreditCheck(call_id=call_id))
    if answer is None:
        _log.warning("credit.unknown", asked="for a turn")
    elif not answer.allowed:
        raise NoCredit("the workspace has used up its credit")
