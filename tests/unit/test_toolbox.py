"""Which tools a playbook offers to a model, and with what parameters."""

import msgspec
import pytest

from scriza.modules.agent.tools.toolbox import Toolbox
from scriza.ports.playbook import BUILT_IN_TOOLS, JsonSchema, Tool
from tests.playbooks import PAPER_KITE, shipped

URL = "https://crm.example/x"
OWN: JsonSchema = {"properties": {"day": {"type": "string"}}}


def box(*tools: Tool, outcomes: tuple[str, ...] = ("won",), presses_keys: bool = False) -> Toolbox:
    playbook = msgspec.structs.replace(PAPER_KITE, tools=list(tools))
    return Toolbox(playbook, list(outcomes), presses_keys=presses_keys)


def names(toolbox: Toolbox, *, transfers: bool = True) -> set[str]:
    return {tool.name for tool in toolbox.offered(transfers=transfers)}


def tool(name: str, **fields: object) -> Tool:
    return Tool(name=name, description="It does.", **fields)  # type: ignore[arg-type]  # the tests name the fields


def test_without_a_word_in_the_playbook_there_is_what_every_call_needs() -> None:
    assert names(box()) == {"end_call", "transfer", "set_outcome"}
    assert names(box(outcomes=()), transfers=False) == {"end_call"}
    assert "press_keys" in names(box(presses_keys=True))


def test_a_playbook_switches_on_the_others_and_describes_any_of_them_anew() -> None:
    toolbox = box(tool("send_sms", kind="builtin"), tool("end_call", kind="builtin"))
    described = {each.name: each.description for each in toolbox.offered(transfers=False)}
    assert described["send_sms"] == described["end_call"] == "It does."


@pytest.mark.parametrize("name", sorted(BUILT_IN_TOOLS - {"book_slot", "look_up_contact"}))
def test_acts_keep_their_own_parameters(name: str) -> None:
    toolbox = box(tool(name, kind="builtin", parameters=OWN))
    ability = toolbox.find(name)
    assert ability is not None
    assert ability.kind == "act"
    assert "day" not in ability.parameters.names


def test_webhooks_of_ours_take_the_playbooks_parameters_or_our_own() -> None:
    ours = box(tool("book_slot", kind="builtin", url=URL)).find("book_slot")
    theirs = box(tool("book_slot", kind="builtin", url=URL, parameters=OWN)).find("book_slot")
    assert ours is not None
    assert theirs is not None
    assert (ours.parameters.names, theirs.parameters.names) == (["start", "name", "note"], ["day"])
    assert ours.kind == theirs.kind == "http"


def test_who_calls_is_looked_up_in_memory_or_at_a_url() -> None:
    here = box(tool("look_up_contact", kind="builtin")).find("look_up_contact")
    there = box(tool("look_up_contact", kind="builtin", url=URL)).find("look_up_contact")
    assert here is not None
    assert there is not None
    assert (here.kind, there.kind, here.reads_only, there.reads_only) == ("memory", "http", True, False)


@pytest.mark.parametrize(
    "unusable",
    [
        tool("stock"),
        tool("stock", url=URL, parameters={"type": "string"}),
        tool("stock", url=URL, parameters={"properties": {"a": {"pattern": "(?=x)"}}}),
        tool("teleport", kind="builtin"),
        tool("book_slot", kind="builtin"),
    ],
)
def test_a_tool_that_cannot_be_used_is_left_out(unusable: Tool) -> None:
    assert unusable.name not in names(box(unusable))


def test_a_tool_of_the_teams_own_may_have_the_name_of_one_of_ours() -> None:
    theirs = box(tool("set_outcome", url=URL, parameters=OWN)).find("set_outcome")
    assert theirs is not None
    assert (theirs.kind, theirs.parameters.names) == ("http", ["day"])


@pytest.mark.parametrize("slug", ["outbound-demo-en-in", "clinic-intake-en-us"])
def test_all_tools_of_the_playbooks_that_come_with_scriza_can_be_used(slug: str) -> None:
    playbook = shipped(slug)
    toolbox = Toolbox(playbook, ["won"], presses_keys=False)
    assert {each.name for each in playbook.tools} <= names(toolbox)
    assert toolbox.needs_briefing
