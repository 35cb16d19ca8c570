"""What places calls and sends messages."""

from math import ceil

from scriza.modules.telephony.placing.dispatch import Links
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.policy import Rules
from scriza.settings import Settings

_CALLING_HOURS = "Mon-Sat 09:00-20:00"
_ALWAYS = "Mon-Sun 00:00-24:00"


def rules(settings: Settings) -> Rules:
    """Who may be called, when, and for how much."""
    usual = _CALLING_HOURS if settings.twilio_account_sid else _ALWAYS  # a simulated callee does not sleep
    return Rules(
        hours=weekly_hours(settings.outbound_hours or usual),
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
