"""How much memory a call takes beyond its output: the peak of a process of its own before and after it.

    python bench/ladder/memory.py ENGINE TITLE      prints the bytes of one call

A tracer in Python does not see the scratch of native code; the system does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import corr2d
from corr2d.engines import registry
from ladder.cells import BYTES, FLOAT32, Cell
from ladder.operands import Operands, operands
from ladder.peers import opencv, our_options
from machine import installed
from pages import aligned
from race import Call

OPENCV = "OpenCV"
SHAPE = (4096, 4096)
CELLS = tuple(
    Cell(variant, SHAPE, 1, kind, (size, size))
    for variant in (FLOAT32, BYTES)
    for kind, size in (("dense", 3), ("dense", 15), ("dense", 127), ("separable", 15), ("box", 15))
)
# An engine that needs longer for a cell is not asked how much memory it takes there.
LONGEST = 3.0


def table(cells: Sequence[Cell] = CELLS) -> str:
    """Measure every engine in every cell that it can do in time, each in a process of its own."""
    contestants = [*registry(), *([OPENCV] if installed("cv2") else [])]
    lines = [["MiB beyond the output", *contestants]]
    for given in operands(cells):
        lines.append([given.cell.title, *(_told(given, contestant) for contestant in contestants)])
    return aligned(lines)


def _told(given: Operands, contestant: str) -> str:
    if contestant != OPENCV:
        try:
            planned = corr2d.explain(given.image, given.kernel, engine=contestant, **our_options(given))
        except corr2d.NoEngineError:
            return "cannot"
        if planned.seconds > LONGEST:
            return f"estimated > {LONGEST:g} s"
    command = [sys.executable, str(Path(__file__).resolve()), contestant, given.cell.title]
    threads = {"CORR2D_NUM_THREADS": str(corr2d.get_num_threads())}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **threads})
    return f"{int(done.stdout) / 2**20:.1f}"


def beyond_output(contestant: str, cell: Cell) -> int:
    """Give the bytes by which one call raised the peak.

    A tiny call before it loads what is loaded once; scratch that is kept from one call to the next counts.
    """
    tiny = Cell(cell.variant, (16, 16), 1, "dense", (3, 3))
    for given in operands([tiny]):
        _call(given, OPENCV if contestant == OPENCV else "direct")()
    call = _call(next(operands([cell])), contestant)
    before = bytes_held()
    call()
    return max(0, peak_bytes() - before)


def _call(given: Operands, contestant: str) -> Call:
    if contestant == OPENCV:
        return opencv(given)
    image, kernel, out, options = given.image, given.kernel, given.new_result(), our_options(given)
    return lambda: corr2d.corr2d(image, kernel, out=out, engine=contestant, **options)


def bytes_held() -> int:
    """Give what this process holds now, and let the system forget its peak, where it can."""
    # Refused in some containers; then the peak so far counts as held, which an image made before may be.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return peak_bytes()


def peak_bytes() -> int:
    """Give the peak of this process. Linux's ru_maxrss begins with the parent's, its own file does not."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(beyond_output(sys.argv[1], next(cell for cell in CELLS if cell.title == sys.argv[2])))
