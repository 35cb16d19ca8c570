"""Acts that a model asks for: what telephony does when the answer was heard. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from scriza.modules.agent.rules import Rules
from scriza.modules.agent.tools.arguments import WrongArguments
from scriza.modules.agent.tools.toolbox import (
    END_CALL,
    PRESS_KEYS,
    SCHEDULE_CALLBACK,
    SEND_SMS,
    SET_OUTCOME,
    TRANSFER,
    Ability,
)
from scriza.ports.agent import Act, HangUp, PressKeys, ScheduleCallback, SendSms, SetOutcome, TransferTo

_FURTHEST = timedelta(days=90)
"""So far ahead a callback is promised at most."""


class Setting(msgspec.Struct, frozen=True):
    """Where and when an act is asked for."""

    now: datetime
    zone: str = ""
    """IANA; empty is UTC."""
    transfer_to: str = ""
    call_hours: str = ""
    """When the playbook allows calls, ``09:00-20:00``; empty is always."""
    known: Mapping[str, str] = {}
    """Of the caller."""
    rules: Rules | None = None
    """What a text message must not say either, since it stands there in writing."""


def act_of(ability: Ability, arguments: Mapping[str, object], setting: Setting) -> Act:
    """The act of an ability, with arguments that fit its parameters. Raises WrongArguments for what cannot be."""
    match ability.name:
        case name if name == END_CALL:
            return HangUp()
        case name if name == TRANSFER:
            if not setting.transfer_to:
                raise WrongArguments("There is nobody to connect the caller to.")
            return TransferTo(setting.transfer_to)
        case name if name == PRESS_KEYS:
            return PressKeys(str(arguments["keys"]))
        case name if name == SET_OUTCOME:
            return SetOutcome(str(arguments["outcome"]))
        case name if name == SEND_SMS:
            return SendSms(_permitted(str(arguments["text"]), setting))
        case name if name == SCHEDULE_CALLBACK:
            at = _callback_time(str(arguments["at"]), setting)
            return ScheduleCallback(at, str(arguments.get("reason", "")), dict(setting.known))
        case _:
            raise AssertionError(f"{ability.name} is no act")


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name; UTC for one that is not known."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _permitted(text: str, setting: Setting) -> str:
    """A text message as it is written, addresses of the web and pictures included."""
    if setting.rules is not None and (broken := setting.rules.broken_by(text)):
        raise WrongArguments(f"The text breaks a rule: {broken.rule}")
    return text


def _callback_time(local: str, setting: Setting) -> datetime:
    try:
        wanted = datetime.fromisoformat(local).replace(tzinfo=zone_of(setting.zone))
        at = wanted.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongArguments("There is no such date or time.") from None
    if not setting.now < at <= setting.now + _FURTHEST:
        raise WrongArguments(f"A callback is in the future, within {_FURTHEST.days} days.")
    if setting.call_hours:
        opens, _, closes = setting.call_hours.partition("-")
        if not opens <= wanted.strftime("%H:%M") < closes:
            raise WrongArguments(f"Calls are possible between {opens} and {closes} of the caller's time.")
    return at


def merged(decided: list[Act], asked: list[Act]) -> list[Act]:
    """The playbook's acts and the model's, each kind once; what ends the talking comes last, a transfer before all."""
    by_kind: dict[Literal["outcome", "sms", "callback", "keys", "end"], Act] = {}
    for act in [*asked, *decided]:
        match act:
            case SetOutcome():
                by_kind["outcome"] = act
            case SendSms():
                by_kind["sms"] = act
            case ScheduleCallback():
                by_kind["callback"] = act
            case PressKeys():
                by_kind["keys"] = act
            case HangUp() | TransferTo():
                if not isinstance(by_kind.get("end"), TransferTo):
                    by_kind["end"] = act
    return [by_kind[kind] for kind in ("outcome", "sms", "callback", "keys", "end") if kind in by_kind]
