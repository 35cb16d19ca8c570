"""Memory's reports and retention, as the settings want them."""

from datetime import timedelta

from scriza.modules.memory.book import MemoryBook
from scriza.modules.memory.claim import Claim
from scriza.modules.memory.reports.counter import Counter
from scriza.modules.memory.reports.leads import KnownVersions
from scriza.modules.memory.reports.service import ReportsService
from scriza.modules.memory.reports.stored import MongoFigures, StoredLog
from scriza.modules.memory.retention.service import Purge, RetentionService
from scriza.ports.retention import RetentionPolicy
from scriza.ports.strategy import Strategy
from scriza.settings import Settings
from scriza_adapters.mongo.store import MongoStore

_COUNTING = timedelta(seconds=15)
_PURGING = timedelta(minutes=2)
"""So long a process that died with a claim keeps others from the work."""


def reports(store: MongoStore, book: MemoryBook, strategy: Strategy) -> ReportsService:
    """What reports are read from."""
    return ReportsService(MongoFigures(store), StoredLog(store, book), KnownVersions(strategy))


def counter(store: MongoStore, book: MemoryBook, strategy: Strategy) -> Counter:
    """What counts calls for them."""
    mine = Claim(store, "counting", _COUNTING)
    return Counter(MongoFigures(store), StoredLog(store, book), KnownVersions(strategy), mine.hold)


def retention(settings: Settings, store: MongoStore) -> RetentionService:
    """The workspaces' policies."""
    return RetentionService(store, _default(settings))


def purge(settings: Settings, store: MongoStore) -> Purge:
    """What carries them out."""
    return Purge(store, _default(settings), Claim(store, "purging", _PURGING))


def _default(settings: Settings) -> RetentionPolicy:
    return RetentionPolicy(settings.transcript_days, settings.call_log_days, settings.caller_fact_days)
