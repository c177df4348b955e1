"""The native core; the engines, the plan and the detectors of edges use it."""

from typing import Any

version: str

def hardware_threads() -> int: ...
def instruction_sets() -> list[str]: ...
def trace_edges(
    instruction_set: str,
    out: Any,
    low: list[float],
    high: list[float],
    value: int,
    classes: bool,
    threads: int,
    *,
    allowed: Any | None = None,
    image: Any | None = None,
    aperture: int = 3,
    squared: bool = False,
    factors: Any | None = None,
    row_map: Any | None = None,
    column_map: Any | None = None,
    fill: float = 0.0,
    down: Any | None = None,
    across: Any | None = None,
) -> None: ...

class Correlation:
    def __init__(
        self,
        instruction_set: str,
        algorithm: str,
        sum: str,
        image: tuple[str, bool, int],
        out: tuple[str, bool, int],
        rows: tuple[int, int, int, int, int, int, list[int]],
        columns: tuple[int, int, int, int, int, int, list[int]],
        batch: list[int],
        channelled: bool,
        channels: tuple[int, int, int],
        fill: Any,
        *,
        terms: int = 0,
        tile: tuple[int, int] = (0, 0),
        halves: bool = False,
    ) -> None: ...
    def spectra(self, kernels: Any, target: Any, threads: int) -> None: ...
    def run(self, image: Any, weights: Any, bias: Any | None, out: Any, threads: int) -> bool: ...
    def lag_products(self, image: Any, second: Any, sums: Any, threads: int) -> None: ...

class Repeats:
    def __init__(self, array_type: type, empty: Any) -> None: ...
    def run(
        self, image: Any, kernel: Any, flipped: bool, options: tuple[Any, ...], out: Any | None
    ) -> Any | None: ...
    def keep(
        self,
        image: Any,
        kernel: Any,
        flipped: bool,
        options: tuple[Any, ...],
        call: Correlation,
        weights: Any,
        threads: int,
        shape: tuple[int, ...],
        dtype: Any,
        into_out: bool,
    ) -> None: ...
    def clear(self) -> None: ...
