"""The books of placing in the store."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec

from scriza.kernel.errors import Conflict
from scriza.kernel.ids import DEFAULT_WORKSPACE, new_id
from scriza.kernel.pseudonym import NameOf
from scriza.modules.telephony.documents import AlreadyThere, Session
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.callbacks import Callback
from scriza.modules.telephony.placing.documents import (
    Barred,
    CallSwitch,
    OurNumber,
    PromisedCallback,
    barred_of,
    bears,
    callback_of,
    erase_barred,
    insert_intent,
    number_of,
    promised,
    read_intents,
    replace_intent,
    spend,
    standing,
)
from scriza.modules.telephony.placing.intents import CallWish, Intent
from scriza.ports.call_desk import BarredNumber, PhoneNumber, Switch
from scriza.ports.store import Store, UnitOfWork

_COLLISIONS = 5
_SWITCH = "calls"


class MongoIntentBook:
    """Implements IntentBook on the store. `name_of` gives the pseudonyms by which people are found again."""

    def __init__(self, store: Store[Session], name_of: NameOf) -> None:
        self._store, self._name_of = store, name_of

    async def record(self, intent: Intent, admit: Callable[[Standing], None]) -> Intent:
        """See IntentBook."""
        mark = new_id("op")

        async def work(unit: UnitOfWork[Session]) -> None:
            if isinstance(intent.wish, CallWish):
                admit(await standing(intent, unit.session))
                await spend(intent, intent.cost_micro_usd, unit.session)
            await insert_intent(intent, self._who(intent), mark, unit.session)

        for _ in range(_COLLISIONS):
            if known := await self.find(intent.intent_id):
                return known
            try:
                await self._store.run(work)
            except AlreadyThere:
                continue  # the same intent, which is found now, or the first of the workspace beside this one
            return intent
        raise Conflict("others keep recording the same thing")

    async def change(self, old: Intent, new: Intent) -> bool:
        """See IntentBook."""
        mark = new_id("op")

        async def work(unit: UnitOfWork[Session]) -> bool:
            if not await replace_intent(old, new, self._who(new), mark, unit.session):
                return False
            if more := new.cost_micro_usd - old.cost_micro_usd:
                await spend(new, more, unit.session)
            return True

        if await self._store.run(work):
            return True
        with self._store.errors():
            return await bears(old.intent_id, mark)

    async def find(self, intent_id: str) -> Intent | None:
        """See IntentBook."""
        with self._store.errors():
            found = await read_intents({"_id": intent_id})
        return found[0] if found else None

    async def of(self, workspace: str, who: str, before: datetime) -> list[Intent]:
        """See IntentBook."""
        with self._store.errors():
            return await read_intents({"workspace": workspace, "who": who, "recorded_at": {"$lte": before}})

    async def owned(self, carrier_ids: list[str]) -> set[str]:
        """See IntentBook."""
        with self._store.errors():
            return {intent.carrier_id for intent in await read_intents({"carrier_id": {"$in": carrier_ids}})}

    async def due(self, now: datetime, limit: int) -> list[Intent]:
        """See IntentBook."""
        unsettled = {"settled": False, "due_at": {"$lte": now}}
        with self._store.errors():
            return await read_intents(unsettled, limit)

    def _who(self, intent: Intent) -> str:
        return self._name_of(intent.workspace, intent.to) if intent.to else ""


class MongoNumberBook:
    """Implements NumberBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def put(self, workspace: str, number: PhoneNumber) -> None:
        """See NumberBook."""
        settings = {name: value for name in _SETTINGS if isinstance(value := getattr(number, name), str)}
        with self._store.errors():
            ours = {"_id": number.number, "workspace": workspace}
            update = {"$set": {"settings": settings}}
            try:
                await OurNumber.get_pymongo_collection().update_one(ours, update, upsert=True)
            except AlreadyThere as error:
                if await OurNumber.find_one(ours) is None:
                    raise Conflict("the number is another workspace's", reason="number-of-others") from error
                await OurNumber.get_pymongo_collection().update_one(ours, update)

    async def find(self, number: str) -> tuple[str, PhoneNumber] | None:
        """See NumberBook."""
        with self._store.errors():
            found = await OurNumber.find_one({"_id": number})
        return None if found is None else (found.workspace, number_of(found))

    async def of(self, workspace: str) -> list[PhoneNumber]:
        """See NumberBook."""
        with self._store.errors():
            return [number_of(found) for found in await OurNumber.find({"workspace": workspace}).sort("+_id").to_list()]

    async def forget(self, workspace: str, number: str) -> None:
        """See NumberBook."""
        with self._store.errors():
            await OurNumber.get_pymongo_collection().delete_one({"_id": number, "workspace": workspace})


class MongoBarredBook:
    """Implements BarredBook on the store. `name_of` gives the pseudonyms that stand for erased numbers."""

    def __init__(self, store: Store[Session], name_of: NameOf) -> None:
        self._store, self._name_of = store, name_of

    async def put(self, workspace: str, entry: BarredNumber) -> BarredNumber:
        """See BarredBook."""
        who = self._name_of(workspace, entry.number)
        erased = f"{workspace}/{who}"
        with self._store.errors():
            known = await Barred.find_one({"_id": erased})
        kept = Barred(
            _id=f"{workspace}/{entry.number}" if known is None else erased,
            workspace=workspace,
            number=entry.number,
            who=who,
            source=entry.source,
            note=entry.note,
            since=entry.since,
        )
        with self._store.errors():
            try:
                await kept.insert()
            except AlreadyThere:
                if entry.source == "team":
                    others = {"_id": kept.id, "source": {"$ne": "team"}}
                    told = {"source": entry.source, "note": "" if known else entry.note, "since": entry.since}
                    await Barred.get_pymongo_collection().update_one(others, {"$set": told})
                return await self.find(workspace, entry.number) or entry
        return entry

    async def find(self, workspace: str, number: str) -> BarredNumber | None:
        """See BarredBook."""
        with self._store.errors():
            found = await Barred.find_one({"_id": {"$in": self._ids(workspace, number)}})
        return None if found is None else msgspec.structs.replace(barred_of(found), number=number)

    async def page(self, workspace: str, limit: int, after: str) -> list[BarredNumber]:
        """See BarredBook."""
        behind = {"workspace": workspace, "number": {"$gt": after}}
        with self._store.errors():
            return [barred_of(found) for found in await Barred.find(behind).sort("+number").limit(limit).to_list()]

    async def forget(self, workspace: str, number: str, *, only_source: str = "") -> None:
        """See BarredBook."""
        which: dict[str, object] = {"_id": {"$in": self._ids(workspace, number)}}
        if only_source:
            which["source"] = only_source
        with self._store.errors():
            await Barred.get_pymongo_collection().delete_many(which)

    async def erase(self, workspace: str, who: str) -> int:
        """See BarredBook."""
        with self._store.errors():
            known = await Barred.find({"workspace": workspace, "who": who, "number": {"$ne": who}}).to_list()
        for entry in known:
            await self._store.run(partial(_erase, entry=entry))
        return len(known)

    def _ids(self, workspace: str, number: str) -> list[str]:
        """What a number's entry may be kept under."""
        return [f"{workspace}/{number}", f"{workspace}/{self._name_of(workspace, number)}"]


class MongoSwitchBook:
    """Implements SwitchBook on the store."""

    def __init__(self, store: Store[Session]) -> None:
        self._store = store

    async def read(self) -> Switch:
        """See SwitchBook."""
        with self._store.errors():
            found = await CallSwitch.find_one({"_id": _SWITCH})
        return Switch(stopped=False) if found is None else Switch(found.stopped, found.since)

    async def set(self, *, stopped: bool, at: datetime) -> Switch:
        """See SwitchBook."""
        with self._store.errors():
            switches = CallSwitch.get_pymongo_collection()
            turned = {"$set": {"stopped": stopped, "since": at, "workspace": DEFAULT_WORKSPACE}}
            with contextlib.suppress(AlreadyThere):  # it stands so already
                await switches.update_one({"_id": _SWITCH, "stopped": not stopped}, turned, upsert=stopped)
        return await self.read()


class MongoCallbackBook:
    """Implements CallbackBook on the store. `name_of` gives the pseudonyms by which people are found again."""

    def __init__(self, store: Store[Session], name_of: NameOf) -> None:
        self._store, self._name_of = store, name_of

    async def put(self, callback: Callback) -> None:
        """See CallbackBook."""
        kept = promised(callback, self._name_of(callback.workspace, callback.to))
        with self._store.errors(), contextlib.suppress(AlreadyThere):
            await kept.insert()

    async def due(self, now: datetime, limit: int) -> list[Callback]:
        """See CallbackBook."""
        waiting = {"state": "waiting", "due_at": {"$lte": now}}
        with self._store.errors():
            found = await PromisedCallback.find(waiting).sort("+due_at").limit(limit).to_list()
        return [callback_of(document) for document in found]

    async def settle(self, callback_id: str, state: Literal["ordered", "refused"], refusal: str = "") -> None:
        """See CallbackBook."""
        waiting = {"_id": callback_id, "state": "waiting"}
        settled = {"$set": {"state": state, "refusal": refusal}}
        with self._store.errors():
            await PromisedCallback.get_pymongo_collection().update_one(waiting, settled)

    async def forget(self, workspace: str, who: str) -> int:
        """See CallbackBook."""
        theirs = {"workspace": workspace, "who": who}
        with self._store.errors():
            return (await PromisedCallback.get_pymongo_collection().delete_many(theirs)).deleted_count


async def _erase(unit: UnitOfWork[Session], entry: Barred) -> None:
    await erase_barred(entry, unit.session)


_SETTINGS = tuple(name for name in PhoneNumber.__struct_fields__ if name != "number")
