"""What a version of a playbook says of the calls that it leads: whose they are, and what counts as won."""

import asyncio
from collections import OrderedDict

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound
from scriza.kernel.principal import Principal, acting
from scriza.modules.memory.reports.counting import Led
from scriza.ports.strategy import PlaybookRef, Strategy

_MOST = 500
_SECONDS = 5.0
NOBODY = Led("")
"""Of a call that ended before anything led it."""


class KnownVersions:
    """Asks strategy once for each version, which never changes, and remembers the latest few hundred."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._known: OrderedDict[tuple[str, str], Led] = OrderedDict()

    async def __call__(self, workspace: str, version: str) -> Led:
        """What is known of the version. Raises ScrizaError when strategy does not answer.

        A version that strategy does not know is its own agent, without anything that counts as won.
        """
        if not version:
            return NOBODY
        key = workspace, version
        if key not in self._known:
            self._known[key] = await self._ask(workspace, version)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    async def _ask(self, workspace: str, version: str) -> Led:
        try:
            with acting(Principal(workspace=workspace, subject="reports")):
                async with asyncio.timeout(_SECONDS):
                    playbook = (await self._strategy.playbook(PlaybookRef(version))).playbook
        except (NotFound, BadInput):
            return Led(version)
        except TimeoutError as error:
            raise DeadlineExceeded(f"strategy took longer than {_SECONDS:g} s") from error
        return Led(playbook.slug, frozenset(playbook.goal.success), playbook.locale)
