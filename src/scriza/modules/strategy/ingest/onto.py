"""Records of a part, such as a CSV file, put onto a playbook that is there."""

from collections.abc import Mapping

import msgspec

from scriza.modules.strategy import shape
from scriza.modules.strategy.normalise.faqs import question_words
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Draft


def put_onto(playbook: Playbook, draft: Draft) -> dict[str, object]:
    """The playbook's document with the draft's records in it, for `normalise`.

    A record with an id that is there, or which asks or is titled the same, is changed in the fields that the draft has
    of it; others are added. What is no list of records takes the place of what was there.
    """
    document: dict[str, object] = msgspec.to_builtins(playbook)
    for section, part in draft.document.items():
        there = document.get(section, [])
        kind = shape.record_of(shape.fields(Playbook)[section].type)
        if kind is None or not isinstance(part, list) or not isinstance(there, list):
            document[section] = part
            continue
        document[section] = records = list(there)
        for record in part:
            at = next((index for index, known in enumerate(there) if _same(known, record)), None)
            if at is None:
                records.append(record)
            else:
                records[at] = {**records[at], **record, "id": records[at]["id"]}
    return document


def _same(known: Mapping[str, object], record: Mapping[str, object]) -> bool:
    if known.get("id") == record.get("id"):
        return True
    return not _titles(known).isdisjoint(_titles(record))


def _titles(record: Mapping[str, object]) -> set[tuple[str, ...]]:
    asked = record.get("q")
    titles = [record.get("title"), *(asked if isinstance(asked, list) else ())]
    return {question_words(title) for title in titles if isinstance(title, str) and title}
