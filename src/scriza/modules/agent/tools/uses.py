"""The tools of one reply: what the model wants, what of it may be done, and what came of it.

A wish is an act (told to telephony, which follows it when the answer was heard), something to run whose result the
model waits for, or nothing that can be done, which the model is told once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from scriza.kernel.errors import ScrizaError
from scriza.modules.agent.tools.acts import Setting, act_of
from scriza.modules.agent.tools.arguments import WrongArguments, canonical
from scriza.modules.agent.tools.results import NOT_NOW, promised, refused, told
from scriza.modules.agent.tools.runs import Run, run_id
from scriza.modules.agent.tools.toolbox import Ability, Toolbox
from scriza.modules.agent.tools.workshop import Workshop
from scriza.ports.agent import Act, HangUp, Proposal, Reply, ToolRun, TransferTo
from scriza.ports.llm import Message, ToolCall
from scriza.ports.tool_caller import ToolAnswer

_log = structlog.get_logger()

_MOST_CALLS = 8
"""Of one round."""

PLAYBOOK_CALL = "playbook_"
"""What the ids of calls begin with that the playbook itself wants."""
ASK_FIRST = (
    "The caller has not agreed yet. Say in one sentence what you would do, with the particulars, and ask whether you "
    "may. Call this again with the same arguments when they have said yes."
)
TOO_MANY = "Too many tools at once."
NO_SUCH = "There is no such tool."
NOT_AGAIN = "The arguments are wrong again. Do not call this tool now; offer that a colleague does it."


class Scene(msgspec.Struct, frozen=True):
    """In which reply tools are used."""

    workspace: str
    call_id: str
    turn: int
    setting: Setting
    caller: str = ""
    """E.164; empty when withheld."""
    proposed: Proposal | None = None
    """What the caller was asked to agree to."""
    agreed: bool = False
    """The caller has just said yes."""

    @property
    def known(self) -> dict[str, str]:
        """What we fill arguments with, by the names that a schema may use."""
        return {**self.setting.known, "caller": self.caller, "call_id": self.call_id}


class _Wanted(msgspec.Struct, frozen=True, eq=False):
    call: ToolCall
    ability: Ability
    arguments: dict[str, object]


class Uses:
    """Takes in the calls of a round, and answers them all together."""

    def __init__(self, toolbox: Toolbox, workshop: Workshop, scene: Scene) -> None:
        self._toolbox, self._workshop, self._scene = toolbox, workshop, scene
        self.acts: list[Act] = []
        self.runs: list[Run] = []
        self.proposed: Proposal | None = None
        """What the caller is being asked to agree to in this reply."""
        self.before: list[ToolRun] = []
        """Run in turns that the caller cut off, or for this reply before it was held."""
        self._calls: list[ToolCall] = []
        self._answers: dict[str, str] = {}
        self._wanted: list[_Wanted] = []
        self._wrong: dict[str, int] = {}
        self._waits = False

    # ---- in ----

    def take(self, call: ToolCall) -> None:
        """Take in a call of this round."""
        self._calls.append(call)
        if len(self._calls) > _MOST_CALLS:
            self._refuse(call, TOO_MANY)
            return
        ability = self._toolbox.find(call.name)
        self._waits |= ability is not None and ability.kind != "act"
        if ability is None:
            self._refuse(call, NO_SUCH)
        elif self._wrong.get(call.name, 0) > 1:
            self._refuse(call, NOT_AGAIN)
        else:
            try:
                self._sort(call, ability, ability.parameters.read(call.arguments))
            except WrongArguments as error:
                self._wrong[call.name] = self._wrong.get(call.name, 0) + 1
                self._refuse(call, str(error) if self._wrong[call.name] == 1 else NOT_AGAIN)
                self._waits |= ability.is_promised

    def take_again(self, call: ToolCall) -> None:
        """Take in a call of an earlier round, which is answered: an act is followed all the same."""
        ability = self._toolbox.find(call.name)
        if ability is not None and ability.kind == "act":
            with suppress(WrongArguments):
                arguments = ability.parameters.read(call.arguments)
                if self._may(ability, arguments):
                    self.acts.append(act_of(ability, arguments, self._scene.setting))

    def taken(self, call: ToolCall) -> None:
        """A call that somebody else has dealt with."""
        self._calls.append(call)
        self._answers[call.id] = promised()

    def want(self, name: str, slots: Mapping[str, str]) -> ToolCall | None:
        """The playbook itself wants a tool run, with what the caller has said; none when that does not suffice."""
        ability = self._toolbox.find(name)
        if ability is None or ability.kind == "act":
            _log.warning("agent.tool_not_there", tool=name)
            return None
        try:
            arguments = ability.parameters.from_slots(slots)
        except WrongArguments:
            _log.warning("agent.tool_lacks_arguments", tool=name)
            return None
        call = ToolCall(f"{PLAYBOOK_CALL}{self._scene.turn}", name, canonical(arguments))
        self._calls.append(call)
        self._wanted.append(_Wanted(call, ability, arguments))
        return call

    def _sort(self, call: ToolCall, ability: Ability, arguments: dict[str, object]) -> None:
        if not self._may(ability, arguments):
            self._answers[call.id] = refused(ASK_FIRST)
            self._waits = True
        elif ability.kind == "act":
            self.acts.append(act_of(ability, arguments, self._scene.setting))
            self._answers[call.id] = promised()
        else:
            self._wanted.append(_Wanted(call, ability, arguments))

    def _may(self, ability: Ability, arguments: Mapping[str, object]) -> bool:
        """Whether it needs no yes, or has got it for just this; otherwise it is what the caller is being asked."""
        wish = Proposal(ability.name, canonical(arguments))
        if not ability.tool.confirm or (self._scene.agreed and self._scene.proposed == wish):
            return True
        self.proposed = wish
        return False

    def _refuse(self, call: ToolCall, why: str) -> None:
        # A name that is none of the playbook's was made up by a model, of whatever it has heard.
        known = self._toolbox.find(call.name) is not None
        _log.warning("agent.tool_call_refused", tool=call.name if known else "unknown")
        self._answers[call.id] = refused(why)

    # ---- what is there ----

    @property
    def asked(self) -> bool:
        """The model has called tools in this round."""
        return bool(self._calls)

    @property
    def must_be_sure(self) -> bool:
        """Something in this round may not be done before the turn is sure."""
        return any(not wanted.ability.reads_only for wanted in self._wanted)

    @property
    def brings_back(self) -> bool:
        """The model waits for a result in this round, or has to be told why there is none."""
        return self._waits

    @property
    def ends(self) -> bool:
        """What was asked for ends the talking."""
        return any(isinstance(act, HangUp | TransferTo) for act in self.acts)

    @property
    def first(self) -> Ability | None:
        """The first of what is to be run in this round."""
        return self._wanted[0].ability if self._wanted else None

    def ran(self) -> list[ToolRun]:
        """What was run, for who learns from calls."""
        return _each_once([*self.before, *(_ran(run) for run in self.runs)])

    # ---- out ----

    async def answers(self) -> list[Message]:
        """Run what is wanted, all at once, and answer every call of this round; the next round begins."""
        ran = await asyncio.gather(*(self._run(wanted) for wanted in self._wanted))
        for wanted, answer in zip(self._wanted, ran, strict=True):
            self._answers[wanted.call.id] = answer
        messages = [Message("tool", self._answers[call.id], tool_call_id=call.id) for call in self._calls]
        self._calls, self._answers, self._wanted, self._waits = [], {}, [], False
        return messages

    async def _run(self, wanted: _Wanted) -> str:
        scene, ability, arguments = self._scene, wanted.ability, canonical(wanted.arguments)
        turn = scene.turn if ability.reads_only else None
        now = scene.setting.now
        run = Run(
            run_id=run_id(scene.workspace, scene.call_id, ability.name, arguments, turn=turn),
            workspace=scene.workspace,
            call_id=scene.call_id,
            turn=scene.turn,
            tool=ability.name,
            arguments=arguments,
            started_at=now,
            overdue_at=now,
            harmless=ability.harmless,
        )
        known = scene.known

        async def perform(claimed: Run) -> ToolAnswer:
            return await self._workshop.perform(ability, wanted.arguments, known, claimed)

        try:
            done = await self._workshop.runner.run(run, perform, timeout_s=ability.tool.timeout_ms / 1000)
        except ScrizaError as error:
            _log.warning("agent.tool_not_run", tool=ability.name, reason=error.slug)
            return refused(NOT_NOW)
        self.runs.append(done)
        return told(done, scene.turn)


def told_late(runs: Sequence[Run], request: Reply) -> list[ToolRun]:
    """What ran for replies that were cut off, so that nobody has told of it."""
    answered, turn = request.conversation.turn, request.turn
    return [_ran(run) for run in runs if answered < run.turn < turn and run.state != "running"]


def _ran(run: Run) -> ToolRun:
    return ToolRun(run.run_id, run.tool, run.state == "done", run.ms)


def _each_once(runs: Sequence[ToolRun]) -> list[ToolRun]:
    return list({run.id: run for run in runs}.values())
