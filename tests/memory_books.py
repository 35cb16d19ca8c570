"""The books of placing in memory, for tests; held to the same contract as those in the store."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec

from scriza.kernel.errors import Conflict
from scriza.kernel.pseudonym import NameOf, pseudonym
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.callbacks import Callback
from scriza.modules.telephony.placing.intents import CallWish, Intent
from scriza.ports.call_desk import BarredNumber, PhoneNumber, Switch

name_of: NameOf = partial(pseudonym, "key")
"""The pseudonyms of these books."""


class MemoryIntentBook:
    """Implements IntentBook, in one process."""

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}

    async def record(self, intent: Intent, admit: Callable[[Standing], None]) -> Intent:
        if intent.intent_id not in self.intents:
            if isinstance(intent.wish, CallWish):
                admit(self._standing(intent))
            self.intents[intent.intent_id] = intent
        return self.intents[intent.intent_id]

    def _standing(self, intent: Intent) -> Standing:
        calls = [
            known
            for known in self.intents.values()
            if known.workspace == intent.workspace and isinstance(known.wish, CallWish)
        ]
        live = [known for known in calls if not known.over and known.open_until > intent.recorded_at]
        return Standing(
            open_calls=len(live),
            calling=any(known.to == intent.to for known in live),
            spent_micro_usd=sum(
                known.cost_micro_usd for known in calls if known.recorded_at.date() == intent.recorded_at.date()
            ),
        )

    async def change(self, old: Intent, new: Intent) -> bool:
        if self.intents[old.intent_id].version != old.version:
            return False
        self.intents[old.intent_id] = new
        return True

    async def find(self, intent_id: str) -> Intent | None:
        return self.intents.get(intent_id)

    async def of(self, workspace: str, who: str, before: datetime) -> list[Intent]:
        known = [each for each in self.intents.values() if each.workspace == workspace and each.recorded_at <= before]
        return [each for each in known if each.to and name_of(workspace, each.to) == who]

    async def owned(self, carrier_ids: list[str]) -> set[str]:
        return {intent.carrier_id for intent in self.intents.values()} & set(carrier_ids)

    async def due(self, now: datetime, limit: int) -> list[Intent]:
        found = [intent for intent in self.intents.values() if not intent.settled and intent.due_at <= now]
        return sorted(found, key=lambda intent: intent.due_at)[:limit]


class MemoryNumberBook:
    """Implements NumberBook."""

    def __init__(self) -> None:
        self._numbers: dict[str, tuple[str, PhoneNumber]] = {}

    async def put(self, workspace: str, number: PhoneNumber) -> None:
        known = self._numbers.get(number.number)
        if known is not None and known[0] != workspace:
            raise Conflict("the number is another workspace's", reason="number-of-others")
        self._numbers[number.number] = (workspace, number)

    async def find(self, number: str) -> tuple[str, PhoneNumber] | None:
        return self._numbers.get(number)

    async def of(self, workspace: str) -> list[PhoneNumber]:
        return [number for _, (owner, number) in sorted(self._numbers.items()) if owner == workspace]

    async def forget(self, workspace: str, number: str) -> None:
        if number in self._numbers and self._numbers[number][0] == workspace:
            del self._numbers[number]


class MemoryBarredBook:
    """Implements BarredBook."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], BarredNumber] = {}

    async def put(self, workspace: str, entry: BarredNumber) -> BarredNumber:
        key = self._key(workspace, entry.number)
        kept = entry if key[1] == entry.number else msgspec.structs.replace(entry, number=key[1], note="")
        known = self._entries.setdefault(key, kept)
        if entry.source == "team" != known.source:
            known = self._entries[key] = kept
        return msgspec.structs.replace(known, number=entry.number)

    def _key(self, workspace: str, number: str) -> tuple[str, str]:
        erased = (workspace, name_of(workspace, number))
        return erased if erased in self._entries else (workspace, number)

    async def find(self, workspace: str, number: str) -> BarredNumber | None:
        found = self._entries.get(self._key(workspace, number))
        return found and msgspec.structs.replace(found, number=number)

    async def page(self, workspace: str, limit: int, after: str) -> list[BarredNumber]:
        return [
            entry for (owner, number), entry in sorted(self._entries.items()) if owner == workspace and number > after
        ][:limit]

    async def forget(self, workspace: str, number: str, *, only_source: str = "") -> None:
        key = self._key(workspace, number)
        entry = self._entries.get(key)
        if entry is not None and only_source in {"", entry.source}:
            del self._entries[key]

    async def erase(self, workspace: str, who: str) -> int:
        theirs = [key for key in self._entries if key[0] == workspace and name_of(*key) == who]
        for key in theirs:
            entry = self._entries.pop(key)
            self._entries[workspace, who] = msgspec.structs.replace(entry, number=who, note="")
        return len(theirs)


class MemorySwitchBook:
    """Implements SwitchBook."""

    def __init__(self) -> None:
        self._switch = Switch(stopped=False)

    async def read(self) -> Switch:
        return self._switch

    async def set(self, *, stopped: bool, at: datetime) -> Switch:
        if stopped != self._switch.stopped:
            self._switch = Switch(stopped, at)
        return self._switch


class MemoryCallbackBook:
    """Implements CallbackBook."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callback] = {}

    async def put(self, callback: Callback) -> None:
        self.callbacks.setdefault(callback.callback_id, callback)

    async def due(self, now: datetime, limit: int) -> list[Callback]:
        found = [each for each in self.callbacks.values() if each.state == "waiting" and each.due_at <= now]
        return sorted(found, key=lambda each: each.due_at)[:limit]

    async def settle(self, callback_id: str, state: Literal["ordered", "refused"], refusal: str = "") -> None:
        known = self.callbacks[callback_id]
        if known.state == "waiting":
            self.callbacks[callback_id] = msgspec.structs.replace(known, state=state, refusal=refusal)

    async def forget(self, workspace: str, who: str) -> int:
        theirs = [each for each in self.callbacks.values() if each.workspace == workspace]
        theirs = [each for each in theirs if name_of(workspace, each.to) == who]
        for known in theirs:
            del self.callbacks[known.callback_id]
        return len(theirs)
