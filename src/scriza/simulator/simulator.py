"""The simulated carrier as a whole: calls in both directions, over the real protocol, in real time."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from scriza.simulator.call import Call, Plan, new_sid
from scriza.simulator.clips import Voice, VoiceBox
from scriza.simulator.clock import FrameClock
from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome, Happening
from scriza.simulator.scenario import Scenario
from scriza.simulator.twiml import Fetch
from scriza.simulator.webhooks import Webhooks

Tell = Callable[[str, Happening], None]
"""Hears of everything as it happens, with the CallSid."""


class Simulator:
    """A strict Twilio in front of the Scriza at `target`, such as ``http://127.0.0.1:8000``.

    Used as an async context; all its calls end with it.
    """

    def __init__(
        self,
        target: str,
        *,
        auth_token: str,
        voice: Voice,
        options: Options = Options(),  # noqa: B008 - it is frozen
        on_happening: Tell | None = None,
    ) -> None:
        self.auth_token, self.options = auth_token, options
        self.voices = VoiceBox(voice)
        self._target = target.rstrip("/")
        self._public_url = (options.public_url or target).rstrip("/")
        self._tell = on_happening
        self.calls: dict[str, Call] = {}

    async def __aenter__(self) -> Self:
        routes = dict(self.options.routes)
        if self._public_url != self._target:
            routes[self._public_url] = self._target
        self.webhooks = Webhooks(self.auth_token, routes, self.options.policy)
        self.clock = FrameClock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clock.close()
        await self.webhooks.close()

    async def call(self, scenario: Scenario) -> CallOutcome:
        """Call Scriza with this caller; returns when all is over. Raises BadInput for a scenario's unreadable file."""
        clips = await self.voices.clips(scenario)
        plan = Plan(
            sid=new_sid("CA"),
            direction="inbound",
            caller=scenario.caller,
            callee=self.options.number,
            first=Fetch(self._public_url + "/voice", "POST"),
            document="",
            fallback=Fetch(self._public_url + "/voice/fallback", "POST"),
            status_callback=self._public_url + "/status-callback",
            status_events=self.options.status_events,
        )
        call = Call(self, plan, scenario, clips, self._teller(plan.sid))
        self.calls[plan.sid] = call
        return await call.run()

    def _teller(self, sid: str) -> Callable[[Happening], None] | None:
        tell = self._tell
        return None if tell is None else lambda happening: tell(sid, happening)
