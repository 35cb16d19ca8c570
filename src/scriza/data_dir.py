"""The data directory: what Scriza keeps on this machine, and the secrets it makes for itself on first start."""

import errno
import os
import secrets
import tempfile
from pathlib import Path

import msgspec

from scriza.settings import BadSettings, Settings


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
    except OSError as error:
        cure = "free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "give this user the right to"
        raise BadSettings(
            f"the data directory {path} cannot be written ({error.strerror}): "
            f"{cure}, or set SCRIZA_DATA_DIR to another one"
        ) from error
    return path


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
