"""Files and the libraries that decode them: opening, replacing, and keeping both from misbehaving.

What the operating system refuses stays an OSError of its own class; what a decoder makes of a damaged file,
which may be an exception of any class, becomes one ValueError. Nothing here knows a pixel.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
import stat
import threading
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from corr2d.errors import Refused, refuse


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading; a pipe or a device is refused before it can block."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            refuse("path", "a picture file", f"the folder {path!r}", "Name a file in it.", IsADirectoryError)
        if not stat.S_ISREG(mode):
            refuse("path", "a regular file", f"{path!r}, a pipe or a device", "Save it to a file.", OSError)
        file = open(path, "rb")  # noqa: SIM115 - closed below; a fault while opening has its own message
    except FileNotFoundError:
        refuse("path", "an existing file", repr(path), kind=FileNotFoundError)
    except OSError as fault:
        _refuse_system(path, "a readable file", fault)
    with file:
        yield file


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Write beside `path` and move into place: `path` holds the old bytes or all of the new ones.

    A link stays a link and its target is replaced; an old file keeps its permissions, a new one gets those of
    the process (umask); a write-protected one is refused as an ordinary write would.
    """
    target = os.path.realpath(path)
    scratch = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.part")
    try:
        mode = _mode_of(target, path)
        # Not tempfile: its files are private (0600), and so would be every picture written.
        file = open(scratch, "x+b")  # noqa: SIM115 - closed below; a fault while opening has its own message
    except OSError as fault:
        _refuse_system(path, "a writable file", fault)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(scratch, mode)
        os.replace(scratch, target)
    except OSError as fault:
        _discard(scratch)
        _refuse_system(path, "a writable file", fault)
    except BaseException:
        _discard(scratch)
        raise


def made_folder(path: str) -> str:
    """Make a folder, and those above it, unless it is there."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as fault:
        _refuse_system(path, "a folder, or one that can be made", fault, "directory")
    return path


def _mode_of(target: str, path: str) -> int | None:
    """Permissions of the file that is about to be replaced; None where there is none yet."""
    if not os.path.exists(target):
        return None
    mode = os.stat(target).st_mode
    if stat.S_ISDIR(mode):
        refuse("path", "a file name", f"the folder {path!r}", "Name a file in it.", IsADirectoryError)
    if not stat.S_ISREG(mode):
        refuse("path", "a regular file", f"{path!r}, a pipe or a device", kind=OSError)
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "the file is write-protected")
    return stat.S_IMODE(mode)


def _discard(scratch: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(scratch)


def _refuse_system(path: str, rule: str, fault: OSError, argument: str = "path") -> NoReturn:
    """What the operating system refused, in our pattern and in its own class."""
    reason = fault.strerror or str(fault)
    refuse(argument, rule, f"{path!r}: {reason}", kind=type(fault) if fault.errno is not None else OSError)


def needed(package: str, distribution: str, purpose: str) -> Any:
    """Import `package`, or say what to install."""
    try:
        return importlib.import_module(package)
    except ImportError as fault:
        refuse(
            distribution,
            f"installed to {purpose}",
            f"an import that failed ({one_line(fault)})",
            'Run: pip install "corr2d[cli]"',
            ImportError,
        )


@contextlib.contextmanager
def decoding(path: str, format_name: str) -> Iterator[None]:
    """Run a decoder: quietly, and with whatever it raises on a damaged file turned into one ValueError."""
    try:
        with _quiet():
            yield
    except Refused:
        raise
    except MemoryError:
        refuse("path", "a picture that fits in memory", repr(path), "Close other programs, or crop the file.")
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno is not None:
            _refuse_system(path, "a readable file", fault)
        got = f"{path!r}, which does not decode ({one_line(fault)})"
        refuse(
            "path", f"a whole {format_name} picture", got, "The file is damaged, cut short or of a rare kind."
        )


def one_line(fault: BaseException) -> str:
    """An exception's text on one line, its class where it has none."""
    text = " ".join(str(fault).split()) or type(fault).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


class _Silence:
    """Python warnings switched off while at least one thread decodes.

    ``warnings.catch_warnings`` saves and restores process-wide state, so two threads leaving in the wrong
    order would leave it wrong for good; one shared, counted use cannot
    (test_reading_in_threads_restores_warnings).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._state = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._state.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            self._users += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._state.close()


_SILENCE = _Silence()
_LOGGERS = ("tifffile", "PIL.TiffImagePlugin")  # those that log to stderr when nobody has set up logging


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep a decoder's remarks about sloppy metadata, warnings and log lines, off the user's screen."""
    thread = threading.get_ident()

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(from_elsewhere)
    try:
        with _SILENCE:
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(from_elsewhere)
