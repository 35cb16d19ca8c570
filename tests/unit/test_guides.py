"""Playbooks at hand: asked for once, pinned for as long as a call lasts, there when nobody can be asked."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.modules.agent.guides import Guides, spoken_language
from scriza.ports.playbook import Faq
from tests.playbooks import PAPER_KITE
from tests.standins.strategy import Shelf, version_of
from tests.virtual_time import run_virtual

NEWER = msgspec.structs.replace(PAPER_KITE, title="Newer")


async def test_a_version_is_asked_for_once_and_a_published_playbook_at_every_call() -> None:
    shelf = Shelf([PAPER_KITE])
    guides = Guides(shelf)
    for _ in range(3):
        version, guide = await guides.published("paper-kite")
        assert await guides.version(version) is guide
    assert shelf.asked == ["paper-kite"] * 3


async def test_a_call_goes_on_by_its_version_whatever_is_published_meanwhile() -> None:
    shelf = Shelf([PAPER_KITE])
    guides = Guides(shelf)
    version, _ = await guides.published("paper-kite")
    shelf.publish(NEWER)
    assert (await guides.published("paper-kite"))[1].playbook.title == "Newer"
    assert (await guides.version(version)).playbook.title == PAPER_KITE.title


@pytest.mark.parametrize("failure", [Unavailable("restarting"), DeadlineExceeded("slow")])
async def test_when_nobody_answers_the_playbook_of_the_last_call_leads(failure: Unavailable | DeadlineExceeded) -> None:
    shelf = Shelf([PAPER_KITE])
    guides = Guides(shelf)
    known = await guides.published("")
    shelf.failure = failure
    assert await guides.published("") == known
    with pytest.raises(type(failure)):
        await guides.published("another")


def test_who_does_not_answer_is_not_waited_for() -> None:
    async def begin() -> None:
        shelf = Shelf([PAPER_KITE])
        shelf.stuck = True
        await Guides(shelf).published("")

    with pytest.raises(DeadlineExceeded):
        run_virtual(begin())


async def test_a_playbook_that_was_withdrawn_is_not_led_by_from_memory() -> None:
    shelf = Shelf([PAPER_KITE])
    guides = Guides(shelf)
    await guides.published("")
    shelf.failure = NotFound("gone")
    with pytest.raises(NotFound):
        await guides.published("")


async def test_a_playbook_that_does_not_fit_together_is_refused_before_the_call() -> None:
    broken = msgspec.structs.replace(PAPER_KITE, stages=[msgspec.structs.replace(PAPER_KITE.stages[0], next="nowhere")])
    with pytest.raises(BadInput, match="nowhere"):
        await Guides(Shelf([broken])).published("")


async def test_workspaces_share_nothing() -> None:
    shelf = Shelf([PAPER_KITE])
    guides = Guides(shelf)
    version, _ = await guides.published("")
    shelf.failure = NotFound("not theirs")
    with acting(Principal("another")), pytest.raises(NotFound):
        await guides.version(version)


async def test_callers_of_the_same_new_version_wait_for_one_compilation() -> None:
    guides = Guides(Shelf([PAPER_KITE]))
    made = await asyncio.gather(*(guides.version(version_of(PAPER_KITE)) for _ in range(5)))
    assert len({id(guide) for guide in made}) == 1


async def test_what_was_true_until_yesterday_is_not_told_today() -> None:
    offer = Faq(id="offer", q=["is there a winter offer"], a=["There is."], valid_until="2026-02-28")
    shelf = Shelf([msgspec.structs.replace(PAPER_KITE, faqs=[*PAPER_KITE.faqs, offer])])
    days = [datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 1, 1, tzinfo=UTC)]
    guides = Guides(shelf, clock=lambda: days[0])
    version, guide = await guides.published("")
    assert "offer" in guide.meanings
    days.pop(0)
    assert "offer" not in (await guides.version(version)).meanings
    assert shelf.asked == [""], "the document is the same"


async def test_a_language_of_the_playbook_has_a_guide_of_its_own() -> None:
    shelf = Shelf([msgspec.structs.replace(PAPER_KITE, locales=["de-DE", "en-GB"])])
    guides = Guides(shelf)
    version, guide = await guides.published("")
    german = await guides.version(version, "de-DE")
    assert (guide.locale, german.locale) == ("en-US", "de-DE")
    spoken = {asked: spoken_language(guide, asked) for asked in ("", "en", "en-GB", "de", "de-AT", "de-DE", "fr")}
    assert spoken == {"": "", "en": "", "en-GB": "", "de": "de-DE", "de-AT": "de-DE", "de-DE": "de-DE", "fr": ""}
