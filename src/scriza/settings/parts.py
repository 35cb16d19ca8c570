"""What is secret within a secret setting: passwords in URLs, and tokens in lists of ``NAME=TOKEN``. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

_SITE = re.compile(r"@https?://.*")


def parts_of(secret: str) -> Iterator[str]:
    """The setting's value, and each secret in it as it may turn up alone in a log."""
    yield secret
    for entry in secret.split(","):
        if password := _password(entry):
            yield from (password, unquote(password))
        _, named, value = entry.partition("=")
        if named:
            token = _SITE.sub("", value.strip())
            yield token
            yield token.partition(":")[2]  # of an identity provider: ID:SECRET


def _password(url: str) -> str:
    try:
        return urlsplit(url.strip()).password or ""
    except ValueError:
        return ""
