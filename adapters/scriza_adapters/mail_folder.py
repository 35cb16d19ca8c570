"""Letters as files in a folder, for whoever has no mail server: each is an ``.eml`` that any mail program opens."""

import asyncio
import os
import tempfile
from pathlib import Path

from scriza.kernel.errors import Unavailable
from scriza.kernel.ids import new_id
from scriza.ports.mail import Letter
from scriza_adapters.mail_message import message


class FolderMail:
    """Implements `Mail` on a directory, only for the user's own eyes."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        """Durable on return. Raises Unavailable."""
        try:
            await asyncio.to_thread(self._write, message(letter, self._sender))
        except OSError as error:
            raise Unavailable(f"the folder of letters cannot be written: {error.strerror}") from error

    def _write(self, text: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, self._folder / f"{new_id('mail')}.eml")
