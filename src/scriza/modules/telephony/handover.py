"""What the carrier's words about a transfer mean: pure.

A transfer is a `<Dial>`. With a whisper, the person hears who is calling and takes the call by a key; a person who
presses none, and a machine that takes the call, have not taken it, although the carrier says that they answered.
"""

from scriza.modules.telephony.call_log import JournaledCall

TRANSFERRED = "transferred"
GAVE_UP = "caller-hung-up"
"""Reasons of calls that end in a transfer."""
TAKES_IT = "1"
"""The key by which the person takes the call."""

_ANSWERED = frozenset({"completed", "answered"})


def was_reached(call: JournaledCall, dialled: str, bridged: str) -> bool:
    """Whether the caller has talked to the person, by ``DialCallStatus`` and ``DialBridged`` (empty where not told)."""
    if bridged:
        return bridged.lower() == "true"
    return dialled in _ANSWERED and (call.transfer == "reached" or not call.whisper)


def reason_of_end(call: JournaledCall) -> str:
    """Why a call is over of which the carrier has not told how its transfer went; empty when it is in none.

    Nobody tells us who answered a transfer without a whisper, so it is taken as one that was.
    """
    if not call.in_transfer:
        return ""
    return TRANSFERRED if call.transfer == "reached" or not call.whisper else GAVE_UP
