"""Which modules run in this process, which elsewhere, and which of them need which."""

from scriza.settings import MODULES, Settings

_ASKS: dict[str, tuple[str, ...]] = {
    "telephony": ("agent", "asr", "tts", "usage"),
    "llm": ("usage",),
    "accounts": ("usage",),
    "agent": ("llm", "strategy", "memory", "tts"),
    "strategy": ("tts", "llm", "agent"),
    "memory": ("llm", "strategy"),
}
"""Which modules a module needs behind their ports."""
DOORS: dict[str, tuple[str, ...]] = {
    "accounts": ("accounts", "sign_in"),
    "agent": ("agent", "conversations"),
    "memory": ("memory", "reports", "retention"),
    "telephony": ("telephony", "call_desk"),
    "webhooks": ("team_webhooks",),
}
"""The providers of a module's ports, where it has more than the one of its own name."""


def served(settings: Settings) -> list[str]:
    """The modules whose routes this process mounts."""
    return [module for module in MODULES if settings.serves(module)]


def place(settings: Settings, module: str) -> str:
    """`local` or `remote`. A process that is told by name to serve a module runs it, whatever its URL tells others."""
    named = bool(settings.modules) and settings.serves(module)
    return "remote" if settings.url_of(module) and not named else "local"


def needed(settings: Settings) -> list[str]:
    """The modules that this process needs, served or not; each comes after those that it asks.

    The agent and strategy ask each other; then the one that was needed first is the later.
    """
    found: list[str] = []
    seen: set[str] = set()

    def need(module: str) -> None:
        if module not in seen:
            seen.add(module)
            if place(settings, module) == "local":
                for asked in _ASKS.get(module, ()):
                    need(asked)
            found.append(module)

    for module in served(settings):
        need(module)
    return found
