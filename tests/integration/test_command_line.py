"""The command line, as a person meets it: it starts at once and says in a sentence what is wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = "openai elevenlabs aiobotocore botocore faster_whisper ctranslate2 onnxruntime beanie av pocketsphinx".split()


def scriza(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scriza", *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environment},
        capture_output=True,
        text=True,
        timeout=50,
    )


def loaded_after(code: str) -> set[str]:
    """Names of all modules that are loaded when `code` has run."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(chr(10).join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return set(told.stdout.split())


MULTIPLIED = """
import os
from pathlib import Path
from scriza.cli import main
main(["version"])
import numpy
numpy.ones((800, 800)) @ numpy.ones((800, 800))
print(len(list(Path("/proc/self/task").iterdir())))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted by Linux's /proc")
@pytest.mark.parametrize(("wanted", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_numpy_takes_one_thread_from_the_engines_unless_it_is_told_otherwise(
    wanted: dict[str, str], threads: int
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", MULTIPLIED],
        env={"PATH": os.environ["PATH"], **wanted},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert int(told.stdout.split()[-1]) == min(threads, os.cpu_count() or 1)


def test_the_parser_of_all_commands_loads_nothing_that_takes_long() -> None:
    loaded = loaded_after("import scriza.cli; scriza.cli.parser()")
    assert not loaded & {"pydantic", "litestar", "numpy", "uvicorn", "httpx", "asyncio", *HEAVY}


def test_the_first_line_of_serve_comes_before_anything_heavy_is_loaded() -> None:
    loaded = loaded_after("import scriza.cli.serve")
    assert not loaded & {"litestar", "numpy", "httpx", "pymongo", *HEAVY}


def test_the_application_is_made_without_any_vendors_library(tmp_path: Path) -> None:
    code = (
        "from scriza.settings import load; from scriza.app import application, container_of; "
        f"application(container_of(load(data_dir={str(tmp_path)!r}, openai_api_key='k', elevenlabs_api_key='k')))"
    )
    assert not loaded_after(code) & {"openai", "elevenlabs", "aiobotocore", "faster_whisper", "ctranslate2"}


def test_version_prints_the_version(tmp_path: Path) -> None:
    told = scriza("version", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (0, "0.1.0\n")


def test_config_prints_what_is_in_force_and_masks_secrets(tmp_path: Path) -> None:
    told = scriza("config", cwd=tmp_path, OPENAI_API_KEY="sk-secret", SCRIZA_PROT="8001")
    assert told.returncode == 0
    assert "OPENAI_API_KEY                   set" in told.stdout
    assert "sk-secret" not in told.stdout
    assert "SCRIZA_PROT is set, but Scriza has no such setting" in told.stdout


def test_the_table_of_settings_in_the_docs_is_the_one_in_force(tmp_path: Path) -> None:
    told = scriza("config", "--markdown", cwd=tmp_path)
    documented = Path(__file__).parents[2] / "docs" / "settings.md"
    assert told.stdout == documented.read_text(), "run `make docs`"


def refused(told: subprocess.CompletedProcess[str]) -> str:
    """The one sentence with which a command refused."""
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    (sentence,) = told.stderr.strip().splitlines()
    return sentence


def test_a_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = scriza("serve", "--port", port, cwd=tmp_path)
    cure = "stop what listens there, or choose another with --port or SCRIZA_PORT"
    assert refused(told) == f"scriza: port {port} is in use: {cure}"


def test_an_address_of_another_machine_is_told_with_what_to_do(tmp_path: Path) -> None:
    told = scriza("serve", "--host", "192.0.2.1", "--port", "0", cwd=tmp_path)
    assert "choose another with --host" in refused(told)


def test_a_data_directory_that_takes_no_data_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = scriza("serve", "--port", "0", cwd=tmp_path, SCRIZA_DATA_DIR="file/data")
    assert "set SCRIZA_DATA_DIR to another one" in refused(told)


@pytest.mark.parametrize("command", [["serve"], ["call"], ["config"], ["models", "list"]])
def test_a_bad_setting_is_told_in_a_sentence_by_every_command(tmp_path: Path, command: list[str]) -> None:
    told = scriza(*command, cwd=tmp_path, SCRIZA_ASR_ENGINE="siri")
    assert "SCRIZA_ASR_ENGINE: Input should be" in refused(told)


def test_a_module_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    told = scriza("serve", "--modules", "asr,brain", cwd=tmp_path)
    assert "there is no module brain; there are telephony, agent, asr, tts, llm" in refused(told)


def test_models_are_named_with_how_to_get_those_that_are_not_here(tmp_path: Path) -> None:
    mine = tmp_path / "data" / "models" / "tiny.en"
    mine.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (mine / name).write_text("")
    told = scriza("models", "list", cwd=tmp_path)
    assert told.returncode == 0
    listed = [line.split(maxsplit=1) for line in told.stdout.splitlines()]
    assert ["tiny.en", str(mine)] in listed
    assert ["base.en", "not here: scriza models fetch base.en"] in listed
    assert ["ggml-base.en", "not here: scriza models fetch ggml-base.en"] in listed


def test_a_model_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    assert "there is no model 'huge'; there are tiny.en" in refused(scriza("models", "fetch", "huge", cwd=tmp_path))


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://127.0.0.1:9/", "127.0.0.1:9"])
def test_a_call_to_nobody_is_told_with_what_to_do(tmp_path: Path, address: str) -> None:
    told = scriza("call", "--to", address, cwd=tmp_path)
    assert "nothing answers at http://127.0.0.1:9: start it with `scriza serve`" in refused(told)


def test_a_scenario_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    assert "no scenario chat: neither a file nor one of the shipped barge-in" in refused(
        scriza("call", "chat", cwd=tmp_path)
    )


def test_the_doctor_says_what_is_missing_for_real_calls(tmp_path: Path) -> None:
    account = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "secret-token",
        "TWILIO_BASE_URL": "http://127.0.0.1:9",
    }
    told = scriza("doctor", cwd=tmp_path, **account)
    assert told.returncode == 1
    findings = {line[6:18].strip(): line[:5].strip() for line in told.stdout.splitlines()}
    assert findings["store"] == "ok"
    assert findings["public URL"] == findings["listening"] == findings["Twilio"] == "bad"
    assert "secret-token" not in told.stdout


def test_the_doctor_is_content_with_a_first_run(tmp_path: Path) -> None:
    told = scriza("doctor", cwd=tmp_path)
    assert told.returncode == 0, told.stdout
    assert "Traceback" not in told.stderr
