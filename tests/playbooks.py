"""The playbooks that come with Scriza, as their files say it."""

from functools import cache
from importlib import resources

import msgspec
import yaml

from scriza.ports.playbook import Playbook


@cache
def shipped(slug: str) -> Playbook:
    file = resources.files("scriza.modules.strategy") / "samples" / f"{slug}.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text("utf-8")), Playbook)


PAPER_KITE = shipped("paper-kite")
