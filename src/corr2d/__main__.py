"""``python -m corr2d`` is the command ``corr2d``."""

from __future__ import annotations

import sys

from corr2d.cli import main

if __name__ == "__main__":
    sys.exit(main())
