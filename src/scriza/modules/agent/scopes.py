"""Names of answers: every line's id begins with the scope of the answer that it gives, ``pitch.yes`` or ``price``.

Scopes that begin with @, or hold it, are the agent's own: no id of a playbook can be one of them.
"""

UNKNOWN = "@unknown"
MORE = "@more"
REPAIR = "@repair"
NOTED = "@noted"
WIND_UP = "@wind_up"
UNAVAILABLE = "@unavailable"
NO_INTEREST = "@no_interest"
SUCCESS = "@success"
GOODBYE = "@goodbye"


def must_say(stage: str) -> str:
    """The scope of the lines that a stage has to say."""
    return f"{stage}.@must_say"


def guardrail(rule: str) -> str:
    """The scope of the lines that are said in the place of what a rule forbids."""
    return f"@guardrail.{rule}"


def failed(tool: str) -> str:
    """The scope of the lines that are said when a tool did not do what it was asked."""
    return f"@failed.{tool}"


def scope_of(line_id: str) -> str:
    """The answer that a line belongs to: ``pitch.yes`` of ``pitch.yes.2``."""
    return line_id.partition("+")[0].rpartition(".")[0]


def sms_id(scope: str) -> str:
    """How an answer's text message is named among the lines of an exchange, so that it is sent once."""
    return f"{scope}.sms"
