"""The process, who may call it, and what runs elsewhere."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl, SocketUrl, Token

MODULES = ("telephony", "agent", "asr", "tts", "llm", "strategy", "memory", "accounts", "usage", "webhooks")
"""Every module that a process can serve, or find behind ``SCRIZA_<MODULE>_URL``."""


def _modules(value: str) -> str:
    unknown = set(value.split(",")) - set(MODULES) if value else set()
    if unknown:
        raise ValueError(f"there is no module {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    return value


class Process(BaseModel):
    """The process."""

    public_url: HttpUrl = Field(
        "http://127.0.0.1:8000", description="The URL that Twilio reaches; signatures are checked against it."
    )
    stream_url: SocketUrl = Field(
        "", description="The wss base that Twilio's media sockets reach; empty takes it from the public URL."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve the port together.")
    modules: Annotated[str, AfterValidator(_modules)] = Field(
        "", description=f"Modules served here, separated by commas ({', '.join(MODULES)}); empty serves all."
    )
    data_dir: Path = Field(
        Path("data"), description="The embedded store, objects, models and the secrets made on first start."
    )
    drain_seconds: int = Field(
        10, ge=0, le=3600, description="How long calls and open requests may go on after a stop was asked."
    )
    log: Literal["auto", "json", "pretty"] = Field("auto", description="`auto` is pretty on a terminal, else JSON.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


class Access(BaseModel):
    """Who may call."""

    service_token: Token = Field(
        SecretStr(""), description="Opens `/v1/*` and `/api/*` to scripts; empty makes one in the data directory."
    )
    service_token_old: Token = Field(
        SecretStr(""), description="The token before this one, good as well while it is being rotated."
    )
    signatures: Literal["enforce", "warn", "off"] = Field(
        "enforce", description="What happens to a request without Twilio's signature; `off` only on this machine."
    )
    stream_token: Literal["path", "parameter"] = Field(
        "path", description="Where a media socket's token rides: `/stream/<token>`, or a `<Parameter>` of `/stream`."
    )
    stream_key: SecretStr = Field(
        SecretStr(""), description="Signs media socket tokens; empty makes one in the data directory."
    )
    objects_key: SecretStr = Field(
        SecretStr(""), description="Signs `/objects/` URLs; empty makes one in the data directory."
    )
    pseudonym_key: SecretStr = Field(
        SecretStr(""),
        description="Turns phone numbers into pseudonyms, the same in all processes; empty makes one in the data "
        "directory. Another one no longer finds what is remembered of callers.",
    )


class RemoteModules(BaseModel):
    """Modules that run elsewhere: empty is in this process."""

    telephony_url: HttpUrl = Field("", description="Where telephony answers `/api/v1/calls`.")
    agent_url: HttpUrl = Field("", description="Where the agent answers.")
    asr_url: HttpUrl = Field("", description="Where speech is recognised.")
    tts_url: HttpUrl = Field("", description="Where speech is made.")
    llm_url: HttpUrl = Field("", description="Where turns are answered.")
    strategy_url: HttpUrl = Field("", description="Where playbooks are kept.")
    memory_url: HttpUrl = Field("", description="Where calls and callers are remembered.")
    accounts_url: HttpUrl = Field("", description="Where people have their accounts.")
    webhooks_url: HttpUrl = Field("", description="Where webhooks are kept and delivered.")
    usage_url: HttpUrl = Field("", description="Where usage is counted and credit is kept.")
