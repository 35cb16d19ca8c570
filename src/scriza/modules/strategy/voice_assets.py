"""The fixed lines of playbooks: which are spoken already, and having those spoken that are not."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from scriza.modules.strategy.books import Rendering, RenderingBook
from scriza.ports.agent import Agent, AllSpokenLines, SpokenLines, Voice
from scriza.ports.strategy import AssetLine, AssetReport, PlaybookRef, SkippedLine, State, VersionInfo
from scriza.ports.tts import FixedTexts, KeptClip, Speak, Tts


class Asset(msgspec.Struct, frozen=True):
    """A text that a call will ask the voice for."""

    line: str
    text: str
    voice: Voice
    clip: KeptClip

    def speak(self) -> Speak:
        """What makes its clip and keeps it: the same as a call will ask for."""
        return Speak(
            text=self.text,
            voice_id=self.voice.voice_id,
            tone=self.voice.tone,
            locale=self.voice.locale,
            format="mulaw",
            delivery="url",
            pronunciation=dict(self.voice.pronunciation),
            keep=True,
        )


class VoiceAssets:
    """Asks the agent what may be said word for word, and the voice which of it is spoken.

    The agent asks this module for playbooks, so it is looked for when it is needed.
    """

    def __init__(self, book: RenderingBook, agent: Callable[[], Agent], tts: Tts) -> None:
        self._book, self._agent, self._tts = book, agent, tts

    async def ask(self, workspace: str, info: VersionInfo, now: datetime) -> None:
        """Have a version's lines spoken before those of drafts."""
        await self._book.ask(Rendering(workspace, info.slug, info.id, urgent=True, due_at=now))

    async def of(self, version: str) -> tuple[list[Asset], list[SkippedLine]]:
        """What a version of the request's workspace needs, and what cannot be spoken before a call."""
        said = await self._agent().spoken_lines(PlaybookRef(version))
        kept = await asyncio.gather(*(self._tts.kept_clips(_texts(each)) for each in said.languages))
        assets = [
            Asset(line.line, line.text, each.voice, clip)
            for each, clips in zip(said.languages, kept, strict=True)
            for line, clip in zip(each.lines, clips.clips, strict=True)
        ]
        return assets, list(_skipped(said))

    async def report(self, workspace: str, version: str, now: datetime, *, lines: bool = False) -> AssetReport:
        """How it stands with a version's lines."""
        assets, skipped = await self.of(version)
        rendering = await self._book.find(workspace, version)
        missing = [asset for asset in assets if not asset.clip.kept]
        costs = [asset.clip.cost_micro_usd for asset in missing]
        state: State = "missing" if missing else "ready"
        if rendering is not None and missing:
            state = "rendering" if rendering.held_until and rendering.held_until > now else "queued"
        return AssetReport(
            version=version,
            assets=len(assets),
            ready=len(assets) - len(missing),
            missing=len(missing),
            bytes=sum(asset.clip.bytes for asset in assets),
            duration_seconds=round(sum(asset.clip.duration for asset in assets), 3),
            cost_micro_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
            state=state,
            tries=rendering.tries if rendering else 0,
            next_try=rendering.due_at if rendering and state == "queued" else None,
            reason=rendering.reason if rendering else "",
            skipped=skipped,
            lines=list(map(_told, assets)) if lines else [],
        )


def _texts(said: SpokenLines) -> FixedTexts:
    voice = said.voice
    texts = [line.text for line in said.lines]
    return FixedTexts(texts, voice.voice_id, voice.tone, voice.locale, dict(voice.pronunciation))


def _skipped(said: AllSpokenLines) -> Iterator[SkippedLine]:
    for each in said.languages:
        yield from (SkippedLine(line.line, each.voice.locale, line.reason) for line in each.skipped)


def _told(asset: Asset) -> AssetLine:
    return AssetLine(asset.line, asset.text, asset.voice.locale, asset.clip.kept, asset.clip.bytes)
