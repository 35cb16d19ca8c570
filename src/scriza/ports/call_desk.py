"""Calls that Scriza places, the numbers it answers, whom it must not call, and the switch that stops everything.

A refusal names its reason for programs: the `reason` of a problem, one of `RefusalReason`.
"""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

RefusalReason = Literal[
    "not-e164",
    "unknown-sender",
    "no-sender",
    "own-number",
    "unknown-playbook",
    "calls-stopped",
    "do-not-call",
    "country-not-allowed",
    "premium-number",
    "unknown-time-zone",
    "outside-calling-hours",
    "already-calling",
    "too-many-calls",
    "spending-limit",
    "no-credit",
    "other-order",
    "number-of-others",
]
"""Why a call is not placed, or a number not taken."""

E164 = r"^\+[1-9]\d{6,14}$"
_Slug = Annotated[str, msgspec.Meta(max_length=128)]
_Person = Annotated[str, msgspec.Meta(pattern=r"^(\+[1-9]\d{6,14})?$")]


class PlaceCall(msgspec.Struct):
    """A call that somebody wants placed."""

    to: Annotated[str, msgspec.Meta(max_length=32)]
    """E.164."""
    sender: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """Our number that the callee sees, E.164; empty takes the only one, or the one of the settings."""
    playbook: _Slug = ""
    """Which playbook leads it; empty for the sender number's own, else the default one."""
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """Why it is placed: shown in the call's record."""
    variables: Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=500)]], msgspec.Meta(max_length=50)] = {}
    """What is known of the callee, by the names of the playbook's slots."""
    order_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{0,128}$")] = ""
    """The client's own name for this order: the same again places no second call. Empty makes one."""
    detect_machine: bool = True
    """Whether the carrier listens for answering machines."""


class PlacedCall(msgspec.Struct):
    """What became of an order.

    `queued`: the carrier could not be asked yet, or its answer did not come and is looked up; the same order asked
    again tells more. `placed`: `call_id` is the call's. `refused`: the carrier did not place it; `detail` says why.
    """

    order_id: str
    status: Literal["queued", "placed", "refused"]
    call_id: str = ""
    detail: str = ""


class NumberSettings(msgspec.Struct):
    """Where the calls of one of our numbers lead."""

    label: Annotated[str, msgspec.Meta(max_length=128)] = ""
    playbook: _Slug = ""
    """Empty for the default one."""
    hours: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """When calls are answered, such as ``Mon-Fri 09:00-18:00, Sat 10:00-14:00``; empty is always."""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    """The IANA time zone of `hours`."""
    person: _Person = ""
    """Who takes over on request, and outside hours if `closed` says so, E.164; empty for whom the settings name."""
    closed: Literal["answer", "transfer", "line"] = "line"
    """Outside hours: answered by `closed_playbook`, which may take a message; connected to `person`; or told
    `closed_line` and hung up."""
    closed_playbook: _Slug = ""
    closed_line: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """Empty for the playbook's own line, and where it has none, for one of ours in English."""


class PhoneNumber(NumberSettings, kw_only=True):
    """One of our numbers, E.164, with its settings."""

    number: str


class PhoneNumbers(msgspec.Struct):
    """All numbers of the workspace, in their order."""

    data: list[PhoneNumber]


class BarredReason(msgspec.Struct):
    """Why a number is put on the do-not-call list."""

    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class BarredNumber(msgspec.Struct):
    """A number that is neither called nor written to.

    `source` tells who put it on the list: somebody of the team, the person by a message such as STOP or in a call, or
    the carrier, which the person has told.
    """

    number: str
    source: Literal["team", "message", "call", "carrier"]
    note: str
    since: datetime


class BarredQuery(msgspec.Struct):
    """In the order of the numbers; `cursor` is the `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, msgspec.Meta(max_length=32)] = ""


class BarredPage(msgspec.Struct):
    """One page; `next` is empty on the last."""

    data: list[BarredNumber]
    next: str


class Switch(msgspec.Struct):
    """Whether all calls are stopped, and since when."""

    stopped: bool
    since: datetime | None = None


class CallDesk(Protocol):
    """Decides who is called, by which number, and what happens to those who call."""

    @operation("POST /api/v1/calls", timeout=30, keyed=True, scope=Scope.CALLS_PLACE)
    async def place(self, request: PlaceCall) -> PlacedCall:
        """Place a call, once for each order.

        An order of the same `order_id` is the same order for good, in every process; an Idempotency-Key stands for the
        request and its answer, a refusal too, for as long as such keys are kept.

        Raises BadInput, Forbidden, RateLimited, Unavailable or Conflict, with the reason.
        """
        ...

    @operation("GET /api/v1/orders/{order_id}", scope=Scope.CALLS_READ)
    async def order(self, order_id: str) -> PlacedCall:
        """What became of an order. Raises NotFound."""
        ...

    @operation("POST /api/v1/calls/stop", idempotent=True, scope=Scope.CALLS_STOP)
    async def stop(self) -> Switch:
        """Stop all calls, in every process within seconds: live ones close politely, new ones are not taken."""
        ...

    @operation("POST /api/v1/calls/resume", idempotent=True, scope=Scope.CALLS_STOP)
    async def resume(self) -> Switch:
        """Take and place calls again."""
        ...

    @operation("GET /api/v1/switch", scope=Scope.CALLS_READ)
    async def switch(self) -> Switch:
        """Whether all calls are stopped."""
        ...

    @operation("GET /api/v1/numbers", scope=Scope.CALLS_READ)
    async def numbers(self) -> PhoneNumbers:
        """The workspace's numbers."""
        ...

    @operation("GET /api/v1/numbers/{number}", scope=Scope.CALLS_READ)
    async def number(self, number: str) -> PhoneNumber:
        """One of them. Raises NotFound."""
        ...

    @operation("PUT /api/v1/numbers/{number}", idempotent=True, scope=Scope.NUMBERS_WRITE)
    async def set_number(self, number: str, request: NumberSettings) -> PhoneNumber:
        """Say where a number leads. Raises BadInput, and Conflict for a number of another workspace."""
        ...

    @operation("DELETE /api/v1/numbers/{number}", idempotent=True, scope=Scope.NUMBERS_WRITE)
    async def forget_number(self, number: str) -> None:
        """Answer it as a number that nothing is said about. One that is not there is fine."""
        ...

    @operation("GET /api/v1/do-not-call", scope=Scope.CALLS_READ)
    async def barred_numbers(self, query: BarredQuery) -> BarredPage:
        """The do-not-call list."""
        ...

    @operation("GET /api/v1/do-not-call/{number}", scope=Scope.CALLS_READ)
    async def barred(self, number: str) -> BarredNumber:
        """A number's entry. Raises NotFound when it is not on the list."""
        ...

    @operation("PUT /api/v1/do-not-call/{number}", idempotent=True, scope=Scope.NUMBERS_WRITE)
    async def bar(self, number: str, request: BarredReason) -> BarredNumber:
        """Put a number on the list; an entry of the team's that is there stays as it is. Raises BadInput."""
        ...

    @operation("DELETE /api/v1/do-not-call/{number}", idempotent=True, scope=Scope.NUMBERS_WRITE)
    async def unbar(self, number: str) -> None:
        """Take a number off the list, whoever put it there. One that is not there is fine."""
        ...
