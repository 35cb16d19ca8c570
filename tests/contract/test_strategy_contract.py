"""What the door to the team's playbooks promises, in this process and over HTTP alike."""

from pathlib import Path

import pytest

from scriza.kernel.errors import NotFound
from scriza.modules.strategy.service import StrategyService
from scriza.modules.strategy.shipped import Samples
from scriza.ports.strategy import PlaybookRef, Strategy
from tests.contract.doors import Doors

BOOK = """
schema: scriza.playbook/1
slug: tea-shop
title: The tea shop
locale: en-US
goal: {primary: sell tea}
persona: {name: Tess}
opening: {inbound: Hello, fallback: Goodbye}
stages: [{id: start, goal: find out what they like}]
transfer: {unavailable: {say: [Nobody is here]}}
silence: {prompts: [Are you there?]}
closing: {goodbye: Bye}
lines: {repair: Pardon?, trouble: One moment, resumed: I am back, unknown: [What do you mean?]}
"""


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    (tmp_path / "tea-shop.yaml").write_text(BOOK)
    return Samples(tmp_path)


async def test_a_sample_leads_calls_without_having_been_imported(doors: Doors, samples: Samples) -> None:
    async with doors(Strategy, StrategyService(samples, default="tea-shop")) as strategy:
        by_slug = await strategy.playbook(PlaybookRef("tea-shop"))
        assert by_slug.playbook.persona.name == "Tess"
        assert await strategy.playbook(PlaybookRef()) == by_slug
        assert await strategy.playbook(PlaybookRef(by_slug.version)) == by_slug
        with pytest.raises(NotFound):
            await strategy.playbook(PlaybookRef("coffee-shop"))
