"""Every setting: its default, its environment variable, and what it does.

A value comes from, first found wins: the environment, the file named by ``NAME_FILE`` in the environment (a mounted
secret), ``scriza.toml`` in the working directory, the default below. Names are ``SCRIZA_`` and the field in capitals;
names that the world already uses (OPENAI_, ELEVENLABS_, TWILIO_, LLM_CACHE_TTL_SECONDS) have no prefix. Keys of
``scriza.toml`` are the field names as they stand here.
"""

import os
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, SecretStr, ValidationError, model_validator
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
from scriza.settings.billing import Billing
from scriza.settings.calls import Calls
from scriza.settings.carrier import Carrier
from scriza.settings.edge import Edge
from scriza.settings.listening import Listening
from scriza.settings.notifying import Notifying
from scriza.settings.parts import parts_of
from scriza.settings.people import People
from scriza.settings.process import MODULES as MODULES
from scriza.settings.process import Access, Process, RemoteModules
from scriza.settings.recording import Recording
from scriza.settings.references import Unresolved, is_reference, resolved
from scriza.settings.remembering import Remembering
from scriza.settings.speaking import Speaking
from scriza.settings.storage import Storage
from scriza.settings.thinking import Thinking
from scriza.settings.tools import Tools
from scriza.settings.vault import Vault

if TYPE_CHECKING:
    from scriza_adapters.vault import Vault as VaultReader

TOML_FILE = "scriza.toml"
_WORLD_NAMES = ("openai_", "elevenlabs_", "twilio_", "llm_cache_ttl_seconds")


class BadSettings(ScrizaError):
    """A setting cannot be used. The text is for the person who set it, and never holds a secret."""

    slug, title, status = "bad-settings", "A setting cannot be used", 500


def environment_name(field: str) -> str:
    """The variable that sets a field: ``data_dir`` is ``SCRIZA_DATA_DIR``, ``openai_api_key`` is ``OPENAI_API_KEY``."""
    return field.upper() if field.startswith(_WORLD_NAMES) else f"SCRIZA_{field.upper()}"


SECTIONS: tuple[type[BaseModel], ...] = (
    *(
        Process,
        Access,
        Edge,
        People,
        RemoteModules,
        Storage,
        Listening,
        Speaking,
        Thinking,
        Tools,
        Carrier,
        Calls,
        Recording,
        Billing,
        Notifying,
        Remembering,
        Vault,
    ),
)
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
            value = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise BadSettings(f"{name}_FILE: {path} cannot be read: {reason}") from error
        if not value:
            raise BadSettings(f"{name}_FILE: {path} is empty")
        return value, field_name, False


class Settings(
    Process,
    Access,
    Edge,
    People,
    RemoteModules,
    Storage,
    Listening,
    Speaking,
    Thinking,
    Tools,
    Carrier,
    Calls,
    Recording,
    Billing,
    Notifying,
    Remembering,
    Vault,
    BaseSettings,
):
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
    """The settings in force, their references read; `overrides` (by field name) go first. Raises BadSettings."""
    settings = written(**overrides)
    secrets = _referred(settings, {"env", "file"})
    if secrets:
        settings = written(**overrides | secrets)
    in_vault = _referred(settings, {"vault"})
    return written(**overrides | secrets | in_vault) if in_vault else settings


def references() -> dict[str, str]:
    """Where the secrets are that settings only point at, by the variable's name. Raises BadSettings."""
    found = ((field, value) for field, value in _secrets(written()) if is_reference(value))
    return {environment_name(field): reference for field, reference in found}


def _referred(settings: Settings, kinds: Set[str]) -> dict[str, object]:
    """The secrets that settings refer to in these ways, by field."""
    read: dict[str, object] = {}
    vault: VaultReader | None = None

    def read_vault(mount: str, path: str, field: str) -> str:
        nonlocal vault
        vault = vault or _vault(settings)
        return vault.read(mount, path, field)

    for field, value in _secrets(settings):
        if is_reference(value) and value.partition(":")[0] in kinds:
            try:
                read[field] = resolved(value, read_vault)
            except Unresolved as error:
                raise BadSettings(f"{environment_name(field)}: {error}") from None
    return read


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    for field in Settings.model_fields:
        if isinstance(value := getattr(settings, field), SecretStr):
            yield field, value.get_secret_value()


def _vault(settings: Settings) -> "VaultReader":
    if not settings.vault_url:
        raise Unresolved("SCRIZA_VAULT_URL says where Vault is")
    try:
        from scriza_adapters.vault import Vault as Reader
    except ImportError:
        raise Unresolved("reading Vault needs the extra: pip install 'scriza[vault]'") from None
    return Reader(
        settings.vault_url,
        token=settings.vault_token.get_secret_value(),
        role_id=settings.vault_role_id,
        secret_id=settings.vault_secret_id.get_secret_value(),
        namespace=settings.vault_namespace,
        ca_file=settings.vault_ca_file,
    )


def written(**overrides: object) -> Settings:
    """The settings as they are written: references in them are not read. Raises BadSettings."""
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


def secret_values(settings: Settings) -> list[str]:
    """The secrets that are set, and those within them, for who has to keep them out of sight."""
    return [part for _, value in _secrets(settings) for part in parts_of(value) if part]


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
