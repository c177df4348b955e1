"""`python bench/learn --write`, or `python bench/learn quick` for a look."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The folder above is where the scripts find each other; Python put this one there.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from learn.command import main

    sys.exit(main(sys.argv[1:]))
