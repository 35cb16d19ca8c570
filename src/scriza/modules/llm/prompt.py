"""Persona and goals, rendered into the system message that the model gets."""

from collections.abc import Sequence

from scriza.ports.llm import Message, Persona


def system_text(persona: Persona, goals: Sequence[str]) -> str:
    """Who speaks and what for, in sentences; empty when nothing of it is told. The same input gives the same text."""
    who = f"You are {persona.name}" if persona.name else "You are an assistant"
    who += f", {persona.role}" if persona.role else ""
    who += f" at {persona.company}" if persona.company else ""
    sentences = [f"{who}."] if persona.name or persona.role or persona.company else []
    if persona.tone:
        sentences.append(f"Your tone is {persona.tone}.")
    if persona.locale:
        sentences.append(f"Speak the language of the locale {persona.locale}.")
    sentences += [f"Style: {rule}." for rule in persona.style]
    if goals:
        sentences.append(f"Your goals, the most important first: {', '.join(_readable(goal) for goal in goals)}.")
    return " ".join(sentences)


def with_system(messages: Sequence[Message], persona: Persona, goals: Sequence[str]) -> list[Message]:
    """The messages as the model gets them: one system message that opens with persona and goals; none with nothing.

    Leading system messages of the caller follow in the same message, because many servers take only one.
    """
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    told = [system_text(persona, goals), *(message.content for message in messages[:leading])]
    system = "\n\n".join(text for text in told if text)
    return [*([Message(role="system", content=system)] if system else []), *messages[leading:]]


def _readable(goal: str) -> str:
    return goal.replace("_", " ")
