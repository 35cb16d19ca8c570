"""What the door to the team's playbooks promises, in this process and over HTTP alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from scriza.kernel.errors import BadInput, Conflict, NotFound, PreconditionFailed, TooLarge, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.modules.strategy.canonical import version_id
from scriza.modules.strategy.shipped import Samples
from scriza.ports.strategy import (
    AskAssets,
    AssetQuery,
    BundleFile,
    DiffQuery,
    Edit,
    Lint,
    MergeVersions,
    PlaybookRef,
    Publish,
    Resolution,
    RollBack,
    SaveVersion,
    Strategy,
    StrategyQuery,
    VersionQuery,
)
from tests.contract.doors import Doors
from tests.memory_strategies import MemoryStrategyBook
from tests.strategy_rig import BOOK, strategy_service

GREETING = "/opening/inbound"
PRICE = "/objections/price/response/0"


@pytest.fixture
def opened(doors: Doors, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Opens the door for somebody of a workspace; all in a test have the same books behind it."""
    service = strategy_service(tmp_path)

    @asynccontextmanager
    async def open_for(subject: str = "ann", workspace: str = "ours") -> AsyncIterator[Strategy]:
        with acting(Principal(workspace=workspace, subject=subject, scopes=frozenset({"*"}))):
            async with doors(Strategy, service) as strategy:
                yield strategy

    return open_for


def edit(pointer: str, value: str) -> list[Edit]:
    return [Edit(pointer, value)]


async def saved(strategy: Strategy, text: str = BOOK, **more: object) -> str:
    version = (await strategy.save(SaveVersion(text=text, **more))).version
    assert version is not None
    return version.id


async def changed(strategy: Strategy, base: str, pointer: str, value: str) -> str:
    """A version that was made of `base` by one edit."""
    version = (await strategy.save(SaveVersion(slug="tea-shop", base=base, edits=edit(pointer, value)))).version
    assert version is not None
    return version.id


# ---- what leads calls --------------------------------------------------------------------------------------------


async def test_what_ships_with_scriza_leads_calls_without_having_been_imported(opened) -> None:
    async with opened() as strategy:
        by_slug = await strategy.playbook(PlaybookRef("paper-kite"))
        assert by_slug.playbook.slug == "paper-kite"
        assert await strategy.playbook(PlaybookRef()) == by_slug
        assert await strategy.playbook(PlaybookRef(by_slug.version)) == by_slug
        state = await strategy.strategy("paper-kite")
        assert (state.shipped, state.draft, state.published.number) == (True, None, 0)


async def test_a_playbook_leads_calls_when_it_was_published_and_not_before(opened) -> None:
    async with opened() as strategy:
        version = await saved(strategy)
        with pytest.raises(Conflict, match="nothing of this playbook was published yet") as refused:
            await strategy.playbook(PlaybookRef("tea-shop"))
        assert refused.value.reason == "not-published"
        assert (await strategy.playbook(PlaybookRef(version))).version == version
        await strategy.publish("tea-shop", Publish())
        assert (await strategy.playbook(PlaybookRef("tea-shop"))).version == version


async def test_a_call_keeps_its_version_whatever_is_published_meanwhile(opened) -> None:
    async with opened() as strategy:
        first = await saved(strategy)
        await strategy.publish("tea-shop", Publish())
        pinned = await strategy.playbook(PlaybookRef("tea-shop"))
        await changed(strategy, first, GREETING, "We never close.")
        await strategy.publish("tea-shop", Publish())
        assert await strategy.playbook(PlaybookRef(pinned.version)) == pinned
        assert (await strategy.playbook(PlaybookRef("tea-shop"))).version != pinned.version


async def test_a_workspace_that_publishes_a_shipped_slug_is_led_by_its_own(opened) -> None:
    async with opened() as ours:
        shipped = await ours.playbook(PlaybookRef("paper-kite"))
        await ours.save(SaveVersion(slug="paper-kite", edits=edit("/persona/name", "Petra")))
        assert (await ours.playbook(PlaybookRef("paper-kite"))).version == shipped.version
        state = await ours.publish("paper-kite", Publish())
        assert (state.shipped, state.published.parents) == (False, [shipped.version])
        assert (await ours.playbook(PlaybookRef())).playbook.persona.name == "Petra"
    async with opened(workspace="theirs") as theirs:
        assert await theirs.playbook(PlaybookRef("paper-kite")) == shipped


async def test_what_another_workspace_keeps_is_not_there(opened) -> None:
    async with opened() as ours:
        version = await saved(ours)
    async with opened(workspace="theirs") as theirs:
        for asked in ("tea-shop", version):
            with pytest.raises(NotFound):
                await theirs.playbook(PlaybookRef(asked))
        with pytest.raises(NotFound):
            await theirs.version("tea-shop", version)
        with pytest.raises(NotFound):
            await theirs.strategy("tea-shop")
        with pytest.raises(NotFound):
            await theirs.version("paper-kite", version)
        assert "tea-shop" not in [state.slug for state in (await theirs.strategies(StrategyQuery())).data]


# ---- saving ------------------------------------------------------------------------------------------------------


async def test_a_version_says_what_it_is_and_who_made_it_of_what(opened) -> None:
    async with opened("ann") as strategy:
        first = await strategy.save(SaveVersion(text=BOOK, message="from the old script"))
    async with opened("ben") as strategy:
        again = await strategy.save(
            SaveVersion(slug="tea-shop", edits=edit(GREETING, "Always."), message="longer hours")
        )
        versions = (await strategy.versions("tea-shop", VersionQuery())).data
    assert [(info.number, info.author, info.message) for info in versions] == [
        (2, "ben", "longer hours"),
        (1, "ann", "from the old script"),
    ]
    assert versions == [again.version, first.version]
    assert again.version.parents == [first.version.id]
    assert (versions[0].title, versions[0].persona.name, versions[0].errors) == ("The tea shop", "Tess", 0)


async def test_what_was_made_of_a_shipped_playbook_outlives_it(doors: Doors, tmp_path: Path) -> None:
    book = MemoryStrategyBook()
    with acting(Principal(workspace="ours", scopes=frozenset({"*"}))):
        async with doors(Strategy, strategy_service(tmp_path, book)) as strategy:
            shipped = (await strategy.strategy("paper-kite")).published.id
            await strategy.save(SaveVersion(slug="paper-kite", edits=edit("/persona/name", "Petra")))
            await strategy.publish("paper-kite", Publish())
            await strategy.roll_back("paper-kite", RollBack())
        (tmp_path / "none").mkdir()
        later = strategy_service(tmp_path, book, Samples(tmp_path / "none"))
        async with doors(Strategy, later) as strategy:
            assert (await strategy.playbook(PlaybookRef("paper-kite"))).version == shipped
            assert (await strategy.diff("paper-kite", DiffQuery("published", "1"))).changes


async def test_a_file_that_is_saved_again_was_made_of_the_draft_unless_it_says_of_what(opened) -> None:
    async with opened() as strategy:
        first = await saved(strategy)
        second = await strategy.save(SaveVersion(text=BOOK.replace("nine", "ten")))
        third = await strategy.save(SaveVersion(text=BOOK.replace("nine", "eight"), base="1"))
        assert (second.version.parents, third.version.parents) == ([first], [first])
        told = await strategy.merge("tea-shop", MergeVersions("2", "3"))
        assert told.base == first


async def test_the_id_is_the_hash_of_the_document_so_the_same_is_one_version(opened) -> None:
    async with opened() as strategy:
        first = await strategy.save(SaveVersion(text=BOOK))
        spelt_otherwise = BOOK.replace("title: The tea shop", "title:   'The tea shop'  ")
        again = await strategy.save(SaveVersion(text=spelt_otherwise))
        kept = await strategy.version("tea-shop", first.version.id)
        assert (again.version, again.known) == (first.version, True)
        assert version_id(kept.playbook) == kept.info.id == kept.etag
        assert len((await strategy.versions("tea-shop", VersionQuery())).data) == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (SaveVersion(text="slug: [", kind="yaml", name="shop.yaml"), "shop.yaml:2:1"),
        (SaveVersion(text=BOOK.replace("  - id: price", "\t- id: price"), name="shop.yaml"), "shop.yaml:"),
        (SaveVersion(text=BOOK.replace("slug: tea-shop", "slugg: tea-shop"), name="shop.yaml"), "did you mean 'slug'"),
        (SaveVersion(text="{}", kind="json"), "missing"),
        (SaveVersion(file=b"\xff\xfe\x00\xd8\xff", kind="yaml"), ""),
        (SaveVersion(text="just some words", kind="markdown"), ""),
        (SaveVersion(), "send a source"),
        (SaveVersion(slug="tea-shop", edits=edit("/title", "x"), text=BOOK), "send a source, or edits"),
        (SaveVersion(slug="nowhere", edits=edit("/title", "x")), "send a source, or edits"),
        (SaveVersion(text="q,a\nWhen?,Now.", kind="csv"), "CSV is a part of a playbook"),
    ],
)
async def test_what_is_no_playbook_is_refused_with_its_place_and_nothing_is_kept(opened, source, told) -> None:
    async with opened() as strategy:
        with pytest.raises(BadInput) as refused:
            await strategy.save(source)
        assert told in refused.value.detail
        with pytest.raises(NotFound):
            await strategy.strategy("tea-shop")


async def test_a_source_of_ten_megabytes_is_refused(opened) -> None:
    async with opened() as strategy:
        with pytest.raises(TooLarge):
            await strategy.save(SaveVersion(file=b"x: " + b"a" * 10_000_000, kind="yaml"))


async def test_edits_do_not_make_a_playbook_that_is_too_large_to_keep(opened) -> None:
    async with opened() as strategy:
        before = await saved(strategy)
        with pytest.raises(TooLarge, match="at most 2000000 bytes"):
            await strategy.save(SaveVersion(slug="tea-shop", edits=edit("/description", "x" * 2_000_000)))
        assert (await strategy.version("tea-shop", "draft")).info.id == before


async def test_an_edit_of_what_is_not_there_is_refused_and_nothing_is_kept(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        for pointer in ("/faqs/nothing/a/0", "/nonsense", "/stages/start/next/to", "title"):
            with pytest.raises(BadInput):
                await strategy.save(SaveVersion(slug="tea-shop", edits=[Edit(pointer, 5)]))
        assert len((await strategy.versions("tea-shop", VersionQuery())).data) == 1


async def test_free_text_without_a_model_is_read_by_its_headings_and_completed_by_a_person(opened) -> None:
    script = "# Tea\n\n## Questions and answers\n\n### Are you open on Sundays?\n\nNo, we rest on Sundays.\n"
    async with opened() as strategy:
        told = await strategy.save(SaveVersion(text=script, kind="text", slug="tea-shop"))
        assert (told.version, told.document["faqs"][0]["a"]) == (None, ["No, we rest on Sundays."])
        assert any(finding.level == "error" for finding in told.findings)
        with pytest.raises(Unavailable):
            await strategy.save(SaveVersion(text="We sell tea. It is good.", kind="text"))
        with pytest.raises(NotFound):
            await strategy.strategy("tea-shop")


async def test_edits_change_add_and_remove_records(opened) -> None:
    new = {"id": "milk", "q": ["do you have milk"], "a": ["We do."]}
    edits = [
        Edit("/faqs/-", new),
        Edit("/objections/price"),
        Edit("/persona/role", "clerk"),
        Edit("/sms_fallback/enabled", True),
        Edit("/sms_fallback/template", "We missed you."),
        Edit("/stages/start/ask/-", {"id": "size", "question": ["How much?"]}),
    ]
    async with opened() as strategy:
        await saved(strategy)
        await strategy.save(SaveVersion(slug="tea-shop", edits=edits))
        playbook = (await strategy.version("tea-shop", "draft")).playbook
    assert sorted(faq.id for faq in playbook.faqs) == ["hours", "milk"]
    assert (playbook.objections, playbook.persona.role, playbook.sms_fallback.enabled) == ([], "clerk", True)
    assert [asked.id for asked in playbook.stages[0].ask] == ["taste", "size"]


async def test_csv_is_put_onto_the_playbook_that_it_belongs_to(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        table = "question,answer\nDo you deliver?,We deliver within the town.\n"
        await strategy.save(SaveVersion(slug="tea-shop", text=table, kind="csv", name="faqs.csv"))
        faqs = (await strategy.version("tea-shop", "draft")).playbook.faqs
        assert sorted(faq.a[0] for faq in faqs) == ["We are open from nine to five.", "We deliver within the town."]


async def test_a_draft_is_saved_only_by_who_has_seen_the_one_before(opened) -> None:
    async with opened() as strategy:
        seen = (await strategy.save(SaveVersion(text=BOOK))).etag
        await strategy.save(SaveVersion(slug="tea-shop", edits=edit(GREETING, "a"), if_match=seen))
        with pytest.raises(PreconditionFailed):
            await strategy.save(SaveVersion(slug="tea-shop", edits=edit(GREETING, "b"), if_match=seen))
        assert (await strategy.version("tea-shop", "draft")).playbook.opening.inbound == "a"
        with pytest.raises(PreconditionFailed):
            await strategy.save(SaveVersion(text=BOOK, slug="coffee-shop", if_match="*"))


async def test_versions_are_found_by_number_and_in_pages(opened) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        for number in range(4):
            base = await changed(strategy, base, GREETING, f"until {number}")
        first = await strategy.versions("tea-shop", VersionQuery(limit=3))
        rest = await strategy.versions("tea-shop", VersionQuery(limit=3, cursor=first.next))
        assert [info.number for info in first.data + rest.data] == [5, 4, 3, 2, 1]
        assert rest.next == ""
        assert (await strategy.version("tea-shop", "4")).playbook.opening.inbound == "until 2"
        for name in ("9", "sv_none", "nonsense"):
            with pytest.raises(NotFound):
                await strategy.version("tea-shop", name)


async def test_playbooks_come_in_pages_with_those_that_ship(opened) -> None:
    async with opened() as strategy:
        for slug in ("a-shop", "zoo", "paper-kite"):
            await strategy.save(SaveVersion(text=BOOK, slug=slug))
        found, cursor = [], ""
        while True:
            page = await strategy.strategies(StrategyQuery(limit=2, cursor=cursor))
            found += [state.slug for state in page.data]
            if not (cursor := page.next):
                break
    assert found == sorted(set(found))
    assert {"a-shop", "paper-kite", "zoo"} < set(found)


# ---- publishing --------------------------------------------------------------------------------------------------


async def test_of_many_publishers_at_once_exactly_one_wins(opened) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        rivals = [await changed(strategy, base, GREETING, f"until {number}") for number in range(8)]
        seen = (await strategy.strategy("tea-shop")).etag
        told = await asyncio.gather(
            *(strategy.publish("tea-shop", Publish(rival, if_match=seen)) for rival in rivals), return_exceptions=True
        )
        won = [rival for rival, each in zip(rivals, told, strict=True) if not isinstance(each, BaseException)]
        assert len(won) == 1
        assert all(isinstance(each, PreconditionFailed) for each in told if isinstance(each, BaseException))
        state = await strategy.strategy("tea-shop")
        assert state.published.id == won[0]
        log = (await strategy.log("tea-shop", VersionQuery())).data
        assert [change.after for change in log if change.ref == "published"] == won


async def test_many_who_name_no_tag_all_publish_one_after_the_other(opened) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        rivals = [await changed(strategy, base, GREETING, f"until {number}") for number in range(5)]
        await asyncio.gather(*(strategy.publish("tea-shop", Publish(rival)) for rival in rivals))
        log = [change for change in (await strategy.log("tea-shop", VersionQuery())).data if change.ref == "published"]
        assert sorted(change.after for change in log) == sorted(rivals)
        assert [later.before for later in log[:-1]] == [earlier.after for earlier in log[1:]]


async def test_what_lint_finds_errors_in_is_a_draft_and_never_published(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        found = await strategy.save(SaveVersion(slug="tea-shop", edits=[Edit("/stages/start/next", "nowhere")]))
        assert found.version.errors > 0
        assert any(finding.level == "error" and finding.pointer for finding in found.findings)
        for version in ("draft", found.version.id):
            with pytest.raises(Conflict, match="errors") as refused:
                await strategy.publish("tea-shop", Publish(version))
            assert refused.value.reason == "has-errors"


async def test_there_is_nothing_to_publish_without_a_draft(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        await strategy.publish("tea-shop", Publish())
        with pytest.raises(Conflict, match="no draft"):
            await strategy.publish("tea-shop", Publish())
        with pytest.raises(NotFound):
            await strategy.publish("coffee-shop", Publish("sv_none"))


async def test_saving_what_is_published_leaves_no_draft(opened) -> None:
    async with opened() as strategy:
        first = await saved(strategy)
        before = await strategy.publish("tea-shop", Publish())
        again = await strategy.save(SaveVersion(text=BOOK))
        assert (again.published, await strategy.strategy("tea-shop")) == (True, before)
        await changed(strategy, first, GREETING, "Hi.")
        await strategy.save(SaveVersion(text=BOOK))
        state = await strategy.strategy("tea-shop")
        assert (state.draft, state.published.id) == (None, first)


async def test_publishing_what_is_published_changes_nothing(opened) -> None:
    async with opened() as strategy:
        version = await saved(strategy)
        once = await strategy.publish("tea-shop", Publish())
        assert await strategy.publish("tea-shop", Publish(version)) == once


async def test_rolling_back_goes_back_one_by_one_and_is_logged(opened) -> None:
    async with opened("ann") as strategy:
        versions = [await saved(strategy)]
        await strategy.publish("tea-shop", Publish())
        for number in range(2):
            versions.append(await changed(strategy, versions[-1], GREETING, f"until {number}"))
            await strategy.publish("tea-shop", Publish(message=f"change {number}"))
    async with opened("ben") as strategy:
        for expected in (versions[1], versions[0]):
            state = await strategy.roll_back("tea-shop", RollBack(message="it went badly"))
            assert state.published.id == expected
        with pytest.raises(Conflict, match="nothing was published before"):
            await strategy.roll_back("tea-shop", RollBack())
        await strategy.roll_back("tea-shop", RollBack(versions[2]))
        log = [change for change in (await strategy.log("tea-shop", VersionQuery())).data if change.ref == "published"]
        assert (await strategy.versions("tea-shop", VersionQuery())).data[0].number == 3
    assert [(change.act, change.by, change.after) for change in log] == [
        ("roll_back", "ben", versions[2]),
        ("roll_back", "ben", versions[0]),
        ("roll_back", "ben", versions[1]),
        ("publish", "ann", versions[2]),
        ("publish", "ann", versions[1]),
        ("publish", "ann", versions[0]),
    ]


async def test_who_published_first_over_a_shipped_playbook_can_go_back_to_it(opened) -> None:
    async with opened() as strategy:
        shipped = (await strategy.strategy("paper-kite")).published.id
        await strategy.save(SaveVersion(slug="paper-kite", edits=edit("/persona/name", "Petra")))
        await strategy.publish("paper-kite", Publish())
        state = await strategy.roll_back("paper-kite", RollBack())
        assert (state.published.id, state.shipped) == (shipped, True)


# ---- comparing and merging ---------------------------------------------------------------------------------------


async def test_a_diff_tells_places_and_words(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        await strategy.publish("tea-shop", Publish())
        await strategy.save(SaveVersion(slug="tea-shop", edits=edit(GREETING, "We never close.")))
        report = await strategy.diff("tea-shop", DiffQuery())
        assert [change.pointer for change in report.changes] == [GREETING]
        assert report.changes[0].after == "We never close."
        assert report.summary[0].text
        assert (await strategy.diff("tea-shop", DiffQuery("1", "1"))).changes == []


async def test_a_merge_takes_both_sides_and_finds_its_base(opened) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        ours = await changed(strategy, base, GREETING, "We never close.")
        theirs = await changed(strategy, base, PRICE, "Our tea is cheap.")
        told = await strategy.merge("tea-shop", MergeVersions(ours, theirs, save=True, message="both"))
        assert (told.base, told.merged.conflicts) == (base, [])
        assert (told.version.parents, told.version.number) == ([ours, theirs], 4)
        playbook = (await strategy.version("tea-shop", "draft")).playbook
        assert playbook.opening.inbound == "We never close."
        assert playbook.objections[0].response == ["Our tea is cheap."]
        assert (await strategy.publish("tea-shop", Publish())).published.id == told.version.id


async def test_a_merge_with_conflicts_is_published_only_when_they_are_resolved(opened) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        ours = await changed(strategy, base, GREETING, "We never close.")
        theirs = await changed(strategy, base, GREETING, "Only on Mondays.")
        told = await strategy.merge("tea-shop", MergeVersions(ours, theirs, save=True))
        assert [conflict.pointer for conflict in told.merged.conflicts] == [GREETING]
        assert (await strategy.strategy("tea-shop")).conflicts == told.merged.conflicts
        for name in ("draft", told.version.id):
            with pytest.raises(Conflict) as refused:
                await strategy.publish("tea-shop", Publish(name))
            assert refused.value.reason == "has-conflicts"
        await changed(strategy, ours, "/title", "Something else")
        with pytest.raises(Conflict, match="not resolved"):
            await strategy.publish("tea-shop", Publish(told.version.id))
        own = [Resolution(GREETING, "value", "Ask us on the day.")]
        resolved = await strategy.merge("tea-shop", MergeVersions(ours, theirs, resolutions=own, save=True))
        assert resolved.merged.conflicts == []
        state = await strategy.publish("tea-shop", Publish())
        assert state.published.id == resolved.version.id
        assert (await strategy.playbook(PlaybookRef("tea-shop"))).playbook.opening.inbound == "Ask us on the day."


@pytest.mark.parametrize(("take", "answer"), [("ours", "We never close."), ("theirs", "Only on Mondays.")])
async def test_a_conflict_is_resolved_for_a_side(opened, take, answer) -> None:
    async with opened() as strategy:
        base = await saved(strategy)
        ours = await changed(strategy, base, GREETING, "We never close.")
        theirs = await changed(strategy, base, GREETING, "Only on Mondays.")
        for asked in (
            MergeVersions(ours, theirs, strategy=take),
            MergeVersions(ours, theirs, resolutions=[Resolution(GREETING, take)]),
        ):
            merged = (await strategy.merge("tea-shop", asked)).merged
            assert (merged.playbook.opening.inbound, merged.conflicts) == (answer, [])
        with pytest.raises(BadInput, match="no conflict at /title"):
            await strategy.merge("tea-shop", MergeVersions(ours, theirs, resolutions=[Resolution("/title", take)]))
        assert len((await strategy.versions("tea-shop", VersionQuery())).data) == 3


async def test_what_has_nothing_in_common_needs_a_base(opened) -> None:
    async with opened() as strategy:
        ours = await saved(strategy)
        theirs = await saved(strategy, BOOK, slug="coffee-shop")
        with pytest.raises(Conflict) as refused:
            await strategy.merge("tea-shop", MergeVersions(ours, theirs))
        assert refused.value.reason == "no-common-version"
        assert (await strategy.merge("tea-shop", MergeVersions(ours, theirs, base=ours))).merged.playbook is not None


# ---- lint, YAML and bundles --------------------------------------------------------------------------------------


async def test_lint_tells_where_and_what_to_do_and_keeps_nothing(opened) -> None:
    async with opened() as strategy:
        text = BOOK.replace("Our tea lasts longer than others.", "See www.example.com/tea")
        report = await strategy.lint(Lint(text=text, name="shop.yaml"))
        assert report.warnings > 0
        assert all(finding.line and finding.file == "shop.yaml" for finding in report.findings if finding.pointer)
        with pytest.raises(NotFound):
            await strategy.strategy("tea-shop")
        await saved(strategy, text)
        assert (await strategy.lint(Lint(slug="tea-shop"))).warnings == report.warnings


async def test_a_version_is_written_as_people_edit_it(opened) -> None:
    async with opened() as strategy:
        version = await saved(strategy)
        written = await strategy.written("tea-shop", "draft")
        assert "schema: scriza.playbook/1" in written.yaml
        assert (await strategy.save(SaveVersion(text=written.yaml))).version.id == version


async def test_a_bundle_brings_everything_to_another_workspace(opened) -> None:
    async with opened() as ours:
        first = await saved(ours)
        await ours.publish("tea-shop", Publish())
        second = await changed(ours, first, GREETING, "We never close.")
        bundle = await ours.bundle("tea-shop")
    file = BundleFile(msgspec.json.encode(bundle))
    async with opened(workspace="theirs") as theirs:
        told = await theirs.import_bundle(file)
        assert (told.added, told.known) == (2, 0)
        assert (told.state.published.id, told.state.draft.id) == (first, second)
        assert await theirs.bundle("tea-shop") == bundle
        again = await theirs.import_bundle(file)
        assert (again.added, again.known, again.state) == (0, 2, told.state)


async def test_into_a_playbook_that_is_there_a_bundle_brings_versions_alone(opened) -> None:
    async with opened() as ours:
        first = await saved(ours)
        await ours.publish("tea-shop", Publish())
        bundle = await ours.bundle("tea-shop")
    async with opened(workspace="theirs") as theirs:
        own = await saved(theirs, BOOK.replace("name: Tess", "name: Tim"))
        told = await theirs.import_bundle(BundleFile(msgspec.json.encode(bundle)))
        assert (told.state.published, told.state.draft.id, told.added) == (None, own, 1)
        assert (await theirs.version("tea-shop", "2")).info.id == first


async def test_a_bundle_that_is_not_what_it_says_is_refused_and_nothing_is_kept(opened) -> None:
    async with opened() as ours:
        first = await saved(ours)
        await changed(ours, first, GREETING, "We never close.")
        bundle = await ours.bundle("tea-shop")
    good = msgspec.json.encode(bundle)
    orphan = msgspec.structs.replace(bundle, versions=[each for each in bundle.versions if each.info.id != first])
    for bad, told in (
        (good.replace(b"We never close.", b"We always close."), "is not the one that sv_"),
        (msgspec.json.encode(orphan), "which is not in the bundle"),
        (msgspec.json.encode(msgspec.structs.replace(bundle, published="sv_none")), "sv_none is not in the bundle"),
        (msgspec.json.encode(msgspec.structs.replace(bundle, slug="other")), "is of another playbook"),
        (good[:-10], "this is no bundle"),
        (b"\xff", "this is no bundle"),
        (b"[" * 100_000, "this is no bundle"),
    ):
        async with opened(workspace="theirs") as theirs:
            with pytest.raises(BadInput, match=told):
                await theirs.import_bundle(BundleFile(bad))
            with pytest.raises(NotFound):
                await theirs.strategy("tea-shop")


# ---- voice assets ------------------------------------------------------------------------------------------------


async def test_publishing_asks_for_the_fixed_lines_and_does_not_wait_for_them(opened) -> None:
    async with opened() as strategy:
        await saved(strategy)
        await strategy.publish("tea-shop", Publish())
        report = await strategy.assets("tea-shop", AssetQuery(lines=True))
        assert (report.state, report.ready, report.bytes) == ("queued", 0, 0)
        assert report.assets == report.missing == len(report.lines) > 1
        assert report.cost_micro_usd == sum(len(line.text) for line in report.lines) * 50
        assert [skipped.line for skipped in report.skipped] == ["greeting.1"]


async def test_what_nobody_has_asked_for_is_told_as_missing_until_somebody_does(opened) -> None:
    async with opened() as strategy:
        assert (await strategy.assets("paper-kite", AssetQuery())).state == "missing"
        assert (await strategy.render("paper-kite", AskAssets())).state == "queued"
