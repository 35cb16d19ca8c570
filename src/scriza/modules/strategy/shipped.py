"""The playbooks that come with Scriza: published from the first start, without having been imported."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec
import yaml

from scriza.kernel.errors import ScrizaError
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import PinnedPlaybook

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe one of libyaml, ten times faster, where PyYAML was built with it."""


class Samples:
    """The playbooks of a folder, one in each ``.yaml`` file; read when the first one is asked for."""

    def __init__(self, folder: Traversable | None = None) -> None:
        self._folder = folder or resources.files(__package__).joinpath("samples")

    @cached_property
    def by_slug(self) -> Mapping[str, PinnedPlaybook]:
        """All of them, in the order of their slugs. Raises ScrizaError for a file that is no playbook."""
        return {pinned.playbook.slug: pinned for pinned in sorted(self._read(), key=lambda each: each.playbook.slug)}

    @cached_property
    def by_version(self) -> Mapping[str, PinnedPlaybook]:
        """The same by their versions' ids."""
        return {pinned.version: pinned for pinned in self.by_slug.values()}

    def _read(self) -> Iterator[PinnedPlaybook]:
        for file in self._folder.iterdir():
            if file.name.endswith(".yaml"):
                try:
                    yield _pinned(msgspec.convert(yaml.load(file.read_bytes(), Loader=_LOADER), Playbook))  # noqa: S506  # it is a safe loader
                except (yaml.YAMLError, msgspec.ValidationError) as error:
                    raise ScrizaError(f"the sample {file.name} is no playbook: {error}") from error


def _pinned(playbook: Playbook) -> PinnedPlaybook:
    canonical = msgspec.json.encode(playbook, order="deterministic")
    return PinnedPlaybook(f"sv_{hashlib.sha256(canonical).hexdigest()[:32]}", playbook)
