"""Who may import what of others, room by room; import-linter holds who may import whom of ours.

A room that is not in the table may import nothing of others, so a new one has to be thought about.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "scriza"
ADAPTERS = ROOT / "adapters"

# The rooms that put everything together may import anything.
ANYTHING = {
    "app.py",
    "container.py",
    "opening.py",
    "places.py",
    "factories",
    "cli",
    "settings",
    "data_dir.py",
    "draining.py",
    "logs.py",
}
EVERYWHERE = {"msgspec", "typing_extensions"}
ROOMS: dict[str, set[str]] = {
    "__init__.py": set(),
    "__main__.py": set(),
    "kernel": set(),
    "audio": {"numpy", "soxr", "av"},
    "ports": set(),
    "worker.py": {"structlog"},
    "worker_child.py": set(),
    "modules": {"numpy", "structlog", "yaml"},
    "wire": {"litestar", "httpx", "websockets", "structlog"},
    "gateway": {"litestar", "prometheus_client", "structlog"},
    "simulator": {"numpy", "httpx", "litestar", "structlog", "uvicorn", "websockets", "yaml"},
}
FILES: dict[str, set[str]] = {
    "documents.py": {"beanie", "pymongo", "bson", "pydantic"},
    "routes.py": {"litestar"},
    "twiml.py": {"twilio.twiml"},
    "dialling_plan.py": {"phonenumbers"},
    "json_schema.py": {"jsonschema_rs"},
    "passwords.py": {"argon2", "zxcvbn"},
    "sealing.py": {"cryptography"},
    "second_factor.py": {"pyotp"},
    "tokens.py": {"joserfc"},
}
"""What a file of a module or of the kernel may import beyond its room, by the file's name."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported from outside the standard library and this project."""
    for node in ast.walk(ast.parse(path.read_text(), path.name)):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names]
            case ast.ImportFrom(module=str(module), level=0, names=names):
                found = [f"{module}.{name.name}" for name in names]
            case _:
                continue
        for name in found:
            if name.partition(".")[0] not in {"scriza", "scriza_adapters", "__future__", *sys.stdlib_module_names}:
                yield node.lineno, name


def allowed(path: Path) -> set[str]:
    inside = path.relative_to(SOURCE)
    room = ROOMS.get(inside.parts[0], set())
    own = FILES.get(path.name, set()) if inside.parts[0] in {"modules", "kernel"} else set()
    return EVERYWHERE | room | own


def offences(path: Path, names: set[str]) -> list[str]:
    return [
        f"{path.name}:{line} imports {name}"
        for line, name in imports(path)
        if not any(name == known or name.startswith(f"{known}.") for known in names)
    ]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=str(path.relative_to(SOURCE)))
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in ANYTHING
    ],
)
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    assert offences(path, allowed(path)) == []


def test_the_embedded_store_is_started_but_never_imported() -> None:
    everything = [path for folder in (SOURCE, ADAPTERS) for path in folder.rglob("*.py")]
    assert [path for path in everything for _, name in imports(path) if "secantus" in name.lower()] == []


def test_an_import_that_is_not_allowed_is_found(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_text("import msgspec\nfrom openai import AsyncOpenAI\nfrom twilio.rest import Client\nimport os\n")
    found = offences(file, EVERYWHERE | FILES["twiml.py"])
    assert found == ["service.py:2 imports openai.AsyncOpenAI", "service.py:3 imports twilio.rest.Client"]


def test_every_room_is_named_in_the_contracts_of_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {module for contract in contracts for module in contract.get("forbidden_modules", [])}
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    open_to_all = {"__init__", "__main__", "kernel"}
    assert rooms - open_to_all == {name.split(".")[1] for name in named if name.startswith("scriza.")}
