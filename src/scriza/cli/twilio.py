"""``scriza twilio``: the account's phone numbers, and how one of them leads to this Scriza."""

import argparse
import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urldefrag, urlsplit

import msgspec

from scriza import data_dir, logs
from scriza.factories import calling
from scriza.kernel.errors import BadInput, Conflict, NotFound
from scriza.ports.carrier import CarrierNumber
from scriza.settings import BadSettings, Settings, load
from scriza_adapters.twilio.carrier import DELIVERY, TwilioCarrier

_DEMO = "demo.twilio.com"
"""Where a new number leads."""
_PLACES = {"voice_url": "calls", "fallback_url": "calls, else", "status_url": "their status", "sms_url": "messages"}


class Places(msgspec.Struct, frozen=True):
    """Where a number's calls and messages lead."""

    voice_url: str
    fallback_url: str
    status_url: str
    sms_url: str


def run(told: argparse.Namespace) -> int:
    """List the numbers, or lead one here. Raises ScrizaError with a sentence about what is in the way."""
    settings = load()
    logs.configure(settings.log, "error")
    if told.act == "numbers":
        asyncio.run(show_numbers(settings))
    else:
        asyncio.run(connect(settings, told.number, _always if told.yes else _ask))
    return 0


async def show_numbers(settings: Settings) -> None:
    """Print each of the account's numbers and where it leads. Raises ScrizaError."""
    async with _carrier(settings) as carrier:
        for number in await carrier.numbers():
            print(f"{number.number:<16} {_host(number) or 'nowhere':<30} {number.label}")


async def connect(settings: Settings, wanted: str, agreed: Callable[[str], bool]) -> None:
    """Lead a number here, the account's only one when `wanted` is empty, and print what changes.

    `agreed` is told where the number leads when that is somewhere else, and says whether it may be changed. Raises
    Conflict when it may not, and ScrizaError with a sentence about whatever else is in the way.
    """
    here = _here(settings.public_url)
    async with _carrier(settings) as carrier:
        number = _chosen(await carrier.numbers(), wanted)
        there = _places(number)
        if there == here:
            print(f"{number.number} leads to {settings.public_url} already.")
            return
        if number.led_by:
            raise Conflict(
                f"{number.number} is led by {number.led_by}, which goes before its URLs: take that off the number in "
                "Twilio's console, then try again"
            )
        _show(number, there, here)
        elsewhere = _elsewhere(there, settings.public_url)
        if elsewhere and not agreed(elsewhere):
            raise Conflict("nothing was changed")
        await carrier.point_number(number.number_id, **msgspec.structs.asdict(here))
        pointed = _chosen(await carrier.numbers(), number.number)
    if _places(pointed) != here:
        raise Conflict("Twilio took the change, but shows something else; look at the number in its console")
    print(f"Done: call {number.number}, and Scriza answers.")


@asynccontextmanager
async def _carrier(settings: Settings) -> AsyncIterator[TwilioCarrier]:
    """The account's carrier, tried out."""
    if not settings.twilio_account_sid:
        raise BadSettings("no Twilio account is set: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, from Twilio's console")
    carrier = calling.carrier(settings, data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir)))
    try:
        await carrier.check()
        yield carrier
    finally:
        await carrier.close()


def _here(public_url: str) -> Places:
    parts = urlsplit(public_url)
    if parts.scheme != "https" or _is_private(parts.hostname or ""):
        raise BadSettings(
            f"Twilio cannot reach {public_url}: SCRIZA_PUBLIC_URL must be an https URL that is known on the internet, "
            "such as the address of a tunnel to this machine"
        )
    return Places(
        voice_url=f"{public_url}/voice",
        fallback_url=f"{public_url}/voice/fallback",
        status_url=f"{public_url}/status-callback{DELIVERY}",
        sms_url=f"{public_url}/sms{DELIVERY}",
    )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _chosen(numbers: list[CarrierNumber], wanted: str) -> CarrierNumber:
    known = ", ".join(number.number for number in numbers)
    digits = "".join(character for character in wanted if character.isdecimal())
    if not numbers:
        raise NotFound("the Twilio account has no phone number: buy one in Twilio's console")
    if not wanted:
        if len(numbers) > 1:
            raise BadInput(f"the account has several numbers, so name one: scriza twilio connect NUMBER ({known})")
        return numbers[0]
    for number in numbers:
        if number.number == f"+{digits}":
            return number
    raise NotFound(f"the account has no number {wanted}; it has {known}")


def _places(number: CarrierNumber) -> Places:
    return Places(number.voice_url, number.fallback_url, number.status_url, number.sms_url)


def _show(number: CarrierNumber, there: Places, here: Places) -> None:
    print(f"{number.number} {number.label}".rstrip())
    for field, name in _PLACES.items():
        before, after = getattr(there, field), getattr(here, field)
        same = "stays" if before == after else f"now {urldefrag(before).url or 'nowhere'}"
        print(f"  {name:<13} {urldefrag(after).url} ({same})")


def _elsewhere(there: Places, public_url: str) -> str:
    """Whom a change takes the number from; empty for nobody."""
    hosts = {urlsplit(url).netloc for url in msgspec.structs.astuple(there) if url}
    return ", ".join(sorted(hosts - {urlsplit(public_url).netloc, _DEMO}))


def _always(elsewhere: str) -> bool:
    return True


def _ask(elsewhere: str) -> bool:
    """Let the person decide. Raises Conflict when nobody is there to be asked."""
    if not sys.stdin.isatty():
        raise Conflict(f"the number leads to {elsewhere} now; --yes leads it here")
    print(f"It leads to {elsewhere} now. Lead it here? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _host(number: CarrierNumber) -> str:
    return number.led_by or urlsplit(number.voice_url).netloc
