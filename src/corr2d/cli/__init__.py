"""The command `corr2d`: what a person runs. `main` is its door, `commands` what it offers, `batch` the work.

Exit codes: 0 done; 2 something was wrong, said in one line on stderr, without a traceback; 130 interrupted.
A fault of the library itself (an exception that no rule raised on purpose) keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corr2d.cli.lines import DONE, INTERRUPTED, REFUSED, complain

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the program's name; by default those of the process.

    Returns
    -------
    int
        0, 2 or 130, see the module.

    Examples
    --------
    >>> main(["--version"])
    corr2d 0.1.0
    0
    """
    try:
        from corr2d.cli.commands import run

        return run(sys.argv[1:] if arguments is None else list(arguments)) or DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as missing:
        if (missing.name or "corr2d").startswith("corr2d"):
            raise
        complain(
            f"{missing.name} is not installed, and the command line needs it. Run: pip install 'corr2d[cli]'"
        )
        return REFUSED
