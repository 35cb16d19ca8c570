"""A caller who goes on right after the agent began had not finished: the endpointing policy is told, and learns."""

import pytest

from scriza.modules.telephony.turns.endpointing import Pause
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from tests.unit.call_rig import Rig


class PauseNoting(FixedSilence):
    """Remembers how often the caller was cut off, as it was told."""

    def __init__(self) -> None:
        super().__init__(700)
        self.cuts = 0

    def silence_needed(self, pause: Pause) -> int:
        self.cuts = pause.cuts
        return super().silence_needed(pause)


@pytest.mark.parametrize(("after_ms", "cuts"), [(0, 1), (600, 1), (800, 0)])
def test_who_goes_on_right_after_the_agent_began_was_cut_off(after_ms: int, cuts: int) -> None:
    endpointer = PauseNoting()
    rig = Rig(endpointer=endpointer, speculate=False).after_opening()
    rig.answer(rig.turn("i would like to ask"), "one two three four five six seven eight")
    rig.hear(rig.played[-1], until_ms=after_ms or 1)
    rig.say("what it costs", ms=500)
    assert endpointer.cuts == cuts


def test_who_goes_on_before_the_agent_began_was_too() -> None:
    endpointer = PauseNoting()
    rig = Rig(endpointer=endpointer, speculate=False).after_opening()
    rig.turn("i would like to ask")
    rig.pass_ms(900)
    rig.say("what it costs", ms=500)
    assert endpointer.cuts == 1


def test_who_only_coughs_or_speaks_over_the_opening_was_not() -> None:
    endpointer = PauseNoting()
    rig = Rig(endpointer=endpointer, speculate=False).begin()
    rig.hear(rig.played[-1], until_ms=400)
    rig.answer(rig.turn("i have a question"), "one two three four five")
    rig.hear(rig.played[-1], until_ms=400)
    rig.say("", ms=200)
    rig.hear(rig.played[-1])
    rig.say("what does it cost", ms=500)
    assert endpointer.cuts == 0
