"""Scenarios from YAML."""

import re
from pathlib import Path

import pytest

from scriza.kernel.errors import BadInput, NotFound
from scriza.modules.agent.guide import Guide
from scriza.simulator.scenario import (
    Answer,
    Cough,
    Digits,
    DropSocket,
    Expect,
    HangUp,
    InterruptAfter,
    Line,
    MmHm,
    Noise,
    Pause,
    Play,
    Say,
    Scenario,
    Transfer,
    Wait,
    load,
    parse,
    shipped,
)
from tests.playbooks import PAPER_KITE

PAGE = (Path(__file__).parents[2] / "docs" / "simulated-calls.md").read_text()

EVERYTHING = """
name: everything
description: one of each
caller: "+14155550199"
lines:
  - wait
  - wait: 900
  - wait: {silence_ms: 500, limit_ms: 4000}
  - say: hello
  - say: {text: hello, voice: en-gb}
  - interrupt_after: 1500
  - play: hello.wav
  - pause: 200
  - digits: "12#"
  - noise: {ms: 3000, snr_db: 10}
  - cough
  - mm_hm
  - drop_socket
  - hang_up
expect: {ended_by: caller, status: completed}
"""


def test_every_line_can_be_written_short() -> None:
    scenario = parse(EVERYTHING, folder="/there")
    assert scenario.lines == [
        Wait(),
        Wait(900),
        Wait(500, 4000),
        Say("hello"),
        Say("hello", "en-gb"),
        InterruptAfter(1500),
        Play("hello.wav"),
        Pause(200),
        Digits("12#"),
        Noise(3000, 10),
        Cough(),
        MmHm(),
        DropSocket(),
        HangUp(),
    ]
    assert scenario.expect.ended_by == "caller"
    assert scenario.folder == "/there"
    assert list(scenario.texts()) == [("hello", "en-us"), ("hello", "en-gb"), ("uh-huh", "en-us")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lines: [", "not YAML"),
        ("just text", "a mapping with a list"),
        ("name: x", "a mapping with a list"),
        ("lines: [hang_up]", "`name`"),
        ("name: ../mine\nlines: [hang_up]", "$.name"),
        ("name: x\nlines: [{shout: hello}]", "line 1: there is no `shout`"),
        ("name: x\nlines: [hang_up, {say: hi, voice: y}]", "line 2: a line is one word"),
        ("name: x\nlines: [{hang_up: now}]", "takes no value"),
        ("name: x\nlines: [say]", "`text`"),
        ("name: x\nlines: [{say: {text: hi, volume: 3}}]", "unknown field `volume`"),
        ("name: x\nlines: [{pause: -1}]", "lines[0]"),
        ("name: x\nlines: [{digits: 12}]", "lines[0]"),
        ("name: x\nlines: [{digits: '1 2'}]", "lines[0]"),
        ("name: x\nlines: []\nspeed: 3", "unknown field `speed`"),
        ("name: x\nlines: []\nexpect: {ended_by: nobody}", "expect"),
        ("name: x\nlines: [3]", "line 1"),
    ],
)
def test_what_is_wrong_with_a_scenario_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        parse(text, "mine.yaml")
    assert error.value.detail.startswith("mine.yaml: ")
    assert complaint in error.value.detail


def test_a_scenario_is_found_by_name_or_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nlines: [hang_up]")
    assert load(str(mine)).folder == str(tmp_path)
    assert load("happy-path").name == "happy-path"
    with pytest.raises(NotFound, match="happy-path"):
        load("no-such-thing")


@pytest.mark.parametrize("name", shipped())
def test_shipped_callers_say_what_the_sample_playbook_listens_for(name: str) -> None:
    phrases = {phrase for meaning in Guide(PAPER_KITE).meanings.values() for phrase in meaning.phrases}
    said = {line.text for line in load(name).lines if isinstance(line, Say)}
    assert said <= phrases or load(name).answer.by != "human", "a machine says what it likes"


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_can_be_read_and_bear_their_files_name(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description
    assert scenario.lines


def test_the_page_about_simulated_calls_names_everything_that_a_scenario_may_hold() -> None:
    lines = [line.__struct_config__.tag for line in Line.__args__]
    fields = [name for kind in (Answer, Transfer, Expect, Scenario) for name in kind.__struct_fields__]
    words = set(re.findall(r"\w+", PAGE))
    assert {*map(str, lines), *fields} - words == {"description", "folder"}


def test_the_scenario_on_that_page_is_one() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    scenario = parse(example)
    assert scenario.expect == Expect(ended_by="caller", barge_ins=1)
    assert isinstance(scenario.lines[-1], HangUp)
