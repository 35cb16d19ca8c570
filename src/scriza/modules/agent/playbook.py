"""Playbooks as they are written: typed, checked once when they are loaded."""

import string
from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Literal

import msgspec
import yaml

from scriza.kernel.errors import BadInput

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe one of libyaml, ten times faster, where PyYAML was built with it."""

RESERVED = frozenset({"ask", "more", "repair", "unknown"})
"""Scopes of lines that belong to no intent, so that no intent can be called so."""

UNAVAILABLE = "transfer.unavailable"
"""Scope of the answer to those who cannot be transferred."""

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A misspelt key must not silently mean nothing."""


class Answer(_Strict, frozen=True):
    """What is said to a caller's words, and what follows from having said it."""

    say: Annotated[list[Line], msgspec.Meta(min_length=1)]
    """Variants; ``{name}`` stands for a slot, and a line is left out while its slot is unknown."""
    ask: bool = False
    """The stage's next question follows; that of the stage's `next`, where it has one."""
    to: str = ""
    """The stage that the conversation moves to; empty stays."""
    outcome: str = ""
    act: Literal["", "hang_up", "transfer"] = ""
    press: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#wW]{0,64}$")] = ""
    """Keys that are sounded behind it, for a machine that asks for them; `w` is a pause of half a second."""
    sms: str = ""
    """Text of a message that is sent to the caller."""


class Slot(_Strict, frozen=True):
    """Something to be remembered of the caller's words: the longest run of `words` around a trigger."""

    name: Id
    words: list[str]
    """Each item is one word, or several with spaces between."""


class Intent(_Strict, frozen=True):
    """Something that callers mean."""

    id: Id
    phrases: list[str]
    """How callers say it, in lower case; the recogniser is told them."""
    answer: Answer
    """Used where the stage has no answer of its own."""
    triggers: list[str] = []
    """Words that give it away wherever they stand."""
    keys: str = ""
    """Keys of the phone that mean it."""
    slot: Slot | None = None
    weak: bool = False
    """Its words often open a longer answer, so they count only when little else is said."""
    outright: bool = False
    """What it asks for is done in whatever stage, and in whatever words the answer is given."""


class Stage(_Strict, frozen=True):
    """A part of the conversation."""

    id: Id
    goal: str
    answers: dict[str, Answer] = {}
    """By intent: what its words mean here, where the last question gives them their meaning."""
    ask: list[Line] = []
    """Questions that lead to its goal."""
    next: str = ""
    """Where an answer with `ask` leads that leads nowhere itself."""
    keeps: bool = False
    """Only its own answers lead elsewhere."""
    critical: bool = False
    """The strong model answers here."""
    keys: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """How many keys answer its questions, where that is known: no `#` is waited for."""


class Persona(_Strict, frozen=True):
    """Who speaks."""

    name: str
    role: str = ""
    company: str = ""
    tone: str = ""
    style: list[str] = []


Spelling = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]


class VoiceChoice(_Strict, frozen=True):
    """How the agent sounds; an empty voice takes the one that fits tone and locale."""

    voice_id: str = ""
    tone: str = ""
    pronunciation: Annotated[dict[Spelling, Spelling], msgspec.Meta(max_length=500)] = {}
    """Words or phrases, and what is said in their place."""


class Listening(_Strict, frozen=True):
    """What helps the recogniser."""

    hot_words: Annotated[list[Line], msgspec.Meta(max_length=100)] = []
    """Names and products that callers say, spelt as the transcript shall have them."""
    prompt: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """A sentence or two as a caller may say them, with such names in them."""
    any_language: bool = False
    """Callers may speak another language than the playbook's: it is found out from what they say first."""


class Openings(_Strict, frozen=True):
    """The first line, by who called whom."""

    inbound: Line
    outbound: Line


class Lines(_Strict, frozen=True):
    """What telephony says without asking; see `ports.agent.FixedLines`."""

    opening: Openings
    intro_timeout: Line
    silence_prompts: list[Line]
    repair: Line
    trouble: Line
    farewell: Line
    resumed: Line
    silence_sms: str = ""
    unreached: str = ""
    voicemail: str = ""
    introduction: str = ""
    closed: str = ""


class Transfer(_Strict, frozen=True):
    """Where callers go who ask for a person. `to` is E.164; empty says `unavailable` instead.

    The person first hears `whisper`, what is known of the caller and what they said last, and takes the call by a
    key; an empty `whisper` connects the two at once.
    """

    unavailable: Answer
    to: Annotated[str, msgspec.Meta(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""
    whisper: str = ""


class Playbook(_Strict, frozen=True):
    """How calls are led. The first stage is the one that a call begins in."""

    schema: Literal["scriza.playbook/1"]
    slug: Id
    version: str
    title: str
    locale: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
    persona: Persona
    goals: list[str]
    lines: Lines
    stages: Annotated[list[Stage], msgspec.Meta(min_length=1)]
    intents: list[Intent]
    transfer: Transfer
    unknown: Annotated[list[Line], msgspec.Meta(min_length=1)]
    """Said to words that fit nothing: first a question, then offers."""
    more: list[Line] = []
    """Said when all the variants of an answer have been used."""
    voice: VoiceChoice = VoiceChoice()
    listening: Listening = Listening()
    facts: list[str] = []
    """What the agent may claim."""

    @property
    def id(self) -> str:
        """Slug and version: what a call is pinned to."""
        return f"{self.slug}@{self.version}"

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """Every answer with its scope, from which the ids of its lines are made."""
        for stage in self.stages:
            for intent, answer in stage.answers.items():
                yield f"{stage.id}.{intent}", answer
        for asked in self.intents:
            yield asked.id, asked.answer
        yield UNAVAILABLE, self.transfer.unavailable

    def presses_keys(self) -> bool:
        """Whether any answer sounds keys."""
        return any(answer.press for _, answer in self.answers())

    def outcomes(self) -> list[str]:
        """Every outcome that an answer can set, sorted."""
        return sorted({answer.outcome for _, answer in self.answers() if answer.outcome})


def read_playbook(source: str) -> Playbook:
    """A playbook from YAML. Raises BadInput, saying where, when it is not one or does not fit together."""
    try:
        playbook = msgspec.convert(yaml.load(source, Loader=_LOADER), Playbook)  # noqa: S506  # it is a safe loader
    except yaml.YAMLError as error:
        raise BadInput(f"the playbook is not YAML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadInput(f"the playbook is not valid: {error}") from None
    problem = next(_problems(playbook), None)
    if problem is not None:
        raise BadInput(f"the playbook does not fit together: {problem}")
    return playbook


def sample_playbook() -> Playbook:
    """The one that comes with Scriza."""
    return read_playbook(resources.files(__package__).joinpath("playbooks", "sample.yaml").read_text("utf-8"))


def slots_in(line: str) -> set[str]:
    """Names of the slots that a line holds. Raises ValueError for stray braces."""
    return {name for _, name, _, _ in string.Formatter().parse(line) if name is not None}


def _problems(playbook: Playbook) -> Iterator[str]:
    stages = [stage.id for stage in playbook.stages]
    intents = [intent.id for intent in playbook.intents]
    slots = {intent.slot.name for intent in playbook.intents if intent.slot is not None}
    for kind, ids in (("stage", stages), ("intent", intents)):
        yield from (f"the {kind} {id_!r} is there twice" for id_ in sorted({id_ for id_ in ids if ids.count(id_) > 1}))
    yield from (f"no intent can be called {name!r}" for name in sorted(RESERVED.intersection(intents)))
    for stage in playbook.stages:
        if stage.next and stage.next not in stages:
            yield f"the stage {stage.id!r} leads to {stage.next!r}, which is no stage"
        yield from (
            f"stage {stage.id!r} answers {name!r}, which is no intent" for name in stage.answers.keys() - intents
        )
    for scope, answer in playbook.answers():
        if answer.to and answer.to not in stages:
            yield f"the answer {scope!r} leads to {answer.to!r}, which is no stage"
        for line in answer.say:
            try:
                unknown = slots_in(line) - slots
            except ValueError:
                unknown = {"{"}
            if unknown:
                yield f"the answer {scope!r} has the line {line!r}, whose slots are not known"
