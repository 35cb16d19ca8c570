"""The docs show the call machine as it is."""

from pathlib import Path

from scriza.modules.telephony.call.diagram import mermaid, page
from scriza.modules.telephony.call.tables import CALLER, LINE, MIND, VOICE

PAGE = Path(__file__).parents[2] / "docs" / "call-machine.md"


def test_the_page_is_the_one_made_from_the_tables() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_move_is_drawn_once() -> None:
    moves = sum(len(moves) for table in (LINE, CALLER, MIND, VOICE) for moves in table.values())
    assert mermaid().count(" --> ") == moves + 4, "and four machines have a beginning"
