"""Every setting: its default, its environment variable, and what it does.

A value comes from, first found wins: the environment, the file named by ``NAME_FILE`` in the environment (a mounted
secret), ``scriza.toml`` in the working directory, the default below. Names are ``SCRIZA_`` and the field in capitals;
names that the world already uses (OPENAI_, ELEVENLABS_, TWILIO_, LLM_CACHE_TTL_SECONDS) have no prefix. Keys of
``scriza.toml`` are the field names as they stand here.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic.aliases import AliasGenerator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from scriza.kernel.errors import ScrizaError

TOML_FILE = "scriza.toml"
MODULES = ("telephony", "agent", "asr", "tts", "llm")
"""Every module that a process can serve, or find behind ``SCRIZA_<MODULE>_URL``."""

_WORLD_NAMES = ("openai_", "elevenlabs_", "twilio_", "llm_cache_ttl_seconds")


class BadSettings(ScrizaError):
    """A setting cannot be used. The text is for the person who set it, and never holds a secret."""

    slug, title, status = "bad-settings", "A setting cannot be used", 500


def environment_name(field: str) -> str:
    """The variable that sets a field: ``data_dir`` is ``SCRIZA_DATA_DIR``, ``openai_api_key`` is ``OPENAI_API_KEY``."""
    return field.upper() if field.startswith(_WORLD_NAMES) else f"SCRIZA_{field.upper()}"


def _http_url(value: str) -> str:
    url = urlsplit(value)
    if value and (url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment):
        raise ValueError("must be an http:// or https:// URL without a query")
    return value.rstrip("/")


def _socket_url(value: str) -> str:
    url = urlsplit(value)
    if value and (url.scheme not in {"ws", "wss"} or not url.hostname or url.query or url.fragment):
        raise ValueError("must be a ws:// or wss:// URL without a query")
    return value.rstrip("/")


def _modules(value: str) -> str:
    unknown = set(value.split(",")) - set(MODULES) if value else set()
    if unknown:
        raise ValueError(f"there is no module {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]


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
    drain_seconds: int = Field(10, ge=0, le=3600, description="How long open requests may take after a stop was asked.")
    log: Literal["auto", "json", "pretty"] = Field("auto", description="`auto` is pretty on a terminal, else JSON.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


class Access(BaseModel):
    """Who may call."""

    service_token: SecretStr = Field(
        SecretStr(""), description="Opens `/v1/*` and `/api/*` to scripts; empty makes one in the data directory."
    )
    service_token_old: SecretStr = Field(
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


class RemoteModules(BaseModel):
    """Modules that run elsewhere: empty is in this process."""

    telephony_url: HttpUrl = Field("", description="Where telephony answers `/api/v1/calls`.")
    agent_url: HttpUrl = Field("", description="Where the agent answers.")
    asr_url: HttpUrl = Field("", description="Where speech is recognised.")
    tts_url: HttpUrl = Field("", description="Where speech is made.")
    llm_url: HttpUrl = Field("", description="Where turns are answered.")


class Storage(BaseModel):
    """Store and objects."""

    mongo_url: SecretStr = Field(
        SecretStr(""), description="A MongoDB replica set; empty starts an embedded store in the data directory."
    )
    mongo_database: str = Field("scriza", pattern=r"^[A-Za-z0-9_-]{1,38}$", description="The database's name.")
    objects_url: str = Field(
        "", description="An S3 bucket, `s3://BUCKET/PREFIX?endpoint=URL&region=R`; empty is the data directory."
    )


class Speech(BaseModel):
    """Listening and speaking."""

    asr_engine: Literal["auto", "faster-whisper", "pocketsphinx"] = Field(
        "auto",
        description="`auto` takes faster-whisper when its model is on disk, else pocketsphinx, which is for demos.",
    )
    asr_model: str = Field("base.en", description="A faster-whisper model: its name, or a directory.")
    asr_model_dir: str = Field("", description="Where models are kept; empty is `models` in the data directory.")
    asr_workers: int = Field(1, ge=1, le=64, description="Recognitions of live calls that run at the same time.")
    tts_engine: Literal["auto", "elevenlabs", "espeak"] = Field(
        "auto", description="`auto` goes by the key; with ElevenLabs, espeak speaks when that fails."
    )
    tts_cache_mb: int = Field(
        2000, ge=1, description="Megabytes of clips kept in the data directory; those unused for longest go first."
    )
    elevenlabs_api_key: SecretStr = Field(SecretStr(""), description="Makes ElevenLabs the voice.")
    elevenlabs_base_url: HttpUrl = Field("", description="Another host for ElevenLabs' API.")
    elevenlabs_voice: str = Field("", description="The voice's id where a playbook names none; empty: a stock voice.")
    elevenlabs_model: str = Field("", description="The model's id; empty takes the quickest.")


class Thinking(BaseModel):
    """The language model."""

    llm_engine: Literal["auto", "openai", "playbook"] = Field(
        "auto", description="`auto` goes by the key; `playbook` answers from the playbook itself."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Makes OpenAI, or what speaks like it, the model.")
    openai_base_url: HttpUrl = Field("", description="Another host for OpenAI's API.")
    openai_model_critical: str = Field("gpt-4o", description="The model for turns that matter most.")
    openai_model_cheap: str = Field("gpt-4o-mini", description="The model for all other turns.")
    llm_cache_ttl_seconds: int = Field(3600, ge=0, description="How long an answer is served from the cache; 0: never.")


class Carrier(BaseModel):
    """Twilio."""

    twilio_account_sid: str = Field("", description="The account that calls and messages are placed from.")
    twilio_auth_token: SecretStr = Field(
        SecretStr(""),
        description="Checks signatures; empty makes a local one for the simulator.",
    )
    twilio_auth_token_secondary: SecretStr = Field(
        SecretStr(""), description="The other token while the first one is being rotated."
    )
    twilio_shared_keys: SecretStr = Field(
        SecretStr(""), description="Shared keys that may sign as well: `ID=SECRET`, separated by commas."
    )
    twilio_base_url: HttpUrl = Field(
        "", description="Another host for Twilio's API; without an account it is the simulator of `scriza call`."
    )
    transfer_to: str = Field(
        "",
        pattern=r"^(\+[1-9]\d{6,14})?$",
        description="The phone number of a person, in E.164, for callers who ask for one.",
    )


class Calls(BaseModel):
    """How calls are led."""

    most_calls: int = Field(100, ge=1, description="Calls that a process leads at the same time.")
    vad: Literal["auto", "silero", "energy"] = Field(
        "auto", description="What hears the caller speak; `auto` is silero, and energy where that cannot run."
    )
    endpointing: Literal["adaptive", "fixed"] = Field(
        "adaptive", description="How the end of a turn is decided: by words and habit, or by silence alone."
    )
    endpoint_silence_ms: int = Field(700, ge=100, le=5000, description="The silence of `fixed` endpointing.")
    speculation: bool = Field(True, description="Whether thinking starts before the end of a turn is certain.")
    opening_on_wire_ms: int = Field(
        10_000, ge=100, description="So late our opening must be on the wire, or the call ends politely."
    )
    first_words_ms: int = Field(
        10_000, ge=100, description="So long after the heard opening the caller must have spoken, or the call ends."
    )
    silence_ms: int = Field(8_000, ge=100, description="Silence of the caller before each prompt, and the hang-up.")
    words_ms: int = Field(4_000, ge=100, description="From the end of a turn until its words must be there.")
    digits_ms: int = Field(2_000, ge=100, description="From a key to the next one; `#` ends the input at once.")
    longest_turn_ms: int = Field(30_000, ge=1000, description="Speech without a pause that is taken as a turn.")
    longest_call_ms: int = Field(1_800_000, ge=1000, description="The longest call.")
    most_failures: int = Field(2, ge=1, description="Failed answers in a row that end the call politely.")


SECTIONS: tuple[type[BaseModel], ...] = (Process, Access, RemoteModules, Storage, Speech, Thinking, Carrier, Calls)
SIMULATED_CARRIER_URL = "http://127.0.0.1:8010"
SIMULATED_ACCOUNT = "AC00000000000000000000000000000001"
"""Where `scriza call` offers Twilio's REST API, and for which account, to a Scriza without one."""


class _SecretFiles(EnvSettingsSource):
    """``OPENAI_API_KEY_FILE=/run/secrets/openai``: the value is the file's text."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = environment_name(field_name)
        path = self.env_vars.get(f"{name}_FILE".lower())
        if not path:
            return None, field_name, False
        if self.env_vars.get(name.lower()):
            raise BadSettings(f"{name} and {name}_FILE are both set; keep one of them")
        try:
            return Path(path).read_text().strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise BadSettings(f"{name}_FILE: {path} cannot be read: {reason}") from error


class Settings(Process, Access, RemoteModules, Storage, Speech, Thinking, Carrier, Calls, BaseSettings):
    """What is in force. Read it with `load`, which speaks plainly about what is wrong."""

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=environment_name),
        populate_by_name=True,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        toml_file=TOML_FILE,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order that the head of this file gives."""
        files = _SecretFiles(settings_cls, case_sensitive=False)
        return init_settings, env_settings, files, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _port_is_in_the_public_url(cls, data: dict[str, Any]) -> dict[str, Any]:
        names = {"public_url", environment_name("public_url")}
        port = data.get("port", data.get(environment_name("port")))
        if port and not names & data.keys():
            data["public_url"] = f"http://127.0.0.1:{port}"
        return data

    @model_validator(mode="after")
    def _unsigned_requests_stay_on_this_machine(self) -> "Settings":
        if self.signatures == "off" and self.public_url.startswith("https://"):
            raise ValueError(
                "SCRIZA_SIGNATURES=off would let anybody who finds the public https URL start calls; "
                "use enforce or warn"
            )
        return self

    def serves(self, module: str) -> bool:
        """Whether this process serves a module to others."""
        return not self.modules or module in self.modules.split(",")

    def url_of(self, module: str) -> str:
        """Where a module runs; empty when it runs in this process."""
        return str(getattr(self, f"{module}_url"))


def load(**overrides: object) -> Settings:
    """The settings in force; `overrides` (by field name) go before everything else. Raises BadSettings."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise BadSettings("; ".join(_sentences(error))) from None
    except SettingsError as error:
        raise BadSettings(str(error.__cause__ or error)) from error
    except ValueError as error:  # tomllib's decode error is one
        raise BadSettings(f"{TOML_FILE} cannot be read: {error}") from error


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            yield f"{TOML_FILE} has a setting {name!r} that does not exist"
        elif name:
            yield f"{name if name.isupper() else environment_name(name)}: {text}"
        else:
            yield text


class Row(msgspec.Struct, frozen=True):
    """One setting as people read it; `value` is what is in force, secrets masked."""

    section: str
    name: str
    value: str
    default: str
    choices: str
    description: str
    secret: bool


def rows(settings: Settings) -> Iterator[Row]:
    """All settings, section by section."""
    for section in SECTIONS:
        for field, info in section.model_fields.items():
            yield Row(
                section=(section.__doc__ or "").rstrip("."),
                name=environment_name(field),
                value=_shown(getattr(settings, field)),
                default=_shown(info.default),
                choices=_choices(info),
                description=info.description or "",
                secret=info.annotation is SecretStr,
            )


def unknown_variables() -> list[str]:
    """Variables named like settings of Scriza that are none: most often a misspelling."""
    known = {environment_name(field) for field in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    ours = (name for name in os.environ if name.startswith("SCRIZA_") and not name.startswith("SCRIZA_TEST_"))
    return sorted(name for name in ours if name not in known)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    return str(value)


def _choices(info: FieldInfo) -> str:
    choices = getattr(info.annotation, "__args__", ())
    return ", ".join(str(choice) for choice in choices)
