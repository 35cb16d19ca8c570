"""A letter as a message (RFC 5322). No header can be smuggled in: line ends in one are refused."""

from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate, make_msgid

from scriza.kernel.errors import BadInput
from scriza.ports.mail import Letter

_POLICY = default.clone(max_line_length=998)
"""What a line may hold at most: nothing is folded or encoded, so that a token is whole where the raw letter is read."""


def message(letter: Letter, sender: str) -> bytes:
    """Raises BadInput for an address or a subject that no header can hold."""
    made = EmailMessage(_POLICY)
    try:
        made["From"], made["To"], made["Subject"] = sender, letter.to, letter.subject
        made["Date"], made["Message-ID"] = formatdate(usegmt=True), make_msgid(domain=sender.rpartition("@")[2])
    except (ValueError, IndexError) as error:
        raise BadInput("an address or a subject that no letter can have") from error
    made.set_content(letter.text)
    return made.as_bytes()
