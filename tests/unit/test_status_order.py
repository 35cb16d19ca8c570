"""Status reports come in any order, some twice; the call's record does not depend on it."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.call_log import NewCall, StatusReport
from scriza.ports.telephony import TERMINAL, CallRecord, CallStatus
from tests.memory_log import MemoryCallLog

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
WORDS: list[CallStatus] = [
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]  # fmt: skip


def report(sequence: int, word: CallStatus) -> StatusReport:
    duration = sequence * 7 if word in TERMINAL else None
    return StatusReport("CA1", word, sequence, START + timedelta(seconds=sequence), duration)


async def after(reports: list[StatusReport]) -> CallRecord:
    log = MemoryCallLog(lambda: START)
    await log.open(NewCall("CA1", "default", "inbound", "", "", "ringing", START))
    for one in reports:
        await log.report(one)
    record = await log.record("default", "CA1")
    assert record is not None
    return record


@st.composite
def told_twice(draw: st.DrawFn) -> tuple[list[StatusReport], list[StatusReport]]:
    """The same reports in their own order, and in any order with some repeated."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
    reports = [report(sequence, word) for sequence, word in enumerate(words)]
    return reports, draw(st.permutations(reports + draw(st.lists(st.sampled_from(reports), max_size=3))))


@given(told_twice())
def test_any_order_of_status_reports_gives_the_same_record(
    orders: tuple[list[StatusReport], list[StatusReport]],
) -> None:
    straight, shuffled = orders
    assert asyncio.run(after(shuffled)) == asyncio.run(after(straight))


@given(told_twice())
def test_a_call_is_closed_if_and_only_if_a_terminal_word_was_told(
    orders: tuple[list[StatusReport], list[StatusReport]],
) -> None:
    record = asyncio.run(after(orders[1]))
    last_words = [one.status for one in orders[0] if one.status in TERMINAL]
    assert record.ended_reason == (last_words[-1] if last_words else "")
    assert record.status == (last_words[-1] if last_words else orders[0][-1].status)
