"""Calls as telephony tells them, and the memory module on a real store with what it asks beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from typing import Any

import msgspec

from scriza.kernel.errors import NotFound
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import DEFAULT_WORKSPACE
from scriza.kernel.pseudonym import pseudonym
from scriza.modules.llm.service import LlmService
from scriza.modules.memory.post_call import PostCall
from scriza.modules.memory.service import MemoryService
from scriza.modules.memory.stored import MongoMemoryBook
from scriza.ports.agent import Promise, TurnNotes
from scriza.ports.memory import CallerErased
from scriza.ports.playbook import Analysis, Extraction, Playbook, Score, Variable
from scriza.ports.strategy import PinnedPlaybook, PlaybookRef
from scriza.ports.telephony import CallCompleted, CallStarted, CallUpdated, ReplyGenerated, UtteranceTranscribed
from scriza_adapters.mongo.store import MongoStore
from tests.standins.llm_engine import Says, ScriptedEngine, routes
from tests.standins.teller import Told as Teller

NUMBER, OTHER_NUMBER = "+919876543210", "+919876500000"
KEY = "a-key-for-pseudonyms"
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday."""
VERSION = "sv_of_the_test"


def book_of_the_test() -> Playbook:
    """Paper Kite's, with variables and fields of every type, one of which is confidential."""
    written = resources.files("scriza.modules.strategy").joinpath("samples", "paper-kite.yaml").read_bytes()
    sample = msgspec.yaml.decode(written, type=Playbook)
    return msgspec.structs.replace(
        sample,
        variables=[
            Variable(name="name", source="memory", pii=True),
            Variable(name="rooms", type="int"),
            Variable(name="day", type="date"),
            Variable(name="plan", type="enum", values=["basic", "pro"]),
            Variable(name="budget", confidential=True),
        ],
        extraction=[
            Extraction(name="name", description="Who called"),
            Extraction(name="rooms", type="int", description="How many rooms"),
            Extraction(name="demo_day", type="date", slot="day", description="When the demo is"),
            Extraction(name="plan", type="enum", values=["basic", "pro"], description="Which plan"),
            Extraction(name="decides", type="bool", description="Whether they decide alone"),
        ],
        analysis=Analysis(scorecard=[Score(id="offered", question="Was a demo offered?", weight=3)]),
    )


class OnePlaybook:
    """A shelf with one version on it."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook_there: Playbook | None = playbook
        self.failure: Exception | None = None

    async def playbook(self, asked: PlaybookRef) -> PinnedPlaybook:
        if self.failure is not None:
            raise self.failure
        if asked.name != VERSION or self.playbook_there is None:
            raise NotFound("there is no such playbook")
        return PinnedPlaybook(VERSION, self.playbook_there)

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)


class Rememberer:
    """Memory on a store, with a model that says what the test wants, or none."""

    def __init__(self, store: MongoStore, *says: Says) -> None:
        self.now = BEGAN + timedelta(hours=1)
        self.book = MongoMemoryBook(store, lambda: self.now)
        self.shelf = OnePlaybook(book_of_the_test())
        self.engine = ScriptedEngine(*says) if says else None
        llm = LlmService(Teller(), **routes(self.engine))
        self.post_call = PostCall(self.book, llm, self.shelf, clock=lambda: self.now)
        self.memory = MemoryService(self.book, self.post_call, partial(pseudonym, KEY), clock=lambda: self.now)

    async def hears(self, events: Sequence[Event]) -> None:
        for each in events:
            await self.memory.hear(each)

    async def remembers(self, told: "ToldCall") -> None:
        """The whole call, and what comes after it."""
        await self.hears(told.events)
        while await self.post_call.work():
            pass


class ToldCall:
    """What telephony tells of one call: `events`, in their order."""

    def __init__(
        self,
        call_id: str = "CA1",
        number: str = NUMBER,
        began: datetime = BEGAN,
        *,
        workspace: str = DEFAULT_WORKSPACE,
        direction: Any = "inbound",
    ) -> None:
        self.call_id, self.began, self.workspace, self.direction = call_id, began, workspace, direction
        self.who = pseudonym(KEY, workspace, number) if number else ""
        self.events: list[Event] = []
        self.turns = 0
        self.tell(Topic.CALL_STARTED, CallStarted(call_id, direction, self.who, "paper-kite"), "started")
        self.tell(Topic.CALL_UPDATED, CallUpdated(call_id, "in-progress", "greeting", VERSION), "stage")

    def tell(self, topic: Topic, data: msgspec.Struct, key: str) -> Event:
        at = self.began + timedelta(seconds=len(self.events))
        told = event(topic, data, source="telephony", subject=self.call_id, key=key, time=at, workspace=self.workspace)
        self.events.append(told)
        return told

    def turn(self, said: str, answer: str = "I see.", *, heard: str | None = None, **notes: Any) -> "ToldCall":
        """What the caller said, what the agent answered, and what it noticed."""
        number, self.turns = self.turns, self.turns + 1
        if said:
            data = UtteranceTranscribed(self.call_id, number, said, 0.9, "pitch", 1000 * number, 1000 * number + 400)
            self.tell(Topic.UTTERANCE_TRANSCRIBED, data, str(number))
        reply = ReplyGenerated(
            self.call_id,
            number,
            answer,
            answer if heard is None else heard,
            "booking",
            "cheap-1",
            7,
            stage_before="pitch",
            notes=TurnNotes(playbook=VERSION, **notes),
            clips=2,
            clips_cached=1,
        )
        self.tell(Topic.REPLY_GENERATED, reply, str(number))
        return self

    def over(self, outcome: str = "demo_booked") -> "ToldCall":
        """The call is complete."""
        data = CallCompleted(
            self.call_id,
            "completed",
            "caller-hung-up",
            outcome,
            65,
            self.turns,
            self.direction,
            self.who,
            VERSION,
            self.began,
            barge_ins=1,
            tokens=7 * self.turns,
        )
        self.tell(Topic.CALL_COMPLETED, data, "completed")
        return self


def demo_call(call_id: str = "CA1", began: datetime = BEGAN, number: str = NUMBER) -> ToldCall:
    """Priya books a demo for her three rooms, and tells her budget in confidence."""
    return (
        ToldCall(call_id, number, began)
        .turn("", "Hi, this is Sunny at Paper Kite.")
        .turn("hi this is Priya here", learned={"name": "Priya"})
        .turn("we have three rooms", "Which plan?", learned={"rooms": "3"})
        .turn("it is too expensive", "It pays for itself.", meant="price", kind="objection")
        .turn("our budget is forty rupees", learned={"budget": "forty rupees"})
        .turn("do you float on water", "I do not know.", unanswered=True)
        .turn(
            "tomorrow then",
            "We call you tomorrow at ten.",
            learned={"day": "2026-03-03"},
            promised=[Promise("callback", "We call you tomorrow at ten.")],
        )
        .over()
    )


def erased(erasure_id: str, module: str, workspace: str = DEFAULT_WORKSPACE, *, key: str = "1", **counts: int) -> Event:
    """A module has erased."""
    return event(
        Topic.CALLER_ERASED,
        CallerErased(erasure_id, module, counts),
        source=module,
        subject=erasure_id,
        key=f"{module}/{key}",
        time=BEGAN + timedelta(hours=2),
        workspace=workspace,
    )
