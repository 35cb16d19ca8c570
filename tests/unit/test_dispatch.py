"""Orders and the carrier: once, whatever gets lost between them and whoever is killed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import Forbidden, RateLimited, ScrizaError, Unavailable, UpstreamFailed
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.books import Standing
from scriza.modules.telephony.placing.dispatch import OPTED_OUT, Dispatcher, Links
from scriza.modules.telephony.placing.intents import LEASE, VISIBLE, CallWish, Intent
from scriza.modules.telephony.placing.texts import Texts
from scriza.ports.call_desk import RefusalReason
from tests.memory_books import MemoryIntentBook
from tests.memory_placing import MemoryPlacing
from tests.standins.carrier import StandInCarrier, Trouble
from tests.virtual_time import run_virtual

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
US, THEM = "+14155550100", "+14155550123"


class Desk:
    """A dispatcher with everything around it in memory, and a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = START
        self.book = MemoryIntentBook()
        self.carrier = StandInCarrier(lambda: self.now)
        self.reason: RefusalReason | Literal[""] = ""
        self.told_stop: list[str] = []
        self.dispatcher = self.another_process()
        self.texts = Texts(self.book, self.dispatcher, lambda: self.now)

    def another_process(self) -> Dispatcher:
        links = Links("https://pbx.example/scriza/")
        return Dispatcher(self.book, self.carrier, links, self, lambda: self.now)

    async def refused(self, intent: Intent) -> RefusalReason | Literal[""]:
        return self.reason

    async def opted_out(self, intent: Intent) -> None:
        self.told_stop.append(intent.to)

    def later(self, span: timedelta) -> None:
        self.now += span

    async def order(self, name: str = "ord_1", *, to: str = THEM, detect_machine: bool = True) -> Intent:
        wish = CallWish(Assignment(order_id=name), detect_machine=detect_machine)
        intent = Intent(
            name, "default", US, to, wish, self.now, self.now + timedelta(minutes=2), self.now, cost_micro_usd=100
        )
        return await self.book.record(intent, nothing)

    async def place(self, name: str = "ord_1", to: str = THEM) -> Intent:
        return await self.dispatcher.settle(await self.order(name, to=to))

    async def known(self, name: str = "ord_1") -> Intent:
        intent = await self.book.find(name)
        assert intent is not None
        return intent


def nothing(_: Standing) -> None: ...


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_call_is_placed_with_urls_that_lead_back_to_its_order(desk: Desk) -> None:
    placed = await desk.place()
    assert (placed.state, placed.carrier_id) == ("done", "CA1")
    order = desk.carrier.placed[0]
    assert (order.sender, order.to) == (US, THEM)
    assert order.url == "https://pbx.example/scriza/voice?order=ord_1"
    assert order.status_url == "https://pbx.example/scriza/status-callback?order=ord_1"
    assert order.answered_by_url == "https://pbx.example/scriza/voice/answered-by"
    assert order.fallback_url == "https://pbx.example/scriza/voice/fallback"


async def test_nobody_listens_for_machines_where_that_is_not_wanted(desk: Desk) -> None:
    await desk.dispatcher.settle(await desk.order(detect_machine=False))
    assert desk.carrier.placed[0].answered_by_url == ""


async def test_an_order_that_is_settled_again_places_no_second_call(desk: Desk) -> None:
    for _ in range(3):
        await desk.dispatcher.settle(await desk.order())
    assert len(desk.carrier.placed) == 1


async def test_two_processes_that_take_up_the_same_order_place_one_call(desk: Desk) -> None:
    intent = await desk.order()
    others = [desk.another_process() for _ in range(5)]
    await asyncio.gather(*(dispatcher.settle(intent) for dispatcher in others))
    assert len(desk.carrier.placed) == 1
    assert (await desk.known()).carrier_id == "CA1"


async def test_an_answer_that_got_lost_is_found_in_the_carriers_list(desk: Desk) -> None:
    desk.carrier.trouble = ["lost after"]
    placed = await desk.place()
    assert (placed.state, placed.carrier_id, desk.carrier.looks) == ("done", "CA1", 1)
    assert len(desk.carrier.calls) == 1


async def test_a_request_that_got_lost_is_made_again_when_the_list_is_sure_not_to_hold_it(desk: Desk) -> None:
    desk.carrier.trouble = ["lost before"]
    assert (await desk.place()).state == "unsure"
    desk.later(VISIBLE)
    assert await desk.dispatcher.settle_due() == 1
    assert (await desk.known()).carrier_id == "CA1"
    assert (len(desk.carrier.placed), len(desk.carrier.calls)) == (2, 1)


async def test_a_call_that_comes_into_the_list_too_late_is_found_all_the_same(desk: Desk) -> None:
    desk.carrier.trouble, desk.carrier.lag = ["lost after", "lost before"], timedelta(seconds=25)
    await desk.place()
    for _ in range(2):
        desk.later(VISIBLE)
        await desk.dispatcher.settle_due()
    assert (await desk.known()).carrier_id == "CA1"
    assert (len(desk.carrier.placed), len(desk.carrier.calls)) == (2, 1)


async def test_the_call_of_another_order_is_not_taken_for_the_one_that_got_lost(desk: Desk) -> None:
    await desk.place("ord_0")
    desk.carrier.trouble = ["lost before"]
    assert (await desk.place("ord_1")).state == "unsure"
    desk.later(VISIBLE)
    await desk.dispatcher.settle_due()
    assert ((await desk.known("ord_0")).carrier_id, (await desk.known("ord_1")).carrier_id) == ("CA1", "CA2")


@pytest.mark.parametrize(("trouble", "requests"), [("hangs", 1), ("", 0)])
def test_an_order_whose_process_was_killed_is_settled_by_the_next_one(trouble: Trouble, requests: int) -> None:
    """Killed while it asked, the call being placed, and killed before it asked."""

    async def main() -> None:
        desk = Desk()
        intent = await desk.order()
        if trouble:
            desk.carrier.trouble = [trouble]
            asking = asyncio.create_task(desk.dispatcher.settle(intent))
            await asyncio.sleep(1)
            asking.cancel()
            await asyncio.wait([asking])
        next_one = desk.another_process()
        desk.later(LEASE)
        assert await next_one.settle_due() == 1
        assert len(desk.carrier.calls) == 1
        assert (await desk.known()).carrier_id == "CA1"
        assert len(desk.carrier.placed) == max(1, requests)
        assert await next_one.settle_due() == 0

    run_virtual(main())


def test_a_carrier_that_never_answers_is_not_waited_for_longer_than_the_lease() -> None:
    async def main() -> None:
        desk = Desk()
        desk.carrier.trouble = ["hangs"]
        began = asyncio.get_running_loop().time()
        placed = await desk.place()
        assert asyncio.get_running_loop().time() - began < LEASE.total_seconds()
        assert placed.carrier_id == "CA1"

    run_virtual(main())


async def test_while_somebody_asks_nobody_else_does(desk: Desk) -> None:
    desk.carrier.trouble = ["hangs"]
    asking = asyncio.create_task(desk.dispatcher.settle(await desk.order()))
    await asyncio.sleep(0)
    assert (await desk.another_process().settle(await desk.known())).state == "asking"
    assert await desk.another_process().settle_due() == 0
    asking.cancel()
    assert len(desk.carrier.placed) == 1


async def test_a_call_that_is_here_before_the_carriers_answer_proves_that_it_was_placed(desk: Desk) -> None:
    desk.carrier.trouble = ["lost before"]
    await desk.place()
    proven = await desk.dispatcher.proven("ord_1", "CA7")
    assert proven is not None
    assert (proven.state, proven.carrier_id) == ("done", "CA7")
    desk.later(VISIBLE)
    assert await desk.dispatcher.settle_due() == 0


async def test_an_order_that_was_placed_twice_all_the_same_is_told_in_the_log(desk: Desk) -> None:
    await desk.place()
    with capture_logs() as logs:
        again = await desk.dispatcher.proven("ord_1", "CA9")
    assert again is not None
    assert again.carrier_id == "CA1"
    assert [line["event"] for line in logs] == ["intent.done_twice"]


async def test_a_call_that_nobody_ordered_is_nobodys(desk: Desk) -> None:
    assert await desk.dispatcher.proven("ord_unknown", "CA7") is None


async def test_the_end_of_a_call_settles_what_it_cost_once(desk: Desk) -> None:
    await desk.place()
    await desk.dispatcher.ended("ord_1", 28)
    await desk.dispatcher.ended("ord_1", 99)
    known = await desk.known()
    assert (known.over, known.cost_micro_usd) == (True, 28)


async def test_what_the_carrier_refuses_is_not_asked_for_again(desk: Desk) -> None:
    desk.carrier.trouble = [UpstreamFailed("Twilio refused: error 21211")]
    refused = await desk.place()
    assert (refused.state, refused.reason, refused.cost_micro_usd) == ("refused", "Twilio refused: error 21211", 0)
    desk.later(timedelta(hours=1))
    assert await desk.dispatcher.settle_due() == 0


@pytest.mark.parametrize(
    "trouble", [RateLimited("slowly", retry_after=5), UpstreamFailed("Twilio cannot be reached", retry_after=5)]
)
async def test_a_carrier_that_has_done_nothing_yet_is_asked_again_later(desk: Desk, trouble: ScrizaError) -> None:
    desk.carrier.trouble = [trouble]
    assert (await desk.place()).state == "waiting"
    assert await desk.dispatcher.settle_due() == 0
    desk.later(timedelta(seconds=5))
    await desk.dispatcher.settle_due()
    assert (await desk.known()).carrier_id == "CA1"


async def test_what_waits_is_refused_when_calls_are_stopped_meanwhile(desk: Desk) -> None:
    desk.carrier.trouble = [RateLimited("slowly", retry_after=5)]
    await desk.place()
    desk.reason = "calls-stopped"
    desk.later(timedelta(seconds=5))
    await desk.dispatcher.settle_due()
    assert ((await desk.known()).state, (await desk.known()).reason) == ("refused", "calls-stopped")
    assert len(desk.carrier.placed) == 1


async def test_a_list_that_cannot_be_had_is_asked_for_again_later(desk: Desk) -> None:
    desk.carrier.trouble, desk.carrier.list_trouble = ["lost after"], [Unavailable("away")]
    assert (await desk.place()).state == "unsure"
    desk.later(timedelta(seconds=5))
    await desk.dispatcher.settle_due()
    assert (await desk.known()).carrier_id == "CA1"


# ---- messages -----------------------------------------------------------------------------------------------------


async def test_a_message_is_sent_once_for_each_key(desk: Desk) -> None:
    for _ in range(3):
        sent = await desk.texts.send("sms_1", "Hello", workspace="default", sender=US, to=THEM)
        assert (sent.state, sent.over) == ("done", True)
    assert [found.text for _, _, found in desk.carrier.messages] == ["Hello"]


async def test_a_message_whose_answer_got_lost_is_found_by_its_words(desk: Desk) -> None:
    await desk.texts.send("sms_0", "Hello", workspace="default", sender=US, to=THEM)
    desk.carrier.trouble = ["lost after"]
    await desk.texts.send("sms_1", "Goodbye", workspace="default", sender=US, to=THEM)
    desk.carrier.trouble = ["lost before"]
    lost = await desk.texts.send("sms_2", "Hello", workspace="default", sender=US, to=THEM)
    assert lost.state == "unsure"
    desk.later(VISIBLE)
    await desk.dispatcher.settle_due()
    assert [found.text for _, _, found in desk.carrier.messages] == ["Hello", "Goodbye", "Hello"]
    assert [(await desk.known(name)).carrier_id for name in ("sms_0", "sms_1", "sms_2")] == ["SM1", "SM2", "SM3"]


async def test_a_person_who_has_told_the_carrier_to_stop_is_remembered(desk: Desk) -> None:
    desk.carrier.trouble = [Forbidden("error 21610")]
    refused = await desk.texts.send("sms_1", "Hello", workspace="default", sender=US, to=THEM)
    assert (refused.state, refused.reason) == ("refused", OPTED_OUT)
    assert desk.told_stop == [THEM]


async def test_whom_the_carrier_does_not_let_us_write_to_is_neither_written_to_nor_called_again() -> None:
    placing = MemoryPlacing(clock=lambda: START)
    assert isinstance(placing.carrier, StandInCarrier)
    placing.carrier.trouble = [Forbidden("error 21610")]
    for key in ("sms_1", "sms_2"):
        refused = await placing.texts.send(key, "Hello", workspace="default", sender=US, to=THEM)
    assert refused.reason == "do-not-call"
    entry = await placing.barred.find("default", THEM)
    assert entry is not None
    assert entry.source == "carrier"
    assert placing.carrier.messages == []


async def test_no_log_line_holds_a_number_or_what_is_written(desk: Desk) -> None:
    desk.carrier.trouble = ["lost before", Forbidden("error 21610")]
    with capture_logs() as logs:
        await desk.place()
        await desk.texts.send("sms_1", "a secret", workspace="default", sender=US, to=THEM)
    assert logs
    assert not any(word in str(logs) for word in (US, THEM, "a secret"))
    assert all(isinstance(line.get("intent"), str) for line in logs)
