"""What every journal keeps of calls and gives back: lines, messages and pages of them, and what is done once."""

import asyncio

import msgspec
import pytest

from scriza.kernel.errors import BadInput, NotFound
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.call_log import Assignment, ReceivedMessage
from scriza.modules.telephony.service import TelephonyService
from scriza.ports.agent import Conversation, Exchange, TurnNotes
from scriza.ports.telephony import CallQuery, ReplyGenerated, TurnRecord
from tests.contract.call_log_rig import (
    CALL,
    SIDES,
    WHO,
    Rig,
    at,
    completed,
    ending,
    found,
    line,
    new,
    rig_of,
    status,
    updated,
)


@pytest.fixture(params=SIDES)
def rig(request: pytest.FixtureRequest) -> Rig:
    return rig_of(request)


async def test_a_call_is_opened_once_and_told_once(rig: Rig) -> None:
    assert await rig.log.open(new(), updated()) is True
    assert await rig.log.open(new(), updated()) is False
    assert await rig.topics() == ["call.updated"]
    record = await rig.record()
    assert (record.call_id, record.conversation_id, record.status) == (CALL, CALL, "ringing")
    assert (record.turns, record.tokens_used, record.ended_reason, record.duration_seconds) == ([], 0, "", None)


async def test_the_record_follows_the_journal_while_the_call_lives(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello, this is Scrappy.", tokens=0)], [])
    await rig.log.append([line(1, "user", "I'm busy", confidence=0.82)], [])
    await rig.log.append([line(1, "reply", "No problem, shall I call back?", stage="objection", tokens=31)], [])
    record = await rig.record()
    assert record.last_transcript == "I'm busy"
    assert record.confidence == 0.82
    assert record.last_reply == "No problem, shall I call back?"
    assert (record.stage, record.tokens_used) == ("objection", 31)
    await rig.log.append([line(1, "heard", "No problem,", stage="objection")], [])
    record = await rig.record()
    assert record.last_reply == "No problem,"
    assert record.turns == [
        TurnRecord("", "Hello, this is Scrappy.", "opening", 1.0),
        TurnRecord("I'm busy", "No problem,", "objection", 0.82),
    ]


async def test_a_line_that_is_journalled_already_counts_no_tokens_and_changes_nothing(rig: Rig) -> None:
    await rig.log.open(new())
    first = [line(1, "user", "yes"), line(1, "reply", "Great.", tokens=20)]
    await rig.log.append(first, [])
    await rig.log.append([*first, line(1, "heard", "Great.")], [])
    await rig.log.append([line(1, "reply", "Something else.", tokens=20, stage="other")], [])
    record = await rig.record()
    assert (record.tokens_used, record.last_reply, record.stage) == (20, "Great.", "opening")
    assert record.turns == [TurnRecord("yes", "Great.", "opening", 1.0)]


async def test_the_same_line_twice_in_one_go_is_one_line(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hi", tokens=5), line(0, "reply", "Hi", tokens=5)], [])
    assert (await rig.record()).tokens_used == 5


async def test_lines_of_an_unknown_call_are_refused_and_nothing_is_told(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.log.append([line(0, "reply", "Hello")], [updated()])
    assert await rig.topics() == []


async def test_events_are_told_with_the_lines_they_belong_to(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(1, "user", "yes")], [updated(key="a"), updated(key="b")])
    assert await rig.topics() == ["call.updated", "call.updated"]


async def test_a_call_can_be_gone_on_with_from_its_journal(rig: Rig) -> None:
    opened = Conversation("sample:1", "opening", opening="Hello")
    answered = Conversation(
        "sample:1", "pitch", opening="Hello", exchanges=[Exchange("yes", "Great.", ["l.1"])], slots={"na.me$": "Ada"}
    )
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello", conversation=opened)], [])
    await rig.log.append([line(1, "user", "yes"), line(1, "reply", "Great.", conversation=answered)], [])
    await rig.log.append([line(2, "user", "what does it cost")], [])
    call = await rig.log.attach(CALL)
    assert (call.attached, call.next_turn, call.unanswered) == (1, 2, "what does it cost")
    assert call.conversation == answered
    assert call.turns[-1] == TurnRecord("what does it cost", "", "opening", 1.0)
    assert (call.workspace, call.caller, call.callee) == ("default", "+14155550123", "+14155550199")
    assert (await rig.log.attach(CALL)).attached == 2


async def test_an_answer_is_untold_until_it_is_known_what_was_heard_of_it(rig: Rig) -> None:
    notes = TurnNotes(meant="price", kind="faq", learned={"na.me$": "Ada"})
    told = ReplyGenerated(CALL, 1, "Great.", "", "pitch", "gpt", 20, "opening", notes)
    await rig.log.open(new())
    await rig.log.append([line(1, "user", "yes"), line(1, "reply", "Great.", tokens=20, told=told)], [])
    call = await found(rig)
    assert call.untold == [msgspec.structs.replace(told, heard="Great.")]
    assert (call.who, call.tokens) == (WHO, 20)
    await rig.log.append([line(1, "heard", "Gre")], [])
    assert (await found(rig)).untold == []


async def test_what_a_log_returns_is_the_callers_own(rig: Rig) -> None:
    conversation = Conversation("sample:1", "opening")
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello", conversation=conversation)], [])
    conversation.stage = "changed after the fact"
    found = await rig.log.find(CALL)
    assert found is not None
    assert found.conversation == Conversation("sample:1", "opening")


async def test_an_unknown_call_cannot_be_attached_to_or_found(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.log.attach(CALL)
    assert await rig.log.find(CALL) is None
    assert await rig.log.end(ending(), completed()) is False
    assert await rig.log.report(status("completed", 3), completed()) is False
    assert await rig.topics() == []


async def test_who_took_the_call_is_told_once(rig: Rig) -> None:
    assert await rig.log.answered(CALL, "human", at(1)) is False
    await rig.log.open(new())
    assert await rig.log.answered(CALL, "machine_start", at(2)) is True
    assert await rig.log.answered(CALL, "human", at(3)) is False
    assert (await found(rig)).answered_by == "machine_start"


async def test_calls_are_read_by_their_own_workspace_only(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.open(new("CA-theirs", workspace="other"))
    service = TelephonyService(rig.log)
    with acting(Principal(workspace="other")):
        assert (await service.call("CA-theirs")).call_id == "CA-theirs"
        with pytest.raises(NotFound):
            await service.call(CALL)
        assert [call.call_id for call in (await service.calls(CallQuery())).data] == ["CA-theirs"]
    assert (await service.call(CALL)).call_id == CALL


async def test_pages_of_calls_go_back_in_time_without_a_gap_or_a_repetition(rig: Rig) -> None:
    for n in range(7):
        await rig.log.open(new(f"CA{n}", started_at=at(n // 2)))
    service = TelephonyService(rig.log)
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await service.calls(CallQuery(limit=3, cursor=cursor))
        found += [call.call_id for call in page.data]
        cursor = page.next
    assert found == ["CA6", "CA5", "CA4", "CA3", "CA2", "CA1", "CA0"]
    assert cursor == ""


@pytest.mark.parametrize("cursor", ["x", "ÄÖ", "e30", "WyJhIiwgMV0", "=" * 9])
async def test_a_cursor_that_no_page_has_given_is_refused(rig: Rig, cursor: str) -> None:
    with pytest.raises(BadInput):
        await TelephonyService(rig.log).calls(CallQuery(cursor=cursor))


async def test_a_listed_call_has_no_turns(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.append([line(0, "reply", "Hello")], [])
    assert (await TelephonyService(rig.log).calls(CallQuery())).data[0].turns == []


async def test_a_part_of_the_event_log_is_kept_once(rig: Rig) -> None:
    await rig.log.open(new())
    await rig.log.keep_event_log(CALL, 0, b'{"at":0}\n')
    await rig.log.keep_event_log(CALL, 0, b"again")
    await rig.log.keep_event_log(CALL, 1, b'{"at":1}\n')
    with pytest.raises(NotFound):
        await rig.log.keep_event_log("CA-unknown", 0, b"")


async def test_a_key_is_claimed_by_one_until_it_expires(rig: Rig) -> None:
    claims = await asyncio.gather(*(rig.once.claim("token:a", at(60)) for _ in range(8)))
    assert sorted(claims) == [False] * 7 + [True]
    assert await rig.once.claim("token:b", at(60))
    rig.clock.now = at(61)
    claims = await asyncio.gather(*(rig.once.claim("token:a", at(120)) for _ in range(8)))
    assert sum(claims) == 1


async def test_the_first_answer_to_a_key_stands(rig: Rig) -> None:
    assert await rig.once.answer("hook:1") is None
    answers = await asyncio.gather(*(rig.once.keep_answer("hook:1", b"<Response>%d" % n) for n in range(5)))
    assert len(set(answers)) == 1
    assert await rig.once.answer("hook:1") == answers[0]
    assert await rig.once.answer("hook:2") is None


async def test_a_call_keeps_how_it_is_to_be_led(rig: Rig) -> None:
    led = Assignment("book", "+14155550177", "order-1", "They asked for a demo.", {"na.me$": "Ada"})
    await rig.log.open(msgspec.structs.replace(new(), assignment=led))
    found = await rig.log.find(CALL)
    assert found is not None
    assert found.assignment == led
    record = await rig.record()
    assert (record.order_id, record.reason) == ("order-1", "They asked for a demo.")


async def test_a_message_is_kept_once_beside_its_call_and_told_once(rig: Rig) -> None:
    await rig.log.open(new())
    for text in ("Tuesday", "Something else"):
        message = ReceivedMessage("SM1", "default", CALL, text, at(60))
        assert await rig.log.keep_message(message, updated(key=text)) is (text == "Tuesday")
    assert await rig.log.keep_message(ReceivedMessage("SM2", "default", CALL, "at ten", at(61)))
    assert await rig.log.keep_message(ReceivedMessage("SM3", "default", "", "who is this", at(62)))
    messages = (await rig.record()).messages
    assert [(each.message_id, each.text, each.received_at) for each in messages] == [
        ("SM1", "Tuesday", at(60)),
        ("SM2", "at ten", at(61)),
    ]
    assert await rig.topics() == ["call.updated"]


async def test_the_last_call_with_a_number_is_found_whoever_called(rig: Rig) -> None:
    await rig.log.open(new("CA1", started_at=at(1)))
    outbound = msgspec.structs.replace(new("CA2", started_at=at(2)), caller="+14155550199", callee="+14155550123")
    await rig.log.open(outbound)
    await rig.log.open(new("CA3", workspace="other", started_at=at(3)))
    assert await rig.log.last_call_with("default", "+14155550123") == "CA2"
    assert await rig.log.last_call_with("other", "+14155550123") == "CA3"
    assert await rig.log.last_call_with("default", "+14155550777") == ""
