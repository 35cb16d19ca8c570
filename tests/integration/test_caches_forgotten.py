"""What speech, models and the edge keep for a while goes with a caller, from the stores and from every memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from scriza.gateway.forgetting import ReplyForgetting
from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal, acting
from scriza.modules.llm.cache import Answer, AnswerCache
from scriza.modules.llm.forgetting import ThoughtForgetting
from scriza.modules.tts.forgetting import SpeechForgetting
from scriza.modules.tts.service import TtsService
from scriza.modules.tts.stored_clips import MongoCallClips
from scriza.ports.llm import UsagePiece
from scriza.ports.memory import CallerErased, CallerForgotten
from scriza.ports.tts import Speak
from scriza.wire.idempotency import Claim, Replays, Reply
from scriza_adapters.mongo.store import MongoStore
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.unit.tts_rig import NOON, streamed

DAY = timedelta(days=1)
OTHERS = Principal("other", subject="test")


class Published:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def publish(self, *events: Event) -> None:
        self.told.extend(events)

    @property
    def proofs(self) -> list[CallerErased]:
        return [msgspec.json.decode(told.data, type=CallerErased) for told in self.told]


def order(*call_ids: str) -> Event:
    told = CallerForgotten("era_1", "who_ada", list(call_ids))
    return event(
        Topic.CALLER_FORGOTTEN, told, source="memory", subject="era_1", key="1", time=NOON, workspace="default"
    )


# ---- speech -------------------------------------------------------------------------------------------------------


class Speech:
    """Two processes that speak, on one store and one directory."""

    def __init__(self, store: MongoStore, folder: Path) -> None:
        self.folder, self.told, self.published = folder, Told(), Published()
        self.objects = DirectoryObjects(folder, url="http://here", key="secret")
        self.clips = MongoCallClips(store, DAY, lambda: NOON)
        self.here, self.there = self._service(), self._service()
        self.forgetting = SpeechForgetting(self.clips, self.here.cache, self.published, lambda: NOON)

    def _service(self) -> TtsService:
        return TtsService([ToneEngine()], self.objects, self.told, call_clips=self.clips, clock=lambda: NOON)

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("[!~]*") if path.is_file())

    async def says(self, text: str, call_id: str = "") -> None:
        before = len(self.kept())
        await streamed(self.here, Speak(text, format="mulaw", call_id=call_id))
        async with asyncio.timeout(20):
            while len(self.kept()) < before + 2:  # noqa: ASYNC110 # a clip and its card, kept behind the reply
                await asyncio.sleep(0.01)


@pytest.fixture
async def speech(store: MongoStore, tmp_path: Path) -> AsyncIterator[Speech]:
    rig = Speech(store, tmp_path / "objects")
    yield rig
    await rig.here.close()
    await rig.there.close()
    await rig.objects.close()


async def test_clips_that_were_made_in_a_callers_calls_go_and_all_others_stay(speech: Speech) -> None:
    await speech.says("we are open on Monday")
    await speech.says("goodbye Bob", "CA2")
    others = speech.kept()
    await speech.says("good morning Aurelia", "CA1")
    assert len(speech.kept()) == len(others) + 2
    await speech.forgetting.forget(order("CA1"))
    assert speech.kept() == others
    assert speech.published.proofs == [CallerErased("era_1", "tts", {"clips": 1})]


async def test_no_process_has_such_a_clip_in_its_memory(speech: Speech) -> None:
    await speech.says("good morning Aurelia", "CA1")
    await streamed(speech.there, Speak("good morning Aurelia", format="mulaw", call_id="CA9"))
    assert speech.there.cache.hot[0] == 1
    await speech.forgetting.forget(order("CA1"))
    elsewhere = SpeechForgetting(speech.clips, speech.there.cache, speech.published)
    await elsewhere.erased(speech.published.told[0])
    assert speech.here.cache.hot == speech.there.cache.hot == (0, 0)


async def test_a_clip_that_could_not_be_erased_is_not_kept(speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(workspace: str, call_id: str, key: str) -> None:
        raise Unavailable("the store is away")

    monkeypatch.setattr(speech.clips, "note", away)
    await streamed(speech.here, Speak("good morning Aurelia", format="mulaw", call_id="CA1"))
    await speech.here.close()
    assert speech.kept() == []


async def test_clips_of_another_workspace_stay_even_of_a_call_of_the_same_name(speech: Speech) -> None:
    with acting(OTHERS):
        await speech.says("good morning Aurelia", "CA1")
    kept = speech.kept()
    await speech.forgetting.forget(order("CA1"))
    assert speech.kept() == kept


# ---- models -------------------------------------------------------------------------------------------------------


ANSWER = Answer("Nice to meet you, Aurelia.", "gpt", UsagePiece(1, 1, 2))


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "in the process"])
async def test_answers_of_the_workspace_are_forgotten(shared: bool) -> None:
    state, published = MemorySharedState(), Published()
    cache = AnswerCache(3600, shared=state if shared else None)
    await cache.put("default/a", ANSWER)
    await cache.put("default/b", ANSWER)
    await ThoughtForgetting(cache, published, lambda: NOON).forget(order("CA1"))
    assert await cache.get("default/a") is None
    assert published.proofs == [CallerErased("era_1", "llm", {"answers": 2})]


async def test_answers_that_processes_share_stay_for_other_workspaces() -> None:
    cache = AnswerCache(3600, shared=MemorySharedState())
    await cache.put("other/a", ANSWER)
    await ThoughtForgetting(cache, Published()).forget(order("CA1"))
    assert await cache.get("other/a") == ANSWER


# ---- the edge -----------------------------------------------------------------------------------------------------


async def answered(replays: Replays, workspace: str, key: str) -> None:
    claim = await replays.claim(workspace, key, b"asked")
    assert isinstance(claim, Claim)
    await claim.keep(Reply(200, [], b"Aurelia"))


async def test_replies_under_a_key_are_erased_and_what_was_done_is_still_not_done_again() -> None:
    state, published = MemorySharedState(), Published()
    replays = Replays(state)
    await answered(replays, "default", "k1")
    await answered(replays, "other", "k1")
    forgetting = ReplyForgetting(replays, published, lambda: NOON)
    await forgetting.forget(order("CA1"))
    await forgetting.forget(order("CA1"))
    again = await replays.claim("default", "k1", b"asked")
    assert isinstance(again, Reply)
    assert (again.status, b"Aurelia" in again.body) == (409, False)
    others = await replays.claim("other", "k1", b"asked")
    assert isinstance(others, Reply)
    assert others.body == b"Aurelia"
    assert [proof.erased for proof in published.proofs] == [{"replies": 1}, {}]


async def test_a_request_that_is_being_answered_keeps_its_claim() -> None:
    replays = Replays(MemorySharedState())
    claim = await replays.claim("default", "k1", b"asked")
    assert isinstance(claim, Claim)
    assert await replays.forget("default") == 0
    await claim.keep(Reply(200, [], b"done"))
    assert await replays.claim("default", "k1", b"asked") == Reply(200, [], b"done")
