"""What thinks."""

from scriza.modules.agent.playbook import sample_playbook
from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.ports.events import Teller
from scriza.ports.llm import Llm
from scriza.settings import BadSettings, Settings
from scriza_adapters.openai_llm import OpenAiEngine


def llm(settings: Settings, teller: Teller) -> LlmService:
    """By the key, unless an engine is named."""
    key = settings.openai_api_key.get_secret_value()
    if settings.llm_engine == "openai" and not key:
        raise BadSettings("SCRIZA_LLM_ENGINE=openai needs OPENAI_API_KEY")
    wanted = key and settings.llm_engine != "playbook"
    return LlmService(
        teller,
        engine=OpenAiEngine(key, base_url=settings.openai_base_url) if wanted else None,
        critical=settings.openai_model_critical,
        cheap=settings.openai_model_cheap,
        cache_ttl_s=settings.llm_cache_ttl_seconds,
    )


def agent(settings: Settings, llm: Llm) -> AgentService:
    """With the playbook that comes with Scriza."""
    return AgentService(llm, [sample_playbook()], transfer_to=settings.transfer_to)
