"""Settings: where they come from, what is refused, and what people are told."""

import os
from pathlib import Path

import pytest

from scriza.settings import MODULES, BadSettings, Settings, environment_name, load, rows, unknown_variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = {environment_name(field) for field in Settings.model_fields}
    for name in list(os.environ):
        if name.startswith("SCRIZA_") or name.removesuffix("_FILE") in ours:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_set_everything_runs_here_and_nothing_needs_a_key() -> None:
    settings = load()
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.signatures == "enforce"
    assert (settings.asr_engine, settings.tts_engine, settings.llm_engine) == ("auto", "auto", "auto")
    assert all(settings.serves(module) and not settings.url_of(module) for module in MODULES)


def test_our_names_have_a_prefix_and_the_worlds_names_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIZA_TTS_URL", "http://tts:8000/")
    monkeypatch.setenv("OPENAI_MODEL_CHEAP", "small")
    monkeypatch.setenv("LLM_CACHE_TTL_SECONDS", "60")
    settings = load()
    assert settings.url_of("tts") == "http://tts:8000"
    assert settings.openai_model_cheap == "small"
    assert settings.llm_cache_ttl_seconds == 60


def test_a_given_value_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "scriza.toml").write_text('port = 1\nhost = "a"\nlog = "json"\n')
    monkeypatch.setenv("SCRIZA_PORT", "2")
    monkeypatch.setenv("SCRIZA_HOST", "b")
    settings = load(port=3)
    assert (settings.port, settings.host, settings.log) == (3, "b", "json")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIZA_PORT", "")
    assert load().port == 8000


def test_the_public_url_follows_the_port_until_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(port=9001).public_url == "http://127.0.0.1:9001"
    monkeypatch.setenv("SCRIZA_PUBLIC_URL", "https://calls.example.com")
    assert load(port=9001).public_url == "https://calls.example.com"


def test_a_secret_can_be_mounted_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-mounted\n")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    assert load().openai_api_key.get_secret_value() == "sk-mounted"


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_mounted_file_without_a_word_in_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "key").write_text(text)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(BadSettings, match=r"OPENAI_API_KEY_FILE: .*key is empty"):
        load()


def test_a_secret_given_twice_is_refused_because_nobody_knows_which_one_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("one")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    with pytest.raises(BadSettings, match="OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SCRIZA_ASR_ENGINE", "siri", "SCRIZA_ASR_ENGINE: Input should be 'auto', 'faster-whisper', 'whisper-cpp' or"),
        ("SCRIZA_PORT", "seventy", "SCRIZA_PORT: Input should be a valid integer"),
        ("SCRIZA_PUBLIC_URL", "calls.example.com", "SCRIZA_PUBLIC_URL: must be http:// or https://, a host"),
        ("SCRIZA_STREAM_URL", "https://calls.example.com", "SCRIZA_STREAM_URL: must be ws:// or wss://, a host"),
        ("SCRIZA_LLM_URL", "http://llm:80800", "SCRIZA_LLM_URL: the port must be a number up to 65535"),
        ("SCRIZA_SERVICE_TOKEN", "a token", "SCRIZA_SERVICE_TOKEN: must be printable ASCII without spaces"),
        ("SCRIZA_SERVICE_TOKEN_OLD", "tök", "SCRIZA_SERVICE_TOKEN_OLD: must be printable ASCII without spaces"),
        ("SCRIZA_MODULES", "asr,brain", "SCRIZA_MODULES: there is no module brain"),
        ("OPENAI_API_KEY_FILE", "/nowhere/key", "OPENAI_API_KEY_FILE: /nowhere/key cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_told_by_the_name_that_the_person_wrote(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load()
    assert told in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_misspelt_key_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scriza.toml").write_text("prot = 8001\n")
    with pytest.raises(BadSettings, match=r"scriza.toml has a setting 'prot' that does not exist"):
        load()


def test_a_file_that_is_not_toml_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "scriza.toml").write_text("port: 8001")
    with pytest.raises(BadSettings, match=r"scriza.toml cannot be read"):
        load()


def test_a_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIZA_PUBLICURL", "x")
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN_FILE", "x")
    monkeypatch.setenv("SCRIZA_TEST_MONGO_URL", "x")
    assert unknown_variables() == ["SCRIZA_PUBLICURL"]


def test_unsigned_requests_are_refused_where_strangers_can_send_them() -> None:
    with pytest.raises(BadSettings, match="use enforce or warn"):
        load(signatures="off", public_url="https://calls.example.com")
    assert load(signatures="off", public_url="http://127.0.0.1:8000").signatures == "off"


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = load(openai_api_key="sk-secret", mongo_url="mongodb://user:sk-secret@db")
    shown = repr(settings) + str(settings) + repr(list(rows(settings)))
    assert "sk-secret" not in shown
    assert {row.name: row.value for row in rows(settings)}["OPENAI_API_KEY"] == "set"


def test_a_wrong_secret_is_not_repeated_in_the_complaint() -> None:
    with pytest.raises(BadSettings) as refused:
        load(openai_api_key=["sk-secret"])
    assert "sk-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCRIZA_TTS_URL", "http://user:sk-secret@tts:8000"),
        ("SCRIZA_ASR_URL", "http://user:sk-secret/@asr:8000"),
        ("OPENAI_BASE_URL", "https://sk-secret@llm/v1"),
        ("SCRIZA_STREAM_URL", "wss://user:sk-secret@calls.example.com"),
        ("SCRIZA_SERVICE_TOKEN", "sk-secret\nx"),
    ],
)
def test_a_url_with_a_password_and_a_token_that_cannot_be_sent_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value).startswith(f"{name}: ")
    assert "sk-secret" not in str(refused.value)
