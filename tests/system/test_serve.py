"""`scriza serve` as a process: it starts, answers, and takes everything with it when it stops."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.phone_line import free_port
from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_everything_that_was_started(tmp_path: Path, sign: signal.Signals) -> None:
    with running_scriza(tmp_path / "one") as scriza:
        assert httpx.get(f"{scriza.url}/health/ready").json() == {"status": "ok"}
        assert scriza.leftovers() != []
        assert scriza.stop(sign) == 0
        assert scriza.leftovers() == []
        assert "Traceback" not in scriza.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_starting_leaves_nothing_behind(tmp_path: Path, sign: signal.Signals) -> None:
    with running_scriza(tmp_path / "one", SCRIZA_LOG="json") as scriza:
        scriza.wait_for("Scriza ")
        while not (tmp_path / "one" / "data" / "store" / "server.json").exists():
            assert scriza.process.poll() is None
        assert scriza.stop(sign) == 130
        assert scriza.leftovers() == []
        assert "Traceback" not in scriza.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_job_in_a_shells_background_is_stopped_while_starting_too(tmp_path: Path, sign: signal.Signals) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does, and a child inherits it
    try:
        scriza = RunningScriza(tmp_path / "one")
    finally:
        signal.signal(signal.SIGINT, before)
    scriza.wait_for("Scriza ")
    while not (tmp_path / "one" / "data" / "store" / "server.json").exists():
        assert scriza.process.poll() is None
    assert scriza.stop(sign) == 130
    assert scriza.leftovers() == []


def test_the_token_in_the_data_directory_opens_the_api_and_nothing_else_does(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", ["--modules", "llm,tts"]) as scriza:
        assert httpx.get(f"{scriza.url}/v1/models").status_code == 401
        models = httpx.get(f"{scriza.url}/v1/models", headers=bearer(scriza.token))
        assert [model["id"] for model in models.json()["data"]] == ["playbook"]
        spoken = httpx.post(
            f"{scriza.url}/v1/speak", headers=bearer(scriza.token), json={"text": "hello", "delivery": "url"}
        )
        assert httpx.get(spoken.json()["url"]).headers["content-type"] == "audio/mpeg"
        assert httpx.get(f"{scriza.url}/api/v1/calls", headers=bearer(scriza.token)).status_code == 404


@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]])
def test_only_who_serves_holds_the_port(tmp_path: Path, arguments: list[str]) -> None:
    with running_scriza(tmp_path / "one", arguments) as scriza:
        port = f":{int(scriza.url.rpartition(':')[2]):04X} 00000000:0000 0A "
        (listener,) = (line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if port in line)
        holders = [
            command
            for process, command in scriza.children().items()
            if f"socket:[{listener}]" in {os.readlink(file) for file in Path(f"/proc/{process}/fd").iterdir()}
        ]
        assert [command for command in holders if "--fd" not in command] == []
        assert len(scriza.leftovers()) > len(holders)


def test_several_processes_serve_one_port_and_stop_together(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", ["--modules", "llm", "--workers", "2"]) as scriza:
        url = scriza.url
        for _ in range(10):
            assert httpx.get(f"{url}/v1/models", headers=bearer(scriza.token)).status_code == 200
        assert scriza.stop() == 0
        assert scriza.leftovers() == []


def test_a_process_of_several_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", ["--modules", "llm", "--workers", "2"]) as scriza:
        url = scriza.url
        killed = next(iter(scriza.children("--fd")))
        os.kill(killed, signal.SIGKILL)
        scriza.wait_until(lambda: len(scriza.children("--fd").keys() - {killed}) == 2)
        assert httpx.get(f"{url}/v1/models", headers=bearer(scriza.token), timeout=60).status_code == 200
        assert scriza.stop() == 0
        assert scriza.leftovers() == []


def test_when_the_first_of_several_processes_is_killed_the_others_leave_the_port_to_its_heir(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", ["--modules", "llm", "--workers", "2"]) as killed:
        port = httpx.URL(killed.url).port
        killed.process.kill()
        killed.process.wait()
        killed.wait_until(lambda: not killed.children("--fd"))
    with running_scriza(tmp_path / "one", ["--modules", "llm", "--port", str(port)]) as heir:
        assert httpx.get(f"{heir.url}/health/ready").json() == {"status": "ok"}


def test_of_two_that_start_at_once_on_a_port_one_is_told_that_it_is_in_use(tmp_path: Path) -> None:
    arguments = ["--port", str(free_port())]
    with running_scriza(tmp_path / "one", arguments) as first:
        first.wait_for("Scriza ")
        with running_scriza(tmp_path / "two", arguments) as second:
            assert second.process.wait(60) == 2
            assert f"port {arguments[1]} is in use" in second.output
        assert httpx.get(f"{first.url}/health/ready").status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "SCRIZA_MONGO_URL",
            "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=500",
            "no MongoDB answers at 127.0.0.1:9: is it running, is SCRIZA_MONGO_URL right?",
        ),
        ("SCRIZA_REDIS_URL", "http://127.0.0.1", "SCRIZA_REDIS_URL: a Redis URL begins with redis://"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, workers: str, name: str, value: str, sentence: str
) -> None:
    with running_scriza(tmp_path / "one", ["--workers", workers], **{name: value}) as scriza:
        assert scriza.process.wait(90) == 2
        assert f"scriza: {sentence}" in scriza.output
        assert "Traceback" not in scriza.output
        assert scriza.leftovers() == []
