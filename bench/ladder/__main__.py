"""`python bench/ladder`: the whole ladder, or a part of it."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The folder above is where the scripts find each other; Python put this one there.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from ladder.command import main

    sys.exit(main(sys.argv[1:]))
