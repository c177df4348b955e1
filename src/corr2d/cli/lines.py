"""How the command line speaks: exit codes, and errors as single lines on stderr."""

from __future__ import annotations

import re
import sys

DONE, REFUSED, INTERRUPTED = 0, 2, 130

# What the library, the operating system and the decoders raise about what they were given. MemoryError is a
# picture too large for this machine, ImportError a package that is not installed.
FAULTS = (ValueError, TypeError, OverflowError, OSError, MemoryError, ImportError)

# The Python function that a message names first ("images.read: ") tells nothing to who typed a command.
FUNCTION = re.compile(r"^(?:\w+\.)*\w+: (?=\S[^:]* must be )")


def one_line(fault: BaseException) -> str:
    """What an exception says, in one line and without the name of the function that said it.

    Examples
    --------
    >>> one_line(ValueError("images.read: path must be a readable file, got 'a.png'."))
    "path must be a readable file, got 'a.png'."
    """
    text = " ".join(str(fault).split())
    if isinstance(fault, MemoryError):
        return f"not enough memory{': ' + text if text else ''}"
    return FUNCTION.sub("", text) or type(fault).__name__


def complain(text: str) -> None:
    """Write one line to stderr."""
    print(f"corr2d: {' '.join(text.split())}", file=sys.stderr, flush=True)
