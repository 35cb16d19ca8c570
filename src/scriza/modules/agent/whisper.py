"""What a person hears of the caller before the two are connected. Pure."""

from scriza.modules.agent.texts import as_far_as_known
from scriza.ports.playbook import Playbook

_WHISPERED = 200
"""Characters of the caller's last words that the person is told."""


def whisper(playbook: Playbook, slots: dict[str, str], utterance: str) -> str:
    """Who is calling and what they said last; empty when the playbook has no words for it."""
    if not playbook.transfer.whisper:
        return ""
    known = [f"{name.replace('_', ' ')}: {value}." for name, value in sorted(slots.items())]
    said = [f"They said: {utterance[:_WHISPERED].strip('. ')}."] if utterance else []
    return " ".join([as_far_as_known(playbook.transfer.whisper, slots), *known, *said])
