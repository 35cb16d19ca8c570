"""What is promised and forbidden: disclosures, the playbook's own guardrails, days that are over, endings that lack."""

import re
from collections.abc import Iterator
from datetime import date

from scriza.kernel.wordings import wording
from scriza.modules.strategy.pointers import below
from scriza.modules.strategy.said import spoken_lines
from scriza.ports.playbook import BUILT_IN_VARIABLES, Disclosure, Playbook, Spoken
from scriza.ports.playbook_findings import Finding

_SAYS_AI = re.compile(
    r"\bA\.?I\b|artificial|virtual|automated|digital assistant|\brobot|\bbot\b|\bmachine\b|computer", re.IGNORECASE
)
_SAYS_RECORDED = re.compile(r"\brecord", re.IGNORECASE)


def rules(playbook: Playbook, today: date) -> Iterator[Finding]:
    """What breaks the playbook's own rules, or is missing from it."""
    yield from _endings(playbook)
    yield from _disclosures(playbook)
    yield from _forbidden(playbook)
    yield from _expired(playbook, today)
    yield from _unrendered(playbook)


def _endings(playbook: Playbook) -> Iterator[Finding]:
    if (
        playbook.voicemail.action == "leave"
        and playbook.voicemail.text is None
        and playbook.opening.outbound is not None
    ):
        fix = "write `voicemail: {text: …}`, or `action: hang_up` to leave none"
        yield Finding("warning", "missing-voicemail", "answering machines get no message", "/voicemail", fix)
    if not playbook.closing.success:
        fix = "write what is said when the goal is reached, under `closing: success:`"
        yield Finding("warning", "missing-closing", "nothing is said when the goal is reached", "/closing", fix)
    if playbook.objections and not playbook.closing.no_interest:
        fix = "write what is said to who stays unconvinced, under `closing: no_interest:`"
        yield Finding("warning", "missing-closing", "nothing is said when an objection is accepted", "/closing", fix)


def _disclosures(playbook: Playbook) -> Iterator[Finding]:
    """Only for English lines: in other languages it cannot be told from the words."""
    wanted = playbook.persona.disclosure
    if not playbook.locale.startswith("en") or wanted.text is not None:
        return
    for name in ("inbound", "outbound", "returning"):
        text = _english(getattr(playbook.opening, name))
        if text is None:
            continue
        yield from _undisclosed(wanted, text, below("/opening", name))


def _undisclosed(wanted: Disclosure, text: str, pointer: str) -> Iterator[Finding]:
    for is_wanted, says, what in (
        (wanted.ai, _SAYS_AI, "that no person speaks"),
        (wanted.recording, _SAYS_RECORDED, "that the call is recorded"),
    ):
        if is_wanted and not says.search(text):
            fix = "say it in this line, or write `text` under `persona: disclosure:`, which is then said behind it"
            yield Finding("warning", "not-disclosed", f"it does not say {what}, which `disclosure` wants", pointer, fix)


def _english(text: Spoken | None) -> str | None:
    if isinstance(text, dict):
        return next((said for locale, said in text.items() if locale.startswith("en")), None)
    return text


def _forbidden(playbook: Playbook) -> Iterator[Finding]:
    for guardrail in playbook.guardrails:
        pattern = wording(guardrail.patterns)
        if guardrail.kind != "forbid" or pattern is None:
            continue
        for line in spoken_lines(playbook):
            if found := pattern.search(line.text):
                message = f"{found[0]!r} is what the guardrail {guardrail.id!r} forbids, so the line will never be said"
                yield Finding("warning", "forbidden-claim", message, line.pointer, "say it in other words")


def _expired(playbook: Playbook, today: date) -> Iterator[Finding]:
    for at, faq in enumerate(playbook.faqs):
        if not faq.valid_until:
            continue
        here = below("/faqs", at, "valid_until")
        try:
            last = date.fromisoformat(faq.valid_until)
        except ValueError:
            message = f"there is no day {faq.valid_until}"
            yield Finding("error", "wrong-form", message, here, "write a day that exists, as 2026-12-31")
            continue
        if last < today:
            message = f"its answer was true until {faq.valid_until}"
            yield Finding("warning", "expired-faq", message, here, "write what is true today, or delete it")


def _unrendered(playbook: Playbook) -> Iterator[Finding]:
    """Lines that are said when seconds count, and cannot be spoken ahead since a variable is in them."""
    urgent = ("/opening/inbound", "/opening/outbound", "/opening/fallback", "/lines/", "/silence/", "/voicemail/")
    defaults = {variable.name for variable in playbook.variables if variable.default} | BUILT_IN_VARIABLES
    for line in spoken_lines(playbook):
        missing = sorted(set(re.findall(r"\{([^{}]+)\}", line.text)) - defaults)
        if missing and line.pointer.startswith(urgent):
            message = f"it is spoken only in the call, since {{{missing[0]}}} is not known before"
            fix = "say it without the variable, or give the variable a `default`"
            yield Finding("note", "not-prerendered", message, line.pointer, fix)
