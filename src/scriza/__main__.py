"""``python -m scriza``."""

import sys

from scriza.cli import main

sys.exit(main())
