"""What to do about a conflict. It names no side, so that it reads the same from both."""

from typing import Literal, NamedTuple

from scriza.ports.playbook_changes import Choice


class Advice(NamedTuple):
    """In words, and as a choice; an empty one is for a person to make."""

    text: str
    take: Choice | Literal[""] = ""


def advice(kind: str, ours: object, theirs: object, *, line: bool = False, renamed_to: str = "") -> Advice:
    """The advice for a conflict of this kind; `line` is one of several ways to say the same."""
    if kind == "delete_edit":
        if renamed_to:
            return Advice(f"It seems to be called {renamed_to!r} on the side that deleted it: make the edit there.")
        return Advice("Keep the edit: deleting it once more is easy, and an edit that is dropped is lost.", "union")
    if kind == "order":
        return Advice("Both moved the same items. Take one order, and move the rest by hand.")
    if isinstance(ours, str) and isinstance(theirs, str):
        if line:
            return Advice("Keep both: they can stand side by side, as two ways to say it.", "union")
        if ours in theirs or theirs in ours:
            return Advice("Take the longer one, which has all of the other.", "theirs" if ours in theirs else "ours")
        if kind == "text":
            return Advice("Both reworded the same sentences: write one text of the two.")
    return Advice("Only one of the two can stand.")
