"""Tools that could not be used: those that a model would not be offered, and those that no answer can have run."""

from collections.abc import Iterator

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.lint.references import answers, unknown, unknown_variable
from scriza.modules.strategy.lint.variables import fillable
from scriza.modules.strategy.pointers import below
from scriza.ports.playbook import BUILT_IN_ACTS, BUILT_IN_TOOLS, Playbook, Tool
from scriza.ports.playbook_findings import Finding
from scriza.ports.tool_parameters import FILLED_BY_US, OF_THE_CALL, tool_parameters

_NEEDS_URL = "book_slot"
"""The one of ours that is nothing without a webhook of the team's."""


def tools(playbook: Playbook) -> Iterator[Finding]:
    """What is wrong with the tools and with who has them run."""
    known = fillable(playbook) | OF_THE_CALL
    for at, tool in enumerate(playbook.tools):
        here = below("/tools", at)
        yield from _of_tool(tool, here)
        if tool.parameters:
            yield from _parameters(tool, below(here, "parameters"), known)
    yield from _had_run(playbook)


def _of_tool(tool: Tool, here: str) -> Iterator[Finding]:
    if not tool.url and (tool.kind == "http" or tool.name == _NEEDS_URL):
        fix = "write `url: https://…`" + (", or `kind: builtin` for one of ours" if tool.kind == "http" else "")
        yield Finding("error", "tool-without-url", f"the tool {tool.name!r} has no URL", here, fix)
    if tool.kind == "builtin" and tool.name not in BUILT_IN_TOOLS:
        yield unknown("tool of ours", tool.name, BUILT_IN_TOOLS, below(here, "name"))


def _parameters(tool: Tool, here: str, known: set[str]) -> Iterator[Finding]:
    try:
        parameters = tool_parameters(tool.parameters)
    except BadInput as error:
        fix = "write the JSON Schema of an object: `properties: {day: {type: string}}`, `required: [day]`"
        yield Finding("error", "tool-parameters", f"{tool.name!r} would not be offered: {error.detail}", here, fix)
        return
    for name, source in parameters.filled.items():
        if source not in known:
            yield unknown_variable(source, known, below(here, "properties", name, FILLED_BY_US))


def _had_run(playbook: Playbook) -> Iterator[Finding]:
    """Tools that answers want, which have to bring something back."""
    by_name = {tool.name: tool for tool in playbook.tools}
    for pointer, answer in answers(playbook):
        if not answer.tool:
            continue
        here, tool = below(pointer, "tool"), by_name.get(answer.tool)
        if tool is None:
            yield unknown(
                "tool", answer.tool, by_name, here, "describe it under `tools:`, or take it out of the answer"
            )
        elif tool.kind == "builtin" and tool.name in BUILT_IN_ACTS:
            message = f"an answer cannot have {answer.tool!r} run, so that it would always be said to have failed"
            fix = "write what follows into the answer itself: `act`, `outcome`, `press` or `sms`"
            yield Finding("error", "tool-is-an-act", message, here, fix)
