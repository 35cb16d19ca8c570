"""Every operation of the OpenAPI page is asked what fits its schema and what does not: no answer is a fault of ours.

Schemathesis makes the requests, the same ones in each run. They go to a real `scriza serve`, of the owner of the
workspace (the service token's for the engines), of a program whose key opens one door, and without any credential;
``SCRIZA_TEST_EXAMPLES`` chooses how many of each kind for each operation.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

OWNER, PASSWORD = "ada@team.example", "an evening by the sea"
EXAMPLES = int(os.environ.get("SCRIZA_TEST_EXAMPLES", "4"))
UNBOUNDED = {f"SCRIZA_RATE_{budget}": "0" for budget in ("API", "LOGIN", "RESET", "WEBHOOKS")}
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
NOT_JSON = frozenset({"text/event-stream"})
"""Schemathesis takes an event stream for one JSON value, and so cannot judge it."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningScriza]:
    with running_scriza(tmp_path / "scriza", SCRIZA_LOG="json", **UNBOUNDED) as server:
        command = [sys.executable, "-m", "scriza", "user", "create", OWNER, "--password-stdin", "--to", server.url]
        variables = {"PATH": os.environ["PATH"], "SCRIZA_DATA_DIR": str(server.folder / "data")}
        subprocess.run(command, input=f"{PASSWORD}\n", text=True, env=variables, cwd=tmp_path, check=True)
        yield server


class Credential:
    """Of who asks: a token, one that is had anew when it is good no more, or none."""

    def __init__(self, token: str = "", renewed: Callable[[], str] | None = None) -> None:
        self._renewed = renewed
        self._token = renewed() if renewed else token

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def renew(self) -> bool:
        """Have a new token; False for who has only the one."""
        if self._renewed is None:
            return False
        self._token = self._renewed()
        return True


class Findings:
    """What was answered, and what of it fits neither the page nor good manners."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.faults: dict[str, str] = {}

    def ask(self, operation: APIOperation, mode: GenerationMode, credential: Credential) -> None:
        """Some requests of one operation."""

        def asked(case: Case) -> None:
            answer = case.call(headers=credential.headers, timeout=30)
            if answer.status_code == 401 and credential.renew():  # it may have ended the session itself
                answer = case.call(headers=credential.headers, timeout=30)
            self._judge(case, answer)

        run = settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(1)(run(given(operation.as_strategy(generation_mode=mode))(asked)))()

    def _judge(self, case: Case, answer: Response) -> None:
        self.statuses[answer.status_code] += 1
        for check in CHECKS:
            if check is response_schema_conformance and _media_type(answer) in NOT_JSON:
                continue
            try:
                case.validate_response(answer, checks=[check])
            except (Failure, FailureGroup) as failure:
                self.faults.setdefault(f"{case.operation.label} {check.__name__} {answer.status_code}", str(failure))


def test_no_request_is_answered_by_a_fault_of_ours(server: RunningScriza) -> None:
    url, findings = server.url, Findings()
    page = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    operations = [found.ok() for found in page.get_all_operations()]
    owner = Credential(renewed=lambda: _logged_in(url))
    program = Credential(_key(url))
    for operation in operations:
        first = Credential(server.token) if operation.path.startswith("/v1/") else owner
        for credential in (first, program, Credential()):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                findings.ask(operation, mode, credential)
    told = dict(sorted(findings.statuses.items()))
    print(f"\n{len(operations)} operations, {findings.statuses.total()} requests, by status: {told}")
    assert findings.faults == {}, "\n\n".join(f"{what}:\n{said}" for what, said in findings.faults.items())
    errors = [line for line in server.output.splitlines() if '"level":"error"' in line or "Traceback" in line]
    assert errors == []


def _logged_in(url: str) -> str:
    body = {"email": OWNER, "password": PASSWORD}
    answer = httpx.post(f"{url}/api/v1/auth/login", json=body, timeout=30).raise_for_status()
    return str(answer.json()["tokens"]["access_token"])


def _key(url: str) -> str:
    headers = {"Authorization": f"Bearer {_logged_in(url)}"}
    body = {"name": "narrow", "scopes": ["calls:read"], "days": 1}
    return str(
        httpx.post(f"{url}/api/v1/keys", json=body, headers=headers, timeout=30).raise_for_status().json()["key"]
    )


def _media_type(answer: Response) -> str:
    return (answer.headers.get("content-type") or [""])[0].partition(";")[0]
