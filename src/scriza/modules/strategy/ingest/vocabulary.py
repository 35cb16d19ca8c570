"""The words that people use for the parts and fields of a playbook, in headings, bullets and columns."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from scriza.modules.strategy import shape
from scriza.ports import playbook as pb

SECTIONS: Mapping[str, str] = {
    "goal": "goal", "goals": "goal", "purpose": "goal", "objective": "goal",
    "persona": "persona", "agent": "persona", "who speaks": "persona", "voice and tone": "persona",
    "variables": "variables", "slots": "variables", "fields": "variables",
    "listening": "listening", "hot words": "listening",
    "opening": "opening", "greeting": "opening", "introduction": "opening", "intro": "opening",
    "stages": "stages", "flow": "stages", "conversation": "stages", "script": "stages", "steps": "stages",
    "call flow": "stages",
    "intents": "intents",
    "objections": "objections", "objection handling": "objections",
    "faqs": "faqs", "faq": "faqs", "questions": "faqs", "frequently asked questions": "faqs", "q&a": "faqs",
    "questions and answers": "faqs",
    "facts": "facts", "product facts": "facts", "key facts": "facts", "about": "facts", "about us": "facts",
    "competitors": "competitors", "competition": "competitors",
    "pricing": "pricing", "prices": "pricing", "plans": "pricing",
    "tools": "tools",
    "transfer": "transfer", "handover": "transfer", "talk to a person": "transfer",
    "voicemail": "voicemail", "answering machine": "voicemail",
    "silence": "silence",
    "sms": "sms_fallback", "sms fallback": "sms_fallback", "text message": "sms_fallback",
    "closing": "closing", "goodbyes": "closing", "closings": "closing",
    "lines": "lines", "when something goes wrong": "lines",
    "guardrails": "guardrails", "rules": "guardrails", "never say": "guardrails", "forbidden": "guardrails",
    "compliance": "compliance",
    "model policy": "model_policy", "models": "model_policy",
    "extraction": "extraction", "what we want to know": "extraction",
    "analysis": "analysis", "scorecard": "analysis",
}  # fmt: skip
"""Headings, in lower case, and the field of the document that they are about."""

_FIELDS: Mapping[type[pb.Section], Mapping[str, str]] = {
    pb.Objection: {
        "objection": "title", "name": "title", "answer": "response", "answers": "response", "responses": "response",
        "reply": "response", "say": "response", "we say": "response", "they say": "phrases", "trigger": "triggers",
        "keywords": "triggers", "then": "next", "evidence": "proof",
    },
    pb.Faq: {
        "question": "q", "questions": "q", "also": "q", "also asked as": "q", "wordings": "q", "answer": "a",
        "answers": "a", "reply": "a", "trigger": "triggers", "keywords": "triggers", "valid until": "valid_until",
        "expires": "valid_until",
    },
    pb.Stage: {
        "questions": "ask", "name": "title", "instructions": "prompt", "notes": "prompt", "say first": "must_say",
        "exit": "exits", "leads to": "next", "then": "next",
    },
    pb.Opening: {"greeting": "inbound", "incoming": "inbound", "outgoing": "outbound", "timeout": "timeout_s"},
    pb.Persona: {"style": "style_rules", "pronunciation": "pronunciations"},
    pb.Goal: {"won": "success", "lost": "disqualify", "goal": "primary"},
    pb.Price: {"name": "plan", "price": "amount", "cost": "amount", "interval": "per", "terms": "conditions"},
    pb.Competitor: {"competitor": "name", "don't": "dont", "do not": "dont", "never": "dont", "say": "do"},
    pb.Transfer: {"number": "to", "nobody there": "unavailable"},
    pb.Voicemail: {"message": "text", "say": "text"},
    pb.SmsFallback: {"text": "template", "message": "template"},
    pb.Closing: {"won": "success", "not interested": "no_interest", "lost": "no_interest", "bye": "goodbye"},
    pb.Guardrail: {"words": "patterns", "say instead": "instead"},
    pb.Fact: {"fact": "text"},
    pb.Extraction: {"what": "description"},
}  # fmt: skip
_EXTRA: Mapping[type[pb.Section], set[str]] = {pb.Price: {"amount"}}
"""Fields that are written and not kept: `normalise` turns them into others."""
_NUMBERED = re.compile(r"[ _]?\d+$")


def section_of(heading: str) -> str:
    """The field of the document that a heading names; empty when it is none."""
    words = _key(heading)
    field = words.replace(" ", "_")
    return SECTIONS.get(words) or (field if field in shape.fields(pb.Playbook) else "")


def similar_heading(heading: str) -> str:
    """A heading that would be understood, of those that look like this one; empty when none does."""
    return next(iter(get_close_matches(_key(heading), SECTIONS, 1, 0.6)), "").capitalize()


def field_of(kind: type[pb.Section], word: str) -> str:
    """The field of a record that a word names, ``answer 2`` too; empty when it is none."""
    for words in (_key(word), _NUMBERED.sub("", _key(word))):
        field = words.replace(" ", "_").replace("-", "_")
        if field in shape.fields(kind) or field in _EXTRA.get(kind, ()):
            return field
        if found := _FIELDS.get(kind, {}).get(words):
            return found
    return ""


def _key(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").replace("_", " ").strip(" :*#").split())
