"""The playbook: how a team wants its calls to be led, as one document (`scriza.playbook/1`).

The strategy module reads, checks, merges and keeps it; the agent leads conversations by it. Records that have an `id`
are told apart by it, in merges and in the ids of lines. Text that is spoken is `Spoken`: one string in the playbook's
own locale, or a string for each language. Every record keeps what it does not know under `x-` names in `ext`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Ref = Annotated[str, msgspec.Meta(pattern=r"^([a-z][a-z0-9_-]{0,63})?$")]
"""The id of another record, or empty."""
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Locale = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
"""BCP 47: a language, perhaps a script, perhaps a region."""
Spoken = Line | Annotated[dict[Locale, Line], msgspec.Meta(min_length=1)]
"""What is said; ``{name}`` stands for a variable, and a line is left out while its variable is unknown."""
Variants = Annotated[list[Spoken], msgspec.Meta(max_length=50)]
"""Several ways to say the same, so that nothing is said twice in the same words."""
SomeVariants = Annotated[list[Spoken], msgspec.Meta(min_length=1, max_length=50)]
Number = Annotated[str, msgspec.Meta(pattern=r"^(\+[1-9]\d{6,14}|sips?:\S{1,200})?$")]
"""A phone number in E.164 or a SIP address; empty is nobody."""
Keys = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#wW]{0,64}$")]
Spelling = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
MicroUsd = Annotated[int, msgspec.Meta(ge=0)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
JsonSchema = dict[str, object]

BUILT_IN_INTENTS = frozenset(
    "busy goodbye hello how_are_you identity no person repeat stop_calling thanks wait yes".split()
)
"""What the agent understands by itself, so that answers and exits may be about it."""
BUILT_IN_VARIABLES = frozenset({"agent_name", "agent_company"})
"""What every line may name: they are the persona's."""
BUILT_IN_TOOLS = frozenset(
    "book_slot end_call look_up_contact press_keys schedule_callback send_sms set_outcome transfer".split()
)
"""Tools of our own, by the names under which a playbook switches them on or describes them anew."""
BUILT_IN_ACTS = BUILT_IN_TOOLS - {"book_slot", "look_up_contact"}
"""Those of which nothing comes back: an answer of the playbook has fields for them, and cannot have one run."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A part of the document. A misspelt key must not silently mean nothing."""

    ext: dict[str, object] = {}
    """What others keep in it, by names that begin with ``x-``; in a written document those stand beside the rest."""

    def __hash__(self) -> int:
        """By its kind alone, as it may hold lists and dicts: who describes our types looks defaults up in sets."""
        return hash(type(self))


# ---- who speaks, and for what ------------------------------------------------------------------------------------


class Goal(Section, frozen=True, kw_only=True):
    """What calls are for. Names of outcomes: `success` counts as won, `disqualify` ends the effort politely."""

    primary: Annotated[str, msgspec.Meta(max_length=200)]
    success: list[Id] = []
    disqualify: list[Id] = []


class Disclosure(Section, frozen=True, kw_only=True):
    """What callers are told before anything else, as the law of their country wants it."""

    ai: bool = False
    """The opening has to say that no person speaks."""
    recording: bool = False
    """The opening has to say that the call is recorded."""
    text: Spoken | None = None
    """Said behind the opening where the opening itself does not say it."""


class Persona(Section, frozen=True, kw_only=True):
    """Who speaks, and how it sounds."""

    name: Line
    role: str = ""
    company: str = ""
    tone: list[str] = []
    """The first one also picks the voice."""
    style_rules: list[str] = []
    voice: str = ""
    """A voice's id; empty takes the one that fits tone and locale."""
    pronunciations: Annotated[dict[Spelling, Spelling], msgspec.Meta(max_length=500)] = {}
    """Words or phrases, and what is said in their place."""
    disclosure: Disclosure = Disclosure()


class Variable(Section, frozen=True, kw_only=True):
    """Something to be known of the caller: brought along by the call, or filled from what the caller says."""

    name: Id
    type: Literal["str", "int", "bool", "date", "time", "phone", "email", "money", "enum"] = "str"
    values: list[str] = []
    """Of an `enum`."""
    required: bool = False
    default: str = ""
    source: Literal["call", "contact", "crm", "memory"] = "call"
    """`call`: the caller says it; the others are brought along, and `memory` is known from earlier calls."""
    pii: bool = False
    confidential: bool = False
    """For the call in which it was said alone: it is not remembered of the caller."""
    example: str = ""


class Listening(Section, frozen=True, kw_only=True):
    """What helps the recogniser."""

    hot_words: Annotated[list[Line], msgspec.Meta(max_length=100)] = []
    """Names and products that callers say, spelt as the transcript shall have them."""
    prompt: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """A sentence or two as a caller may say them, with such names in them."""
    any_language: bool = False
    """Callers may speak another language than the playbook's: it is found out from what they say first."""


# ---- the conversation --------------------------------------------------------------------------------------------


class Opening(Section, frozen=True, kw_only=True):
    """The first line, by who called whom."""

    inbound: Spoken
    outbound: Spoken | None = None
    """Absent says the inbound one."""
    returning: Spoken | None = None
    """To a caller whom we know, when all of its variables are known."""
    timeout_s: Annotated[int, msgspec.Meta(ge=0, le=60)] = 0
    """So long after the opening was heard somebody must have spoken; 0 leaves it to the setting."""
    fallback: Spoken
    """Said when nobody answers the opening; the call then ends."""


class Answer(Section, frozen=True, kw_only=True):
    """What is said to a caller's words, and what follows from having said it."""

    say: SomeVariants
    ask: bool = False
    """The stage's next question follows; that of the stage's `next`, where it has one and nothing here waits for an
    answer any more."""
    to: Ref = ""
    """The stage that the conversation moves to; empty stays."""
    outcome: Ref = ""
    tool: Ref = ""
    """Is run first, with the variables that its parameters name. `say` and all that follows stand for its success; else
    its `failed` is said, and nothing follows."""
    act: Literal["", "hang_up", "transfer"] = ""
    press: Keys = ""
    """Keys that are sounded behind it, for a machine that asks for them; `w` is a pause of half a second."""
    sms: str = ""
    """Text of a message that is sent to the caller."""


class Question(Section, frozen=True, kw_only=True):
    """A question that leads to the stage's goal."""

    id: Id
    question: SomeVariants
    slot: Ref = ""
    """The variable that its answer fills; once it is known the question is not asked, and after two tries neither."""


class Exit(Section, frozen=True, kw_only=True):
    """When a stage is left, and for which. All that is set must hold; `when` is judged by the model.

    Without a model an exit with `when` is never taken.
    """

    to: Id
    on: Ref = ""
    """The id of an intent, an objection or an FAQ that the caller's words meant."""
    filled: list[Id] = []
    """Variables that are known."""
    after_turns: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    """So many turns were spent in the stage."""
    when: Annotated[str, msgspec.Meta(max_length=300)] = ""


class Stage(Section, frozen=True, kw_only=True):
    """A part of the conversation. A call begins in the first one."""

    id: Id
    title: str = ""
    goal: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    prompt: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    """More for the model, beyond the goal."""
    must_say: Variants = []
    """Said once in this stage, before anything else: what has to be disclosed, say."""
    ask: list[Question] = []
    answers: dict[Id, Answer] = {}
    """By intent, objection or FAQ: what its words mean here, where the last question gives them their meaning."""
    exits: list[Exit] = []
    """In their order; the first that holds is taken, where the answer itself leads nowhere."""
    next: Ref = ""
    """Where an answer with `ask` leads that leads nowhere itself."""
    keeps: bool = False
    """Only its own answers and exits lead elsewhere."""
    keys: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """How many keys answer its questions, where that is known: no `#` is waited for."""
    max_turns: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    """After so many turns the agent moves on to `next`, or offers to close; 0 is no bound."""
    final: bool = False
    """The conversation may end here: no exit is missed."""


class SlotWords(Section, frozen=True, kw_only=True):
    """A variable filled by the longest run of `words` around a trigger."""

    name: Id
    words: list[str]
    """Each item is one word, or several with spaces between."""


class Intent(Section, frozen=True, kw_only=True):
    """Something that callers mean, beside objections and FAQs. Yes, no, goodbye and their like are built in.

    One of a built-in id stands in its place; with neither phrases nor triggers it only gives it another answer.
    """

    id: Id
    phrases: list[str] = []
    """How callers say it, in lower case; the recogniser is told them."""
    answer: Answer
    """Used where the stage has no answer of its own."""
    triggers: list[str] = []
    """Words that give it away wherever they stand."""
    keys: str = ""
    """Keys of the phone that mean it."""
    slot: SlotWords | None = None
    weak: bool = False
    """Its words often open a longer answer, so they count only when little else is said."""
    outright: bool = False
    """What it asks for is done in whatever stage, and in whatever words the answer is given."""


class Objection(Section, frozen=True, kw_only=True):
    """Something that holds callers back, and what answers it."""

    id: Id
    title: str = ""
    triggers: list[str] = []
    """Words that give it away wherever they stand."""
    phrases: list[str] = []
    """How callers say it."""
    response: SomeVariants
    proof: list[str] = []
    """What a model may back it with."""
    ask: bool = True
    """The stage's next question follows."""
    next: Ref = ""
    """The stage that the conversation moves to; empty stays."""
    max_uses: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    """After so many answers the objection is accepted, by the closing's `no_interest`."""
    severity: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3


class Faq(Section, frozen=True, kw_only=True):
    """A question that callers ask, in several wordings, and its answer."""

    id: Id
    q: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=50)]
    a: SomeVariants
    triggers: list[str] = []
    ask: bool = True
    """The stage's next question follows."""
    to: Ref = ""
    sms: str = ""
    source: str = ""
    valid_until: Annotated[str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    """The last day on which it is true, ISO 8601; empty is for good."""


class Fact(Section, frozen=True, kw_only=True):
    """Something that the agent may claim; a confidential one is for the team, and no model is told it."""

    id: Id
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    source: str = ""
    confidential: bool = False


class Competitor(Section, frozen=True, kw_only=True):
    """What to say, and not to say, when the name falls."""

    id: Id
    name: Line
    do: list[str] = []
    dont: list[str] = []


class Price(Section, frozen=True, kw_only=True):
    """What a plan costs, in minor units of its currency (1900 USD is nineteen dollars)."""

    id: Id
    plan: Line
    amount_minor: Annotated[int, msgspec.Meta(ge=0)]
    currency: Currency
    per: Literal["once", "month", "year", "seat", "unit"] = "month"
    conditions: str = ""


# ---- what is done ------------------------------------------------------------------------------------------------


class Tool(Section, frozen=True, kw_only=True):
    """Something that a model may have done while it talks."""

    name: Id
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    kind: Literal["http", "builtin"] = "http"
    """`builtin` switches on one of our own by its name, with this description: `book_slot`, `send_sms`, …"""
    parameters: JsonSchema = {}
    """Of an object. A property with ``x-from`` is hidden from the model and filled by us: with `caller` (E.164),
    `call_id`, or the variable of that name."""
    url: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    method: Literal["GET", "POST", "PUT"] = "POST"
    auth_ref: Annotated[str, msgspec.Meta(pattern=r"^([A-Z][A-Z0-9_]{0,63})?$")] = ""
    """The name of the setting that holds its bearer token; never the token itself."""
    timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=15_000)] = 4_000
    filler: Spoken | None = None
    """Said while it runs; absent says one of the `fillers`."""
    failed: Variants = []
    """Said where no model finds the words, when it did not do what it was asked or nobody can tell whether it did;
    absent says `trouble`."""
    idempotent: bool = False
    """Asking twice does no harm, so that it is asked again when the answer gets lost; otherwise only by a key."""
    reads_only: bool = False
    """It changes nothing outside, so that it may run before the caller's turn is certainly over."""
    confirm: bool = False
    """The caller must have said yes to it first."""


class Transfer(Section, frozen=True, kw_only=True):
    """Where callers go who ask for a person.

    The person first hears `whisper`, what is known of the caller and what they said last, and takes the call by a
    key; an empty `whisper` connects the two at once.
    """

    to: Number = ""
    unavailable: Answer
    """Said to those who ask for a person when there is nobody."""
    whisper: str = ""
    unreached: Spoken | None = None
    """Said when the person did not answer."""


class Voicemail(Section, frozen=True, kw_only=True):
    """What an answering machine gets."""

    action: Literal["leave", "hang_up"] = "leave"
    text: Spoken | None = None


class Silence(Section, frozen=True, kw_only=True):
    """Said one after the other when the caller falls silent; after the last one the call ends."""

    prompts: Annotated[list[Spoken], msgspec.Meta(min_length=1, max_length=5)]


class SmsFallback(Section, frozen=True, kw_only=True):
    """The text message to who fell silent for good."""

    enabled: bool = False
    template: Annotated[str, msgspec.Meta(max_length=600)] = ""


class Closing(Section, frozen=True, kw_only=True):
    """How conversations end well."""

    success: Variants = []
    """Said to who says goodbye after one of the goal's successes."""
    no_interest: Variants = []
    """Said when an objection was answered as often as it may be; the call then ends, as `not_interested`."""
    busy: Variants = []
    """Said to who has no time, where no intent `busy` says otherwise; the call then ends, as `busy`."""
    goodbye: Spoken
    """Said when the call has to end: at its longest, out of budget, or after trouble."""


class Lines(Section, frozen=True, kw_only=True):
    """What is said when something goes otherwise than planned."""

    repair: Spoken
    """The caller's words were not understood."""
    trouble: Spoken
    """Thinking failed; the call goes on."""
    resumed: Spoken
    """The line was lost and is back."""
    ends_early: Spoken | None = None
    """The call has to end although the caller has done nothing to end it; absent says the goodbye."""
    unknown: SomeVariants
    """Said to words that fit nothing: first a question, then offers."""
    more: Variants = []
    """Said when all the variants of an answer have been used."""
    fillers: Variants = []
    """Said while a tool runs."""
    introduction: Spoken | None = None
    """Said to a machine that asks who is calling and why; absent says the opening."""
    closed: Spoken | None = None
    """Said to who calls outside the hours of a number that has no line of its own for that."""


# ---- rules -------------------------------------------------------------------------------------------------------


class Guardrail(Section, frozen=True, kw_only=True):
    """A rule over what is said.

    `patterns` find what breaks it (`forbid`), keeps it (`require`) or, in the caller's words, sets it off (`redirect`):
    words, matched without regard to case; `*` stands for any ending of a word.
    """

    id: Id
    kind: Literal["forbid", "require", "redirect"] = "forbid"
    rule: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    """In words, for the model."""
    patterns: list[str] = []
    instead: Variants = []
    """Said in the place of a sentence that breaks it (`forbid`), in answer to words that set it off (`redirect`), or
    before the call ends when nothing of the patterns was said (`require`)."""


class Compliance(Section, frozen=True, kw_only=True):
    """What calls have to respect."""

    call_hours: Annotated[str, msgspec.Meta(pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$")] = ""
    consent_required: bool = False
    jurisdictions: list[str] = []


class ModelPolicy(Section, frozen=True, kw_only=True):
    """Which model answers, and for how much."""

    critical_stages: list[Id] = []
    """The strong model answers here; the cheap one elsewhere."""
    max_tokens: Annotated[int, msgspec.Meta(ge=16, le=1024)] = 160
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.4
    budget_micro_usd: MicroUsd = 0
    """For a call: from four fifths of it the cheap model answers everywhere, and when it is used up the agent closes
    politely. 0 is no bound."""


class Extraction(Section, frozen=True, kw_only=True):
    """A field that is taken out of the transcript when the call is over."""

    name: Id
    type: Literal["str", "int", "bool", "date", "enum"] = "str"
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    values: list[str] = []
    """Of an `enum`."""
    slot: str = ""
    """The variable that it is taken from where no model reads the call; empty is the one of its own name."""


class Score(Section, frozen=True, kw_only=True):
    """A question about the call that is answered when it is over."""

    id: Id
    question: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    weight: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class Analysis(Section, frozen=True, kw_only=True):
    """How a call is judged when it is over."""

    scorecard: list[Score] = []


class Playbook(Section, frozen=True, kw_only=True):
    """How calls are led."""

    schema: Literal["scriza.playbook/1"]
    slug: Id
    title: Line
    description: str = ""
    locale: Locale
    locales: list[Locale] = []
    """Other languages that its texts are there in."""
    goal: Goal
    persona: Persona
    variables: list[Variable] = []
    listening: Listening = Listening()
    opening: Opening
    stages: Annotated[list[Stage], msgspec.Meta(min_length=1, max_length=100)]
    intents: list[Intent] = []
    objections: list[Objection] = []
    faqs: list[Faq] = []
    facts: list[Fact] = []
    competitors: list[Competitor] = []
    pricing: list[Price] = []
    tools: list[Tool] = []
    transfer: Transfer
    voicemail: Voicemail = Voicemail()
    silence: Silence
    sms_fallback: SmsFallback = SmsFallback()
    closing: Closing
    lines: Lines
    guardrails: list[Guardrail] = []
    compliance: Compliance = Compliance()
    model_policy: ModelPolicy = ModelPolicy()
    extraction: list[Extraction] = []
    analysis: Analysis = Analysis()


def in_language(text: Spoken, locale: str) -> str:
    """The text for `locale`: its own, else that of the same language, else the first one there is."""
    if isinstance(text, str):
        return text
    return text.get(locale) or _same_language(text, locale) or next(iter(text.values()))


def _same_language(text: Mapping[str, str], locale: str) -> str | None:
    language = locale.partition("-")[0]
    return next((said for known, said in text.items() if known.partition("-")[0] == language), None)
