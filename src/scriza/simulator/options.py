"""Who the simulated carrier is and how it misbehaves."""

from typing import Literal

import msgspec

from scriza.simulator.webhooks import Policy

StatusEvent = Literal["initiated", "ringing", "answered", "completed"]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it has defaults that suit a local run."""

    account_sid: str = "AC00000000000000000000000000000001"
    number: str = "+14155550100"
    """The number that Scriza answers."""
    more_numbers: tuple[str, ...] = ()
    """Further numbers of the account, which lead to the same URLs."""
    public_url: str = ""
    """The URL that Scriza believes to be reached at, over which requests are signed; empty is the target itself."""
    routes: dict[str, str] = {}
    """Origins that are found elsewhere, such as ``{"https://media.example": "http://127.0.0.1:8001"}``."""
    record: bool = True
    """Keep both directions' audio: 16 kB a second and call."""
    allow_ws: bool = True
    """Let media streams go unencrypted to loopback, where there are no certificates. Twilio itself never does."""
    status_events: tuple[StatusEvent, ...] = ("completed",)
    """What a number's status callback is told of incoming calls; Twilio's default is the end alone."""
    policy: Policy = Policy()
    callback_delays_ms: dict[StatusEvent, int] = {}
    """Holds status callbacks back, so that later ones overtake them."""
    duplicate_callbacks: bool = False
    """Delivers each status callback twice, under the same idempotency token."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request to the REST API meets, the next one whose method and path contain `match`, such as ``Calls.json``.

    The answer comes after `delay_ms` and has `status` and Twilio's error `code`, or with status 0 is the true one. With
    `done` the request is carried out before the delay whatever is answered, without it after the delay, if at all.
    """

    match: str = ""
    status: int = 0
    code: int = 0
    retry_after: int | None = None
    delay_ms: int = 0
    done: bool = False
