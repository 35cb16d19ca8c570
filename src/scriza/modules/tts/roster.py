"""The engines in their order, and which of them to leave alone for now."""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec

from scriza.kernel.breaker import Breaker, State, Tolerance
from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, ScrizaError, TooLarge, Unavailable
from scriza.modules.tts.engine import Engine
from scriza.ports.tts import Speak

_TOLERANCE = Tolerance(failures=2, rest_s=15, longest_rest_s=120)
_TEXTS_FAULT = (BadInput, NotFound, TooLarge)
"""Say nothing about the engine's health: another text or voice may do."""
_GRAVE = (DeadlineExceeded, Unavailable)
"""Cost a caller time, or will not pass soon; all engines of the provider share them."""


class Roster:
    """Engines in the order of preference. The last one is always asked."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        if not engines:
            raise ValueError("speech needs an engine")
        self.engines = tuple(engines)
        self._breakers = {engine.name: Breaker(_TOLERANCE) for engine in engines}

    @property
    def first(self) -> Engine:
        """The one that speaks when nothing is wrong."""
        return self.engines[0]

    def by_provider(self) -> list[list[Engine]]:
        """The engines that are down together."""
        providers = dict.fromkeys(engine.provider for engine in self.engines)
        return [[engine for engine in self.engines if engine.provider == provider] for provider in providers]

    def is_last(self, engine: Engine) -> bool:
        """Whether nobody can stand in for it."""
        return engine is self.engines[-1]

    def asked(self, engine: Engine, request: Speak) -> Speak:
        """The request as this engine gets it: a voice is its provider's own, others take what fits tone and locale."""
        if engine.provider == self.first.provider:
            return request
        return msgspec.structs.replace(request, voice_id="")

    def allows(self, engine: Engine) -> bool:
        """Whether to ask it now."""
        return self.is_last(engine) or self._breakers[engine.name].allows(_now())

    def states(self) -> dict[str, State]:
        """By the engines' names."""
        return {name: breaker.state(_now()) for name, breaker in self._breakers.items()}

    def rests(self, engine: Engine) -> bool:
        """Whether it is being left alone."""
        return self._breakers[engine.name].state(_now()) != "closed"

    def succeeded(self, engine: Engine) -> None:
        """It made a clip."""
        self._breakers[engine.name].succeeded()

    def failed(self, engine: Engine, failure: ScrizaError | None) -> None:
        """It did not; None when the clip was not wanted any more."""
        if failure is None or isinstance(failure, _TEXTS_FAULT):
            self._breakers[engine.name].gave_up()
            return
        grave = isinstance(failure, _GRAVE)
        wait_s = min(failure.retry_after or 0, _TOLERANCE.longest_rest_s)
        for each in self.engines:
            if each is engine or (grave and each.provider == engine.provider):
                self._breakers[each.name].failed(_now(), at_once=grave, retry_after=wait_s)

    def likely(self, request: Speak) -> Iterator[tuple[Engine, Speak]]:
        """Requests whose clips say the same text, those that sound most like it first. The last engine has none."""
        plain = msgspec.structs.replace(request, previous_text="", next_text="")
        calm = msgspec.structs.replace(plain, tone="")
        for each in (plain, calm, msgspec.structs.replace(calm, voice_id="")):
            for engine in self.engines[:-1]:
                yield engine, self.asked(engine, each)


def _now() -> float:
    return asyncio.get_running_loop().time()
