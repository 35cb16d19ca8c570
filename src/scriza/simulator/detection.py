"""Who answers a placed call, and when the carrier knows: answering machine detection, as Twilio tells of it.

https://www.twilio.com/docs/voice/answering-machine-detection. With `Enable` a machine is told of while it still talks,
with `DetectMessageEnd` when its greeting is over.
"""

import asyncio

from scriza.simulator.callbacks import Plan
from scriza.simulator.scenario import Answer

_PERSON_MS = 2_000
_MACHINE_MS = 4_000


async def who_answered(plan: Plan, answer: Answer, beeped: asyncio.Event) -> str:
    """Twilio's word for it, when it would be known; `beeped` is set when the callee's machine has."""
    is_machine = answer.by.startswith("machine")
    if is_machine and plan.detection == "Enable":
        await asyncio.sleep((_MACHINE_MS if answer.known_after_ms is None else answer.known_after_ms) / 1000)
        return "machine_start"
    if answer.known_after_ms is not None:
        await asyncio.sleep(answer.known_after_ms / 1000)
    elif is_machine:
        await beeped.wait()
    else:
        await asyncio.sleep(_PERSON_MS / 1000)
    return answer.by
