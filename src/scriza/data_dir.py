"""The data directory: what Scriza keeps on this machine, and the secrets it makes for itself on first start."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from scriza.settings import BadSettings, Settings

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS}
"""What file systems that have none say, network shares and memory cards among them."""


class Secrets(msgspec.Struct, frozen=True):
    """The secrets in force: those that are set, else those of the data directory."""

    service_token: str
    twilio_auth_token: str
    objects_key: str
    stream_key: str
    pseudonym_key: str
    accounts_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"

    def values(self) -> tuple[str, ...]:
        """All of them, for who has to keep them out of sight."""
        return msgspec.structs.astuple(self)


def prepare(path: Path) -> Path:
    """Make the directory, absolute and only the user's own. Raises BadSettings when it cannot hold data."""
    path = path.expanduser().absolute()
    with _refusing(f"the data directory {path} cannot be written"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".probe-"):
            pass
    return path


def secrets_of(settings: Settings, data_dir: Path) -> Secrets:
    """Each secret as it is set, else as it was made in the data directory by whichever process came first.

    Raises BadSettings when they cannot be kept or read.
    """
    folder = data_dir / "secrets"
    with _refusing(f"the directory {folder} cannot be written"):
        folder.mkdir(mode=0o700, exist_ok=True)
    return Secrets(
        service_token=settings.service_token.get_secret_value() or _made_once(folder / "service-token"),
        twilio_auth_token=settings.twilio_auth_token.get_secret_value() or _made_once(folder / "twilio-auth-token"),
        objects_key=settings.objects_key.get_secret_value() or _made_once(folder / "objects-key"),
        stream_key=settings.stream_key.get_secret_value() or _made_once(folder / "stream-key"),
        pseudonym_key=settings.pseudonym_key.get_secret_value() or _made_once(folder / "pseudonym-key"),
        accounts_key=settings.accounts_key.get_secret_value() or _made_once(folder / "accounts-key"),
    )


def _made_once(path: Path) -> str:
    with _refusing(f"{path} cannot be written"):
        if not path.exists():
            _make(path, secrets.token_hex(32))
    with _refusing(f"{path} cannot be read"):
        secret = path.read_text().strip()
    if not secret:
        raise BadSettings(f"{path} is empty: write the secret into it, or remove it and a new one is made")
    return secret


def _make(path: Path, secret: str) -> None:
    """Write the secret, only for the user's own eyes, unless another process was first."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        _write(descriptor, secret)
        # A hard link either makes the name with all its bytes or fails because another process was first.
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _make_without_link(path, secret)
    finally:
        os.unlink(temporary)


def _make_without_link(path: Path, secret: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    try:
        _write(descriptor, secret)
    except OSError:
        path.unlink()
        raise


def _write(descriptor: int, secret: str) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(descriptor)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Raises BadSettings with what to do for what the file system refuses."""
    try:
        yield
    except OSError as error:
        cure = "free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "give this user the right to"
        raise BadSettings(f"{what} ({error.strerror}): {cure}, or set SCRIZA_DATA_DIR to another one") from error
