"""What a model may be told of a playbook's records, each found by what the caller's words are about."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from scriza.kernel.currencies import minor_digits
from scriza.modules.agent.retrieval import Bm25, Document, Retriever
from scriza.modules.agent.texts import as_data
from scriza.ports.playbook import Competitor, Faq, Objection, Playbook, Price, Spoken, in_language

Kind = Literal["objection", "faq", "fact", "competitor", "price"]

_ASKED, _TRIGGER, _TITLE, _ANSWER, _NAME = 3.0, 2.0, 2.0, 1.0, 4.0
"""How much a word counts by where it stands: in a question as callers ask it, in an answer, in a name."""
_PRICE_WORDS = "price cost pay much charge fee plan"
_MOST_FOUND = 8
_FEW_FACTS = 8
"""So many are told in every turn, in one order, which keeps the model's own cache warm."""
_PER = {"once": "once", "month": "a month", "year": "a year", "seat": "a seat", "unit": "a unit"}


class Reference(msgspec.Struct, frozen=True):
    """A record in the words that a model reads, fit to stand among data."""

    kind: Kind
    id: str
    text: str


class References:
    """All of a playbook's records, ready to be found. Confidential facts are not among them: no model is told them."""

    def __init__(
        self, playbook: Playbook, locale: str, retriever: Callable[[Sequence[Document]], Retriever] = Bm25
    ) -> None:
        found = list(_documents(playbook, locale))
        self._by_key = {document.key: reference for document, reference in found}
        self._retriever = retriever([document for document, _ in found])
        self._said = retriever([*_as_said(playbook)])
        facts = [reference for _, reference in found if reference.kind == "fact"]
        self.always = facts if len(facts) <= _FEW_FACTS else []
        """Facts that every turn is told."""

    def about(self, query: str, meant: str = "") -> list[Reference]:
        """What fits the query, the best first; what the words meant by the playbook goes before all."""
        keys = dict.fromkeys([f"objection:{meant}", f"faq:{meant}", *self._retriever.best(query, _MOST_FOUND)])
        found = (self._by_key.get(key) for key in keys)
        return [reference for reference in found if reference is not None and reference not in self.always]

    def meant_by(self, query: str) -> str:
        """The id of the objection or FAQ that callers mean by these words without doubt; empty for none."""
        return self._said.surely(query)


def _as_said(playbook: Playbook) -> Iterator[Document]:
    """Objections and FAQs in the words that callers have for them."""
    for objection in playbook.objections:
        yield Document(objection.id, [(text, 1.0) for text in (*objection.phrases, *objection.triggers)])
    for faq in playbook.faqs:
        yield Document(faq.id, [(text, 1.0) for text in (*faq.q, *faq.triggers)])


def _documents(playbook: Playbook, locale: str) -> Iterator[tuple[Document, Reference]]:
    for objection in playbook.objections:
        fields = [
            *((phrase, _ASKED) for phrase in objection.phrases),
            *((trigger, _TRIGGER) for trigger in objection.triggers),
            (objection.title, _TITLE),
            *((text, _ANSWER) for text in _texts(objection.response, locale)),
        ]
        yield _entry("objection", objection.id, _objection(objection, locale), fields)
    for faq in playbook.faqs:
        fields = [
            *((asked, _ASKED) for asked in faq.q),
            *((trigger, _TRIGGER) for trigger in faq.triggers),
            *((text, _ANSWER) for text in _texts(faq.a, locale)),
        ]
        yield _entry("faq", faq.id, _faq(faq, locale), fields)
    for fact in playbook.facts:
        if not fact.confidential:
            yield _entry("fact", fact.id, fact.text, [(fact.text, _ANSWER)])
    for competitor in playbook.competitors:
        yield _entry("competitor", competitor.id, _competitor(competitor), [(competitor.name, _NAME)])
    for price in playbook.pricing:
        yield _entry("price", price.id, _price(price), [(price.plan, _NAME), (_PRICE_WORDS, _ANSWER)])


def _entry(kind: Kind, id_: str, text: str, fields: list[tuple[str, float]]) -> tuple[Document, Reference]:
    return Document(f"{kind}:{id_}", fields), Reference(kind, id_, as_data(text))


def _objection(objection: Objection, locale: str) -> str:
    answers = " / ".join(_texts(objection.response, locale))
    proof = _sentence("Proof", objection.proof)
    return f"Objection: {objection.title or objection.id}. Answer: {answers}{proof}"


def _faq(faq: Faq, locale: str) -> str:
    return f"Asked: {faq.q[0]} Answer: {' / '.join(_texts(faq.a, locale))}"


def _texts(said: Sequence[Spoken], locale: str) -> list[str]:
    return [in_language(text, locale) for text in said]


def _sentence(name: str, parts: Sequence[str]) -> str:
    told = "; ".join(part.strip(" .") for part in parts)
    return f" {name}: {told}." if told else ""


def _competitor(competitor: Competitor) -> str:
    do, dont = _sentence("Do", competitor.do), _sentence("Don't", competitor.dont)
    return f"About {competitor.name}.{do}{dont}"


def _price(price: Price) -> str:
    digits = minor_digits(price.currency)
    whole, minor = divmod(price.amount_minor, 10**digits)
    amount = f"{whole}.{minor:0{digits}}" if minor else str(whole)
    conditions = f" ({price.conditions})" if price.conditions else ""
    return f"{price.plan}: {amount} {price.currency} {_PER[price.per]}{conditions}"
