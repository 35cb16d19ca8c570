"""What ``scriza playbook`` tells: differences, conflicts and what is spoken, in words."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from scriza.ports.playbook_changes import Conflict, DiffReport, Merged
from scriza.ports.strategy import AssetReport, Saved, StrategyState, VersionInfo

_LONGEST = 160
_SIDES = {"base": "was", "ours": "ours", "theirs": "theirs"}


def told_diff(report: DiffReport) -> Iterator[str]:
    """A diff in words, by section, and behind it every place."""
    if not report.changes:
        yield "Nothing differs."
        return
    for section in report.summary:
        yield f"{section.section}: {section.text}"
    yield ""
    for change in report.changes:
        yield f"  {change.kind:<8} {change.pointer}"
        if change.kind != "moved":
            yield from (
                f"    {mark} {shown(value)}"
                for mark, value in (("-", change.before), ("+", change.after))
                if value is not UNSET
            )


def told_merge(merged: Merged) -> Iterator[str]:
    """What a merge took by itself, and both sides of what it could not decide."""
    stats = merged.stats
    yield f"Changes that were taken: {stats.ours} of ours, {stats.theirs} of theirs, {stats.both} of both."
    for rename in merged.renames:
        yield f"{rename.pointer} seems to be called {rename.to} in {rename.side}."
    for conflict in merged.resolved:
        yield f"Decided: {conflict.pointer}"
    for conflict in merged.conflicts:
        yield from told_conflict(conflict)
    if merged.problem:
        yield f"There is no playbook yet: {merged.problem}"


def told_conflict(conflict: Conflict) -> Iterator[str]:
    """A conflict with all its sides, and what to do about it."""
    yield f"Conflict at {conflict.pointer}:"
    for side, word in _SIDES.items():
        value = getattr(conflict, side)
        yield f"  {word + ':':<8}{'(nothing)' if value is UNSET else shown(value)}"
    if conflict.suggestion:
        yield f"  {conflict.suggestion}"


def told_saved(saved: Saved) -> Iterator[str]:
    """What came of an import."""
    info = saved.version
    if info is None:
        yield "The text does not make a whole playbook yet; this is what it says:"
        yield msgspec.json.format(msgspec.json.encode(saved.document)).decode()
        return
    if saved.published:
        yield f"{info.slug}: nothing is new: {version_named(info)} leads calls already. {info.id}"
        return
    again = ", which was there already," if saved.known else ""
    found = f"{info.errors} errors, {info.warnings} warnings"
    yield f"{info.slug}: {version_named(info)}{again} is the draft: {found}. {info.id}"


def told_state(state: StrategyState) -> str:
    """A playbook in one line of a list."""
    parts = [
        "comes with Scriza" if state.shipped else f"published: {version_named(state.published)}",
        *([f"draft: {version_named(state.draft)}"] if state.draft else []),
        *([f"conflicts: {len(state.conflicts)}"] if state.conflicts else []),
    ]
    return f"{state.slug:<24} {state.title:<36} {', '.join(parts)}"


def told_assets(report: AssetReport) -> Iterator[str]:
    """Which fixed lines are spoken, and what the others cost."""
    seconds, size = report.duration_seconds, report.bytes
    yield f"Voice: {report.ready} of {report.assets} fixed lines are spoken: {seconds:.1f} s, {size / 1000:.0f} kB."
    if report.missing:
        cost = report.cost_micro_usd
        price = (
            "at a price that is not known" if cost is None else f"for about ${cost / 1_000_000:.2f}" if cost else "free"
        )
        state = {"queued": "are waiting to be spoken", "rendering": "are being spoken"}.get(report.state, "are missing")
        yield f"       {report.missing} {state}, {price}."
    if report.reason:
        yield f"       The last of {report.tries} tries: {report.reason}."
    if report.skipped:
        yield f"       {len(report.skipped)} lines have variables that only a call fills; they are spoken in the call."


def shown(value: object) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def version_named(info: VersionInfo | None) -> str:
    """A version as it is spoken of."""
    if info is None:
        return "nothing"
    return f"version {info.number}" if info.number else "what comes with Scriza"
