"""What one answer is made by: the model's turn, the words for a tool that failed, the lines for while one runs."""

from collections.abc import Sequence

import msgspec

from scriza.modules.agent.decision import Decision, decide_on_failure
from scriza.modules.agent.guide import Guide, known_to
from scriza.modules.agent.prompt import Summary, messages
from scriza.modules.agent.spending import policy_of
from scriza.modules.agent.steering import Steering
from scriza.modules.agent.texts import as_far_as_known, filled, variables_in
from scriza.modules.agent.tools.toolbox import Ability
from scriza.ports.agent import Reply, with_keys
from scriza.ports.llm import Persona, Turn


class Directing:
    """Implements Directions. `briefing` is what the model is told of tools; empty where there are none."""

    def __init__(
        self, guide: Guide, request: Reply, steering: Steering, summary: Summary | None, briefing: str
    ) -> None:
        self._guide, self._request, self._steering = guide, request, steering
        self._summary, self._briefing = summary, briefing

    def turn(self, decision: Decision) -> Turn | None:
        """See Directions."""
        if decision.word_for_word:
            return None
        guide, request = self._guide, self._request
        playbook, who = guide.playbook, guide.playbook.persona
        utterance = with_keys(request.utterance.strip(), request.digits)
        system, *rest = messages(guide, request.conversation, decision, utterance, self._summary)
        if self._briefing:
            system = msgspec.structs.replace(system, content=f"{system.content}\n\n{self._briefing}")
        return Turn(
            messages=[system, *rest],
            conversation_id=request.call_id,
            persona=Persona(who.name, who.role, who.company, ", ".join(who.tone), guide.locale, list(who.style_rules)),
            goals=[playbook.goal.primary],
            tools=[*guide.toolbox.offered(transfers=bool(guide.transfer_to)), *self._steering.tools()],
            policy=policy_of(playbook.model_policy, request.conversation, decision),
            script=decision.script,
        )

    def failed(self, tool: str) -> Decision:
        """See Directions."""
        return decide_on_failure(self._guide, self._request.conversation, self._request.utterance, tool)

    def fillers(self, tool: Ability) -> Sequence[str]:
        """The tool's own, then the playbook's, then ours; those that the call has not heard go first."""
        guide, conversation = self._guide, self._request.conversation
        known = known_to(guide, conversation.slots)
        own = [tool.tool.filler] if tool.tool.filler is not None else []
        lines = [*guide.texts([*own, *guide.playbook.lines.fillers]), *guide.built_in.fillers]
        ready = [filled(line, known) for line in lines if variables_in(line) <= known.keys()]
        heard = " ".join(exchange.agent for exchange in conversation.exchanges)
        return sorted(ready, key=lambda line: line in heard)

    def trouble(self) -> str:
        """See Directions."""
        guide = self._guide
        return as_far_as_known(
            guide.text(guide.playbook.lines.trouble), known_to(guide, self._request.conversation.slots)
        )
