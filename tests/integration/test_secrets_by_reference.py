"""Settings that say where a secret is: variables, mounted files, Vault. Nothing ever tells what is there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriza.kernel.redaction import Redactor
from scriza.settings import BadSettings, load, references, secret_values, written
from tests.standins.vault import ROLE_ID, SECRET_ID, TOKEN, VaultServer, vault

KEY = "sk-the-real-key-of-the-test"


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with vault() as server:
        server.secrets["kv/scriza/prod"] = {"openai": KEY, "port": 7}
        yield server


@pytest.fixture
def by_role(server: VaultServer) -> dict[str, str]:
    return {"vault_url": server.url, "vault_role_id": ROLE_ID, "vault_secret_id": SECRET_ID}


def key_of(**settings: str) -> str:
    return load(**settings).openai_api_key.get_secret_value()


def test_another_variable_or_a_mounted_file_holds_the_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEAM_KEY", KEY)
    assert key_of(openai_api_key="env:TEAM_KEY") == KEY
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert key_of(openai_api_key=f"file:{tmp_path / 'key'}") == KEY


def test_vault_is_read_as_an_approle_or_by_a_token(server: VaultServer, by_role: dict[str, str]) -> None:
    assert key_of(openai_api_key="vault:kv/scriza/prod#openai", **by_role) == KEY
    assert server.asked == ["/v1/auth/approle/login", "/v1/kv/data/scriza/prod"]
    assert key_of(openai_api_key="vault:kv/scriza/prod#openai", vault_url=server.url, vault_token=TOKEN) == KEY


def test_vault_is_logged_in_to_once_for_all_secrets(server: VaultServer, by_role: dict[str, str]) -> None:
    server.secrets["kv/voice"] = {"key": "el-key-of-the-test"}
    settings = load(openai_api_key="vault:kv/scriza/prod#openai", elevenlabs_api_key="vault:kv/voice#key", **by_role)
    assert {KEY, "el-key-of-the-test"} <= set(secret_values(settings))
    assert server.asked.count("/v1/auth/approle/login") == 1


def test_vault_s_own_secret_may_be_a_reference(
    server: VaultServer, by_role: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLE_SECRET", SECRET_ID)
    own = by_role | {"vault_secret_id": "env:ROLE_SECRET"}
    assert key_of(openai_api_key="vault:kv/scriza/prod#openai", **own) == KEY


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("env:NOT_THERE_AT_ALL", "NOT_THERE_AT_ALL is not set"),
        ("file:/nowhere/at/all", "/nowhere/at/all cannot be read"),
        ("vault:kv", "write vault:MOUNT/PATH#FIELD"),
        ("vault:kv/else#openai", "Vault has no kv/else"),
        ("vault:kv/scriza/prod#other", "kv/scriza/prod in Vault has no field other"),
        ("vault:kv/scriza/prod#port", "has no field port"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told_by_its_place(
    by_role: dict[str, str], reference: str, told: str
) -> None:
    with pytest.raises(BadSettings, match="OPENAI_API_KEY: ") as refused:
        load(openai_api_key=reference, **by_role)
    assert told in str(refused.value)


def test_trouble_with_vault_is_told_with_what_to_look_at(server: VaultServer, by_role: dict[str, str]) -> None:
    reference = "vault:kv/scriza/prod#openai"
    with pytest.raises(BadSettings, match="SCRIZA_VAULT_URL says where Vault is"):
        load(openai_api_key=reference)
    with pytest.raises(BadSettings, match="look at its role and policy") as refused:
        load(openai_api_key=reference, **(by_role | {"vault_secret_id": "s3cret-guess"}))
    assert "s3cret-guess" not in str(refused.value)
    server.sealed = True
    with pytest.raises(BadSettings, match="is it up, and unsealed"):
        load(openai_api_key=reference, **by_role)
    with pytest.raises(BadSettings, match="is it up, and unsealed"):
        load(openai_api_key=reference, **(by_role | {"vault_url": "http://127.0.0.1:9"}))


def test_what_is_shown_is_where_secrets_are_and_not_what_they_are(server: VaultServer, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "SCRIZA_DATA_DIR": str(tmp_path),
        "OPENAI_API_KEY": "vault:kv/scriza/prod#openai",
        "SCRIZA_VAULT_URL": server.url,
        "SCRIZA_VAULT_TOKEN": TOKEN,
    }
    told = subprocess.run(
        [sys.executable, "-m", "scriza", "config"], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert KEY not in told.stdout + told.stderr
    assert TOKEN not in told.stdout + told.stderr


def test_the_doctor_knows_where_each_secret_is_read_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "vault:kv/scriza/prod#openai")
    assert references() == {"OPENAI_API_KEY": "vault:kv/scriza/prod#openai"}


@pytest.mark.parametrize(
    ("setting", "value", "inside"),
    [
        ("mail_url", "smtp://scriza:p%40ss-of-the-mail@mail.example:587", ["p%40ss-of-the-mail", "p@ss-of-the-mail"]),
        ("mongo_url", "mongodb://me:p4ss-of-the-store@db.example/scriza?replicaSet=rs0", ["p4ss-of-the-store"]),
        ("redis_url", "redis://:p4ss-of-the-cache@cache.example", ["p4ss-of-the-cache"]),
        ("tool_tokens", "CRM@crm.example=tok-of-the-crm, B@b.example=tok-of-b", ["tok-of-the-crm", "tok-of-b"]),
        ("oidc_providers", "local=my-id:s3cret-of-the-id@https://id.example", ["s3cret-of-the-id"]),
        ("llm_fallback_keys", "llm.example=key-of-the-fallback", ["key-of-the-fallback"]),
        ("twilio_shared_keys", "K1=key-that-is-shared", ["key-that-is-shared"]),
    ],
)
def test_what_is_secret_within_a_setting_is_kept_out_of_logs_alone_too(
    setting: str, value: str, inside: list[str]
) -> None:
    redactor = Redactor(secret_values(load(**{setting: value})))
    assert [secret for secret in inside if secret in redactor(f"it was {secret}")] == []


def test_a_start_reads_vault_once(server: VaultServer, by_role: dict[str, str]) -> None:
    """Who has a secret id that is good once can start."""
    settings = by_role | {"openai_api_key": "vault:kv/scriza/prod#openai"}
    assert written(**settings).openai_api_key.get_secret_value().startswith("vault:")
    assert server.asked == []


def test_the_doctor_says_which_secret_cannot_be_read(server: VaultServer, tmp_path: Path) -> None:
    server.sealed = True
    environment = {
        "PATH": "/usr/bin:/bin",
        "SCRIZA_DATA_DIR": str(tmp_path),
        "OPENAI_API_KEY": "vault:kv/scriza/prod#openai",
        "SCRIZA_VAULT_URL": server.url,
        "SCRIZA_VAULT_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "scriza", "doctor"]
    told = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 1
    assert "OPENAI_API_KEY is to be read from vault:kv/scriza/prod#openai" in told.stdout
    assert "is it up, and unsealed?" in told.stdout
    assert TOKEN not in told.stdout + told.stderr
