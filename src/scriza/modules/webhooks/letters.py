"""What can be told in a letter: how a day went, and that credit runs low. Nothing of calls: they are personal. Pure."""

import re

import msgspec

from scriza.kernel.events import Topic
from scriza.ports.credit import CreditThreshold, DayTold, dollars
from scriza.ports.mail import Letter

MAILED = frozenset({Topic.CREDIT_THRESHOLD, Topic.USAGE_SUMMARY})
_MAILTO = "mailto:"
_ADDRESS = re.compile(r"[^@\s<>,;:\"?&%]{1,64}@[a-zA-Z0-9.-]{1,253}")


def is_letter(url: str) -> bool:
    """Whether events are told there by letter."""
    return url.lower().startswith(_MAILTO)


def address_of(url: str) -> str:
    """The address of a ``mailto:`` URL; empty when it is none, or asks for more than a letter."""
    address = url[len(_MAILTO) :]
    return address if _ADDRESS.fullmatch(address) else ""


def letter(to: str, topic: str, data: bytes) -> Letter:
    """The letter that tells of an event. Raises msgspec.DecodeError for data of another shape."""
    if topic == Topic.CREDIT_THRESHOLD:
        return _low(to, msgspec.json.decode(data, type=CreditThreshold))
    if topic == Topic.USAGE_SUMMARY:
        return _day(to, msgspec.json.decode(data, type=DayTold))
    return Letter(to, "A trial letter from Scriza", "Hello,\n\nletters of Scriza reach you here.\n")


def _low(to: str, told: CreditThreshold) -> Letter:
    text = f"""Hello,

your credit is {dollars(told.balance)} now, below the {dollars(told.threshold)} at which you wanted to be told.

When it is used up, calls end politely and no new ones begin. A grant lets them go on:

    scriza credit grant 25
"""
    return Letter(to, f"Scriza: your credit is {dollars(told.balance)}", text)


def _day(to: str, told: DayTold) -> Letter:
    used = told.totals
    lines = [
        ("Calls", f"{used.calls}"),
        ("Minutes", f"{used.minutes:.1f}"),
        ("Tokens", f"{used.total_tokens} ({used.prompt_tokens} asked, {used.completion_tokens} answered)"),
        ("Characters spoken", f"{used.characters}"),
        ("Cost", dollars(used.cost_micro_usd)),
        ("Saved by caches", dollars(used.saved_micro_usd)),
        ("Credit left", dollars(told.balance)),
    ]
    table = "\n".join(f"    {name + ':':19}{value}" for name, value in lines)
    agents = "\n".join(
        f"    {group.name}: {group.totals.calls} calls, {dollars(group.totals.cost_micro_usd)}"
        for group in told.top_agents
    )
    most = f"\nWhat cost most, by playbook:\n\n{agents}\n" if agents else ""
    text = f"Hello,\n\nthis was {told.day} ({told.tz}):\n\n{table}\n{most}"
    return Letter(to, f"Scriza on {told.day}: {used.calls} calls, {dollars(used.cost_micro_usd)}", text)
