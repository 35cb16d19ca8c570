"""What is told of a call that has been worked over: its outcome, and that its caller is a hot lead. Pure."""

from collections.abc import Iterator
from datetime import datetime

from scriza.kernel.events import Event, Topic, event
from scriza.modules.memory.book import Findings
from scriza.ports.agent import DO_NOT_CALL
from scriza.ports.memory import CallOutcome, HotBecause, HotLead, RememberedCall
from scriza.ports.playbook import Playbook

_TRANSFERRED = "transferred"


def told_of(
    call: RememberedCall, playbook: Playbook | None, findings: Findings, workspace: str, now: datetime
) -> list[Event]:
    """The events; their ids are the call's, so that they are told once however often it is worked over."""
    won = playbook is not None and findings.outcome in playbook.goal.success
    outcome = CallOutcome(
        call_id=call.call_id,
        direction=call.direction,
        playbook=call.playbook,
        outcome=findings.outcome,
        won=won,
        summary=findings.summary,
        summary_by=findings.summary_by,
        fields=findings.fields,
        duration_seconds=call.duration_seconds or 0,
        caller=call.caller,
    )
    data: list[tuple[Topic, CallOutcome | HotLead]] = [(Topic.CALL_OUTCOME, outcome)]
    if because := list(hot_because(call, playbook, findings)):
        hot = HotLead(call.call_id, because, findings.outcome, findings.summary, call.caller)
        data.append((Topic.LEAD_HOT, hot))
    return [
        event(topic, each, source="memory", subject=call.call_id, key="final", time=now, workspace=workspace)
        for topic, each in data
    ]


def hot_because(call: RememberedCall, playbook: Playbook | None, findings: Findings) -> Iterator[HotBecause]:
    """Why somebody should see to the caller now; nothing for who does not want it, or whom the playbook lets go."""
    goal = playbook.goal if playbook else None
    if findings.outcome == DO_NOT_CALL or (goal and findings.outcome in goal.disqualify):
        return
    if goal and findings.outcome in goal.success:
        yield "won"
    if any(turn.promised and turn.heard for turn in call.turns):
        yield "promised"
    if call.ended_reason == _TRANSFERRED:
        yield "transferred"
