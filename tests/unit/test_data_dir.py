"""The data directory: its secrets are made once, and what cannot hold data is refused in a sentence."""

import errno
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from scriza.data_dir import prepare, secrets_of
from scriza.settings import BadSettings, load

NAMES = {"accounts-key", "objects-key", "pseudonym-key", "service-token", "stream-key", "twilio-auth-token"}


def test_secrets_made_on_first_start_are_the_same_ever_after(tmp_path: Path) -> None:
    first = secrets_of(load(), tmp_path)
    assert secrets_of(load(), tmp_path) == first
    made = first.values()
    assert len(set(made)) == len(made)
    assert min(map(len, made)) >= 32


def test_only_the_user_may_read_them(tmp_path: Path) -> None:
    secrets_of(load(), tmp_path)
    files = list((tmp_path / "secrets").iterdir())
    assert {file.name for file in files} == NAMES
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_secret_that_is_set_is_used_and_not_written_down(tmp_path: Path) -> None:
    assert secrets_of(load(service_token="mine"), tmp_path).service_token == "mine"
    assert not (tmp_path / "secrets" / "service-token").exists()


def test_secrets_do_not_show_in_a_traceback(tmp_path: Path) -> None:
    assert "mine" not in repr(secrets_of(load(service_token="mine"), tmp_path))


def _read(folder: str) -> str:
    return secrets_of(load(), Path(folder)).service_token


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        tokens = pool.map(_read, [str(tmp_path)] * 16, chunksize=1)
    assert len(set(tokens)) == 1
    assert {file.name for file in (tmp_path / "secrets").iterdir()} == NAMES


def test_an_emptied_secret_is_not_taken_for_one(tmp_path: Path) -> None:
    secrets_of(load(), tmp_path)
    (tmp_path / "secrets" / "service-token").write_text("\n")
    with pytest.raises(BadSettings, match="is empty"):
        secrets_of(load(), tmp_path)


def test_the_directory_is_made_with_its_parents_and_closed_to_others(tmp_path: Path) -> None:
    made = prepare(tmp_path / "a" / "b")
    assert made.is_absolute()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert not list(made.iterdir())


def test_a_path_that_cannot_be_a_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match=r"cannot be written .*SCRIZA_DATA_DIR"):
        prepare(tmp_path / "file" / "data")


def test_secrets_that_cannot_be_kept_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("")
    with pytest.raises(BadSettings, match=r"secrets .*cannot be written .*SCRIZA_DATA_DIR"):
        secrets_of(load(), tmp_path)


@pytest.mark.parametrize("name", ["service-token", "stream-key"])
def test_a_secret_that_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "secrets" / name).mkdir(parents=True)
    with pytest.raises(BadSettings, match=rf"{name} .*cannot be read .*SCRIZA_DATA_DIR"):
        secrets_of(load(), tmp_path)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_secrets_are_made_where_the_file_system_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    first = secrets_of(load(), tmp_path)
    assert secrets_of(load(), tmp_path) == first
    assert len(first.service_token) == 64
    files = list((tmp_path / "secrets").iterdir())
    assert {file.name for file in files} == NAMES
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
