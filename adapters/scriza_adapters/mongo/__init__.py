"""The store on MongoDB's protocol: the embedded server, transactions, the outbox, the event bus."""

from scriza_adapters.mongo.bus import BusTimes, MongoEventBus
from scriza_adapters.mongo.outbox import Outbox
from scriza_adapters.mongo.store import MongoStore, StoreOptions, Unit, open_store

__all__ = ["BusTimes", "MongoEventBus", "MongoStore", "Outbox", "StoreOptions", "Unit", "open_store"]
