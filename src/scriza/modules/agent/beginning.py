"""How a call is to be led until the agent is asked again: the plan, from the playbook and what is known. Pure."""

from collections.abc import Mapping

from scriza.modules.agent.guide import Guide, known_to
from scriza.modules.agent.texts import as_far_as_known, filled, plain, variables_in
from scriza.ports.agent import CallFacts, CallPlan, Conversation, FixedLines, Voice
from scriza.ports.memory import CallerMemory
from scriza.ports.playbook import Spoken

_KNOWN = 12
"""Things that earlier calls have taught, the latest of them."""
_LONGEST_KNOWN = 300
"""Characters of one."""


def plan(guide: Guide, version: str, call: CallFacts, memory: CallerMemory) -> CallPlan:
    """Everything telephony needs to lead the call between the agent's answers."""
    playbook = guide.playbook
    who, listening = playbook.persona, playbook.listening
    slots = _brought_along(guide, call, memory)
    return CallPlan(
        conversation=Conversation(
            playbook=version,
            stage=guide.first_stage.id,
            slots=slots,
            language="" if guide.locale == playbook.locale else guide.locale,
            known=_known(memory),
            transfer_to=call.transfer_to,
            zone=call.zone,
        ),
        lines=_fixed_lines(guide, call, memory, known_to(guide, slots)),
        voice=Voice(who.voice, next(iter(who.tone), ""), guide.locale, tuple(who.pronunciations.items())),
        phrases=[*listening.hot_words, *(phrase for meaning in guide.meanings.values() for phrase in meaning.phrases)],
        language="" if listening.any_language else guide.locale.partition("-")[0],
        prompt=listening.prompt,
        first_words_ms=playbook.opening.timeout_s * 1000,
    )


def _brought_along(guide: Guide, call: CallFacts, memory: CallerMemory) -> dict[str, str]:
    """Variables that are known before a word is said: those of the call before those of earlier ones."""
    remembered = {known.name: known.text for known in memory.known if known.kind == "fact"}
    from_memory = {
        variable.name: remembered[variable.name]
        for variable in guide.playbook.variables
        if variable.source != "call" and remembered.get(variable.name)
    }
    return from_memory | call.variables


def _known(memory: CallerMemory) -> list[str]:
    """What earlier calls have taught, in words: how the last one went, what is known and what was promised."""
    told = [f"{'Promised' if each.kind == 'promise' else _readable(each.name)}: {each.text}" for each in memory.known]
    last = [f"The last call: {memory.last_summary}"] if memory.last_summary else []
    return [text[:_LONGEST_KNOWN] for text in [*last, *told[-_KNOWN:]]]


def _readable(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()


def _fixed_lines(guide: Guide, call: CallFacts, memory: CallerMemory, known: Mapping[str, str]) -> FixedLines:
    playbook, lines = guide.playbook, guide.playbook.lines

    def line(said: Spoken | None) -> str:
        return as_far_as_known(guide.text(said), known)

    return FixedLines(
        opening=_disclosed(guide, _opening(guide, call, memory, known)),
        intro_timeout=line(playbook.opening.fallback),
        silence_prompts=[line(prompt) for prompt in playbook.silence.prompts],
        repair=line(lines.repair),
        trouble=line(lines.trouble),
        farewell=line(playbook.closing.goodbye),
        ends_early=line(lines.ends_early or playbook.closing.goodbye),
        resumed=line(lines.resumed),
        silence_sms=as_far_as_known(playbook.sms_fallback.template, known) if playbook.sms_fallback.enabled else "",
        unreached=line(playbook.transfer.unreached),
        voicemail=line(playbook.voicemail.text) if playbook.voicemail.action == "leave" else "",
        introduction=line(lines.introduction),
        closed=line(lines.closed),
    )


def _opening(guide: Guide, call: CallFacts, memory: CallerMemory, known: Mapping[str, str]) -> str:
    """The line for who is known when all of it is known, else the one by who called whom."""
    opening = guide.playbook.opening
    returning = guide.text(opening.returning)
    if memory.calls and returning and variables_in(returning) <= known.keys():
        return filled(returning, known)
    outbound = call.direction == "outbound" and opening.outbound
    return as_far_as_known(guide.text(opening.outbound if outbound else opening.inbound), known)


def _disclosed(guide: Guide, opening: str) -> str:
    """The opening with what has to be disclosed behind it, where it does not say so itself."""
    wanted, words = guide.playbook.persona.disclosure, guide.built_in.disclosure
    ai = wanted.ai and not _says(opening, words.ai_words)
    recording = wanted.recording and not _says(opening, words.recording_words)
    if not (ai or recording):
        return opening
    own = guide.text(wanted.text)
    said = [own] if own else [text for missing, text in ((ai, words.ai), (recording, words.recording)) if missing]
    return " ".join([opening, *said])


def _says(text: str, words: list[str]) -> bool:
    said = plain(text)
    return any(plain(word) in said for word in words)
