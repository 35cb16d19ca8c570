"""The book of tools' runs in memory, for tests; held to the same contract as the one in the store."""

from collections.abc import Sequence

from scriza.kernel.errors import Unavailable
from scriza.modules.agent.tools.runs import Run


class MemoryRunBook:
    """Implements RunBook, in one process."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.away = False
        """Nothing can be read or kept."""

    async def claim(self, run: Run) -> Run | None:
        self._there()
        if run.run_id in self.runs:
            return self.runs[run.run_id]
        self.runs[run.run_id] = run
        return None

    async def change(self, old: Run, new: Run) -> bool:
        self._there()
        known = self.runs[old.run_id]
        if (known.state, known.attempt, known.overdue_at) != (old.state, old.attempt, old.overdue_at):
            return False
        self.runs[old.run_id] = new
        return True

    async def find(self, run_id: str) -> Run | None:
        self._there()
        return self.runs.get(run_id)

    async def of_call(self, workspace: str, call_id: str) -> Sequence[Run]:
        self._there()
        found = [run for run in self.runs.values() if (run.workspace, run.call_id) == (workspace, call_id)]
        return sorted(found, key=lambda run: run.started_at)[-50:]

    async def forget(self, call_ids: Sequence[str]) -> int:
        self._there()
        before = len(self.runs)
        self.runs = {run_id: run for run_id, run in self.runs.items() if run.call_id not in call_ids}
        return before - len(self.runs)

    def _there(self) -> None:
        if self.away:
            raise Unavailable("the store is away")
