"""What asks the team's own tools."""

from collections.abc import Iterator

from pydantic import SecretStr

from scriza.settings import BadSettings, Settings
from scriza_adapters.http_tools.allowed import AllowedHosts, Pattern, pattern
from scriza_adapters.http_tools.caller import HttpToolCaller

HOSTS, PRIVATE_HOSTS = "SCRIZA_TOOL_HOSTS", "SCRIZA_TOOL_PRIVATE_HOSTS"


def tool_caller(settings: Settings) -> HttpToolCaller:
    """Asks where the settings allow it."""
    return HttpToolCaller(
        AllowedHosts(
            list(patterns(HOSTS, settings.tool_hosts)),
            list(patterns(PRIVATE_HOSTS, settings.tool_private_hosts)),
            dict(_tokens(settings.tool_tokens)),
        )
    )


def patterns(setting: str, value: str) -> Iterator[Pattern]:
    """The hosts that a setting names. Raises BadSettings."""
    for entry in filter(None, (entry.strip() for entry in value.split(","))):
        try:
            found = pattern(entry)
        except ValueError as error:
            raise BadSettings(f"{setting}: {error}") from None
        if setting != HOSTS and found.host == "*":
            raise BadSettings(f"{setting}: name the hosts; `*` would open this machine and its network")
        yield found


def _tokens(value: SecretStr) -> Iterator[tuple[tuple[str, str], str]]:
    for entry in filter(None, (entry.strip() for entry in value.get_secret_value().split(","))):
        named, _, token = entry.partition("=")
        name, _, host = named.partition("@")
        if not (name and host and token) or not token.isascii() or not token.isprintable() or " " in token:
            raise BadSettings("SCRIZA_TOOL_TOKENS: write NAME@HOST=TOKEN, separated by commas")
        yield (name, host.lower()), token
