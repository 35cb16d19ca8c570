"""The way through a call: stages that nothing leads to, and those that nothing leads out of."""

from collections.abc import Iterable, Iterator, Mapping

from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Playbook, Stage
from scriza.ports.playbook_findings import Finding


def stages(playbook: Playbook) -> Iterator[Finding]:
    """Stages that a call cannot reach, cannot leave, or leaves only for each other."""
    ways = {stage.id: _ways_out(stage) for stage in playbook.stages}
    anywhere = _from_anywhere(playbook)
    reached = _reachable({playbook.stages[0].id, *anywhere}, ways)
    ending = _leading_to({stage.id for stage in playbook.stages if _ends(stage)}, ways)
    for at, stage in enumerate(playbook.stages):
        here = below("/stages", at)
        if stage.id not in reached:
            fix = "lead to it by `next`, `exits` or an answer's `to`, or delete it"
            yield Finding("warning", "unreachable-stage", f"nothing leads to the stage {stage.id!r}", here, fix)
        elif not ways[stage.id] and not _ends(stage) and (stage.keeps or not anywhere - {stage.id}):
            fix = "give it `exits` or `next`, or write `final: true` where the call may end here"
            yield Finding("warning", "no-exit", f"nothing leads out of the stage {stage.id!r}", here, fix)
        elif stage.id in (round_ := _reachable(ways[stage.id], ways)) and not (anywhere | {stage.id}) & ending:
            fix = "give one of them an exit that leads to a stage with `final: true`"
            message = f"from the stage {stage.id!r} a call goes round without an end: {', '.join(sorted(round_))}"
            yield Finding("warning", "endless-cycle", message, here, fix)


def _ways_out(stage: Stage) -> set[str]:
    found = {stage.next, *(way.to for way in stage.exits), *(answer.to for answer in stage.answers.values())}
    return found - {"", stage.id}


def _from_anywhere(playbook: Playbook) -> set[str]:
    """Stages that answers lead to which are given in whatever stage."""
    found = {
        *(intent.answer.to for intent in playbook.intents),
        *(objection.next for objection in playbook.objections),
        *(faq.to for faq in playbook.faqs),
        playbook.transfer.unavailable.to,
    }
    return found - {""}


def _ends(stage: Stage) -> bool:
    """Whether a call may end here: it says so, or an answer hangs up or hands the caller over."""
    return stage.final or any(answer.act for answer in stage.answers.values())


def _reachable(begin: Iterable[str], ways: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    open_ = [stage for stage in begin if stage in ways]
    while open_:
        stage = open_.pop()
        if stage not in found:
            found.add(stage)
            open_ += [other for other in ways[stage] if other in ways]
    return found


def _leading_to(ends: set[str], ways: Mapping[str, set[str]]) -> set[str]:
    back: dict[str, set[str]] = {stage: set() for stage in ways}
    for stage, others in ways.items():
        for other in others & ways.keys():
            back[other].add(stage)
    return _reachable(ends, back)
