"""Compare the constants of the native core: compile it with others and run all in turn.

    python bench/blocks.py                      # every variant of every constant
    python bench/blocks.py kBandRows kVectors   # some constants

Whole programs run in turn, A B C A B C. Each cell is the median over the rounds of the ratio to the shipped
constants in the same round: above 1 is slower than what is shipped. For the instruction set in use, or
that which CORR2D_ISA names; needs a C++20 compiler.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from corr2d.engines import instruction_set

NATIVE = Path(__file__).parent.parent / "native"

# Constant -> the values to try beside the shipped one.
VARIANTS = {
    "kRows": ["is_same_v<T, int64_t> ? 1 : 2", "is_same_v<T, int64_t> ? 1 : 8"],
    "kVectors": ["2", "4"],
    "kBandRows": ["16", "32", "128"],
    "kTileColumns": ["128", "512"],
    "kTileBytes": ["128 * 1024", "512 * 1024"],
    "kSweepBytes": ["24 * 1024", "48 * 1024", "192 * 1024"],
    "kResultBytes": ["4 << 20", "int64_t(1) << 40"],
    "kGatheredColumns": ["0", "64", "256"],
}
# Size, kernel, threads, pixels.
CASES = [
    ("64", "3", "1", "f32"),
    ("120", "3", "1", "f32"),
    ("250", "3", "1", "f32"),
    ("2048", "3", "2", "f32"),
    ("2048", "5", "2", "f32"),
    ("2048", "11", "2", "f32"),
    ("4096", "3", "2", "f32"),
    ("64", "3", "1", "u8"),
    ("2048", "3", "2", "u8"),
    ("2048", "7", "2", "u8"),
]
ROUNDS = 7
# Flags of the compiler and bytes of a vector, as CMakeLists.txt has them.
_AVX512 = (["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma"], 64)
FEATURES = {
    "baseline": ([], 16),
    "neon": ([], 16),
    "avx2": (["-mavx2", "-mfma"], 32),
    "avx512": _AVX512,
    "avx512vnni": _AVX512,
}
SHARED = ["-std=c++20", "-O3", "-Wno-psabi", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]


def compile_variant(folder: Path, constant: str | None, value: str | None) -> Path:
    """Build the benchmark with one constant changed."""
    sources = shutil.copytree(NATIVE, folder / "native")
    if constant is not None:
        changed = 0
        for file in sources.iterdir():
            text = file.read_text()
            # A function, because a value may hold what a replacement string would read as a group.
            text, count = re.subn(
                rf"(constexpr \w+ {constant} = )(std::)?[^;]+;",
                lambda match: f"{match[1]}{match[2] or ''}{value};",
                text,
            )
            changed += count
            file.write_text(text)
        if not changed:
            raise SystemExit(f"no constant called {constant} in {NATIVE}")
    program = folder / "blocks"
    features, width = FEATURES[instruction_set()]
    command = [
        "c++",
        *SHARED,
        *features,
        f"-DCORR2D_VECTOR_BYTES={width}",
        "-DCORR2D_SET=variant",
        f"-I{sources}",
    ]
    files = [sources / "direct.cc", sources / "threads.cc", Path(__file__).with_suffix(".cc")]
    subprocess.run([*command, *map(str, files), "-o", str(program), "-lpthread"], check=True)
    return program


def time_of(program: Path, case: tuple[str, ...]) -> float:
    return float(subprocess.run([str(program), *case], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    chosen = sys.argv[1:] or list(VARIANTS)
    with tempfile.TemporaryDirectory() as temporary:
        programs = {"as shipped": compile_variant(Path(temporary) / "shipped", None, None)}
        for constant in chosen:
            for value in VARIANTS[constant]:
                print(f"compiling {constant} = {value}", file=sys.stderr)
                folder = Path(temporary) / f"variant{len(programs)}"
                programs[f"{constant} = {value}"] = compile_variant(folder, constant, value)
        times: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        for _ in range(ROUNDS):
            for case in CASES:
                for name, program in programs.items():
                    times.setdefault((name, case), []).append(time_of(program, case))
    print("size/kernel/threads/pixels".ljust(48), *["/".join(case).rjust(12) for case in CASES])
    for name in programs:
        cells = []
        for case in CASES:
            ours, others = times["as shipped", case], times[name, case]
            ratio = statistics.median(b / a for a, b in zip(ours, others, strict=True))
            cells.append(f"{min(others):.4f} ms" if name == "as shipped" else f"{ratio:.2f}")
        print(name.ljust(48), *[cell.rjust(12) for cell in cells])


if __name__ == "__main__":
    main()
