"""FAQs that ask the same."""

import re
import unicodedata
from collections.abc import Iterator

import msgspec

from scriza.ports.playbook import Faq, Playbook
from scriza.ports.playbook_findings import Finding

_WORD = re.compile(r"\w+")
_MOST = 50
"""Wordings and answers that an FAQ may have."""


def question_words(question: str) -> tuple[str, ...]:
    """The words of a question, by which two are the same: without case, marks and accents."""
    plain = unicodedata.normalize("NFKD", question.replace("'", "").replace("\u2019", "")).casefold()
    return tuple(_WORD.findall("".join(char for char in plain if not unicodedata.combining(char))))


def merged_faqs(playbook: Playbook) -> tuple[Playbook, list[Finding]]:
    """The playbook, in which FAQs with the same question are one that has the wordings and answers of both.

    They stay two where one of them leads elsewhere or is true for another time, or where something refers to the
    second by its id.
    """
    referred = set(_referred(playbook))
    kept: list[Faq] = []
    findings: list[Finding] = []
    by_question: dict[tuple[str, ...], int] = {}
    for faq in playbook.faqs:
        asked = [words for words in map(question_words, faq.q) if words]
        at = next((by_question[words] for words in asked if words in by_question), None)
        if at is None or faq.id in referred or not _can_be_one(kept[at], faq):
            by_question |= {words: len(kept) for words in asked if words not in by_question}
            kept.append(faq)
            continue
        kept[at] = _one(kept[at], faq)
        by_question |= {words: at for words in asked if words not in by_question}
        message = f"the FAQs {kept[at].id!r} and {faq.id!r} ask the same, and are kept as one with the answers of both"
        findings.append(Finding("note", "faqs-merged", message, "/faqs"))
    if not findings:
        return playbook, []
    again, more = merged_faqs(msgspec.structs.replace(playbook, faqs=kept))
    return again, findings + more


def _can_be_one(first: Faq, second: Faq) -> bool:
    same = all(getattr(first, name) == getattr(second, name) for name in ("ask", "to", "sms", "valid_until", "ext"))
    return same and all(
        len({str(x) for x in [*one, *other]}) <= _MOST for one, other in ((first.q, second.q), (first.a, second.a))
    )


def _one(first: Faq, second: Faq) -> Faq:
    return msgspec.structs.replace(
        first,
        q=[*first.q, *(wording for wording in second.q if wording not in first.q)],
        a=[*first.a, *(answer for answer in second.a if answer not in first.a)],
        triggers=sorted({*first.triggers, *second.triggers}),
        source=first.source or second.source,
    )


def _referred(playbook: Playbook) -> Iterator[str]:
    for stage in playbook.stages:
        yield from stage.answers
        yield from (exit_.on for exit_ in stage.exits)
