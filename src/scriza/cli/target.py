"""Which Scriza a command is for."""

from scriza.kernel.errors import BadInput
from scriza.settings import Settings
from scriza.settings.kinds import http_url


def target_of(told: str | None, settings: Settings) -> str:
    """The URL of what `--to` names, also without its ``http://``; else of the one on this machine. Raises BadInput."""
    target = told or f"127.0.0.1:{settings.port}"
    try:
        return http_url(target if "://" in target else f"http://{target}")
    except ValueError as error:
        raise BadInput(f"--to: {error}") from error
