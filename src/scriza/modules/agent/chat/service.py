"""The `Conversations` port: turns in writing, answered by the agent behind its own port."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Literal

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict, NotFound, ScrizaError
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.kernel.pseudonym import NameOf
from scriza.kernel.redaction import without_cards
from scriza.modules.agent.chat.book import Chat, ChatBook
from scriza.modules.agent.tools.runs import RunBook
from scriza.ports.agent import (
    Act,
    Agent,
    CallFacts,
    Clause,
    HangUp,
    Held,
    Reply,
    ReplyDone,
    TransferTo,
    Voice,
    with_keys,
)
from scriza.ports.conversations import (
    Audio,
    ConversationRecord,
    ConversationTurn,
    StartConversation,
    Utterance,
)
from scriza.ports.tts import Speak, Tts

_log = structlog.get_logger()

_KEPT = timedelta(days=30)
_LONGEST_TURN = timedelta(seconds=60)
"""Whoever has the right to a turn for longer is gone."""
_MOST_TURNS = 500


class ChatService:
    """Implements Conversations for the workspace of the request."""

    def __init__(
        self,
        agent: Agent,
        tts: Tts,
        book: ChatBook,
        runs: RunBook,
        name_of: NameOf,
        clock: WallClock = utc_now,
    ) -> None:
        self._agent, self._tts, self._book, self._runs = agent, tts, book, runs
        self._name_of, self._clock = name_of, clock

    async def start(self, request: StartConversation) -> ConversationTurn:
        """See Conversations."""
        workspace, conversation_id = current().principal.workspace, new_id("chat")
        inbound = request.direction == "inbound"
        plan = await self._agent.begin(
            CallFacts(
                call_id=conversation_id,
                direction=request.direction,
                caller=request.caller if inbound else "",
                callee="" if inbound else request.caller,
                playbook=request.playbook,
                variables=request.variables,
                language=request.language,
                zone=request.zone,
            )
        )
        conversation = msgspec.structs.replace(plan.conversation, opening=plan.lines.opening)
        turn = ConversationTurn(
            conversation_id, 0, plan.lines.opening, conversation.stage, slots=dict(conversation.slots)
        )
        who = self._name_of(workspace, request.caller) if request.caller else ""
        chat = Chat(conversation_id, workspace, request.caller, who, conversation, plan.voice, [turn])
        await self._book.put(chat, self._clock() + _KEPT)
        return await self._with_audio(turn, plan.voice, request.audio_format) if request.speak else turn

    async def say(self, conversation_id: str, request: Utterance) -> ConversationTurn:
        """See Conversations."""
        async with aclosing(self.stream_say(conversation_id, request)) as parts:
            async for part in parts:
                if isinstance(part, ConversationTurn):
                    return part
        raise AssertionError("a turn ends with itself")

    async def stream_say(
        self, conversation_id: str, request: Utterance
    ) -> AsyncGenerator[Clause | ConversationTurn, None]:
        """See Conversations."""
        workspace, now = current().principal.workspace, self._clock()
        token = await self._book.take(workspace, conversation_id, now=now, until=now + _LONGEST_TURN)
        chat = await self._book.find(workspace, conversation_id)
        if chat is None:
            raise NotFound("there is no such conversation")
        if not token:
            raise Conflict("another turn of this conversation is under way", retry_after=1, reason="turn-under-way")
        try:
            if chat.ended or len(chat.turns) > _MOST_TURNS:
                raise Conflict("the conversation has ended", reason="ended")
            clauses, acts, done = list[str](), list[Act](), None
            async with aclosing(self._answered(chat, request)) as parts:
                async for part in parts:
                    match part:
                        case Clause():
                            clauses.append(part.text)
                            yield part
                        case ReplyDone():
                            done = part
                        case Held():
                            raise AssertionError("nothing was asked ahead of time")
                        case _:
                            acts.append(part)
            assert done is not None, "a reply ends with what came of it"
            turn = _turn(chat, request, " ".join(clauses), acts, done)
            after = msgspec.structs.replace(chat, conversation=done.conversation, turns=[*chat.turns, turn])
            if not await self._book.keep(after, token, self._clock() + _KEPT):
                raise Conflict("this turn took so long that another one was begun", reason="turn-under-way")
        except BaseException:
            await self._book.give_back(conversation_id, token)
            raise
        yield await self._with_audio(turn, chat.voice, request.audio_format) if request.speak else turn

    async def conversation(self, conversation_id: str) -> ConversationRecord:
        """See Conversations."""
        chat = await self._book.find(current().principal.workspace, conversation_id)
        if chat is None:
            raise NotFound("there is no such conversation")
        state = chat.conversation
        return ConversationRecord(conversation_id, state.playbook, state.stage, chat.ended, state.slots, chat.turns)

    async def forget(self, conversation_id: str) -> None:
        """See Conversations."""
        if await self._book.forget(current().principal.workspace, [conversation_id]):
            await self._runs.forget([conversation_id])

    def _answered(self, chat: Chat, request: Utterance) -> AsyncGenerator[Act | Clause | Held | ReplyDone, None]:
        reply = Reply(
            call_id=chat.conversation_id,
            turn=len(chat.turns),
            utterance=without_cards(request.text),
            conversation=chat.conversation,
            digits=request.digits,
            caller=chat.caller,
        )
        return self._agent.reply(reply)  # type: ignore[return-value]  # what answers is a generator on both sides

    async def _with_audio(
        self, turn: ConversationTurn, voice: Voice, audio_format: Literal["mp3", "wav"]
    ) -> ConversationTurn:
        """The turn with its audio; without it when the voice fails, since the turn itself is done."""
        if not turn.text:
            return turn
        speak = Speak(
            turn.text,
            voice_id=voice.voice_id,
            tone=voice.tone,
            locale=voice.locale,
            format=audio_format,
            call_id=turn.conversation_id,
            pronunciation=dict(voice.pronunciation),
        )
        try:
            spoken = await self._tts.speak(speak)
        except ScrizaError as error:
            _log.warning("chat.not_spoken", reason=error.slug)
            return turn
        assert spoken.audio_base64 is not None, "it was asked for inline"
        return msgspec.structs.replace(turn, audio=Audio(spoken.audio_base64, audio_format, spoken.duration))


def _turn(chat: Chat, request: Utterance, text: str, acts: list[Act], done: ReplyDone) -> ConversationTurn:
    after = done.conversation
    return ConversationTurn(
        conversation_id=chat.conversation_id,
        turn=len(chat.turns),
        text=text,
        stage=after.stage,
        user=with_keys(without_cards(request.text.strip()), request.digits),
        acts=acts,
        slots=dict(after.slots),
        outcome=after.outcome,
        ended=any(isinstance(act, HangUp | TransferTo) for act in acts),
        notes=done.notes,
        model=done.model,
        cached=done.cached,
        usage=done.usage,
        cost_micro_usd=after.spent_micro_usd - chat.conversation.spent_micro_usd,
    )
