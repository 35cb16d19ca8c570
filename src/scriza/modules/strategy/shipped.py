"""The playbooks that come with Scriza: published from the first start, without having been imported."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError
from scriza.modules.strategy.books import Version
from scriza.modules.strategy.canonical import version_id
from scriza.modules.strategy.sources import Checked, read, refusal
from scriza.ports.strategy import Source, VersionInfo

_AUTHOR = "Scriza"


class Samples:
    """The playbooks of a folder, one in each ``.yaml`` file; read when the first one is asked for."""

    def __init__(self, folder: Traversable | None = None, clock: WallClock = utc_now) -> None:
        self._clock = clock
        self._folder = folder or resources.files(__package__).joinpath("samples")

    def load(self) -> None:
        """Read them now, which takes a while. Raises ScrizaError for a file that is no playbook."""
        _ = self.by_version

    @cached_property
    def by_slug(self) -> Mapping[str, Version]:
        """All of them, in the order of their slugs. Raises what `load` raises."""
        return {version.info.slug: version for version in sorted(self._read(), key=lambda each: each.info.slug)}

    @cached_property
    def by_version(self) -> Mapping[str, Version]:
        """The same by their ids."""
        return {version.info.id: version for version in self.by_slug.values()}

    def _read(self) -> Iterator[Version]:
        for file in self._folder.iterdir():
            if file.name.endswith(".yaml"):
                source = Source(file=file.read_bytes(), kind="yaml", name=file.name)
                yield _version(read(source, None, self._clock().date()))


def _version(sample: Checked) -> Version:
    if sample.playbook is None:
        raise ScrizaError(f"a sample is no playbook: {refusal(sample.findings).detail}")
    info = VersionInfo(
        id=version_id(sample.playbook),
        slug=sample.playbook.slug,
        number=0,
        title=sample.playbook.title,
        locale=sample.playbook.locale,
        persona=sample.playbook.persona,
        author=_AUTHOR,
        errors=sample.errors,
        warnings=sample.warnings,
    )
    return Version(info, sample.playbook)
