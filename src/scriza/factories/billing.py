"""What was used, and what it costs."""

from pathlib import Path

from scriza.kernel.errors import BadInput
from scriza.modules.usage.ingest import Ingest
from scriza.modules.usage.prices import PriceTable, built_in, read_prices
from scriza.modules.usage.service import UsageService
from scriza.modules.usage.stored import MongoUsage
from scriza.settings import BadSettings, Settings


def usage(settings: Settings, book: MongoUsage) -> UsageService:
    """The module's port."""
    return UsageService(book, minute_micro_usd=settings.hold_per_minute)


def ingest(settings: Settings, book: MongoUsage) -> Ingest:
    """What counts events, by the prices in force."""
    return Ingest(book, _prices(settings))


def _prices(settings: Settings) -> PriceTable:
    if not settings.prices:
        return built_in()
    try:
        return read_prices(Path(settings.prices))
    except BadInput as error:
        raise BadSettings(f"SCRIZA_PRICES: {error.detail}") from None
