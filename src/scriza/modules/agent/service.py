"""The `Agent` port: from the caller's words to spoken clauses and acts, without any state between requests."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec
import structlog

from scriza.kernel.errors import BadInput, ScrizaError, TooLarge
from scriza.kernel.principal import current
from scriza.modules.agent.after import Told, conversation_after, lines_in, notes
from scriza.modules.agent.answering import Answer, Answering
from scriza.modules.agent.beginning import plan
from scriza.modules.agent.decision import Decision, decide, decide_to_close, required
from scriza.modules.agent.directing import Directing
from scriza.modules.agent.guarding import guard, spoken_line
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.guides import Guides, spoken_language
from scriza.modules.agent.heard import Heard
from scriza.modules.agent.ranking import Ranking
from scriza.modules.agent.spending import Prices, means
from scriza.modules.agent.spoken_lines import spoken_lines
from scriza.modules.agent.steering import Steering
from scriza.modules.agent.summaries import Summaries
from scriza.modules.agent.tools.acts import Setting, merged
from scriza.modules.agent.tools.briefing import briefing
from scriza.modules.agent.tools.consent import agrees
from scriza.modules.agent.tools.runs import Run
from scriza.modules.agent.tools.uses import Scene, Uses, told_late
from scriza.modules.agent.tools.workshop import Workshop
from scriza.modules.agent.whisper import whisper
from scriza.ports.agent import (
    Act,
    AllSpokenLines,
    CallFacts,
    CallPlan,
    Clause,
    HangUp,
    Held,
    Reply,
    ReplyDone,
    ReplyPart,
    TransferTo,
    with_keys,
)
from scriza.ports.llm import Llm
from scriza.ports.memory import CallerMemory, Memory, Recall
from scriza.ports.strategy import PlaybookRef, Strategy

_log = structlog.get_logger()

_LONGEST_UTTERANCE = 10_000
_MOST_EXCHANGES = 1_000
_LONGEST_EXCHANGE = 4 * _LONGEST_UTTERANCE
_RECALL_S = 0.3
"""A call does not wait longer for what earlier ones have taught."""


class AgentService:
    """Leads conversations by the playbooks that `strategy` keeps, with what `memory` knows of callers.

    `transfer_to` (E.164) is where callers are connected who ask for a person, when the playbook itself names nobody;
    empty connects nobody.
    """

    def __init__(
        self, llm: Llm, strategy: Strategy, memory: Memory, workshop: Workshop, *, transfer_to: str = ""
    ) -> None:
        self._llm = llm
        self._memory = memory
        self._workshop = workshop
        self._guides = Guides(strategy, transfer_to)
        self._prices = Prices(llm)
        self._summaries = Summaries(llm)

    async def begin(self, call: CallFacts) -> CallPlan:
        """How to lead this call, by the published playbook of a slug, or by a version.

        Raises NotFound, BadInput for a playbook that does not fit together, and what the strategy port raises while no
        earlier call's playbook is at hand.
        """
        (version, guide), memory = await asyncio.gather(self._guides.published(call.playbook), self._recalled(call))
        if language := spoken_language(guide, call.language):
            guide = await self._guides.version(version, language)
        return plan(guide, version, call, memory)

    async def spoken_lines(self, asked: PlaybookRef) -> AllSpokenLines:
        """What may be said word for word, in each language. Raises what `begin` raises of a playbook."""
        version, guide = await self._guides.published(asked.name)
        others = [await self._guides.version(version, locale) for locale in guide.playbook.locales]
        return AllSpokenLines([await asyncio.to_thread(spoken_lines, each) for each in (guide, *others)])

    async def reply(self, request: Reply) -> AsyncGenerator[ReplyPart, None]:
        """Clauses as soon as the model has written them, then acts, then the changed conversation.

        Raises NotFound for a playbook that is not here, BadInput or TooLarge for what is no turn of a call, and what
        the llm port raises.
        """
        _check(request)
        guide, request = await self._guide(request)
        decision = self._decided(guide, request)
        utterance = with_keys(request.utterance.strip(), request.digits)
        steering = Steering(guide, decision)
        uses = Uses(guide.toolbox, self._workshop, _scene(guide, request, decision, self._workshop.clock()))
        runs = await self._done_so_far(guide, request.call_id)
        uses.before = told_late(runs, request)
        directing = self._directing(guide, request, steering, runs)
        answering = Answering(
            self._llm, decision, guard(guide, request.conversation, decision.slots), steering, uses, directing
        )
        async with aclosing(answering.parts(request.held, speculative=request.speculative)) as parts:
            async for part in parts:
                yield part
                if isinstance(part, Held):
                    return
        answer, decision = answering.answer, answering.decision
        lines = lines_in(answer.text, [*decision.before, *decision.script])
        acts = merged(decision.follows(lines), uses.acts)
        for text in _still_to_say(guide, request, decision, acts, answer.text):
            answer.said.append(text)
            yield Clause(text)
        for act in acts:
            yield _whispering(act, guide, decision, utterance)
        told = Told(
            user=utterance,
            said=answer.text,
            lines=lines,
            acts=acts,
            spent_micro_usd=await self._prices.cost_micro_usd(
                answer.done.model, answer.used, cached=answer.done.cached
            ),
            moved_to=steering.moved_to,
            noted=steering.noted,
            proposed=uses.proposed,
            turn=request.turn,
            tools=uses.ran(),
        )
        yield self._done(guide, request, decision, told, answer)

    def _done(self, guide: Guide, request: Reply, decision: Decision, told: Told, answer: Answer) -> ReplyDone:
        """The conversation as it is after the answer, whose summary, where it is due, is begun beside the call."""
        after = conversation_after(request.conversation, decision, told)
        if not request.speculative:
            self._summaries.prepare(request.call_id, after)
        return ReplyDone(
            conversation=after,
            usage=answer.done.usage,
            model=answer.done.model,
            cached=answer.done.cached,
            expects_keys=guide.stages[after.stage].keys,
            notes=notes(decision, told, request.conversation.playbook),
        )

    def forget(self, call_ids: Sequence[str] | None) -> None:
        """Let go of everything that is kept in the process of these calls; without any, of all calls."""
        self._summaries.forget(call_ids)

    async def close(self) -> None:
        """Stop what is done beside the replies."""
        await self._summaries.close()

    async def _recalled(self, call: CallFacts) -> CallerMemory:
        """What is known of the other side; nothing when memory is slow, or gone."""
        number = call.callee if call.direction == "outbound" else call.caller
        if not number:
            return CallerMemory()
        try:
            async with asyncio.timeout(_RECALL_S):
                return await self._memory.recall(Recall(number))
        except (ScrizaError, TimeoutError) as error:
            _log.warning("agent.caller_not_recalled", reason=getattr(error, "slug", "deadline-exceeded"))
            return CallerMemory()

    async def _guide(self, request: Reply) -> tuple[Guide, Reply]:
        """The guide of the call's version in the language that is spoken, and the request with that language in it."""
        conversation = request.conversation
        guide = await self._guides.version(conversation.playbook, conversation.language)
        if request.language and guide.playbook.listening.any_language:
            language = spoken_language(guide, request.language)
            if language != conversation.language:
                guide = await self._guides.version(conversation.playbook, language)
                conversation = msgspec.structs.replace(conversation, language=language)
                request = msgspec.structs.replace(request, conversation=conversation)
        return guide.with_person(conversation.transfer_to), request

    def _decided(self, guide: Guide, request: Reply) -> Decision:
        conversation = request.conversation
        if means(guide.playbook.model_policy, conversation.spent_micro_usd) == "none":
            return decide_to_close(guide, conversation)
        return decide(guide, conversation, request.utterance, request.digits)

    async def _done_so_far(self, guide: Guide, call_id: str) -> Sequence[Run]:
        """What tools have done in the call; nothing is looked for where there are none."""
        if not guide.toolbox.needs_briefing:
            return []
        return await self._workshop.done_in(current().principal.workspace, call_id)

    def _directing(self, guide: Guide, request: Reply, steering: Steering, runs: Sequence[Run]) -> Directing:
        conversation, told = request.conversation, ""
        if guide.toolbox.needs_briefing:
            told = briefing(runs, conversation.proposed, now=self._workshop.clock(), zone=conversation.zone)
        return Directing(guide, request, steering, self._summaries.of(request.call_id, conversation), told)


def _check(request: Reply) -> None:
    if len(request.utterance) > _LONGEST_UTTERANCE or len(request.digits) > _LONGEST_UTTERANCE:
        raise TooLarge(f"an utterance has {_LONGEST_UTTERANCE} characters at most")
    if len(request.conversation.exchanges) > _MOST_EXCHANGES:
        raise TooLarge(f"a conversation has {_MOST_EXCHANGES} exchanges at most")
    if any(len(each.user) + len(each.agent) > _LONGEST_EXCHANGE for each in request.conversation.exchanges):
        raise TooLarge(f"an exchange has {_LONGEST_EXCHANGE} characters at most")
    if request.held is not None and any(each.role not in ("assistant", "tool") for each in request.held.thought):
        raise BadInput("what is held is what a model wrote and tools told")
    if not all(key in "0123456789*#ABCD" for key in request.digits):
        raise BadInput("digits are keys of a phone: 0 to 9, *, #, A to D")


def _still_to_say(guide: Guide, request: Reply, decision: Decision, acts: Sequence[Act], said: str) -> list[str]:
    """What rules require to be said in a call that a model ends; where the playbook ends it, it was said before."""
    if decision.ends or not any(isinstance(act, HangUp) for act in acts):
        return []
    ranking = Ranking(guide, Heard(request.conversation), decision.slots)
    due = required(guide, ranking, request.conversation, said)
    return [text for line in due for text in spoken_line(line.text)]


def _scene(guide: Guide, request: Reply, decision: Decision, now: datetime) -> Scene:
    """In which reply tools are used, with what the caller has said by now."""
    conversation, meanings = request.conversation, guide.meanings
    yes, no = (meanings[id_].phrases if id_ in meanings else () for id_ in ("yes", "no"))
    return Scene(
        workspace=current().principal.workspace,
        call_id=request.call_id,
        turn=request.turn,
        setting=Setting(
            now=now,
            zone=conversation.zone,
            transfer_to=guide.transfer_to,
            call_hours=guide.playbook.compliance.call_hours,
            known=decision.slots,
            rules=guide.rules,
        ),
        caller=request.caller,
        proposed=conversation.proposed,
        agreed=decision.meant_id == "yes" or agrees(request.utterance, yes, no),
    )


def _whispering(act: Act, guide: Guide, decision: Decision, utterance: str) -> Act:
    """A transfer with what the person hears before the two are connected; any other act as it is."""
    if not isinstance(act, TransferTo):
        return act
    return msgspec.structs.replace(act, whisper=whisper(guide.playbook, decision.slots, utterance))
