"""What callers may mean, and what models are told: words that give two things away, and texts that give orders."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import ceil

from scriza.modules.strategy.normalise.faqs import question_words
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Finding

_SIMILAR = 0.75
"""Shared words of all words of two questions (Jaccard), from which on they seem to ask the same."""
_MOST_CANDIDATES = 50
"""Questions with the same rare word that another one is compared with: more share it in none that people write."""
_SMALL = frozenset(
    "a an the is are do does did i you we it of to for in on and or my your our can could will would".split()
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|guardrail|above|previous|earlier|everything)"
    r"|\byou are (?:now|no longer)\b|\bact as\b|\bpretend (?:to be|you)"
    r"|\b(?:reveal|print|repeat) (?:your|the) (?:system )?prompt"
    r"|^\s*(?:system|assistant|developer)\s*:|<\|?(?:im_start|im_end|system)|\[/?INST\]|\bsystem prompt\b|\bjailbreak",
    re.IGNORECASE | re.MULTILINE,
)


def meaning(playbook: Playbook) -> Iterator[Finding]:
    """What is ambiguous or tries to steer."""
    yield from _shared_triggers(playbook)
    yield from _similar_faqs(playbook)
    yield from _orders(playbook)


def _shared_triggers(playbook: Playbook) -> Iterator[Finding]:
    first: dict[str, tuple[str, str]] = {}
    for section in ("objections", "faqs", "intents"):
        for at, record in enumerate(getattr(playbook, section)):
            for index, trigger in enumerate(record.triggers):
                here = below("", section, at, "triggers", index)
                owner, _ = first.setdefault(trigger.lower(), (record.id, here))
                if owner != record.id:
                    message = f"{trigger!r} gives away {owner!r} too, so that only one of the two is ever meant"
                    yield Finding("warning", "duplicate-trigger", message, here, "keep it where it belongs most")


def _similar_faqs(playbook: Playbook) -> Iterator[Finding]:
    """FAQs that seem to ask the same as an earlier one, each told once.

    Two questions as similar as that share one of their rarest words, so only these are looked up: the prefix filter of
    Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", 2006.
    """
    asked = [
        (at, index, frozenset(question_words(question)) - _SMALL)
        for at, faq in enumerate(playbook.faqs)
        for index, question in enumerate(faq.q)
    ]
    seen = Counter(word for _, _, words in asked for word in words)
    with_word: dict[str, list[int]] = defaultdict(list)
    told: set[int] = set()
    for number, (at, index, words) in enumerate(asked):
        rarest = sorted(words, key=lambda word: (seen[word], word))[: len(words) - ceil(_SIMILAR * len(words)) + 1]
        for other in sorted({other for word in rarest for other in with_word[word]}):
            before, _, their = asked[other]
            if before != at and at not in told and len(words & their) >= _SIMILAR * len(words | their):
                told.add(at)
                message = f"it seems to ask the same as the FAQ {playbook.faqs[before].id!r}"
                fix = "put both wordings under one `q:`, or let the questions differ more"
                yield Finding("warning", "similar-faqs", message, below("/faqs", at, "q", index), fix)
        for word in rarest:
            if len(with_word[word]) < _MOST_CANDIDATES:
                with_word[word].append(number)


def _orders(playbook: Playbook) -> Iterator[Finding]:
    """Texts that models are told as facts, and which read like orders to a model."""
    for pointer, text in _told(playbook):
        if found := _ORDERS.search(text):
            message = f"it reads like an order to a model: {found[0].strip()[:60]!r}; models are told it as mere data"
            yield Finding("warning", "instruction-in-text", message, pointer, "delete it, unless callers shall hear it")


def _told(playbook: Playbook) -> Iterator[tuple[str, str]]:
    for at, fact in enumerate(playbook.facts):
        yield below("/facts", at, "text"), fact.text
    for at, faq in enumerate(playbook.faqs):
        yield from ((below("/faqs", at, "q", index), text) for index, text in enumerate(faq.q))
        for index, said in enumerate(faq.a):
            for text in [said] if isinstance(said, str) else said.values():
                yield below("/faqs", at, "a", index), text
    for at, objection in enumerate(playbook.objections):
        yield from ((below("/objections", at, "proof", index), text) for index, text in enumerate(objection.proof))
        for index, said in enumerate(objection.response):
            for text in [said] if isinstance(said, str) else said.values():
                yield below("/objections", at, "response", index), text
    for at, rival in enumerate(playbook.competitors):
        for field in ("do", "dont"):
            texts = getattr(rival, field)
            yield from ((below("/competitors", at, field, index), text) for index, text in enumerate(texts))
