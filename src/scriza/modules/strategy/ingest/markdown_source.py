"""Markdown with front matter: the front matter is the document's fields as YAML, and each heading one of its sections.

Under a heading, ``Name: value`` fills a field, a heading one level deeper is a record or a field, and what has no name
is the section's main text: the answer to an objection, the goal of a stage. What fits nothing is told.
"""

import re
from collections.abc import Iterable
from typing import cast

from msgspec import inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.ingest.markdown_blocks import Part, Table, Text, outline, unquoted
from scriza.modules.strategy.ingest.tree import Tree, Unreadable, bounded_lines
from scriza.modules.strategy.ingest.vocabulary import field_of, section_of, similar_heading
from scriza.modules.strategy.ingest.yaml_source import read_yaml
from scriza.modules.strategy.pointers import below
from scriza.ports import playbook as pb
from scriza.ports.playbook_findings import Place

_FENCE = re.compile(r"---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"(?P<name>[A-Za-z][\w'\u2019&/ -]{0,40}?)\s*:(?:\s+(?P<rest>.*)|\s*)", re.DOTALL)
_ASKED = re.compile(r"(?P<name>[^?]{3,200}\?)\s+(?P<rest>\S.*)", re.DOTALL)
_DASHED = re.compile(r"(?P<name>.{2,80}?)\s+[-\u2013\u2014]+\s+(?P<rest>\S.*)", re.DOTALL)
_LEADS = re.compile(r"(?P<before>.*?)\s*(?:->|=>|\u2192)\s*(?P<to>[\w' -]+?)\.?", re.DOTALL)
_PRICE = re.compile(
    r"(?P<amount>[^\s\w]?\d[\d.,]*(?:\s?(?:[A-Z]{3}\b|[\u20ac$\u00a3\u20b9]))?|[A-Z]{3}\s?\d[\d.,]*)"
    r"(?:\s*(?:/|per|an?|each)\s*(?P<per>month|year|seat|user|unit)\b)?\s*[.,;]?\s*(?P<conditions>.*)"
)
_AFTER = re.compile(r"after\s+(\d{1,3})\s+turns?", re.IGNORECASE)
_SPLIT = re.compile(r"\s*[,;|]\s*")
_TRUE, _FALSE = frozenset({"yes", "true", "on"}), frozenset({"no", "false", "off"})

_TITLE = {
    pb.Stage: "title",
    pb.Intent: "id",
    pb.Objection: "title",
    pb.Faq: "q",
    pb.Fact: "text",
    pb.Competitor: "name",
    pb.Price: "plan",
    pb.Variable: "name",
    pb.Tool: "name",
    pb.Guardrail: "rule",
    pb.Extraction: "name",
    pb.Score: "question",
    pb.Question: "question",
}
"""What the heading or the beginning of a bullet is of a record."""
_BODY: dict[type[pb.Section], str] = {
    pb.Goal: "primary",
    pb.Persona: "style_rules",
    pb.Listening: "prompt",
    pb.Opening: "inbound",
    pb.Intent: "phrases",
    pb.Objection: "response",
    pb.Faq: "a",
    pb.Competitor: "do",
    pb.Variable: "example",
    pb.Tool: "description",
    pb.Transfer: "unavailable",
    pb.Voicemail: "text",
    pb.Silence: "prompts",
    pb.SmsFallback: "template",
    pb.Closing: "goodbye",
    pb.Guardrail: "instead",
    pb.Extraction: "description",
    pb.Disclosure: "text",
}
"""What the text of a record is that has no name."""
_STARTS = {pb.Faq: frozenset({"q", "question"}), pb.Objection: frozenset({"objection"})}
_WORDS = shape.SETS | {"tone", "success", "disqualify", "values", "hot_words"}
"""Lists that are written behind each other, with commas."""


def read_markdown(text: str) -> Tree:
    """A document from Markdown, with the lines of its parts. Raises Unreadable for a text without structure."""
    front = _FENCE.match(bounded_lines(text))
    tree = read_yaml(front["yaml"], 2) if front and front["yaml"].strip() else Tree()
    tree.places.setdefault("", Place(1))
    first_line = text.count("\n", 0, front.end()) + 1 if front else 1
    reader = _Reader(tree)
    reader.read(outline(text[front.end() :] if front else text, first_line))
    if not tree.document:
        fix = "write headings such as ## Opening, ## Objections and ## FAQs, or hand it in as free text"
        raise Unreadable("no-structure", "there is no heading in it that a playbook has", fix, Place(1))
    return tree


class _Reader:
    """Fills the document, heading by heading."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._document = tree.document

    def read(self, root: Part) -> None:
        """Fill it from a text; with nothing when neither a heading nor a front matter is one of a playbook."""
        parts, texts = root.parts, list(root.texts)
        title = parts[0] if len(parts) == 1 and not section_of(parts[0].title) else None
        if title is not None:
            parts, texts = title.parts, [*texts, *title.texts]
        if not self._document and not any(section_of(part.title) for part in parts):
            return
        if title is not None:
            self._set("title", title.title, title.line)
        if texts:
            self._set("description", "\n\n".join(text.text for text in texts), texts[0].line)
        for part in parts:
            field = section_of(part.title)
            if field:
                self._section(field, part)
            else:
                near = similar_heading(part.title)
                fix = (
                    f"did you mean `{near}`?"
                    if near
                    else "see docs/writing-playbooks.md for the headings that are known"
                )
                self._lost(f"the heading {part.title!r}", part.line, fix)

    def _set(self, field: str, value: object, line: int) -> None:
        if field in self._document:
            self._lost(f"a second {field}", line, "say it either in the front matter or in the text")
            return
        self._document[field] = value
        self._tree.places[below("", field)] = Place(line)

    def _section(self, field: str, part: Part) -> None:
        type_ = shape.optional(shape.fields(pb.Playbook)[field].type)
        pointer = below("", field)
        self._tree.places.setdefault(pointer, Place(part.line))
        kind = shape.record_of(type_)
        there = self._document.get(field)
        if kind is not None:
            self._document[field] = self._records(kind, part, pointer, there if isinstance(there, list) else [])
        elif isinstance(type_, inspect.StructType):
            record_kind = cast("type[pb.Section]", type_.cls)
            self._document[field] = self._record(record_kind, part, pointer, there if isinstance(there, dict) else {})
        else:
            self._set(field, "\n\n".join(text.text for text in part.texts), part.line)

    # ---- records ----

    def _records(self, kind: type[pb.Section], part: Part, pointer: str, found: list[object]) -> list[object]:
        """A list of records: one for each heading, each bullet or paragraph, and each row of a table."""
        found = list(found)
        for text in part.texts:
            self._record_of_text(kind, text, pointer, found)
        for table in part.tables:
            self._rows(kind, table, pointer, found)
        for child in part.parts:
            here = below(pointer, len(found))
            self._tree.places[here] = Place(child.line)
            ends = next((at for at, text in enumerate(child.texts) if _starts(kind, text)), len(child.texts))
            behind, child.texts = child.texts[ends:], child.texts[:ends]
            found.append(self._record(kind, child, here, self._titled(kind, child.title)))
            for text in behind:
                self._record_of_text(kind, text, pointer, found)
        self._lost_code(part)
        return found

    def _record_of_text(self, kind: type[pb.Section], text: Text, pointer: str, found: list[object]) -> None:
        """A bullet or a paragraph as a record of its own, or as a field of the one before: ``A: …`` after ``Q: …``."""
        name, rest = _named(text.text)
        field = field_of(kind, name) if name else ""
        last = found[-1] if found else None
        if field and field != _TITLE.get(kind) and isinstance(last, dict) and not text.under:
            self._put(last, kind, field, rest, text, below(pointer, len(found) - 1))
            return
        here = below(pointer, len(found))
        self._tree.places[here] = Place(text.line)
        found.append(self._from_bullet(kind, rest if _starts(kind, text) else text.text, text, here))

    def _from_bullet(self, kind: type[pb.Section], written: str, text: Text, pointer: str) -> dict[str, object]:
        if kind is pb.Exit:
            return self._exit(written, text)
        body = _BODY.get(kind) if kind is not pb.Guardrail else None
        title, rest = written, ""
        if body or kind is pb.Price:
            parted = _ASKED.fullmatch(written) or _NAMED.fullmatch(written) or _DASHED.fullmatch(written)
            title, rest = (parted["name"], parted["rest"] or "") if parted else (written, "")
        record = self._titled(kind, title)
        part = Part(0, title, text.line, [*([Text(rest, text.line)] if rest else []), *text.under])
        return self._record(kind, part, pointer, record)

    def _titled(self, kind: type[pb.Section], title: str) -> dict[str, object]:
        field = _TITLE.get(kind, "")
        if not field:
            return {}
        plain = unquoted(title)
        return {field: [plain] if isinstance(shape.fields(kind)[field].type, inspect.ListType) else plain}

    def _record(self, kind: type[pb.Section], part: Part, pointer: str, record: dict[str, object]) -> dict[str, object]:
        """A record: what has the name of a field goes there, the rest into its main field."""
        found = dict(record)
        body: list[Text] = []
        for text in part.texts:
            name, rest = _named(text.text)
            field = field_of(kind, name) if name else ""
            if field:
                self._put(found, kind, field, rest, text, pointer)
            else:
                body.append(text)
        for child in part.parts:
            field = field_of(kind, child.title)
            if field:
                self._put_part(found, kind, field, child, pointer)
            else:
                fix = f"the fields here are {shape.example(kind)}"
                self._lost(f"the heading {child.title!r}", child.line, fix)
        for table in part.tables:
            self._lost("a table", table.line, "write what is in it as bullets")
        self._lost_code(part)
        self._body(found, kind, body, pointer)
        return found

    def _rows(self, kind: type[pb.Section], table: Table, pointer: str, found: list[object]) -> None:
        if not table.rows:
            return
        names = [field_of(kind, cell) for cell in table.rows[0]]
        for cell, name in zip(table.rows[0], names, strict=True):
            if not name:
                self._lost(f"the column {cell!r}", table.line, f"the fields here are {shape.example(kind)}")
        for number, row in enumerate(table.rows[1:], start=2):  # the line of dashes is behind the first
            here, record = below(pointer, len(found)), dict[str, object]()
            self._tree.places[here] = Place(table.line + number)
            for name, cell in zip(names, row, strict=False):
                if name and cell:
                    self._put(record, kind, name, cell, Text(cell, table.line + number), here)
            found.append(record)

    # ---- fields ----

    def _body(self, record: dict[str, object], kind: type[pb.Section], texts: list[Text], pointer: str) -> None:
        if not texts:
            return
        if kind is pb.Stage:
            self._stage_body(record, texts, pointer)
        elif kind is pb.Price:
            self._price(record, texts[0].text)
        elif kind in _BODY:
            field = _BODY[kind]
            takes_several = isinstance(shape.fields(kind)[field].type, inspect.ListType)
            several = takes_several or field == "unavailable" or kind is pb.Tool
            for text in texts if several else texts[:1]:
                self._put(record, kind, field, text.text, text, pointer)
            for text in () if several else texts[1:]:
                self._lost(repr(text.text[:60]), text.line, f"the fields here are {shape.example(kind)}")
        else:
            for text in texts:
                self._lost(repr(text.text[:60]), text.line, f"write `name: value`; here are {shape.example(kind)}")

    def _stage_body(self, stage: dict[str, object], texts: list[Text], pointer: str) -> None:
        """The first paragraph is the goal, bullets that ask are its questions, and the rest is for the model."""
        notes = [cast("str", stage["prompt"])] if "prompt" in stage else []
        for text in texts:
            if text.bullet and unquoted(text.text).endswith("?"):
                self._put(stage, pb.Stage, "ask", text.text, Text("", text.line), pointer)
            elif "goal" not in stage and not text.bullet:
                self._put(stage, pb.Stage, "goal", text.text, text, pointer)
            else:
                notes.append(f"- {text.text}" if text.bullet else text.text)
        if notes:
            stage["prompt"] = "\n".join(notes)

    def _price(self, price: dict[str, object], written: str) -> None:
        found = _PRICE.fullmatch(written)
        if found is None:
            price["conditions"] = written
            return
        price |= {key: value for key, value in found.groupdict().items() if value}

    def _put_part(
        self, record: dict[str, object], kind: type[pb.Section], field: str, part: Part, pointer: str
    ) -> None:
        """A field whose name is a heading."""
        texts = [text for text in part.texts if text.text]
        if isinstance(type_ := shape.optional(shape.fields(kind)[field].type), inspect.StructType):
            here = below(pointer, field)
            self._tree.places[here] = Place(part.line)
            record[field] = self._record(cast("type[pb.Section]", type_.cls), part, here, {})
            return
        if len(texts) == 1 and not texts[0].bullet:
            self._put(record, kind, field, texts[0].text, Text("", part.line, under=texts[0].under), pointer)
        else:
            self._put(record, kind, field, "", Text("", part.line, under=texts), pointer)
        for child in part.parts:
            self._lost(f"the heading {child.title!r}", child.line, "write bullets")

    def _put(
        self, record: dict[str, object], kind: type[pb.Section], field: str, rest: str, text: Text, pointer: str
    ) -> None:
        """Give a field what stands behind its name, and in the bullets under it."""
        here = below(pointer, field)
        self._tree.places.setdefault(here, Place(text.line))
        known = shape.fields(kind).get(field)
        type_ = shape.optional(known.type) if known else inspect.StrType()
        written = [(rest, text.line)] if rest else []
        match type_:
            case inspect.ListType():
                there = record.get(field)
                items = there if isinstance(there, list) else []
                record[field] = [*items, *self._items(type_, field, rest, text, here, len(items))]
            case inspect.DictType() if not shape.is_spoken(type_):
                record[field] = self._pairs(type_, [*([Text(rest, text.line)] if rest else []), *text.under], here)
            case inspect.BoolType():
                record[field] = True if rest.lower() in _TRUE else False if rest.lower() in _FALSE else rest
            case inspect.IntType() | inspect.FloatType():
                record[field] = int(rest) if re.fullmatch(r"\d{1,9}", rest) else rest
            case inspect.StructType(cls=pb.Disclosure):
                record[field] = {word.lower(): True for word in _SPLIT.split(rest) if word}
            case inspect.StructType(cls=pb.Answer):
                there = record.get(field)
                said = cast("list[object]", there["say"]) if isinstance(there, dict) else []
                record[field] = {"say": [*said, *(unquoted(line) for line, _ in [*written, *_lines(text.under)])]}
            case _:
                lines = [line for line, _ in [*written, *_lines(text.under)]]
                record[field] = unquoted(lines[0]) if len(lines) == 1 else "\n".join(lines)

    def _items(
        self, type_: inspect.ListType, field: str, rest: str, text: Text, pointer: str, first: int
    ) -> Iterable[object]:
        kind = shape.record_of(type_)
        texts = [*([Text(rest, text.line)] if rest else []), *text.under]
        if field in _WORDS and not shape.is_spoken(type_.item_type):
            words = [word for one in texts for word in _SPLIT.split(one.text)]
            return [unquoted(word.rstrip(".")) for word in words if word]
        found: list[object] = []
        for one in texts:
            here = below(pointer, first + len(found))
            self._tree.places[here] = Place(one.line)
            found.append(self._from_bullet(kind, one.text, one, here) if kind else unquoted(one.text))
        return found

    def _pairs(self, type_: inspect.DictType, texts: list[Text], pointer: str) -> dict[str, object]:
        """``yes: Great. -> booking`` under answers, ``UPI: U P I`` under pronunciations."""
        found: dict[str, object] = {}
        for text in texts:
            name, rest = _named(text.text)
            if not name:
                self._lost(repr(text.text[:60]), text.line, "write `name: value`")
                continue
            self._tree.places[below(pointer, name)] = Place(text.line)
            if not isinstance(type_.value_type, inspect.StructType):
                found[name] = rest
                continue
            leads = _LEADS.fullmatch(rest)
            said = [leads["before"] if leads else rest, *(one.text for one in text.under)]
            answer: dict[str, object] = {"say": [unquoted(line) for line in said if line]}
            found[name] = answer | ({"to": leads["to"]} if leads else {})
        return found

    def _exit(self, written: str, text: Text) -> dict[str, object]:
        """``on price -> pricing``, ``filled name, email -> booking``, ``after 3 turns -> closing``, ``when … -> …``."""
        leads = _LEADS.fullmatch(written)
        if leads is None:
            self._lost(
                repr(written[:60]), text.line, "write it as `on price -> pricing` or `when they agree -> booking`"
            )
            return {"to": written}
        before, to = leads["before"].strip(" :,"), leads["to"]
        word, _, rest = before.partition(" ")
        if turns := _AFTER.fullmatch(before):
            return {"to": to, "after_turns": int(turns[1])}
        match word.lower():
            case "on":
                return {"to": to, "on": rest}
            case "filled":
                return {"to": to, "filled": [name for name in _SPLIT.split(rest) if name]}
            case "when" | "if":
                return {"to": to, "when": rest}
            case "":
                return {"to": to}
            case _:
                return {"to": to, "when": before}

    # ---- what fits nothing ----

    def _lost_code(self, part: Part) -> None:
        for line in part.code:
            self._lost("a block of code", line, "write it as plain text")

    def _lost(self, what: str, line: int, fix: str) -> None:
        self._tree.tell("warning", "not-understood", f"it is not understood what {what} is for", fix, Place(line))


def _starts(kind: type[pb.Section], text: Text) -> bool:
    """Whether a text says by its name that a record begins: ``Q: …``."""
    return _named(text.text)[0].lower() in _STARTS.get(kind, ())


def _named(text: str) -> tuple[str, str]:
    """The name before a colon and what is behind it; no name where there is none."""
    found = _NAMED.fullmatch(text)
    return (found["name"], (found["rest"] or "").strip()) if found else ("", text)


def _lines(texts: Iterable[Text]) -> Iterable[tuple[str, int]]:
    return ((text.text, text.line) for text in texts)
