"""The telephone company, as far as Scriza asks it for something: a door to the outside, not a module's."""

from typing import Protocol


class Carrier(Protocol):
    """Sends messages. The media socket is not here: the carrier comes to us for that."""

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        """Send a text message of at most 1,600 characters; returns the carrier's id of it.

        Raises UpstreamFailed when the carrier refuses it, DeadlineExceeded when its answer did not come: the message
        may then have been sent, so the caller must not repeat it blindly.
        """
        ...
