"""Calls that were promised in a call: ordered once when their time has come, by the call desk's own rules."""

from datetime import UTC, datetime, timedelta

import pytest

from scriza.modules.telephony.placing.callbacks import Callback, Callbacks
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.policy import Rules
from scriza.ports.call_desk import BarredNumber
from tests.memory_books import MemoryCallbackBook
from tests.memory_placing import ALWAYS, MemoryPlacing, NoAgent

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
US, OTHER = "+14155550100", "+14155550123"
DUE = START + timedelta(hours=24)
CALLBACK = Callback("cb_1", "default", DUE, US, OTHER, reason="wants a demo", variables={"name": "Ada"})


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


class Rig:
    def __init__(self, rules: Rules = ALWAYS) -> None:
        self.clock = Clock()
        self.placing = MemoryPlacing(clock=self.clock, rules=rules)
        self.book = MemoryCallbackBook()
        self.callbacks = Callbacks(self.book, self.placing.desk(NoAgent(), sender=US), self.clock)

    @property
    def calls(self) -> list[str]:
        return [intent.to for intent in self.placing.intents.intents.values()]

    @property
    def state(self) -> tuple[str, str]:
        return self.book.callbacks["cb_1"].state, self.book.callbacks["cb_1"].refusal


@pytest.fixture
async def rig() -> Rig:
    made = Rig()
    await made.book.put(CALLBACK)
    return made


async def test_nobody_is_called_before_the_time(rig: Rig) -> None:
    assert await rig.callbacks.place_due() == 0
    assert rig.calls == []


async def test_when_the_time_has_come_they_are_called_once_with_what_is_known(rig: Rig) -> None:
    rig.clock.now = DUE
    assert await rig.callbacks.place_due() == 1
    assert await rig.callbacks.place_due() == 0
    (intent,) = rig.placing.intents.intents.values()
    assert (intent.sender, intent.to, rig.state) == (US, OTHER, ("ordered", ""))
    assert intent.wish.assignment.variables == {"name": "Ada"}  # type: ignore[union-attr]  # it is a call


async def test_a_process_that_dies_between_order_and_note_places_no_second_call(rig: Rig) -> None:
    rig.clock.now = DUE
    await rig.callbacks.place_due()
    rig.book.callbacks["cb_1"] = CALLBACK
    await rig.callbacks.place_due()
    assert len(rig.calls) == 1


async def test_who_asked_not_to_be_called_meanwhile_is_not(rig: Rig) -> None:
    await rig.placing.barred.put("default", BarredNumber(OTHER, "message", "", START))
    rig.clock.now = DUE
    await rig.callbacks.place_due()
    assert (rig.calls, rig.state) == ([], ("refused", "do-not-call"))


async def test_while_all_calls_are_stopped_it_waits_for_an_hour(rig: Rig) -> None:
    rig.clock.now = DUE
    await rig.placing.switch_book.set(stopped=True, at=DUE)
    await rig.callbacks.place_due()
    assert rig.state == ("waiting", "")
    rig.clock.now = DUE + timedelta(hours=1)
    await rig.callbacks.place_due()
    assert (rig.calls, rig.state) == ([], ("refused", "calls-stopped"))


async def test_outside_calling_hours_nobody_is_called_whatever_was_promised() -> None:
    rig = Rig(Rules(weekly_hours("Mon-Fri 09:00-10:00"), most_calls=3))
    await rig.book.put(CALLBACK)
    rig.clock.now = DUE
    await rig.callbacks.place_due()
    assert rig.state == ("refused", "outside-calling-hours")
