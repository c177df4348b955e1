"""How much memory forward plus backward takes beside its operands, which were there before: ours, torch's.

    python bench/layers/memory.py corr2d|torch THREADS TITLE      prints the bytes of one call

Each figure comes from a process of its own: the rise of its peak; the result and all gradients count.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch

import corr2d
import machine
from ladder.memory import bytes_held, peak_bytes
from layers import cells
from layers.cells import Layer
from layers.operands import BOTH, OURS, THEIRS, operands

# Large pieces go back to the system as soon as they are free (GNU's C library): else what an earlier call
# left there hides what the next one takes, now more, now less.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
# The same call takes up to so many bytes more or less from one process to the next.
UNCERTAIN = 2**17


def chosen() -> list[Layer]:
    """Give the layers whose memory is measured: the layers with goals, larger ones, and two in bfloat16."""
    everything = {layer.title: layer for layer in cells.everything()}
    small = [cells.few(1, 1, 512, 3), cells.few(1, 1, 512, 15), cells.few(3, 3, 512, 5)]
    large = [cells.few(1, 1, 2048, 7), cells.few(1, 8, 1024, 7), cells.few(3, 3, 1024, 15)]
    alone = [cells.depthwise(96, 56, 7), cells.depthwise(128, 64, 31)]
    resnet = [layer for layer in everything.values() if layer.group == "float32, ResNet-50"]
    widest = sorted(resnet, key=lambda layer: layer.shape.products)[-2:]
    brief = [replace(layer, dtype="bfloat16") for layer in (small[0], alone[0])]
    return list(dict.fromkeys([*small, *large, *alone, resnet[0], *widest, *brief]))


@dataclass(frozen=True)
class Used:
    """Bytes by which one call of each raised the peak."""

    layer: Layer
    ours: int
    theirs: int

    @property
    def within(self) -> bool:
        """Whether ours takes no more, as far as that can be told."""
        return self.ours <= self.theirs + UNCERTAIN


def measure(threads: int, layers: Sequence[Layer]) -> list[Used]:
    """Measure both for every layer; the layers are ones that `chosen` gives."""
    return [Used(layer, *(_told(who, threads, layer) for who in (OURS, THEIRS))) for layer in layers]


def _told(who: str, threads: int, layer: Layer) -> int:
    command = [sys.executable, str(Path(__file__).resolve()), who, str(threads), layer.title]
    environment = {**os.environ, **ALLOCATION}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def peak_of_call(who: str, threads: int, layer: Layer) -> int:
    """Give the bytes by which one forward and backward pass raised the peak of this process.

    Before it threads are started, and a tiny pass loads what is loaded once; scratch that a pass of this size
    keeps for the next one counts.
    """
    with machine.use_threads(threads):
        _start_threads()
        tiny = replace(layer, shape=replace(layer.shape, size=layer.shape.taps))
        operands(tiny).calls(who)[BOTH]()
        call = operands(layer).calls(who)[BOTH]
        before = bytes_held()
        kept = call()
        rise = peak_bytes() - before
        del kept
    return max(0, rise)


def _start_threads() -> None:
    """Let both libraries do something that is worth all threads."""
    image: Any = torch.ones(1024, 1024)
    image.add_(1.0)
    corr2d.corr2d(image.numpy(), image[:7, :7].numpy(), engine="direct")


if __name__ == "__main__":
    [asked] = [layer for layer in chosen() if layer.title == sys.argv[3]]
    print(peak_of_call(sys.argv[1], int(sys.argv[2]), asked))
