"""``scriza version``."""

import argparse

from scriza import __version__


def run(told: argparse.Namespace) -> int:
    """Print the version."""
    print(__version__)
    return 0
