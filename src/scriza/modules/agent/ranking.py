"""Which of the playbook's lines may be said next, best first. Pure."""

from collections.abc import Mapping, Sequence

from scriza.modules.agent.guide import Guide, known_to
from scriza.modules.agent.heard import Heard
from scriza.modules.agent.meaning import Asked, Saying
from scriza.modules.agent.texts import as_far_as_known, filled, variables_in
from scriza.ports.llm import ScriptLine
from scriza.ports.playbook import Stage

_LINES = 8
"""Lines that are ranked for one answer, at most."""
_ASKED_AT_MOST = 2
"""So often a question is asked whose answer fills a variable; then it is left at that."""


class Ranking:
    """The lines of a guide as they stand in one conversation: variables are filled, and none is said twice."""

    def __init__(self, guide: Guide, heard: Heard, slots: Mapping[str, str]) -> None:
        self._guide, self._heard, self._slots = guide, heard, slots
        self._known = known_to(guide, slots)

    def fresh(self, lines: Sequence[ScriptLine]) -> list[ScriptLine]:
        """Those that can be said and were not heard."""
        return self._heard.new(self.ready(lines))

    def ready(self, lines: Sequence[ScriptLine]) -> list[ScriptLine]:
        """Those whose variables are all known, with them in their places."""
        return [
            ScriptLine(line.id, filled(line.text, self._known))
            for line in lines
            if variables_in(line.text) <= self._known.keys()
        ]

    def is_open(self, asked: Asked) -> bool:
        """Whether a question waits for the variable that it fills, and can still be asked."""
        return bool(asked.slot) and not self._slots.get(asked.slot) and self._can_be_asked(asked)

    def question(self, stage: Stage) -> ScriptLine | None:
        """The stage's next question, in words that were not heard: those to be answered first, then the rarest."""
        usable = [
            (0 if asked.slot else self._heard.times(asked.lines), place, asked)
            for place, asked in enumerate(self._guide.questions(stage))
            if (self.is_open(asked) if asked.slot else self._can_be_asked(asked))
        ]
        return self.fresh(min(usable)[2].lines)[0] if usable else None

    def script(
        self, sayings: Sequence[Saying], question: ScriptLine | None, last: Saying, *, asks: bool = False
    ) -> list[ScriptLine]:
        """Lines that were not heard, in the order of the sayings; then the first saying's again, the oldest first.

        The question goes behind the lines of sayings that ask, and with `asks` behind all that ask nothing themselves.
        Before anything is said again the conversation comes to its end, with the `last` saying's lines, of which one is
        there in any case.
        """
        script = []
        for saying in sayings:
            for line in self.fresh(saying.lines):
                asking = question is not None and (saying.ask or (asks and not line.text.endswith("?")))
                script.append(_joined(line, question) if question is not None and asking else line)
        again = sorted(self.ready(sayings[0].lines), key=self._heard.latest)
        end = [ScriptLine(line.id, as_far_as_known(line.text, self._known)) for line in last.lines]
        rest = [line for line in (*self._heard.new(end), *again, *end) if line not in script]
        return (script + rest)[:_LINES]

    def _can_be_asked(self, asked: Asked) -> bool:
        too_often = bool(asked.slot) and self._heard.times(asked.lines) >= _ASKED_AT_MOST
        return not too_often and bool(self.fresh(asked.lines))


def _joined(line: ScriptLine, question: ScriptLine) -> ScriptLine:
    return ScriptLine(f"{line.id}+{question.id}", f"{line.text} {question.text}")
