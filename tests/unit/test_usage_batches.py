"""Events in whatever order, batches and repetitions come to the same ledger, account and sums; calls settle once.

Batches are applied to a model as the store applies them, by the same pure parts; what the store adds is that each is
one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.events import Event
from scriza.modules.usage.account import Account, Grant, Hold, debited, granted, hold_id_of, released, replaced
from scriza.modules.usage.grains import DAY, Parts, Piece, merged, spread
from scriza.modules.usage.reading import Used, read
from scriza.modules.usage.sums import CallSums, changes, total
from tests.usage_rig import NOON, PRICES, asr, completed, llm, tts

CALLS = ["CA0", "CA1", "CA2"]
GRANT = Grant("all", 30_000, 30_000, NOON)


class Book:
    """What the store keeps of one workspace."""

    def __init__(self) -> None:
        account, self.ledger = granted(Account(workspace="default"), GRANT)
        self.account = replaced(account, holds={hold_id_of(call_id): Hold(1_000, 60, NOON) for call_id in CALLS})
        self.counted: set[str] = set()
        self.sums: dict[Piece, Parts] = {}
        self.calls: dict[str, CallSums] = {}

    def count(self, batch: Sequence[Event]) -> None:
        """See MongoUsage.count."""
        fresh: list[Used] = []
        for event in batch:
            if event.id not in self.counted:
                self.counted.add(event.id)
                fresh.append(read(event, PRICES))
        entries = [entry for used in fresh if (entry := used.entry())]
        self.ledger = [*self.ledger, *entries]
        self.account = debited(self.account, entries)
        for used in fresh:
            if used.kind == "call":
                self.account = released(self.account, used.call_id)
        self._add_up(fresh)

    def _add_up(self, fresh: Sequence[Used]) -> None:
        found = changes(fresh, self.calls)
        for piece, parts in spread(found.cells).items():
            self.sums[piece] = merged([self.sums.get(piece, {}), parts])
        for call_id in found.parts.keys() | found.ended.keys():
            before = self.calls.get(call_id, CallSums(call_id))
            parts = {part: dict(sums) for part, sums in before.parts.items()}
            for part, sums in found.parts.get(call_id, {}).items():
                into = parts.setdefault(part, {})
                for name, amount in sums.items():
                    into[name] = into.get(name, 0) + amount
            ended = call_id in found.ended or before.ended
            self.calls[call_id] = CallSums(call_id, found.ended.get(call_id, before.agent), ended, parts)

    def state(self) -> object:
        """All that is kept, where order does not matter."""
        ledger = sorted(self.ledger, key=lambda entry: entry.key)
        return self.account, ledger, {piece: parts for piece, parts in self.sums.items() if parts}, self.calls


def one_event(kind: str, call_id: str, number: int, minutes: int, amount: int) -> Event:
    at, key = NOON + timedelta(minutes=minutes), str(number)
    match kind:
        case "llm":
            return llm(call_id, key, prompt=amount, at=at)
        case "cached":
            return llm(call_id, key, prompt=amount, at=at, cached=True)
        case "tts":
            return tts(call_id, key, characters=amount, at=at)
        case "asr":
            return asr(call_id, key, audio_ms=amount, at=at)
        case _:
            return completed(call_id, 1 + amount % 100, at=at, playbook=f"sv_{call_id}")


NUMBERS = st.tuples(st.integers(0, 30), st.integers(0, 2_000))
USED = st.tuples(st.sampled_from(["llm", "cached", "tts", "asr"]), st.sampled_from(["", *CALLS]), NUMBERS)
"""A kind, a call or none, minutes from noon, an amount."""


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """Events, each once; and the same in any order, some of them several times, in batches of any size."""
    used = draw(st.lists(USED, max_size=8))
    events = [one_event(kind, call_id, number, *numbers) for number, (kind, call_id, numbers) in enumerate(used)]
    ending = draw(st.dictionaries(st.sampled_from(CALLS), NUMBERS, max_size=3))
    events += [one_event("end", call_id, 0, *numbers) for call_id, numbers in ending.items()]
    again = draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    delivered = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(delivered)), max_size=4)))
    return events, [delivered[a:b] for a, b in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]


@given(deliveries())
def test_duplicates_and_permutations_change_nothing_and_every_completed_call_settles_once(
    told: tuple[list[Event], list[list[Event]]],
) -> None:
    events, batches = told
    book, once = Book(), Book()
    once.count(events)
    for batch in batches:
        book.count(batch)
    assert book.state() == once.state()

    ended = {event.call_id for event in events if event.type == "call.completed"}
    assert Counter(entry.call_id for entry in book.ledger if entry.kind == "call") == dict.fromkeys(ended, 1)
    assert book.account.holds.keys() == {hold_id_of(call_id) for call_id in CALLS if call_id not in ended}
    assert book.account.balance == sum(entry.amount for entry in book.ledger)
    days = [parts for piece, parts in book.sums.items() if piece.length == DAY]
    assert total(merged(days).values()).cost_micro_usd == GRANT.amount - book.account.balance
