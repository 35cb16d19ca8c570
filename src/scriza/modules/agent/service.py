"""The `Agent` port: from the caller's words to spoken clauses and acts, without any state between requests."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager

import msgspec
import structlog

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, TooLarge, Unavailable, UpstreamFailed
from scriza.modules.agent.clauses import ClauseCutter
from scriza.modules.agent.decision import Decision, Guide, sms_id, whisper
from scriza.modules.agent.playbook import Playbook
from scriza.modules.agent.prompt import messages
from scriza.modules.agent.speakable import speakable
from scriza.modules.agent.tools import act_of, merged, tools
from scriza.ports.agent import (
    Act,
    CallFacts,
    CallPlan,
    Clause,
    Conversation,
    Exchange,
    FixedLines,
    Reply,
    ReplyDone,
    ReplyPart,
    SendSms,
    TransferTo,
    Voice,
    with_keys,
)
from scriza.ports.llm import Llm, Persona, Policy, ScriptLine, TextPiece, ToolPiece, Turn, TurnDone, Usage, UsagePiece
from scriza.ports.tokens import estimated_usage

_log = structlog.get_logger()

_WORD = re.compile(r"\w+")

_Thought = TextPiece | ToolPiece | UsagePiece | TurnDone

_LONGEST_UTTERANCE = 10_000
_MOST_EXCHANGES = 1_000
_SCRIPT = "script"
"""The model that is told when the best line of the script was spoken in the place of a model's answer."""
_TEMPERATURE = 0.4
_MAX_TOKENS = 160
_NEXT_PART_S = 12.0
"""To the next piece of the model's answer: beyond what the llm module itself waits for."""


class _Answer:
    """What is said, what the model wants done, and how it was made: by the script, unless a model says otherwise."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.asked: list[Act] = []
        self.done = TurnDone("", _SCRIPT, cached=False, usage=Usage(0, 0, 0))


class AgentService:
    """Leads conversations by playbooks; the first one is for calls that name none.

    `transfer_to` (E.164) is where callers are connected who ask for a person, when the playbook itself names nobody;
    empty connects nobody.

    Acts are values that telephony carries out when the turn is sure. No tool with effects runs in here, so a
    speculative reply is the same as any other.
    """

    def __init__(self, llm: Llm, playbooks: Sequence[Playbook], *, transfer_to: str = "") -> None:
        if not playbooks:
            raise ValueError("an agent needs a playbook")
        self._llm = llm
        self._default = playbooks[0].id
        self._guides = {playbook.id: Guide(playbook, transfer_to) for playbook in playbooks}
        self._latest = {playbook.slug: playbook.id for playbook in reversed(playbooks)}

    async def begin(self, call: CallFacts) -> CallPlan:
        """How to lead this call; the playbook is named by its slug, or by slug and version."""
        asked = call.playbook or self._default
        playbook = self._guide(self._latest.get(asked, asked)).playbook
        lines, listening = playbook.lines, playbook.listening
        return CallPlan(
            conversation=Conversation(
                playbook=playbook.id,
                stage=playbook.stages[0].id,
                slots=dict(call.variables),
                transfer_to=call.transfer_to,
            ),
            lines=FixedLines(
                opening=lines.opening.outbound if call.direction == "outbound" else lines.opening.inbound,
                intro_timeout=lines.intro_timeout,
                silence_prompts=list(lines.silence_prompts),
                repair=lines.repair,
                trouble=lines.trouble,
                farewell=lines.farewell,
                resumed=lines.resumed,
                silence_sms=lines.silence_sms,
                unreached=lines.unreached,
                voicemail=lines.voicemail,
                introduction=lines.introduction,
                closed=lines.closed,
            ),
            voice=Voice(
                playbook.voice.voice_id,
                playbook.voice.tone,
                playbook.locale,
                tuple(playbook.voice.pronunciation.items()),
            ),
            phrases=[*listening.hot_words, *(phrase for intent in playbook.intents for phrase in intent.phrases)],
            language="" if listening.any_language else playbook.locale.partition("-")[0],
            prompt=listening.prompt,
        )

    async def reply(self, request: Reply) -> AsyncGenerator[ReplyPart, None]:
        """Clauses as soon as the model has written them, then acts, then the changed conversation.

        Raises NotFound for a playbook that is not here, BadInput or TooLarge for what is no turn of a call, and what
        the llm port raises.
        """
        _check(request)
        guide = self._guide(request.conversation.playbook).with_person(request.conversation.transfer_to)
        decision = guide.decide(request.conversation, request.utterance, request.digits)
        utterance = with_keys(request.utterance.strip(), request.digits)
        turn = _turn(guide, request, decision, utterance)
        answer = _Answer()
        async with aclosing(self._answered(turn, guide, decision.script, answer)) as clauses:
            async for clause in clauses:
                yield clause
        said = " ".join(answer.said)
        lines = _lines_in(said, decision.script)
        acts = merged(decision.follows(lines), answer.asked)
        for act in acts:
            if isinstance(act, TransferTo):
                told = whisper(guide.playbook, decision.slots, utterance)
                yield msgspec.structs.replace(act, whisper=told)
            else:
                yield act
        if any(isinstance(act, SendSms) for act in acts):
            lines.append(sms_id(decision.scope))
        exchange = Exchange(user=utterance, agent=said, line_ids=lines)
        yield ReplyDone(
            conversation=msgspec.structs.replace(
                request.conversation,
                stage=decision.stage.id,
                slots=decision.slots,
                exchanges=[*request.conversation.exchanges, exchange],
            ),
            usage=answer.done.usage,
            model=answer.done.model,
            cached=answer.done.cached,
            expects_keys=decision.stage.keys,
        )

    async def _answered(
        self, turn: Turn, guide: Guide, script: Sequence[ScriptLine], answer: _Answer
    ) -> AsyncGenerator[Clause, None]:
        """The clauses as the model writes them, or those of the script's best line; `answer` takes in all there is."""
        try:
            async with aclosing(self._written(turn, guide, answer)) as clauses:
                async for clause in clauses:
                    yield clause
        except (UpstreamFailed, DeadlineExceeded, Unavailable) as error:
            if answer.said or answer.asked or not script:
                raise
            # The model broke off, or was not there, before anything could be spoken of it: the caller need not know.
            _log.warning("agent.script_answers", reason=error.slug)
        if not answer.said and script:
            for text in _spoken(_clauses(script[0].text)):
                answer.said.append(text)
                yield Clause(text)

    async def _written(self, turn: Turn, guide: Guide, answer: _Answer) -> AsyncGenerator[Clause, None]:
        """What the model says. Raises what the llm port raises, and UpstreamFailed for an answer that has no end."""
        cutter, written, complete = ClauseCutter(), "", False
        async with _closing(self._llm.stream_turn(turn)) as thoughts:
            while thought := await _next(thoughts):
                match thought:
                    case TextPiece():
                        written += thought.text
                        cut = cutter.push(thought.text)
                    case ToolPiece():
                        cut = cutter.flush()
                        act = act_of(thought, guide)
                        answer.asked += [act] if act is not None else []
                    case UsagePiece():
                        cut = cutter.flush()
                    case TurnDone():
                        cut = cutter.flush()
                        answer.done, complete = thought, True
                for text in _spoken(cut):
                    answer.said.append(text)
                    yield Clause(text, estimated_usage(turn.messages, written).total_tokens)
        if not complete:
            raise UpstreamFailed("the model's answer ended before it was complete")

    def _guide(self, playbook: str) -> Guide:
        guide = self._guides.get(playbook)
        if guide is None:
            raise NotFound("there is no such playbook")
        return guide


def _check(request: Reply) -> None:
    if len(request.utterance) > _LONGEST_UTTERANCE or len(request.digits) > _LONGEST_UTTERANCE:
        raise TooLarge(f"an utterance has {_LONGEST_UTTERANCE} characters at most")
    if len(request.conversation.exchanges) > _MOST_EXCHANGES:
        raise TooLarge(f"a conversation has {_MOST_EXCHANGES} exchanges at most")
    if not all(key in "0123456789*#ABCD" for key in request.digits):
        raise BadInput("digits are keys of a phone: 0 to 9, *, #, A to D")


def _turn(guide: Guide, request: Reply, decision: Decision, utterance: str) -> Turn:
    playbook = guide.playbook
    who = playbook.persona
    return Turn(
        messages=messages(guide, request.conversation, decision, utterance),
        conversation_id=request.call_id,
        persona=Persona(who.name, who.role, who.company, who.tone, playbook.locale, list(who.style)),
        goals=list(playbook.goals),
        tools=tools(guide),
        policy=Policy(critical=decision.stage.critical, temperature=_TEMPERATURE, max_tokens=_MAX_TOKENS),
        script=decision.script,
    )


@asynccontextmanager
async def _closing(thoughts: AsyncIterator[_Thought]) -> AsyncIterator[AsyncIterator[_Thought]]:
    """Closes a stream of the port when it is left early, which stops the model."""
    try:
        yield thoughts
    finally:
        aclose = getattr(thoughts, "aclose", None)
        if aclose is not None:
            await aclose()


async def _next(thoughts: AsyncIterator[_Thought]) -> _Thought | None:
    limit = asyncio.timeout(_NEXT_PART_S)
    try:
        async with limit:
            return await anext(thoughts, None)
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"the model said nothing for {_NEXT_PART_S:g} s") from None


def _clauses(text: str) -> list[str]:
    cutter = ClauseCutter()
    return [*cutter.push(text), *cutter.flush()]


def _spoken(clauses: Sequence[str]) -> Iterator[str]:
    return (text for clause in clauses if (text := speakable(clause)))


def _lines_in(said: str, script: Sequence[ScriptLine]) -> list[str]:
    """Ids of the lines that were said word for word."""
    spoken = _plain(said)
    return [id_ for line in script if _plain(line.text) in spoken for id_ in line.id.split("+")]


def _plain(text: str) -> str:
    """The words alone, so that it does not matter how the text was cut and cleaned."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
