"""The call desk: places calls by the rules, and keeps the numbers, the do-not-call list and the switch."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, NotFound, ScrizaError
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.books import BarredBook, IntentBook, NumberBook, Standing
from scriza.modules.telephony.placing.dialling_plan import Destination, looked_up
from scriza.modules.telephony.placing.dispatch import Dispatcher, Permission
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.intents import CallWish, Intent, intent_of
from scriza.modules.telephony.placing.policy import (
    Rules,
    caps_refused,
    cost,
    destination_refused,
    refusal,
    until_midnight,
)
from scriza.modules.telephony.stopping import StopSwitch
from scriza.ports.agent import Agent, CallFacts
from scriza.ports.call_desk import (
    E164,
    BarredNumber,
    BarredPage,
    BarredQuery,
    BarredReason,
    NumberSettings,
    PhoneNumber,
    PhoneNumbers,
    PlaceCall,
    PlacedCall,
    Switch,
)

_GOOD_FOR = timedelta(minutes=2)
"""A call that could not be placed in this time is not wanted any more."""
_MOST_SPARE_SECONDS = 60
_E164 = re.compile(E164)

_log = structlog.get_logger()


class CallDeskService:
    """Implements CallDesk for the workspace of the request.

    `sender` (E.164) places calls that name none, where the workspace has not exactly one number; calls are ended by the
    carrier after `longest_seconds`.
    """

    def __init__(
        self,
        intents: IntentBook,
        numbers: NumberBook,
        barred: BarredBook,
        switch: StopSwitch,
        dispatcher: Dispatcher,
        permission: Permission,
        agent: Agent,
        rules: Rules,
        *,
        sender: str = "",
        longest_seconds: int = 1800,
        clock: WallClock = utc_now,
    ) -> None:
        self._intents, self._numbers, self._barred, self._switch = intents, numbers, barred, switch
        self._dispatcher, self._permission, self._agent, self._rules = dispatcher, permission, agent, rules
        self._sender, self._longest_seconds, self._clock = sender, longest_seconds, clock

    # ---- placing ----------------------------------------------------------------------------------------------

    async def place(self, request: PlaceCall) -> PlacedCall:
        """See CallDesk."""
        workspace, order_id = current().principal.workspace, request.order_id or new_id("ord")
        known = await self._intents.find(intent_of(workspace, order_id)) if request.order_id else None
        try:
            if known is None:
                intent = await self._intent(workspace, order_id, request)
                if reason := await self._permission.refused(intent):
                    raise refusal(reason)
                known = await self._intents.record(intent, self._admit(intent))
            if not _same(request, known):
                raise refusal("other-order")
        except ScrizaError as error:
            _log.warning("order.refused", order=order_id, reason=error.reason or error.slug)
            raise
        return _placed(order_id, await self._dispatcher.settle(known))

    async def order(self, order_id: str) -> PlacedCall:
        """See CallDesk."""
        intent = await self._intents.find(intent_of(current().principal.workspace, order_id))
        if intent is None:
            raise NotFound("there is no such order")
        return _placed(order_id, intent)

    async def _intent(self, workspace: str, order_id: str, request: PlaceCall) -> Intent:
        """What the order asks for. Raises the refusals that no other moment would change."""
        to = await looked_up(request.to)
        sender, ours = await self._sender_of(workspace, request.sender)
        if to == sender or await self._numbers.find(to.number) is not None:
            raise refusal("own-number")
        if reason := destination_refused(self._rules, sender, to):
            raise refusal(reason)
        playbook = request.playbook or (ours.playbook if ours else "")
        if playbook:
            await self._check_playbook(playbook)
        now = _milliseconds(self._clock())
        wish = CallWish(
            Assignment(
                playbook=playbook,
                person=ours.person if ours else "",
                order_id=order_id,
                reason=request.reason,
                variables=request.variables,
            ),
            detect_machine=request.detect_machine,
            longest_seconds=self._longest_seconds + _MOST_SPARE_SECONDS,
        )
        return Intent(
            intent_id=intent_of(workspace, order_id),
            workspace=workspace,
            sender=sender.number,
            to=to.number,
            wish=wish,
            recorded_at=now,
            expires_at=now + _GOOD_FOR,
            due_at=now,
            cost_micro_usd=cost(self._rules, wish.longest_seconds),
        )

    async def _sender_of(self, workspace: str, asked: str) -> tuple[Destination, PhoneNumber | None]:
        """The number that places a call, and what is said about it."""
        ours = {number.number: number for number in await self._numbers.of(workspace)}
        sender = asked or (next(iter(ours)) if len(ours) == 1 else self._sender)
        if not sender:
            raise refusal("no-sender")
        if ours and sender not in ours:
            raise refusal("unknown-sender")
        return await looked_up(sender), ours.get(sender)

    async def _check_playbook(self, playbook: str) -> None:
        try:
            await self._agent.begin(CallFacts(call_id=current().request_id, direction="outbound", playbook=playbook))
        except NotFound as error:
            raise refusal("unknown-playbook") from error

    def _admit(self, intent: Intent) -> Callable[[Standing], None]:
        def admit(standing: Standing) -> None:
            if reason := caps_refused(self._rules, standing, intent.cost_micro_usd):
                wait = until_midnight(intent.recorded_at) if reason == "spending-limit" else None
                raise refusal(reason, retry_after=wait)

        return admit

    # ---- the switch -------------------------------------------------------------------------------------------

    async def stop(self) -> Switch:
        """See CallDesk."""
        return await self._switch.turn(stopped=True)

    async def resume(self) -> Switch:
        """See CallDesk."""
        return await self._switch.turn(stopped=False)

    async def switch(self) -> Switch:
        """See CallDesk."""
        return await self._switch.read()

    # ---- numbers ----------------------------------------------------------------------------------------------

    async def numbers(self) -> PhoneNumbers:
        """See CallDesk."""
        return PhoneNumbers(await self._numbers.of(current().principal.workspace))

    async def number(self, number: str) -> PhoneNumber:
        """See CallDesk."""
        known = await self._numbers.find(number)
        if known is None or known[0] != current().principal.workspace:
            raise NotFound("nothing is said about this number")
        return known[1]

    async def set_number(self, number: str, request: NumberSettings) -> PhoneNumber:
        """See CallDesk."""
        _check_number(number)
        if request.hours:
            weekly_hours(request.hours)
        try:
            ZoneInfo(request.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise BadInput("zone: it is an IANA name, such as Europe/London") from error
        if request.closed == "transfer" and not request.person:
            raise BadInput("closed: nobody is named to connect callers to: person")
        for playbook in {request.playbook, request.closed_playbook} - {""}:
            await self._check_playbook(playbook)
        kept = msgspec.convert({**msgspec.structs.asdict(request), "number": number}, PhoneNumber)
        await self._numbers.put(current().principal.workspace, kept)
        return kept

    async def forget_number(self, number: str) -> None:
        """See CallDesk."""
        await self._numbers.forget(current().principal.workspace, number)

    # ---- the do-not-call list ---------------------------------------------------------------------------------

    async def barred_numbers(self, query: BarredQuery) -> BarredPage:
        """See CallDesk."""
        found = await self._barred.page(current().principal.workspace, query.limit + 1, query.cursor)
        page = found[: query.limit]
        return BarredPage(page, next=page[-1].number if len(found) > len(page) else "")

    async def barred(self, number: str) -> BarredNumber:
        """See CallDesk."""
        entry = await self._barred.find(current().principal.workspace, number)
        if entry is None:
            raise NotFound("the number is not on the do-not-call list")
        return entry

    async def bar(self, number: str, request: BarredReason) -> BarredNumber:
        """See CallDesk."""
        _check_number(number)
        entry = BarredNumber(number, "team", request.note, _milliseconds(self._clock()))
        return await self._barred.put(current().principal.workspace, entry)

    async def unbar(self, number: str) -> None:
        """See CallDesk."""
        await self._barred.forget(current().principal.workspace, number)


def _check_number(number: str) -> None:
    if not _E164.fullmatch(number):
        raise refusal("not-e164")


def _same(request: PlaceCall, intent: Intent) -> bool:
    """Whether an order of the same name asks for the same; what it left open was decided the first time."""
    if not isinstance(intent.wish, CallWish):
        return False
    asked = intent.wish.assignment
    return (
        request.to == intent.to
        and request.sender in {"", intent.sender}
        and request.playbook in {"", asked.playbook}
        and (request.reason, request.variables) == (asked.reason, asked.variables)
    )


def _placed(order_id: str, intent: Intent) -> PlacedCall:
    match intent.state:
        case "done":
            return PlacedCall(order_id, "placed", intent.carrier_id)
        case "refused":
            return PlacedCall(order_id, "refused", detail=intent.reason)
        case _:
            return PlacedCall(order_id, "queued")


def _milliseconds(moment: datetime) -> datetime:
    """As precisely as the store keeps it."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)
