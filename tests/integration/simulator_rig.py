"""Calls of the simulated carrier to a scripted server, over real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Scenario, parse
from scriza.simulator.simulator import Simulator
from tests.standins.parrot import Line, Parrot, beeping_voice, tone

TOKEN = "local-token"
HANG_UP = "interrupt_after: 40, hang_up"
"""The caller hangs up once the agent is heard, so that the stream is surely open."""


@asynccontextmanager
async def greeting() -> AsyncIterator[Parrot]:
    """A server that connects each call and says a tone to it."""
    async with Parrot().serve() as serving:
        serving.answer("/voice", f"<Connect>{serving.stream()}</Connect>")
        serving.talk = greet
        yield serving


def scenario(lines: str = "pause: 5000", more: str = "") -> Scenario:
    return parse(f"name: test\nlines: [{lines}]\n{more}")


async def place(parrot: Parrot, caller: Scenario, options: Options = Options()) -> CallOutcome:  # noqa: B008
    async with Simulator(parrot.url, auth_token=TOKEN, voice=beeping_voice, options=options) as twilio:
        return await twilio.call(caller)


def words(outcome: CallOutcome, *kinds: str) -> list[str]:
    return [happening.text for happening in outcome.happenings if happening.kind in kinds]


def codes(outcome: CallOutcome) -> list[int]:
    return [violation.code for violation in outcome.violations]


async def greet(line: Line) -> None:
    await line.speak(tone(400))
    await line.next("stop")


def talks(*acts: Callable[[Line], Awaitable[Any]]) -> Callable[[Line], Awaitable[None]]:
    async def talk(line: Line) -> None:
        for act in acts:
            await act(line)

    return talk
