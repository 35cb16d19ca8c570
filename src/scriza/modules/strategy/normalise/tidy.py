"""A document as people write it, with its values in the forms of the schema. Nothing moves, and nothing is refused.

What stands at a pointer afterwards is what stood there before, save for what was wrapped: a text where a list or a
record belongs. So whatever is found later can be told with the place in the file.
"""

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec
from msgspec import inspect

from scriza.modules.strategy import dialling_plan, shape
from scriza.modules.strategy.normalise import texts
from scriza.modules.strategy.normalise.money import NoAmount, minor_units
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import Intent, Playbook, Price, Section, Stage, Tool, Variable
from scriza.ports.playbook_findings import Finding, Level

_VARIABLE_IDS = frozenset({"name", "slot", "filled", "success", "disqualify", "outcome"})
"""Fields whose ids are written with underscores, since they stand in braces and in reports."""
_LOWER = frozenset({"phrases", "triggers", "patterns"})
"""Lists of words that are compared with what callers say."""
_VERBATIM = frozenset({(Tool, "url")})
_INTERVALS = {"monthly": "month", "mo": "month", "yearly": "year", "annual": "year", "annually": "year", "user": "seat"}
_REFERRED = (Stage, Intent)
"""Records that much refers to: which of two with one id is meant must be said by the author."""


def tidied(document: Mapping[str, object]) -> tuple[dict[str, object], list[Finding]]:
    """The document in the forms of the schema, and what had to be told about it."""
    written = document.get("locale")
    tag = texts.locale(written) if isinstance(written, str) else ""
    tidier = _Tidier(region=tag.rpartition("-")[2] if "-" in tag else "")
    return tidier.record(dict(document), Playbook, ""), tidier.findings


class _Tidier:
    """Goes through a document by the types of the schema."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.findings: list[Finding] = []

    def record(self, written: dict[str, object], kind: type[Section], pointer: str) -> dict[str, object]:
        """A record with its fields in their forms; what is no field stays for the check to refuse."""
        known = shape.fields(kind)
        found: dict[str, object] = {}
        ext: dict[str, object] = {}
        given = written.get("ext")
        for key, value in given.items() if isinstance(given, dict) else ():
            ext[texts.line(str(key))] = _plain(value)
        for key, value in written.items():
            name = texts.line(key)
            if name.startswith("x-"):
                ext[name] = _plain(value)
                continue
            if name == "ext" and isinstance(given, dict):
                continue
            spelt = name.lower().replace("-", "_").replace(" ", "_")
            name = spelt if name not in known and spelt in known and spelt not in found else name
            if name not in known:
                found[name] = value
            elif value is not None:
                found[name] = self._field(value, kind, known[name], below(pointer, key))
        if ext:
            found["ext"] = ext
        if kind is Price:
            self._price(found, pointer)
        if kind is Variable and found.get("type") == "phone":
            for name in ("default", "example"):
                if isinstance(found.get(name), str):
                    found[name] = self._number(cast("str", found[name]))
        return found

    def _field(self, value: object, kind: type[Section], field: inspect.Field, pointer: str) -> object:
        if (kind, field.name) in _VERBATIM or shape.is_json_schema(field.type):
            return _plain(value)
        return self._value(value, shape.optional(field.type), field.name, pointer)

    def _value(self, value: object, type_: inspect.Type, name: str, pointer: str) -> object:
        if shape.is_spoken(type_):
            return self._spoken(value, pointer)
        match type_:
            case inspect.StructType(cls=kind):
                return self._record_or_bare(value, cast("type[Section]", kind), pointer)
            case inspect.ListType():
                return self._list(value, type_, name, pointer)
            case inspect.DictType() if isinstance(value, dict):
                return self._by_key(value, type_, name, pointer)
            case inspect.StrType():
                return self._text(value, type_, name, pointer)
            case inspect.IntType() if isinstance(value, float) and value.is_integer():
                return int(value)
            case inspect.LiteralType() if isinstance(value, str):
                word = texts.line(value)
                spelt = word.lower().replace("-", "_").replace(" ", "_")
                return spelt if word not in type_.values and spelt in type_.values else word
            case _:
                return value

    def _record_or_bare(self, value: object, kind: type[Section], pointer: str) -> object:
        field = shape.BARE.get(kind, "")
        if isinstance(value, dict):
            return self.record(value, kind, pointer)
        if field and isinstance(value, str | int | list) and not isinstance(value, bool):
            return self.record({field: value}, kind, pointer)
        return value

    def _list(self, value: object, type_: inspect.ListType, name: str, pointer: str) -> object:
        if isinstance(value, dict) and not (shape.record_of(type_) or shape.is_spoken(type_.item_type)):
            return value
        items = value if isinstance(value, list) else [value]
        found = [
            self._value(item, type_.item_type, name, below(pointer, index) if isinstance(value, list) else pointer)
            for index, item in enumerate(items)
        ]
        kind = shape.record_of(type_)
        if kind is not None and shape.key_of(kind):
            self._identify(found, kind, pointer)
        return found

    def _by_key(self, value: dict[str, object], type_: inspect.DictType, name: str, pointer: str) -> object:
        """A mapping of ids to records, or of spellings to spellings."""
        is_id = shape.text_kind(type_.key_type) == "id"
        found: dict[str, object] = {}
        for key, item in value.items():
            spelt = (texts.slug(key) or key) if is_id else texts.line(key)
            if spelt in found:
                self._tell(
                    "warning", "same-key", f"{spelt!r} is there twice; the first one counts", below(pointer, key)
                )
                continue
            found[spelt] = self._value(item, type_.value_type, name, below(pointer, key))
        return found

    def _spoken(self, value: object, pointer: str) -> object:
        """A line, or one for each language."""
        if isinstance(value, dict):
            lines: dict[str, object] = {}
            for key, text in value.items():
                tag = texts.locale(key)
                if tag in lines:
                    self._tell("warning", "same-key", f"{tag} is there twice; the first counts", below(pointer, key))
                    continue
                lines[tag] = _line(text)
            return lines
        return _line(value)

    def _text(self, value: object, type_: inspect.StrType, name: str, pointer: str) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            return value
        match shape.text_kind(type_):
            case "id" | "ref":
                spelt = texts.variable_id(value) if name in _VARIABLE_IDS else texts.slug(value)
                if spelt and not texts.same_letters(spelt, value):
                    self._tell("note", "id-respelt", f"the id {texts.line(value)!r} is kept as {spelt!r}", pointer)
                return spelt or texts.line(value)
            case "locale":
                return texts.locale(texts.line(value))
            case "number":
                return self._number(value)
            case "currency":
                return texts.line(value).upper()
            case "keys":
                return texts.line(value)
            case "line":
                return texts.with_placeholders(texts.line(value))
            case "text":
                found = texts.block(value)
                if type_.pattern is not None:
                    return found
                return found.lower() if name in _LOWER else texts.with_placeholders(found)

    def _number(self, written: str) -> str:
        """In E.164 where it can be; what is no number stays for the check to refuse."""
        number = texts.line(written)
        if not number or number.startswith(("sip:", "sips:")):
            return number
        return dialling_plan.e164(number, self._region) or number

    def _price(self, price: dict[str, object], pointer: str) -> None:
        """Turn an `amount` into minor units. One that has no certain meaning is told."""
        per = price.get("per")
        if isinstance(per, str):
            price["per"] = _INTERVALS.get(per, per)
        if "amount" not in price or "amount_minor" in price:
            return
        currency = price.get("currency")
        try:
            minor, chosen = minor_units(price["amount"], currency if isinstance(currency, str) else "", self._region)
        except NoAmount as error:
            fix = "write it as `amount: 19.00 USD`, or in minor units as `amount_minor: 1900` and `currency: USD`"
            self._tell("error", "amount", f"{error}", below(pointer, "amount"), fix)
        else:
            price["amount_minor"], price["currency"] = minor, chosen
        del price["amount"]

    def _identify(self, records: Iterable[object], kind: type[Section], pointer: str) -> None:
        """Give every record of a list an id that no other has: its own, one from its title, one from its content."""
        field = shape.key_of(kind)
        named = [record for record in records if isinstance(record, dict)]
        places = {id(record): index for index, record in enumerate(records)}
        taken = {record[field] for record in named if isinstance(record.get(field), str)}
        seen: set[str] = set()
        for record in named:
            here = below(pointer, places[id(record)])
            own = record.get(field)
            if not own and field == "id":
                wanted = _made(record, kind)
                record["id"] = _free(wanted, taken)
                taken.add(cast("str", record["id"]))
            elif isinstance(own, str) and own in seen:
                record[field] = other = _free(own, taken)
                taken.add(other)
                message = (
                    f"{own!r} is there twice; the second is kept as {other!r}, and who refers to it means the first"
                )
                level: Level = "error" if kind in _REFERRED else "warning"
                self._tell(level, "duplicate-id", message, below(here, field), "give one of the two another id")
            if isinstance(record.get(field), str):
                seen.add(cast("str", record[field]))

    def _tell(self, level: Level, code: str, message: str, pointer: str, fix: str = "") -> None:
        self.findings.append(Finding(level=level, code=code, message=message, pointer=pointer, fix=fix))


def _line(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return texts.with_placeholders(texts.line(value)) if isinstance(value, str) else value


def _plain(value: object) -> object:
    """What is kept as it is, but for the ways in which one text can be written in Unicode."""
    match value:
        case str():
            return texts.clean(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {texts.clean(str(key)): _plain(item) for key, item in value.items()}
        case _:
            return value


def _made(record: dict[str, object], kind: type[Section]) -> str:
    for field in shape.TITLES.get(kind, ()):
        title = _first_text(record.get(field))
        if title and (found := texts.derived_id(title)):
            return found
    content = msgspec.json.encode(record, order="deterministic")
    return texts.id_of_content(kind.__name__.lower(), content)


def _first_text(value: object) -> str:
    match value:
        case str():
            return value
        case [first, *_]:
            return _first_text(first)
        case dict():
            return _first_text(next(iter(value.values()), ""))
        case _:
            return ""


def _free(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with a number behind it, as nobody else has it."""
    if wanted not in taken:
        return wanted
    number = 2
    while (other := f"{wanted[:58]}-{number}") in taken:
        number += 1
    return other
