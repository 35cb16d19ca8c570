"""Whether a call may be placed now. Pure: the rules, what is known of the callee, and the time are arguments.

Each refusal has its own reason and sentence. What protects people (the list, the hours) and the bill (countries, costly
numbers, caps) is looked at before the carrier hears of anything.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import msgspec

from scriza.kernel.errors import BadInput, Conflict, Forbidden, NoCredit, RateLimited, ScrizaError, Unavailable
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.dialling_plan import Destination
from scriza.modules.telephony.placing.hours import WeeklyHours
from scriza.ports.call_desk import RefusalReason

_REFUSALS: Mapping[RefusalReason, tuple[type[ScrizaError], str]] = {
    "not-e164": (BadInput, "a phone number is written in E.164, such as +14155550123, and exists"),
    "unknown-sender": (BadInput, "the sender is not one of our numbers"),
    "no-sender": (BadInput, "say which of our numbers places the call: sender"),
    "own-number": (BadInput, "one of our own numbers is not called: two agents would talk to each other"),
    "unknown-playbook": (BadInput, "there is no such playbook"),
    "calls-stopped": (Unavailable, "all calls are stopped; POST /api/v1/calls/resume takes them up again"),
    "do-not-call": (Forbidden, "the number is on the do-not-call list"),
    "country-not-allowed": (Forbidden, "numbers of this country are not called: SCRIZA_OUTBOUND_COUNTRIES names more"),
    "premium-number": (Forbidden, "numbers that cost more than an ordinary call are not called"),
    "unknown-time-zone": (Forbidden, "it is not known what time it is where this number is"),
    "outside-calling-hours": (Forbidden, "it is outside calling hours where this number is: SCRIZA_OUTBOUND_HOURS"),
    "already-calling": (Conflict, "this number is being called already"),
    "too-many-calls": (RateLimited, "as many calls as allowed are under way: SCRIZA_OUTBOUND_MOST_CALLS"),
    "spending-limit": (RateLimited, "the day's limit would be passed: SCRIZA_OUTBOUND_DAILY_MICRO_USD"),
    "no-credit": (NoCredit, "the workspace has used up its credit"),
    "other-order": (Conflict, "the order of this name was another one"),
    "number-of-others": (Conflict, "the number is another workspace's"),
}
_MINUTE = timedelta(minutes=1)


class Rules(msgspec.Struct, frozen=True):
    """What a team allows; money in micro-USD."""

    hours: WeeklyHours
    """In the callee's own time."""
    countries: frozenset[str] = frozenset()
    """Beside the sender's own, ISO 3166-1 alpha-2."""
    most_calls: int = 10
    daily_micro_usd: int = 20_000_000
    micro_usd_per_minute: int = 14_000


def refusal(reason: RefusalReason, *, retry_after: int | None = None) -> ScrizaError:
    """The error that tells of this reason."""
    kind, detail = _REFUSALS[reason]
    return kind(detail, reason=reason, retry_after=retry_after)


def destination_refused(rules: Rules, sender: Destination, to: Destination) -> RefusalReason | None:
    """Why this number is never called from that one; none when it may be."""
    if to.country != sender.country and to.country not in rules.countries:
        return "country-not-allowed"
    if to.kind == "premium":
        return "premium-number"
    return None


def moment_refused(
    rules: Rules, to: Destination, now: datetime, *, stopped: bool, barred: bool
) -> RefusalReason | None:
    """Why this number is not called at this moment; none when it may be. In several zones, each must allow it."""
    if stopped:
        return "calls-stopped"
    if barred:
        return "do-not-call"
    if not to.zones:
        return "unknown-time-zone"
    if not all(rules.hours.open_at(now.astimezone(ZoneInfo(zone))) for zone in to.zones):
        return "outside-calling-hours"
    return None


def caps_refused(rules: Rules, standing: Standing, cost_micro_usd: int) -> RefusalReason | None:
    """Why one more call, which may cost so much, would be too much; none when it would not."""
    if standing.calling:
        return "already-calling"
    if standing.open_calls >= rules.most_calls:
        return "too-many-calls"
    if standing.spent_micro_usd + cost_micro_usd > rules.daily_micro_usd:
        return "spending-limit"
    return None


def cost(rules: Rules, seconds: int) -> int:
    """What a call of this length costs, in micro-USD: carriers bill each minute that has begun."""
    return ceil(timedelta(seconds=seconds) / _MINUTE) * rules.micro_usd_per_minute


def until_midnight(now: datetime) -> int:
    """Seconds until the day's limit begins anew, at midnight UTC."""
    today = now.astimezone(UTC)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return ceil((midnight - today).total_seconds())
