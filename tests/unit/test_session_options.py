"""Each setting of how calls are led reaches the option that it names, and no other."""

import msgspec
import pytest

from scriza.factories import calling
from scriza.modules.telephony.live.session import SessionOptions
from scriza.modules.telephony.turns.adaptive_silence import AdaptiveSilence
from scriza.modules.telephony.turns.callee import CalleeOptions
from scriza.modules.telephony.turns.endpointing import Pause
from scriza.modules.telephony.turns.limits import Limits
from scriza.settings import Calls, Settings

LIMITS = {
    "opening_on_wire_ms": "opening_on_wire",
    "first_words_ms": "first_words",
    "silence_ms": "silence",
    "words_ms": "words",
    "digits_ms": "digits",
    "longest_turn_ms": "longest_turn",
    "longest_call_ms": "longest_call",
    "most_failures": "failures",
}
NO_SETTINGS = {"playout_slack"}
NO_LIMITS = {
    *("most_calls", "vad", "endpointing", "endpoint_silence_ms", "speculation", "callee_silence_ms"),
    "playbook",
}
PLACING = {name for name in Calls.model_fields if name.startswith("outbound_")}
"""Of whether a call is placed at all."""


def options(**told: object) -> SessionOptions:
    return calling.session_options(Settings.model_validate(told))


def test_every_limit_and_every_setting_of_calls_is_in_this_table() -> None:
    assert set(LIMITS.values()) | NO_SETTINGS == set(Limits.__struct_fields__)
    assert set(LIMITS) | NO_LIMITS | PLACING == set(Calls.model_fields)


def test_each_limit_is_what_its_own_setting_says() -> None:
    told = {setting: 2_000 + number for number, setting in enumerate(LIMITS)}
    limits = options(**told).limits
    assert {setting: getattr(limits, limit) for setting, limit in LIMITS.items()} == told


@pytest.mark.parametrize("setting", LIMITS)
def test_a_setting_changes_its_own_limit_only(setting: str) -> None:
    assert options(**{setting: 2_345}) == SessionOptions(limits=Limits(**{LIMITS[setting]: 2_345}))


def test_how_long_a_callee_may_be_silent_is_what_its_setting_says() -> None:
    assert options(callee_silence_ms=800) == SessionOptions(callee=CalleeOptions(first_words=800))


def test_with_nothing_set_the_options_are_their_own_defaults() -> None:
    assert options() == SessionOptions()


@pytest.mark.parametrize("speculation", [True, False])
def test_speculation_can_be_switched_off_and_changes_nothing_else(speculation: bool) -> None:
    assert options(speculation=speculation) == msgspec.structs.replace(SessionOptions(), speculate=speculation)


def test_fixed_endpointing_waits_for_the_silence_that_is_set_and_adaptive_does_not() -> None:
    pause = Pause(text="what does it cost", understood=True, speech_ms=1_000, inner_pauses_ms=())
    fixed = calling.endpointer(Settings(endpointing="fixed", endpoint_silence_ms=1_234))
    adaptive = calling.endpointer(Settings(endpointing="adaptive", endpoint_silence_ms=1_234))
    assert fixed.silence_needed(pause) == 1_234
    assert adaptive.silence_needed(pause) == AdaptiveSilence().silence_needed(pause)
