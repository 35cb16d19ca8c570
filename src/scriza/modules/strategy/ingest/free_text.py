"""Free text, such as a sales script or a web page, drawn into a draft by a language model that shows its evidence.

The text is data. The model answers with fields, each with the words of the text that it is from; a field whose words
are not there is dropped, and so is one that a text has no business to set: a tool, a number, a rule. What is left goes
the way of every other source. A draft is never published by itself.
"""

import asyncio
import re
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from typing import cast

import msgspec

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.modules.strategy.ingest import drafted
from scriza.modules.strategy.ingest.html_text import looks_like_html, readable
from scriza.modules.strategy.ingest.markdown_source import read_markdown
from scriza.modules.strategy.ingest.source_text import place_at, source_text
from scriza.modules.strategy.ingest.tree import Tree, Unreadable, bounded
from scriza.modules.strategy.places import placed
from scriza.modules.strategy.pointers import below
from scriza.ports.llm import Llm, Message, Policy, Turn
from scriza.ports.playbook_findings import Draft, Evidence, Place

MOST_CHARACTERS = 48_000
"""Of a text, without a page's markup: half an hour of reading aloud, and more than any script has."""
_PIECE = 6_000
"""Characters that a model is asked about at once, so that its answer is complete."""
SECONDS = 50.0
"""That a model has to read a text, unless the caller says otherwise."""
_SHOWN = 80

_FIELD = re.compile(
    r"/(?:title|description|locale)"
    r"|/goal/primary"
    r"|/persona/(?:name|role|company|tone/\d+|style_rules/\d+)"
    r"|/opening/(?:inbound|outbound)"
    r"|/stages/\d+/(?:title|goal|prompt|must_say/\d+|ask/\d+/question/\d+)"
    r"|/objections/\d+/(?:title|triggers/\d+|phrases/\d+|response/\d+|proof/\d+)"
    r"|/faqs/\d+/(?:q/\d+|a/\d+|triggers/\d+|source)"
    r"|/facts/\d+/text"
    r"|/competitors/\d+/(?:name|do/\d+|dont/\d+)"
    r"|/pricing/\d+/(?:plan|amount|currency|per|conditions)"
    r"|/voicemail/text"
    r"|/closing/(?:goodbye|(?:success|no_interest|busy)/\d+)"
)
"""What a text may say. Tools, numbers, guardrails, models and money limits are for people to set."""
_CLAIM = re.compile(r"/(?:facts|pricing|competitors)/|/faqs/\d+/a/|/objections/\d+/(?:response|proof)/")
"""What is claimed to callers; it is worded for the ear, and says nothing else than its evidence."""
_LONG_WORD = re.compile(r"\w{4,}")
_STEM = 4
"""Letters by which a word is known in another form."""
_NUMBER = re.compile(r"\d+(?:\.\d*[1-9])?")
"""Without zeros behind its point: 19.00 is 19."""
_FEW_WORDS = 3

_INSTRUCTIONS = resources.files(__package__).joinpath("free_text.md").read_text("utf-8")


class _Field(msgspec.Struct, frozen=True):
    """One value, with the words that it is from. Fields that a model adds on its own are left unread."""

    pointer: str
    value: str | int | float
    evidence: str


class _Piece(msgspec.Struct, frozen=True):
    """A part of the text, and where it begins."""

    begin: int
    text: str


class _Taken(msgspec.Struct, frozen=True):
    """A value that the text bears out."""

    value: str | int | float
    excerpt: str
    offset: int


_Key = str | tuple[int, int]
"""A field's name; of an item its piece, and its index there."""
_Node = dict[_Key, object]


class _Answer(msgspec.Struct, frozen=True):
    fields: list[_Field]


async def draft_from_text(source: bytes, llm: Llm, *, name: str = "", within: float = SECONDS) -> Draft:
    """A draft of what a text says, with the evidence of each field. It may lack much of a playbook.

    Evidence is counted in characters of the text, for a page in those of its readable text. Without a model, a text
    with headings that a playbook has is read by them. Raises TooLarge; Unavailable when there is no model and no such
    heading; UpstreamFailed or DeadlineExceeded when the model did not answer as it was asked to, `within` seconds.
    """
    try:
        text = await asyncio.to_thread(_text_of, source)
    except Unreadable as error:
        return Draft({}, placed([error.finding], {}, name))
    if len(text) > MOST_CHARACTERS:
        raise TooLarge(f"free text has at most {MOST_CHARACTERS} characters, this one has {len(text)}")
    pieces = list(_pieces(text))
    try:
        answers = await _asked(llm, [piece.text for piece in pieces], within)
    except Unavailable:
        return await asyncio.to_thread(_by_headings, text, name)
    return await asyncio.to_thread(_drawn, text, list(zip(pieces, answers, strict=True)), name)


def _text_of(source: bytes) -> str:
    text = source_text(source)
    return readable(text) if looks_like_html(text) else text


def _pieces(text: str) -> Iterator[_Piece]:
    """The text in pieces, cut between paragraphs where there are some."""
    begin = 0
    while begin < len(text):
        end = begin + _PIECE
        if end < len(text):
            cuts = (text.rfind(cut, begin + _PIECE // 2, end) for cut in ("\n\n", "\n", ". ", " "))
            end = next((cut + 1 for cut in cuts if cut > 0), end)
        if text[begin:end].strip():
            yield _Piece(begin, text[begin:end])
        begin = end


async def _asked(llm: Llm, pieces: list[str], within: float) -> list[list[_Field]]:
    """What the model makes of each piece. Raises the first error of them all."""
    try:
        async with asyncio.timeout(within), asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(_ask(llm, piece)) for piece in pieces]
    except TimeoutError:
        raise DeadlineExceeded("the model took too long to read the text") from None
    except ExceptionGroup as group:
        first = next((error for error in group.exceptions if isinstance(error, ScrizaError)), None)
        if first is None:
            raise
        raise first from None
    return [task.result() for task in asked]


async def _ask(llm: Llm, piece: str) -> list[_Field]:
    mark = f"=== {sha256(piece.encode()).hexdigest()[:16]}"  # no text can hold its own hash, and so end itself
    turn = Turn(
        messages=[Message("system", _INSTRUCTIONS), Message("user", f"{mark}\n{piece}\n{mark}")],
        policy=Policy(critical=True, temperature=0.0, max_tokens=4096),
    )
    reply = await llm.turn(turn)
    begin, end = reply.text.find("{"), reply.text.rfind("}")
    try:
        return msgspec.json.decode(reply.text[begin : end + 1], type=_Answer).fields
    except msgspec.MsgspecError:
        raise UpstreamFailed("the model did not answer with the fields of a playbook") from None


def _by_headings(text: str, name: str) -> Draft:
    try:
        tree = bounded(read_markdown(text))
    except Unreadable:
        tree = Tree()
    if not tree.document:
        raise Unavailable(
            "drawing a playbook from free text needs a language model: set OPENAI_API_KEY, "
            "or write headings such as ## Objections and ## FAQs"
        )
    message = "no language model is configured, so only what stands under known headings was read"
    tree.tell("warning", "no-model", message, "set OPENAI_API_KEY, or write it as a playbook in Markdown", Place(1))
    return drafted(tree, name, whole=True)


def _drawn(text: str, answers: list[tuple[_Piece, list[_Field]]], name: str) -> Draft:
    """The draft of those fields that the text bears out."""
    tree = Tree()
    root: _Node = {}
    for number, (piece, fields) in enumerate(answers):
        for field in fields:
            offset = _borne_out(field, piece, tree)
            if offset is None:
                continue
            node, keys = root, [(number, int(key)) if key.isdecimal() else key for key in field.pointer.split("/")[1:]]
            for key in keys[:-1]:
                node = cast("_Node", node.setdefault(key, {}))
            node.setdefault(keys[-1], _Taken(field.value, field.evidence, piece.begin + offset))
    provenance: list[Evidence] = []
    document = _settled(root, "", text, tree, provenance)
    tree.document = document if isinstance(document, dict) else {}
    if not tree.document:
        tree.tell(
            "error", "nothing-found", "nothing in the text fits a playbook", "hand in a script or a list", Place(1)
        )
        return Draft({}, placed(tree.findings, {}, name))
    return msgspec.structs.replace(drafted(tree, name, whole=True), provenance=provenance)


def _borne_out(field: _Field, piece: _Piece, tree: Tree) -> int | None:
    """Where in its piece the evidence of a field is; none, which is told, where the text does not bear it out."""
    pointer = field.pointer[:_SHOWN]
    if not _FIELD.fullmatch(field.pointer):
        message = f"the model set {pointer!r}, which a text has no business to set; it was dropped"
        tree.tell("warning", "not-from-text", message, "set it yourself where it is meant", Place(0))
        return None
    said, value = " ".join(field.evidence.split()), str(field.value)
    found = _words(said).search(piece.text) if said else None
    few = len(said.split()) < _FEW_WORDS and value.strip().casefold() not in said.casefold()
    other = not set(_numbers(value)) <= set(_numbers(said)) or (_CLAIM.match(field.pointer) and not _akin(value, said))
    if found is None or few or other:
        message = f"the text does not bear out what the model set at {pointer!r}; it was dropped"
        tree.tell("warning", "no-evidence", message, "write it yourself where it is true", Place(0))
        return None
    return found.start()


def _words(said: str) -> re.Pattern[str]:
    """The words with any space between them, and any kind of quotation mark where there is one."""
    words = r"\s+".join(re.escape(word) for word in said.split())
    return re.compile(re.sub("['\"\u2018\u2019\u201c\u201d]", "['\"\u2018\u2019\u201c\u201d]", words), re.IGNORECASE)


def _akin(value: str, said: str) -> bool:
    """Whether at least half of the longer words of a value, by how they begin, are in its evidence."""
    words, there = ({word[:_STEM] for word in _LONG_WORD.findall(text.casefold())} for text in (value, said))
    return 2 * len(words & there) >= len(words)


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text.replace(",", ""))


def _settled(node: object, pointer: str, text: str, tree: Tree, provenance: list[Evidence]) -> object:
    """The document of what was taken: items of lists get the indices that are free, in the order of the text."""
    if isinstance(node, _Taken):
        tree.places[pointer] = place_at(text, node.offset)
        provenance.append(Evidence(pointer, node.excerpt, node.offset))
        return node.value
    assert isinstance(node, dict)
    if all(isinstance(key, tuple) for key in node) and node:
        items = [node[key] for key in sorted(node)]
        return [_settled(item, below(pointer, at), text, tree, provenance) for at, item in enumerate(items)]
    return {key: _settled(item, below(pointer, key), text, tree, provenance) for key, item in node.items()}
