"""Text messages that we send, each once."""

from datetime import timedelta

from scriza.kernel.clock import WallClock, utc_now
from scriza.modules.telephony.placing.books import IntentBook, Standing
from scriza.modules.telephony.placing.dispatch import Dispatcher
from scriza.modules.telephony.placing.intents import Intent, TextWish

_GOOD_FOR = timedelta(hours=1)


class Texts:
    """Sends them."""

    def __init__(self, book: IntentBook, dispatcher: Dispatcher, clock: WallClock = utc_now) -> None:
        self._book, self._dispatcher, self._clock = book, dispatcher, clock

    async def send(self, key: str, text: str, *, workspace: str, sender: str, to: str) -> Intent:
        """Send a message once for each key; returns how far it has come.

        What cannot be sent now is sent, or looked up, within the next hour by whichever process is there. Raises what
        the book raises.
        """
        now = self._clock()
        intent = Intent(
            intent_id=key,
            workspace=workspace,
            sender=sender,
            to=to,
            wish=TextWish(text),
            recorded_at=now,
            expires_at=now + _GOOD_FOR,
            due_at=now,
        )
        return await self._dispatcher.settle(await self._book.record(intent, _anything))


def _anything(_: Standing) -> None:
    """Messages have no caps of their own."""
