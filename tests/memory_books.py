"""The books of placing in memory, for tests; held to the same contract as those in the store."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from scriza.kernel.errors import Conflict
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.callbacks import Callback
from scriza.modules.telephony.placing.intents import CallWish, Intent
from scriza.ports.call_desk import BarredNumber, PhoneNumber, Switch


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
        known = self._entries.setdefault((workspace, entry.number), entry)
        if entry.source == "team" != known.source:
            known = self._entries[workspace, entry.number] = entry
        return known

    async def find(self, workspace: str, number: str) -> BarredNumber | None:
        return self._entries.get((workspace, number))

    async def page(self, workspace: str, limit: int, after: str) -> list[BarredNumber]:
        return [
            entry for (owner, number), entry in sorted(self._entries.items()) if owner == workspace and number > after
        ][:limit]

    async def forget(self, workspace: str, number: str, *, only_source: str = "") -> None:
        entry = self._entries.get((workspace, number))
        if entry is not None and only_source in {"", entry.source}:
            del self._entries[workspace, number]


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

    async def forget(self, workspace: str, number: str) -> None:
        for known in list(self.callbacks.values()):
            if (known.workspace, known.to) == (workspace, number):
                del self.callbacks[known.callback_id]
