"""When the caller hears a filler: not before it is needed, and another one when the wait goes on."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from scriza.modules.agent.tools.filling import Filler, Working, filled
from tests.virtual_time import run_virtual

Step = str | float | Working | Exception
LINES = Working(("One moment.", "Just a second."))


async def steps(*made: Step) -> AsyncGenerator[str | Working, None]:
    """Words and tools, with seconds between them."""
    for step in made:
        match step:
            case float():
                await asyncio.sleep(step)
            case Exception():
                raise step
            case _:
                yield step


def heard(*made: Step) -> list[tuple[float, str]]:
    """What is spoken, and when."""

    async def main() -> list[tuple[float, str]]:
        loop, found = asyncio.get_running_loop(), []
        began = loop.time()
        async for part in filled(steps(*made)):
            assert not isinstance(part, Working)
            found.append((round(loop.time() - began, 1), part.text if isinstance(part, Filler) else part))
        return found

    return run_virtual(main())


def test_words_pass_as_they_come_however_late() -> None:
    assert heard("a", 9.0, "b") == [(0.0, "a"), (9.0, "b")]


def test_words_that_follow_a_tool_at_once_need_no_filler() -> None:
    assert heard(LINES, 0.3, "done") == [(0.3, "done")]


def test_after_400_ms_without_a_word_a_filler_is_spoken() -> None:
    assert heard(LINES, 1.0, "done") == [(0.4, "One moment."), (1.0, "done")]


def test_the_time_begins_with_the_tool_and_not_with_the_models_thinking() -> None:
    assert heard(3.0, LINES, 1.0, "done") == [(3.4, "One moment."), (4.0, "done")]


def test_a_model_that_has_announced_what_it_does_needs_no_filler_for_five_seconds() -> None:
    assert heard("Let me look.", LINES, 4.0, "done") == [(0.0, "Let me look."), (4.0, "done")]
    assert heard("Let me look.", LINES, 6.0, "done")[1] == (5.0, "One moment.")


def test_a_long_wait_is_filled_again_and_again() -> None:
    assert heard(LINES, 12.0, "done") == [
        (0.4, "One moment."),
        (5.4, "Just a second."),
        (10.4, "One moment."),
        (12.0, "done"),
    ]


def test_without_lines_there_is_nothing_to_say() -> None:
    assert heard(Working(()), 12.0, "done") == [(12.0, "done")]


def test_of_two_tools_the_first_one_counts_since_the_caller_waits_from_there() -> None:
    assert heard(LINES, 0.2, LINES, 0.3, "done") == [(0.4, "One moment."), (0.5, "done")]


def test_what_goes_wrong_comes_behind_what_was_said() -> None:
    with pytest.raises(ValueError, match="gone"):
        heard("a", LINES, 1.0, ValueError("gone"))


def test_who_leaves_closes_what_is_being_made() -> None:
    async def main() -> list[str]:
        closed: list[str] = []

        async def making() -> AsyncGenerator[str | Working, None]:
            try:
                yield "a"
                await asyncio.Event().wait()
            finally:
                closed.append("closed")

        parts = filled(making())
        assert await anext(parts) == "a"
        await parts.aclose()
        return closed

    assert run_virtual(main()) == ["closed"]
