"""``scriza playbook import|diff|merge|publish|…``: playbooks in versions, of a running Scriza and of files alike.

A playbook is named by a file, by the slug of what is published, or as ``SLUG@VERSION``: a number, an id, ``draft``.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import date
from importlib import resources
from pathlib import Path

import msgspec

from scriza import data_dir, logs
from scriza.cli.playbook_words import told_assets, told_diff, told_merge, told_saved, told_state, version_named
from scriza.cli.target import target_of
from scriza.kernel.errors import BadInput, Conflict, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.modules.strategy.diff import diff
from scriza.modules.strategy.ingest import kind_of
from scriza.modules.strategy.resolving import resolved
from scriza.modules.strategy.sources import read, refusal
from scriza.modules.strategy.written import to_yaml
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import (
    AskAssets,
    AssetQuery,
    BundleFile,
    DiffQuery,
    MergeVersions,
    Publish,
    Resolution,
    RollBack,
    SaveVersion,
    Source,
    Strategy,
    StrategyQuery,
    StrategyState,
)
from scriza.settings import Settings, load
from scriza.wire import connect, disconnect

HAS_CONFLICTS = 1
"""Exit code of a merge that a person has to finish."""
_BUNDLE = b'"scriza.bundle/1"'
_FREE_TEXT = {".txt", ".html", ".htm"}


def run(told: argparse.Namespace) -> int:
    """Do what was asked for. Raises what the other side raises, and BadInput for a file that cannot be used."""
    settings = load()
    logs.configure(settings.log, "error")
    with acting(Principal(subject="scriza playbook", scopes=frozenset({"*"}))):
        return asyncio.run(_ACTS[told.act](told, settings))


# ---- files and versions alike ------------------------------------------------------------------------------------


async def _diff(told: argparse.Namespace, settings: Settings) -> int:
    before, after = [await _playbook(name, told, settings) for name in (told.before, told.after)]
    _say(told_diff(diff(before, after)))
    return 0


async def _merge(told: argparse.Namespace, settings: Settings) -> int:
    resolutions = [_resolution(text) for text in told.take]
    if told.save:
        base, ours, theirs = (_reference(name) for name in (told.base, told.ours, told.theirs))
        asked = MergeVersions(
            ours=ours[1],
            theirs=theirs[1],
            base=base[1],
            strategy=told.strategy,
            resolutions=resolutions,
            save=True,
            message=told.message,
        )
        async with _server(told, settings) as strategy:
            report = await strategy.merge(ours[0], asked)
        merged = report.merged
        _say(told_merge(merged))
        if report.version is not None:
            print(f"{report.version.slug}: version {report.version.number} is the draft. {report.version.id}")
    else:
        three = [await _playbook(name, told, settings) for name in (told.base, told.ours, told.theirs)]
        merged = resolved(three[0], three[1], three[2], told.strategy, resolutions, date.today())
        _say(told_merge(merged))
        if told.output and merged.playbook is not None:
            _write(told.output, to_yaml(merged.playbook).encode())
    return HAS_CONFLICTS if merged.conflicts or merged.problem else 0


async def _playbook(name: str, told: argparse.Namespace, settings: Settings) -> Playbook:
    if _is_file(name):
        found = read(_source(name), None, date.today())
        if found.playbook is None:
            raise refusal(found.findings)
        return found.playbook
    slug, version = _reference(name)
    async with _server(told, settings) as strategy:
        return (await strategy.version(slug, version)).playbook


# ---- what a running Scriza keeps ---------------------------------------------------------------------------------


async def _import(told: argparse.Namespace, settings: Settings) -> int:
    source = _source(told.file)
    async with _server(told, settings) as strategy:
        if source.kind == "json" and _BUNDLE in source.file[:1000]:
            imported = await strategy.import_bundle(BundleFile(source.file))
            print(f"{imported.state.slug}: {imported.added} versions are new, {imported.known} were there.")
            return 0
        asked = msgspec.convert(msgspec.structs.asdict(source), SaveVersion)
        asked = msgspec.structs.replace(asked, slug=told.slug, base=told.base, message=told.message)
        saved = await strategy.save(asked)
    from scriza.cli.playbook import line_of

    _say(line_of(finding) for finding in saved.findings)
    _say(told_saved(saved))
    return 0


async def _publish(told: argparse.Namespace, settings: Settings) -> int:
    async with _server(told, settings) as strategy:
        before = await strategy.strategy(told.slug)
        asked = Publish(told.version or "draft", told.message, before.etag)
        after = await strategy.publish(told.slug, asked)
        return await _told_published(strategy, told.slug, before, after)


async def _roll_back(told: argparse.Namespace, settings: Settings) -> int:
    async with _server(told, settings) as strategy:
        before = await strategy.strategy(told.slug)
        after = await strategy.roll_back(told.slug, RollBack(told.version, told.message, before.etag))
        return await _told_published(strategy, told.slug, before, after)


async def _told_published(strategy: Strategy, slug: str, before: StrategyState, after: StrategyState) -> int:
    new = after.published
    assert new is not None
    print(f"{slug}: {version_named(new)} leads calls from now on. {new.id}")
    if before.published and before.published.id != new.id:
        _say(told_diff(await strategy.diff(slug, DiffQuery(before.published.id, new.id))))
        print()
    _say(told_assets(await strategy.assets(slug, AssetQuery())))
    return 0


async def _assets(told: argparse.Namespace, settings: Settings) -> int:
    async with _server(told, settings) as strategy:
        version = told.version or "published"
        if told.render:
            report = await strategy.render(told.slug, AskAssets(version))
        else:
            report = await strategy.assets(told.slug, AssetQuery(version))
    _say(told_assets(report))
    return 0


async def _export(told: argparse.Namespace, settings: Settings) -> int:
    async with _server(told, settings) as strategy:
        if told.yaml or told.version:
            written = (await strategy.written(told.slug, told.version or "published")).yaml.encode()
        else:
            written = msgspec.json.format(msgspec.json.encode(await strategy.bundle(told.slug)), indent=1)
    _write(told.output, written)
    return 0


async def _list(told: argparse.Namespace, settings: Settings) -> int:
    cursor = ""
    async with _server(told, settings) as strategy:
        while True:
            page = await strategy.strategies(StrategyQuery(cursor=cursor))
            _say(told_state(state) for state in page.data)
            if not (cursor := page.next):
                return 0


_ACTS: dict[str, Callable[[argparse.Namespace, Settings], Coroutine[None, None, int]]] = {
    "import": _import,
    "diff": _diff,
    "merge": _merge,
    "publish": _publish,
    "rollback": _roll_back,
    "assets": _assets,
    "export": _export,
    "list": _list,
}


@asynccontextmanager
async def _server(told: argparse.Namespace, settings: Settings) -> AsyncIterator[Strategy]:
    target = target_of(told.to, settings)
    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    strategy = connect(Strategy, target, token=secrets.service_token)
    try:
        yield strategy
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(strategy)


def _is_file(name: str) -> bool:
    return kind_of(name) is not None or Path(name).is_file()


def _source(name: str) -> Source:
    """A file, or a playbook that comes with Scriza, by the name of its file. Raises BadInput."""
    sample = resources.files("scriza.modules.strategy").joinpath("samples", f"{name}.yaml")
    if not Path(name).exists() and sample.is_file():
        return Source(file=sample.read_bytes(), kind="yaml", name=f"{name}.yaml")
    try:
        body = Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None
    kind = "text" if Path(name).suffix.lower() in _FREE_TEXT else kind_of(name)
    return Source(file=body, kind=kind or "", name=name)


def _reference(name: str) -> tuple[str, str]:
    """Slug and version of ``tea-shop``, ``tea-shop@3``, ``tea-shop@draft``. Raises BadInput for a file's name."""
    if _is_file(name):
        raise BadInput(f"{name} is a file: import it first, and name it by its slug and version")
    slug, _, version = name.partition("@")
    return slug, version or "published"


def _resolution(text: str) -> Resolution:
    pointer, separator, take = text.partition("=")
    if not separator or not pointer.startswith("/"):
        raise BadInput(
            "--take: write POINTER=ours, POINTER=theirs, POINTER=union, or POINTER=TEXT for words of your own"
        )
    if take in {"ours", "theirs", "union"}:
        return msgspec.convert({"pointer": pointer, "take": take}, Resolution)
    return Resolution(pointer, "value", take)


def _write(output: str, body: bytes) -> None:
    if not output:
        print(body.decode())
        return
    try:
        Path(output).write_bytes(body)
    except OSError as error:
        raise Conflict(f"{output} cannot be written: {error.strerror}") from None


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
