"""Playbooks through the whole application and its command line: from a file to a call that begins at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scriza.app import application, container_of
from scriza.cli import CANNOT, main
from scriza.container import Container
from scriza.kernel.principal import Principal, acting
from scriza.ports.agent import CallFacts, Reply
from scriza.ports.strategy import AssetQuery, Edit, PlaybookRef, Publish, SaveVersion
from scriza.ports.tts import Speak, SpokenDone
from scriza.settings import load
from scriza_adapters.mongo.store import StoreOptions
from tests.databases import drop
from tests.serving import serving
from tests.strategy_rig import BOOK

TOKEN = "a-service-token"
SAMPLES = ("outbound-demo-en-in", "clinic-intake-en-us")


@pytest.fixture
def container(store_options: StoreOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Also the command line knows its data directory and token."""
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    settings = load(
        modules="strategy,agent,tts,llm,memory",
        mongo_url=store_options.url,
        mongo_database=store_options.database,
        tts_engine="espeak",
        llm_engine="playbook",
    )
    return container_of(settings)


@pytest.fixture
async def url(container: Container) -> AsyncIterator[str]:
    async with serving(application(container)) as served:
        yield served
        await drop(container.store().database)


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1/strategies", headers=headers, timeout=30) as client:
        yield client


async def playbook_command(url: str, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["playbook", *arguments, "--to", url])


async def published(container: Container, text: str = BOOK) -> str:
    """The id of a version that is published, with all its fixed lines spoken."""
    strategy = container.strategy()
    await strategy.save(SaveVersion(text=text))
    state = await strategy.publish("tea-shop", Publish())

    async with asyncio.timeout(50):
        while (await strategy.assets("tea-shop", AssetQuery())).state != "ready":  # noqa: ASYNC110 # another task's work
            await asyncio.sleep(0.05)
    assert state.published is not None
    return state.published.id


async def was_there(container: Container, text: str, call: Speak) -> bool:
    """Whether a call that asks for the text finds its clip."""
    async for part in container.tts().stream_speak(call):
        if isinstance(part, SpokenDone):
            return part.cache_hit
    raise AssertionError("a stream of speech ends with `done`")


async def test_after_publishing_all_that_a_call_says_of_itself_is_there(url: str, container: Container) -> None:
    with acting(Principal(scopes=frozenset({"*"}))):
        version = await published(container)
        for direction in ("inbound", "outbound"):
            plan = await container.agent().begin(CallFacts("CA1", direction, playbook="tea-shop"))
            assert plan.conversation.playbook == version
            lines, voice = plan.lines, plan.voice
            for text in (lines.opening, lines.intro_timeout, *lines.silence_prompts, lines.trouble, lines.voicemail):
                asked = Speak(
                    text=text,
                    voice_id=voice.voice_id,
                    tone=voice.tone,
                    locale=voice.locale,
                    format="mulaw",
                    call_id="CA1",
                    pronunciation=dict(voice.pronunciation),
                )
                assert await was_there(container, text, asked), text


async def test_also_answers_are_there_clause_by_clause(url: str, container: Container) -> None:
    long = "Our tea lasts longer than others, because we pick it by hand. You need only half of it for a pot."
    with acting(Principal(scopes=frozenset({"*"}))):
        await published(container, BOOK.replace("Our tea lasts longer than others.", f'"{long}"'))
        plan = await container.agent().begin(CallFacts("CA1", playbook="tea-shop"))
        asked = Reply("CA1", 1, "that is too expensive", plan.conversation)
        clauses = [part.text async for part in container.agent().reply(asked) if hasattr(part, "text")]
        assert len(clauses) > 2
        assert "Do you like green tea?" in clauses
        voice = plan.voice
        for text in clauses:
            said = Speak(text, voice.voice_id, voice.tone, voice.locale, "mulaw", call_id="CA1")
            assert await was_there(container, text, said), text


async def test_a_live_call_keeps_its_version_whatever_is_published_meanwhile(url: str, container: Container) -> None:
    with acting(Principal(scopes=frozenset({"*"}))):
        strategy, agent = container.strategy(), container.agent()
        await strategy.save(SaveVersion(text=BOOK))
        await strategy.publish("tea-shop", Publish())
        plan = await agent.begin(CallFacts("CA1", playbook="tea-shop"))
        edit = Edit("/objections/price/response", ["We have become cheaper."])
        await strategy.save(SaveVersion(slug="tea-shop", edits=[edit]))
        await strategy.publish("tea-shop", Publish())

        async def answer(facts: str) -> str:
            begun = plan if facts == "CA1" else await agent.begin(CallFacts(facts, playbook="tea-shop"))
            parts = agent.reply(Reply(facts, 1, "that is too expensive", begun.conversation))
            return " ".join([part.text async for part in parts if hasattr(part, "text")])

        assert "Our tea lasts longer than others." in await answer("CA1")
        assert "We have become cheaper." in await answer("CA2")
        assert (await strategy.playbook(PlaybookRef(plan.conversation.playbook))).version == plan.conversation.playbook


async def test_over_http_publishing_is_compare_and_set(http: httpx.AsyncClient) -> None:
    made = await http.post("", content=BOOK.encode(), params={"message": "first"}, headers=RAW)
    assert (made.status_code, made.headers["etag"]) == (200, '"r1"')
    assert (await http.get("/tea-shop/versions/published")).status_code == 409
    assert (await http.get("/tea-shop")).headers["etag"] == '"r1"'
    stale = await http.post("/tea-shop/publish", json={}, headers={"if-match": '"r0"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:scriza:problem:precondition-failed")
    answers = await asyncio.gather(
        *(http.post("/tea-shop/publish", json={}, headers={"if-match": '"r1"'}) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]
    unchanged = await http.get("/tea-shop", headers={"if-none-match": '"r2"'})
    assert unchanged.status_code == 304
    assert (await http.get("/coffee-shop")).status_code == 404


async def test_over_http_a_bad_source_is_told_with_its_place_and_nothing_is_kept(http: httpx.AsyncClient) -> None:
    bad = BOOK.replace("slug: tea-shop", "slug: tea-shop\nslugs: 1")
    answer = await http.post("", content=bad.encode(), params={"name": "shop.yaml"}, headers=RAW)
    assert (answer.status_code, answer.json()["reason"]) == (400, "not-a-playbook")
    assert answer.json()["detail"].startswith("shop.yaml:3:1 /slugs:")
    assert (await http.get("/tea-shop")).status_code == 404
    page = (await http.get("", params={"limit": 1})).json()
    assert len(page["data"]) == 1
    assert page["next"]


async def test_both_samples_are_edited_merged_with_a_conflict_published_and_told_in_words(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The life of a playbook, as a sales lead and a colleague have it on the command line."""

    async def says(*arguments: str, code: int = 0) -> str:
        assert await playbook_command(url, *arguments) == code
        told = capsys.readouterr()
        return told.out + told.err

    for sample in SAMPLES:
        assert "what comes with Scriza leads calls already" in await says("import", sample)
        await says("export", sample, "--yaml", "-o", "base.yaml")
        written = (tmp_path / "base.yaml").read_text()
        name = written.partition("persona:\n  name: ")[2].partition("\n")[0]
        goodbye = written.partition("  goodbye: ")[2].partition("\n")[0]
        ours, theirs = (
            written.replace(f"name: {name}", "name: Ananya", 1),
            written.replace(f"name: {name}", "name: Kim", 1),
        )
        ours = ours.replace(f"goodbye: {goodbye}", "goodbye: Thank you, and goodbye.", 1)
        (tmp_path / "ours.yaml").write_text(ours)
        (tmp_path / "theirs.yaml").write_text(theirs.replace("title: ", "title: Spring, ", 1))

        assert f'The name is "Ananya" instead of "{name}"' in await says("diff", "base.yaml", "ours.yaml")
        await says("import", "ours.yaml", "-m", "a new name", "--base", "published")
        await says("import", "theirs.yaml", "-m", "another name", "--base", "published")
        three = (sample, f"{sample}@1", f"{sample}@2")

        told = await says("merge", *three, "--save", code=1)
        assert "Conflict at /persona/name" in told
        assert "ours:   Ananya\n  theirs: Kim" in told
        assert "conflicts that are not resolved" in await says("publish", sample, code=CANNOT)
        told = await says("merge", *three, "--take", "/persona/name=ours", "--save", "-m", "both")
        assert "Decided: /persona/name" in told
        told = await says("publish", sample, "-m", "for spring")
        assert f"{sample}: version 3 leads calls from now on" in told
        assert f'The name is "Ananya" instead of "{name}"' in told
        assert "fixed lines are spoken" in told

    assert "are waiting to be spoken" in await says("assets", "paper-kite", "--render")
    assert "published: version 3" in await says("list")
    assert "what comes with Scriza leads calls" in await says("rollback", SAMPLES[0])
    await says("export", SAMPLES[1], "-o", "bundle.json")
    assert "0 versions are new, 4 were there" in await says("import", "bundle.json")


async def test_files_are_compared_and_merged_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BOOK)
    (tmp_path / "ours.yaml").write_text(BOOK.replace("name: Tess", "name: Tim"))
    (tmp_path / "theirs.yaml").write_text(BOOK.replace("nine to five", "ten to six"))
    three = ("base.yaml", "ours.yaml", "theirs.yaml")
    assert await playbook_command("http://127.0.0.1:9", "merge", *three, "-o", "both.yaml") == 0
    assert "name: Tim" in (tmp_path / "both.yaml").read_text()
    assert "ten to six" in (tmp_path / "both.yaml").read_text()
    assert await playbook_command("http://127.0.0.1:9", "diff", "base.yaml", "both.yaml") == 0
    assert 'The name is "Tim" instead of "Tess"' in capsys.readouterr().out
    assert await playbook_command("http://127.0.0.1:9", "diff", "base.yaml", "nowhere.yaml") == CANNOT
    assert await playbook_command("http://127.0.0.1:9", "list") == CANNOT
    assert "127.0.0.1:9" in capsys.readouterr().err


RAW = {"content-type": "application/yaml"}
