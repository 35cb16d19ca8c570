"""What thinks."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from scriza.kernel.errors import BadInput
from scriza.modules.agent.service import AgentService
from scriza.modules.agent.tools.workshop import Workshop
from scriza.modules.llm.engine import Patience, Route, Upstream
from scriza.modules.llm.prices import Prices, built_in
from scriza.modules.llm.service import LlmService
from scriza.ports.credit import Check
from scriza.ports.events import Teller
from scriza.ports.llm import Llm
from scriza.ports.memory import Memory
from scriza.ports.shared_state import SharedState
from scriza.ports.strategy import Strategy
from scriza.settings import BadSettings, Settings
from scriza_adapters.openai.engine import OpenAiEngine


def llm(
    settings: Settings, teller: Teller, shared: SharedState | None = None, credit: Check | None = None
) -> LlmService:
    """By keys and base URLs, unless an engine is named; answers are kept in `shared` where processes share one.

    `credit` is asked before each turn.
    """
    routes = _routes(settings)
    critical, cheap = routes or (None, None)
    return LlmService(
        teller,
        critical=critical,
        cheap=cheap,
        cache_ttl_s=settings.llm_cache_ttl_seconds,
        cache_size=settings.llm_cache_answers,
        shared=shared if settings.redis_url else None,
        prices=_prices(settings),
        credit=credit,
    )


def agent(settings: Settings, llm: Llm, strategy: Strategy, memory: Memory, workshop: Workshop) -> AgentService:
    """Leads by the playbooks of the strategy module, with what the memory module knows of callers."""
    return AgentService(llm, strategy, memory, workshop, transfer_to=settings.transfer_to)


class Server(msgspec.Struct, frozen=True):
    """Where models run: an empty `url` is OpenAI's own. `key_name` is the variable that the key comes from."""

    url: str
    key: str
    key_name: str


def servers(settings: Settings) -> tuple[Server, Server] | None:
    """The critical model's server and the cheap one's; none when the playbook is to answer.

    A key goes only where it was set for: one that has a base URL of its own does not get the common key.
    Raises BadSettings when there is one of them only.
    """
    if settings.llm_engine == "playbook":
        return None
    both = [
        _server(settings, "CRITICAL", settings.openai_base_url_critical, settings.openai_api_key_critical),
        _server(settings, "CHEAP", settings.openai_base_url_cheap, settings.openai_api_key_cheap),
    ]
    usable = [server for server in both if server.key or server.url]
    if not usable and settings.llm_engine == "openai":
        raise BadSettings("SCRIZA_LLM_ENGINE=openai needs OPENAI_API_KEY")
    if len(usable) == 1:
        missing = "CHEAP" if usable[0] is both[0] else "CRITICAL"
        raise BadSettings(f"one of the two models has no server: set OPENAI_API_KEY or OPENAI_API_KEY_{missing}")
    return (both[0], both[1]) if usable else None


def _server(settings: Settings, alias: str, url: str, key: SecretStr) -> Server:
    if key:
        return Server(url or settings.openai_base_url, key.get_secret_value(), f"OPENAI_API_KEY_{alias}")
    if url and url != settings.openai_base_url:
        return Server(url, "", f"OPENAI_API_KEY_{alias}")
    return Server(settings.openai_base_url, settings.openai_api_key.get_secret_value(), "OPENAI_API_KEY")


def _routes(settings: Settings) -> tuple[Route, Route] | None:
    found = servers(settings)
    if found is None:
        return None
    engines = _Engines(_fallback_keys(settings), found)
    critical = Upstream(engines.at(found[0]), settings.openai_model_critical)
    cheap = Upstream(engines.at(found[1]), settings.openai_model_cheap)
    named = {"critical": critical, "cheap": cheap}
    return (
        Route(
            engines.route("SCRIZA_LLM_FALLBACKS_CRITICAL", settings.llm_fallbacks_critical, critical, named),
            _patience(settings, settings.llm_first_token_ms_critical, settings.llm_stall_ms_critical),
        ),
        Route(
            engines.route("SCRIZA_LLM_FALLBACKS_CHEAP", settings.llm_fallbacks_cheap, cheap, named),
            _patience(settings, settings.llm_first_token_ms_cheap, settings.llm_stall_ms_cheap),
        ),
    )


class _Engines:
    """One engine, and so one client, for each server and key."""

    def __init__(self, keys: Mapping[str, str], known: tuple[Server, Server]) -> None:
        self._keys = keys
        self._known = {server.url: server for server in reversed(known)}
        self._made: dict[tuple[str, str], OpenAiEngine] = {}

    def at(self, server: Server) -> OpenAiEngine:
        made = self._made.get((server.url, server.key))
        if made is None:
            made = OpenAiEngine(server.key, base_url=server.url, key_name=server.key_name)
            self._made[server.url, server.key] = made
        return made

    def route(self, setting: str, value: str, first: Upstream, named: Mapping[str, Upstream]) -> tuple[Upstream, ...]:
        """`first`, then those that a setting names. Raises BadSettings."""
        if not value or value == "none":
            return (first,)
        entries = [entry.strip() for entry in value.split(",")]
        # Both aliases may lead to the same model; only one that is named as a model is asked a second time.
        wanted = [entry for entry in entries if named.get(entry) != first]
        return (first, *(self._fallback(setting, entry, first, named) for entry in wanted))

    def _fallback(self, setting: str, entry: str, first: Upstream, named: Mapping[str, Upstream]) -> Upstream:
        if entry in named:
            return named[entry]
        model, at, url = entry.partition("@http")
        if not model or not entry.isascii() or not entry.isprintable() or " " in entry:
            raise BadSettings(f"{setting}: write MODEL or MODEL@URL, separated by commas, or `none`")
        if not at:
            return Upstream(first.engine, model)
        url = f"http{url}".rstrip("/")
        host = urlsplit(url).netloc
        if not host:
            raise BadSettings(f"{setting}: {entry} has no host after the @")
        known = self._known.get(url)
        return Upstream(self.at(known or Server(url, self._keys.get(host, ""), "SCRIZA_LLM_FALLBACK_KEYS")), model)


def _patience(settings: Settings, first_token_ms: int, stall_ms: int) -> Patience:
    return Patience(
        hedge_s=(first_token_ms or settings.llm_first_token_ms) / 1000,
        first_token_s=settings.llm_give_up_ms / 1000,
        next_token_s=(stall_ms or settings.llm_stall_ms) / 1000,
    )


def _fallback_keys(settings: Settings) -> dict[str, str]:
    """By host, with its port where it has one."""
    keys = {}
    for entry in filter(None, settings.llm_fallback_keys.get_secret_value().split(",")):
        host, _, key = entry.strip().partition("=")
        if not host or not key:
            raise BadSettings("SCRIZA_LLM_FALLBACK_KEYS: write HOST=KEY, separated by commas")
        keys[host] = key
    return keys


def _prices(settings: Settings) -> Prices:
    if not settings.llm_prices:
        return built_in()
    try:
        return built_in().with_file(Path(settings.llm_prices))
    except BadInput as error:
        raise BadSettings(f"SCRIZA_LLM_PRICES: {error.detail}") from None
