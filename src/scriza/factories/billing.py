"""What was used, and what it costs."""

from pathlib import Path

from scriza.kernel.errors import BadInput
from scriza.modules.usage.daily import Daily
from scriza.modules.usage.ingest import Ingest
from scriza.modules.usage.prices import PriceTable, built_in, read_prices
from scriza.modules.usage.service import UsageService
from scriza.modules.usage.stored import MongoUsage
from scriza.modules.usage.told_days import MongoToldDays
from scriza.settings import BadSettings, Settings
from scriza_adapters.mongo.store import MongoStore


def usage(settings: Settings, book: MongoUsage) -> UsageService:
    """The module's port."""
    return UsageService(book, _prices(settings), minute_micro_usd=settings.hold_per_minute)


def ingest(settings: Settings, book: MongoUsage) -> Ingest:
    """What counts events, by the prices in force."""
    return Ingest(book, _prices(settings))


def daily(settings: Settings, book: MongoUsage, store: MongoStore) -> Daily:
    """What tells the days that are over."""
    return Daily(book, MongoToldDays(store), usage(settings, book))


def _prices(settings: Settings) -> PriceTable:
    if not settings.prices:
        return built_in()
    try:
        return read_prices(Path(settings.prices))
    except BadInput as error:
        raise BadSettings(f"SCRIZA_PRICES: {error.detail}") from None
