"""Letters by SMTP: ``smtp://USER:PASSWORD@HOST:587`` (STARTTLS where it is offered) or ``smtps://…:465``."""

import ssl
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPTimeoutError

from scriza.kernel.errors import BadInput, DeadlineExceeded, Unavailable, UpstreamFailed
from scriza.ports.mail import Letter
from scriza_adapters.mail_message import message

_SECONDS = 15.0
_PORTS = {"smtp": 587, "smtps": 465}


class SmtpMail:
    """Implements `Mail` by a server. Raises ValueError for what is no such URL.

    With a password the connection must be encrypted, unless the server is this machine.
    """

    def __init__(self, url: str, sender: str, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("a mail server's URL is smtp://HOST:PORT or smtps://HOST:PORT, with USER:PASSWORD@ before")
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = tls or ssl.create_default_context()
        self._from_the_start = parts.scheme == "smtps"
        local = self._host in {"127.0.0.1", "::1", "localhost"}
        self._start_tls = None if local or self._password is None else True
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        """Hand the letter to the server. Raises UpstreamFailed, Unavailable, DeadlineExceeded, BadInput."""
        try:
            await aiosmtplib.send(
                message(letter, self._sender),
                sender=self._sender,
                recipients=[letter.to],
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._from_the_start,
                start_tls=False if self._from_the_start else self._start_tls,
                tls_context=self._tls,
                timeout=_SECONDS,
            )
        except SMTPTimeoutError as error:
            raise DeadlineExceeded("the mail server did not answer in time") from error
        except SMTPRecipientsRefused as error:
            raise BadInput("the mail server does not take letters for this address") from error
        except SMTPResponseException as error:
            raise UpstreamFailed(f"the mail server refused with {error.code}") from error
        except (SMTPException, OSError) as error:
            raise Unavailable("the mail server cannot be reached") from error
