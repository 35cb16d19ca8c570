"""``scriza config``: what is in force, or the table of all settings."""

import argparse
from collections.abc import Iterator
from itertools import groupby

from scriza import settings

_INTRODUCTION = """\
# Settings

Written by `scriza config --markdown`; `scriza config` prints what is in force. A value comes from, first found wins:
the environment, the file that `NAME_FILE` names (for a mounted secret), `scriza.toml` in the working directory
(keys are the names in lower case, without `SCRIZA_`), the default.
"""


def run(told: argparse.Namespace) -> int:
    """Print the settings, secrets masked."""
    if told.markdown:
        print("\n".join(markdown()))
        return 0
    section = ""
    for row in settings.rows(settings.load()):
        if row.section != section:
            section = row.section
            print(f"\n{section}")
        print(f"  {row.name:<32} {row.value or '-'}{'' if row.value == row.default else '   (set)'}")
    for name in settings.unknown_variables():
        print(f"\n{name} is set, but Scriza has no such setting")
    return 0


def markdown() -> Iterator[str]:
    """The lines of docs/settings.md."""
    yield _INTRODUCTION
    for section, group in groupby(settings.rows(settings.Settings.model_construct()), lambda row: row.section):
        yield f"## {section}\n"
        yield "| name | default | what it does |"
        yield "|---|---|---|"
        for row in group:
            choices = f" One of {row.choices}." if row.choices else ""
            default = f"`{row.default}`" if row.default else "secret" if row.secret else ""
            yield f"| `{row.name}` | {default} | {row.description}{choices} |"
        yield ""
