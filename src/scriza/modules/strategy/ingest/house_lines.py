"""What a sales lead need not write: polite lines for when something goes otherwise, and the document's own names.

Each that is put in is told, so that it can be written in the team's own words.
"""

from collections.abc import Iterator, Mapping

from scriza.modules.strategy.normalise import texts
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook_findings import Finding

SCHEMA = "scriza.playbook/1"
_LOCALE = "en-US"
_LINES: Mapping[tuple[str, str], object] = {
    ("opening", "fallback"): "It seems that I can't hear you. I will try again another time. Goodbye!",
    ("silence", "prompts"): ["Are you still there?", "I can't hear you right now. Take your time, I am still here."],
    ("transfer", "unavailable"): {
        "say": [
            "I am sorry, nobody is free right now. When may we call you back?",
            "My colleagues are all on the phone. What would be a good time for a call?",
        ]
    },
    ("closing", "goodbye"): "Thank you for your time, and have a good day. Goodbye!",
    ("lines", "repair"): "Sorry, I didn't catch that. Could you say it again?",
    ("lines", "trouble"): "Sorry, I lost my thread for a second. Could you say that once more?",
    ("lines", "resumed"): "Sorry, the line dropped for a moment. I am back. Where were we?",
    ("lines", "unknown"): [
        "Sorry, I didn't quite follow. Could you say that in other words?",
        "I am not sure about that one. I will note it for a colleague. What else would you like to know?",
        "That is a question for my colleagues. Is there anything else that I can help you with?",
    ],
}
"""By section and field; they are English."""


def completed(document: Mapping[str, object], name: str) -> tuple[dict[str, object], list[Finding]]:
    """The document with what can be had without its author, and a finding for each. `name` is that of its file."""
    found = dict(document)
    findings = [*_names(found, name), *_first_stage(found)]
    if str(found["locale"]).lower().startswith("en"):
        findings += _lines(found)
    return found, findings


def _names(document: dict[str, object], name: str) -> Iterator[Finding]:
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    title = document.get("title")
    document.setdefault("schema", SCHEMA)
    if not document.get("locale"):
        document["locale"] = _LOCALE
        fix = f"write `locale: {_LOCALE}`, or what your callers speak"
        yield Finding("warning", "locale-assumed", f"no language is named; {_LOCALE} is assumed", "/locale", fix)
    if not document.get("slug"):
        slug = texts.derived_id(title) if isinstance(title, str) else ""
        slug = slug or texts.derived_id(stem)
        if slug:
            document["slug"] = slug
            yield Finding(
                "note", "slug-derived", f"it is called {slug!r}", "/slug", f"write `slug: {slug}` to keep it so"
            )
    if not title and stem:
        document["title"] = stem.replace("-", " ").replace("_", " ").strip().capitalize()


def _first_stage(document: dict[str, object]) -> Iterator[Finding]:
    goal = document.get("goal")
    primary = goal.get("primary") if isinstance(goal, dict) else goal
    if "stages" not in document and isinstance(primary, str) and primary.strip():
        document["stages"] = [{"id": "conversation", "goal": primary, "final": True}]
        message = "there are no stages; the whole conversation is one"
        yield Finding("warning", "no-stages", message, "/stages", "write the stages of a call, each with its goal")


def _lines(document: dict[str, object]) -> Iterator[Finding]:
    for (section, field), text in _LINES.items():
        there = document.get(section)
        if there is None:
            there = {}
        if not isinstance(there, dict) or there.get(field):
            continue
        document[section] = {**there, field: text}
        message, here = f"{section}.{field} is missing, and says {_first(text)!r}", below("", section, field)
        fix = f"write `{field}:` under `{section}:` in your own words"
        if section == "closing":
            yield Finding("warning", "missing-closing", message, here, fix)
        else:
            yield Finding("note", "filled-in", message, here, fix)


def _first(text: object) -> str:
    match text:
        case dict():
            return _first(text["say"])
        case list():
            return _first(text[0])
        case _:
            return str(text)
