"""What the agent refuses is an error of lint, so that nothing can be published that no call can be led by."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from scriza.kernel.errors import BadInput
from scriza.modules.agent.guide import Guide
from scriza.modules.agent.tools.toolbox import Toolbox
from scriza.modules.strategy.lint import lint
from scriza.ports.playbook import (
    BUILT_IN_ACTS,
    BUILT_IN_TOOLS,
    BUILT_IN_VARIABLES,
    Answer,
    Exit,
    Extraction,
    Intent,
    JsonSchema,
    Playbook,
    Tool,
)
from tests.playbooks import shipped

TODAY = date(2026, 11, 30)
SAMPLES = ["paper-kite", "outbound-demo-en-in", "clinic-intake-en-us"]
NOWHERE = "nowhere"
STRAY = "At {the corner."

Break = Callable[[Playbook], Playbook]
with_ = msgspec.structs.replace


def errors(playbook: Playbook) -> list[tuple[str, str]]:
    return [(found.code, found.pointer) for found in lint(playbook, today=TODAY) if found.level == "error"]


def first(section: str, **fields: object) -> Break:
    """Something changed in the first record of a section."""

    def broken(playbook: Playbook) -> Playbook:
        record, *others = getattr(playbook, section)
        return with_(playbook, **{section: [with_(record, **fields), *others]})

    return broken


def twice(section: str) -> Break:
    def broken(playbook: Playbook) -> Playbook:
        records = getattr(playbook, section)
        return with_(playbook, **{section: [*records, records[0]]})

    return broken


def within(section: str, **fields: object) -> Break:
    return lambda playbook: with_(playbook, **{section: with_(getattr(playbook, section), **fields)})


def a_tool_twice(playbook: Playbook) -> Playbook:
    tool = Tool(name="stock", description="How many.", url="https://shop.example.com")
    return with_(playbook, tools=[*playbook.tools, tool, tool])


def a_question_twice(playbook: Playbook) -> Playbook:
    stages = [with_(stage, ask=[*stage.ask, *stage.ask]) for stage in playbook.stages]
    return with_(playbook, stages=stages)


def an_objection_called_as_an_faq(playbook: Playbook) -> Playbook:
    return first("objections", id=playbook.faqs[0].id)(playbook)


def an_intent(**fields: Any) -> Break:
    intent = Intent(id="mine", phrases=["what of mine"], answer=Answer(say=fields.pop("say", ["Yours."]), **fields))
    return lambda playbook: with_(playbook, intents=[*playbook.intents, intent])


def asking(question: str) -> Break:
    def broken(playbook: Playbook) -> Playbook:
        at = next(at for at, stage in enumerate(playbook.stages) if stage.ask)
        asked = with_(playbook.stages[at].ask[0], question=[question])
        stages = [*playbook.stages]
        stages[at] = with_(stages[at], ask=[asked, *stages[at].ask[1:]])
        return with_(playbook, stages=stages)

    return broken


def unavailable(**fields: Any) -> Break:
    return within("transfer", unavailable=Answer(**{"say": ["Nobody."], **fields}))


BREAKS: dict[str, tuple[Break, str]] = {
    "a stage twice": (twice("stages"), "duplicate-id"),
    "an intent twice": (twice("intents"), "duplicate-id"),
    "an objection twice": (twice("objections"), "duplicate-id"),
    "an FAQ twice": (twice("faqs"), "duplicate-id"),
    "an objection called as an FAQ": (an_objection_called_as_an_faq, "duplicate-id"),
    "a question twice": (a_question_twice, "duplicate-id"),
    "a tool twice": (a_tool_twice, "duplicate-id"),
    "an answer to nothing": (first("stages", answers={NOWHERE: Answer(say=["Yes."])}), "unknown-intent"),
    "an exit on nothing": (first("stages", exits=[Exit(to="pitch", on=NOWHERE)]), "unknown-intent"),
    "a stage to nowhere": (first("stages", next=NOWHERE), "unknown-stage"),
    "an exit to nowhere": (first("stages", exits=[Exit(to=NOWHERE)]), "unknown-stage"),
    "a stage's answer to nowhere": (
        first("stages", answers={"yes": Answer(say=["Yes."], to=NOWHERE)}),
        "unknown-stage",
    ),
    "an intent to nowhere": (an_intent(to=NOWHERE), "unknown-stage"),
    "an objection to nowhere": (first("objections", next=NOWHERE), "unknown-stage"),
    "an FAQ to nowhere": (first("faqs", to=NOWHERE), "unknown-stage"),
    "nobody there, to nowhere": (unavailable(to=NOWHERE), "unknown-stage"),
    "a stage's answer by no tool": (
        first("stages", answers={"yes": Answer(say=["Yes."], tool=NOWHERE)}),
        "unknown-tool",
    ),
    "an intent by no tool": (an_intent(tool=NOWHERE), "unknown-tool"),
    "nobody there, by no tool": (unavailable(tool=NOWHERE), "unknown-tool"),
    "braces in what must be said": (first("stages", must_say=[STRAY]), "stray-brace"),
    "braces in a question": (asking(STRAY), "stray-brace"),
    "braces in a stage's answer": (first("stages", answers={"yes": Answer(say=[STRAY])}), "stray-brace"),
    "braces in an intent": (an_intent(say=[STRAY]), "stray-brace"),
    "braces in an objection": (first("objections", response=[STRAY]), "stray-brace"),
    "braces in an FAQ": (first("faqs", a=[STRAY]), "stray-brace"),
    "braces in another language": (first("faqs", a=[{"en-US": "Here.", "de-DE": STRAY}]), "stray-brace"),
    "braces in a guardrail": (first("guardrails", instead=[STRAY]), "stray-brace"),
    "braces in the opening": (within("opening", inbound=STRAY), "stray-brace"),
    "braces in the closing": (within("closing", goodbye=STRAY), "stray-brace"),
    "braces in a line": (within("lines", repair=STRAY), "stray-brace"),
    "braces in a prompt": (within("silence", prompts=[STRAY]), "stray-brace"),
    "braces in the voicemail": (within("voicemail", text=STRAY), "stray-brace"),
    "braces where nobody is there": (unavailable(say=[STRAY]), "stray-brace"),
    "braces around no name": (within("lines", repair="At {}."), "stray-brace"),
    "braces around two names": (within("lines", repair="At {name.real}."), "stray-brace"),
    "braces around a name that is too long": (within("lines", repair="At {" + "a" * 65 + "}."), "unknown-variable"),
}


@pytest.mark.parametrize("slug", SAMPLES)
def test_what_ships_has_nothing_that_lint_or_the_agent_would_mend(slug: str) -> None:
    found = [finding for finding in lint(shipped(slug), today=TODAY) if finding.level != "note"]
    assert found == []
    Guide(shipped(slug))


@pytest.mark.parametrize("slug", SAMPLES)
@pytest.mark.parametrize("name", BREAKS)
def test_what_the_agent_refuses_cannot_be_published(slug: str, name: str) -> None:
    break_, code = BREAKS[name]
    broken = break_(shipped(slug))
    with pytest.raises(BadInput, match="does not fit together"):
        Guide(broken)
    assert code in {found for found, _ in errors(broken)}


OBJECT: JsonSchema = {"properties": {"article": {"type": "string", "maxLength": 40}}, "required": ["article"]}


def tool(**fields: Any) -> Tool:
    return Tool(**{"name": "stock", "description": "How many.", "url": "https://shop.example.com", **fields})


@pytest.mark.parametrize(
    ("tool", "code", "pointer"),
    [
        (tool(url=""), "tool-without-url", ""),
        (tool(url="", name="book_slot", kind="builtin"), "tool-without-url", ""),
        (tool(name="fly", kind="builtin"), "unknown-tool", "/name"),
        (tool(parameters={"type": "string"}), "tool-parameters", "/parameters"),
        (tool(parameters={"type": "objct"}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": []}), "tool-parameters", "/parameters"),
        (tool(parameters={"required": "article"}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": {"a": {"type": "nothing"}}}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": {"a": {"pattern": "("}}}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": {"a": {"pattern": "(?=a)"}}}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": {"a": {"$ref": "http://127.0.0.1:9/a"}}}), "tool-parameters", "/parameters"),
        (tool(parameters={"properties": {"a": {"x-from": 7}}}), "tool-parameters", "/parameters"),
    ],
)
def test_a_tool_that_no_model_would_be_offered_is_an_error(tool: Tool, code: str, pointer: str) -> None:
    playbook = with_(shipped("paper-kite"), tools=[tool])
    assert Toolbox(playbook, [], presses_keys=False).find(tool.name) is None
    assert errors(playbook) == [(code, f"/tools/0{pointer}")]


@pytest.mark.parametrize(
    "tool",
    [
        tool(),
        tool(parameters=OBJECT),
        tool(parameters={"properties": {"phone": {"x-from": "caller"}, "day": {"x-from": "time"}}}),
        tool(url="", name="look_up_contact", kind="builtin"),
        *(tool(url="", name=name, kind="builtin") for name in sorted(BUILT_IN_ACTS)),
        *(tool(name=name, kind="builtin") for name in sorted(BUILT_IN_TOOLS - BUILT_IN_ACTS)),
    ],
)
def test_a_tool_that_a_model_is_offered_has_no_error(tool: Tool) -> None:
    playbook = with_(shipped("paper-kite"), tools=[tool])
    assert Toolbox(playbook, ["won"], presses_keys=False).find(tool.name) is not None
    assert errors(playbook) == []


def test_an_argument_that_nothing_fills_is_an_error() -> None:
    parameters: JsonSchema = {"properties": {"phone": {"x-from": "caler"}}}
    playbook = with_(shipped("paper-kite"), tools=[tool(parameters=parameters)])
    assert errors(playbook) == [("unknown-variable", "/tools/0/parameters/properties/phone/x-from")]


def test_an_answer_has_only_tools_run_that_bring_something_back() -> None:
    texts = tool(name="send_sms", kind="builtin", url="")
    playbook = an_intent(tool="send_sms")(with_(shipped("paper-kite"), tools=[texts]))
    at = len(playbook.intents) - 1
    assert errors(playbook) == [("tool-is-an-act", f"/intents/{at}/answer/tool")]
    assert errors(an_intent(tool="stock")(with_(shipped("paper-kite"), tools=[tool()]))) == []


def test_a_field_is_taken_from_a_variable_that_there_is() -> None:
    field = Extraction(name="day", slot="tiem", description="The day.")
    playbook = with_(shipped("paper-kite"), extraction=[field])
    (found,) = [finding for finding in lint(playbook, today=TODAY) if finding.level == "error"]
    assert (found.code, found.pointer, found.fix) == ("unknown-variable", "/extraction/0/slot", "did you mean 'time'?")
    assert errors(with_(playbook, extraction=[with_(field, slot="time")])) == []


def test_variables_that_every_line_may_name_are_those_that_the_agent_knows() -> None:
    assert Guide(shipped("paper-kite")).constants.keys() == BUILT_IN_VARIABLES
