"""Fixed lines of a playbook are spoken although the process that speaks them is killed, as often as one likes."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

SLUG = "paper-kite"
MODULES = ["--modules", "strategy,agent,tts,llm,memory"]
HOLD_SECONDS = 15
"""So long nobody takes up what a killed process was at."""


def api(scriza: RunningScriza, method: str, path: str, **more: Any) -> Any:
    url = scriza.url  # its token is there when it answers
    headers = {"authorization": f"Bearer {scriza.token}"}
    answer = httpx.request(method, f"{url}/api/v1/strategies{path}", headers=headers, timeout=60, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def assets(scriza: RunningScriza) -> Any:
    return api(scriza, "GET", f"/{SLUG}/assets")


def kept(folder: Path) -> int:
    """How many clips are whole on disk."""
    return len(list((folder / "data" / "objects" / "voice-assets").rglob("*.json")))


def test_what_was_published_is_spoken_whatever_is_killed_meanwhile(tmp_path: Path) -> None:
    folder, spoken = tmp_path / "one", 0
    edit = {"pointer": "/opening/inbound", "value": "Hello, this is the workshop of Paper Kite."}
    for round_ in range(3):
        with running_scriza(folder, MODULES, SCRIZA_LOG="json") as scriza:
            if not round_:
                api(scriza, "POST", "", json={"slug": SLUG, "edits": [edit]})
                api(scriza, "POST", f"/{SLUG}/publish", json={})
            enough = spoken + 20
            scriza.wait_until(lambda enough=enough: kept(folder) >= enough, seconds=HOLD_SECONDS + 60)
            os.killpg(scriza.process.pid, signal.SIGKILL)
            scriza.process.wait()
        spoken = kept(folder)
    with running_scriza(folder, MODULES, SCRIZA_LOG="json") as scriza:
        report = assets(scriza)
        assert spoken - 2 <= report["ready"] < report["assets"], "nothing that was spoken is lost, nor all of it done"
        assert report["state"] in {"queued", "rendering"}
        scriza.wait_until(lambda: assets(scriza)["state"] == "ready", seconds=HOLD_SECONDS + 90)
        done = assets(scriza)
        assert (done["missing"], done["ready"]) == (0, done["assets"])
        made = [line for line in scriza.output.splitlines() if '"assets.ready"' in line]
        assert len(made) == 1
