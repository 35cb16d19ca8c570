"""The data directory: what Scriza keeps on this machine, and the secrets it makes for itself on first start."""

import errno
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import msgspec

from scriza.settings import BadSettings, Settings

_LEAST_FREE_BYTES = 200 * 1024 * 1024
"""The embedded store preallocates its log, and dies when it cannot."""


class Secrets(msgspec.Struct, frozen=True):
    """The secrets in force: those that are set, else those of the data directory."""

    service_token: str
    twilio_auth_token: str
    objects_key: str
    stream_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def prepare(path: Path) -> Path:
    """Make the directory, absolute and only the user's own. Raises BadSettings when it cannot hold data."""
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".probe-"):
            pass
        free = shutil.disk_usage(path).free
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise BadSettings(_no_space(path)) from error
        raise BadSettings(
            f"the data directory {path} cannot be written ({error.strerror}): "
            "give this user the right to, or set SCRIZA_DATA_DIR to another one"
        ) from error
    if free < _LEAST_FREE_BYTES:
        raise BadSettings(_no_space(path))
    return path


def _no_space(path: Path) -> str:
    need = _LEAST_FREE_BYTES // 1024 // 1024
    return f"the disk of the data directory {path} is full: free {need} MB, or set SCRIZA_DATA_DIR to another disk"


def secrets_of(settings: Settings, data_dir: Path) -> Secrets:
    """Each secret as it is set, else as it was made in the data directory by whichever process came first."""
    folder = data_dir / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return Secrets(
        service_token=settings.service_token.get_secret_value() or _made_once(folder / "service-token"),
        twilio_auth_token=settings.twilio_auth_token.get_secret_value() or _made_once(folder / "twilio-auth-token"),
        objects_key=settings.objects_key.get_secret_value() or _made_once(folder / "objects-key"),
        stream_key=settings.stream_key.get_secret_value() or _made_once(folder / "stream-key"),
    )


def _made_once(path: Path) -> str:
    # A hard link either makes the name with all its bytes or fails because another process was first.
    if not path.exists():
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(descriptor)
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    secret = path.read_text().strip()
    if not secret:
        raise BadSettings(f"{path} is empty: write the secret into it, or remove it and a new one is made")
    return secret
