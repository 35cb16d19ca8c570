"""What places calls and sends messages."""

from math import ceil

from scriza.modules.telephony.placing.dispatch import Links
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.policy import Rules
from scriza.settings import Settings


def rules(settings: Settings) -> Rules:
    """Who may be called, when, and for how much."""
    return Rules(
        hours=weekly_hours(settings.outbound_hours),
        countries=frozenset(settings.outbound_countries.split(",")) - {""},
        most_calls=settings.outbound_most_calls,
        daily_micro_usd=settings.outbound_daily_micro_usd,
        micro_usd_per_minute=settings.outbound_micro_usd_per_minute,
    )


def links(settings: Settings) -> Links:
    """Where the carrier finds us."""
    return Links(settings.public_url)


def longest_seconds(settings: Settings) -> int:
    """What a call may last."""
    return ceil(settings.longest_call_ms / 1000)
