"""`python docs`: build the documentation, pages that need running included. See docs/README.md."""

import sys

from generate.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
