"""The promises about bits, inputs, NaN, memory, threads, forks and interrupts."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cases import (
    BORDERS,
    IMAGE_DTYPES,
    TESTS,
    digests,
    random_array,
    random_image,
    run_python,
    skip_unless_tap_by_tap,
    suited,
)
from corr2d import NoEngineError, corr2d, explain, get_num_threads, set_num_threads
from corr2d.engines import constants, instruction_set, registry
from corr2d.plan import _initial_threads
from corr2d.reference import reference
from definition import definition


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "uint8", "int64"])
def test_any_number_of_threads_gives_the_same_bits(restored_threads, dtype, rng):
    image = random_image(rng, (613, 1021), dtype)
    kernel = random_array(rng, (6, 7), "int16" if np.dtype(dtype).kind in "iu" else dtype)
    bits = set()
    for threads in (1, 2, 4):
        set_num_threads(threads)
        assert get_num_threads() == threads
        for _ in range(2):
            bits.add(corr2d(image, kernel, padding="same", border="wrap", engine="direct").tobytes())
    assert len(bits) == 1


FLAGS = {
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx512vnni": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"},
    "neon": {"asimd"},
}
ISAS = ("baseline", *FLAGS)


def machine_has(isa):
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(re.findall(r"\w+", cpuinfo.read_text())) if cpuinfo.exists() else set()
    return isa == "baseline" or FLAGS[isa] <= flags


@pytest.mark.parametrize("isa", ISAS)
def test_instruction_sets_give_the_same_bits(isa):
    """Integers everywhere; floats too wherever there is FMA, which only the x86-64 baseline lacks."""
    script = "import json; from cases import digests; print(json.dumps(digests()))"
    done = run_python(script, CORR2D_ISA=isa)
    if not machine_has(isa):
        assert done.returncode != 0
        assert "CORR2D_ISA" in done.stderr
        pytest.skip(f"this machine has no {isa}; the refusal is clear")
    assert done.returncode == 0, done.stderr
    forced, chosen = json.loads(done.stdout), digests()
    assert forced.keys() == chosen.keys()
    fused = isa != "baseline" or not machine_has("avx2")
    for name in chosen:
        if fused or name.startswith("i"):
            assert forced[name] == chosen[name], name


def test_an_unknown_instruction_set_is_refused():
    done = run_python("import corr2d; corr2d.corr2d([[1.0]], [[1.0]])", CORR2D_ISA="avx3")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "CORR2D_ISA" in last
    assert "avx3" in last
    assert all(isa in last for isa in ("baseline", "avx2"))


def test_the_instruction_set_is_that_of_the_environment_or_refused(monkeypatch):
    monkeypatch.setenv("CORR2D_ISA", "avx3")
    with pytest.raises(ValueError, match=r"CORR2D_ISA must be one of .*got 'avx3'"):
        instruction_set.__wrapped__()
    monkeypatch.setenv("CORR2D_ISA", "baseline")
    assert instruction_set.__wrapped__() == "baseline"


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_has_estimates(monkeypatch, isa):
    monkeypatch.setattr("corr2d.engines.instruction_set", lambda: isa)
    assert all(min(constants.__wrapped__(engine).values()) >= 0 for engine in registry())


def test_the_number_of_threads_comes_from_the_environment(monkeypatch):
    script = "import corr2d; print(corr2d.get_num_threads())"
    assert run_python(script, CORR2D_NUM_THREADS="3").stdout.strip() == "3"
    done = run_python(script, CORR2D_NUM_THREADS="0")
    assert done.returncode != 0
    assert "CORR2D_NUM_THREADS must be" in done.stderr
    for wrong in ("0", "-2", "many"):
        monkeypatch.setenv("CORR2D_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match=rf"CORR2D_NUM_THREADS must be .*got '{wrong}'"):
            _initial_threads.__wrapped__()
    monkeypatch.setenv("CORR2D_NUM_THREADS", " 5")
    assert _initial_threads.__wrapped__() == 5


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_the_number_of_threads_is_the_number_of_cpus_allowed():
    script = "import os; os.sched_setaffinity(0, {0}); import corr2d; print(corr2d.get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if name != "CORR2D_NUM_THREADS"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "1"


def unaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    view = buffer[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


VIEWS = {
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "reversed rows": lambda a: a[:, ::-1].copy()[:, ::-1],
    "transposed": lambda a: a.T.copy().T,
    "inside a larger one": lambda a: np.pad(a, 5)[5:-5, 5:-5],
    "a channel of a photograph": lambda a: np.stack([a, a, a], -1)[..., 1],
    "read-only": read_only,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": unaligned,
    "unaligned big-endian": lambda a: unaligned(a.astype(a.dtype.newbyteorder(">"))),
}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("view", VIEWS)
def test_any_memory_layout_is_the_same_image(engine, view, dtype, rng):
    image = random_image(rng, (14, 43), dtype)
    kernel = suited(random_array(rng, (4, 3), "int16" if np.dtype(dtype).kind in "iu" else dtype), engine)
    for options in ({}, {"padding": "full", "border": "reflect"}, {"stride": (2, 3), "dilation": (1, 2)}):
        try:
            expected = corr2d(image, kernel, engine=engine, **options)
        except NoEngineError:
            continue
        viewed_image, viewed_kernel = VIEWS[view](image), VIEWS[view](kernel)
        assert np.array_equal(viewed_image, image)
        before = viewed_image.tobytes(), viewed_kernel.tobytes()
        result = corr2d(viewed_image, viewed_kernel, engine=engine, **options)
        assert result.dtype == expected.dtype
        assert result.dtype.isnative
        assert result.tobytes() == expected.tobytes()
        assert (viewed_image.tobytes(), viewed_kernel.tobytes()) == before


@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex128"])
def test_broadcast_images_and_batches(engine, dtype, rng):
    if dtype != "uint8":
        skip_unless_tap_by_tap(engine)
    row = random_image(rng, (1, 30), dtype)
    kernel = random_array(rng, (3, 3), "int16" if dtype == "uint8" else dtype)
    image = np.broadcast_to(row, (12, 30))
    batch = np.broadcast_to(image, (3, 2, 12, 30))
    expected = corr2d(image.copy(), kernel, engine=engine)
    assert np.array_equal(corr2d(image, kernel, engine=engine), expected)
    assert np.array_equal(corr2d(batch, kernel, engine=engine), np.broadcast_to(expected, (3, 2, 10, 28)))
    scattered = random_image(rng, (5, 12, 30, 4), dtype).transpose(3, 0, 1, 2)[::-1, ::2]
    apart = np.array([[corr2d(plane, kernel) for plane in row] for row in scattered])
    assert np.allclose(corr2d(scattered, kernel, engine=engine), apart)


def test_results_never_alias_inputs(engine, rng):
    image = random_image(rng, (8, 9), "float32")
    for kernel in ([[1.0]], np.ones((1, 1), np.float32)):
        result = corr2d(image, kernel, engine=engine)
        assert not np.shares_memory(result, image)
        result[...] = -1
        assert not (image == -1).any()
    integers = random_image(rng, (8, 9), "int32").astype("int64")
    assert not np.shares_memory(corr2d(integers, [[1]], engine=engine), integers)


OUTPUTS = {
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda a: a[::-1, ::-1],
    "transposed": lambda a: a.T.copy().T,
    "a channel of a photograph": lambda a: np.stack([a, a, a], -1)[..., 1],
    "unaligned": unaligned,
}


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "float16", "complex64"])
@pytest.mark.parametrize("layout", OUTPUTS)
def test_out_of_any_layout(engine, layout, dtype, rng):
    image = random_image(rng, (14, 43), dtype)
    kernel = random_array(rng, (4, 3), "int16" if dtype == "uint8" else dtype)
    expected = corr2d(image, kernel, engine=engine)
    out = OUTPUTS[layout](np.full(expected.shape, 77, expected.dtype))
    neighbours = out.base.copy() if out.base is not None else None
    assert corr2d(image, kernel, out=out, engine=engine) is out
    assert np.array_equal(out, expected)
    if layout == "a channel of a photograph":
        assert np.array_equal(out.base[..., ::2], neighbours[..., ::2])
    if layout == "strided":
        assert (out.base.reshape(22, -1)[1::2] == 77).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("border", BORDERS)
def test_nan_and_infinity_reach_exactly_their_windows(engine, border, dtype):
    """A zero weight counts: only the corners and the middle of this kernel are not zero."""
    kernel = np.zeros((3, 5), dtype)
    kernel[::2, ::4] = kernel[1, 2] = 0.5
    for value in (np.nan, np.inf, -np.inf):
        for place in [(0, 0), (3, 17), (8, 40), (4, 39), (1, 0)]:
            image = np.ones((9, 41), dtype)
            image[place] = value
            for options in ({}, {"padding": 3}, {"padding": "same", "stride": 2, "dilation": (1, 2)}):
                options = {**options, "border": border}
                hit = definition(~np.isfinite(image), np.ones((3, 5), bool), **options) > 0
                result = corr2d(image, kernel, engine=engine, **options)
                assert np.array_equal(~np.isfinite(result), hit), (value, place, options)
                if dtype != "complex64":
                    truth = definition(image, kernel, **options)
                    assert np.array_equal(np.isnan(result), np.isnan(truth))
                    assert np.array_equal(np.isposinf(result), np.isposinf(truth))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_fill_reaches_the_windows_over_the_rim(engine, value):
    image, kernel = np.ones((6, 40), np.float32), np.zeros((3, 3), np.float32)
    hit = definition(np.zeros((6, 40)), np.ones((3, 3)), padding=2, fill=1) > 0
    assert np.array_equal(np.isnan(corr2d(image, kernel, padding=2, fill=value, engine=engine)), hit)
    assert not np.isnan(corr2d(image, kernel, fill=value, engine=engine)).any()
    assert not np.isnan(corr2d(image, kernel, fill=value, padding=2, border="edge", engine=engine)).any()


def test_a_nan_in_the_kernel_or_the_bias_reaches_everything(engine):
    image = np.zeros((6, 40), np.float32)
    assert np.isnan(corr2d(image, [[0, np.nan]], engine=engine)).all()
    assert np.isnan(corr2d(image, [[0, np.inf]], engine=engine)).all()
    assert np.isnan(corr2d(image, [[0.0, 1]], bias=np.nan, engine=engine)).all()
    assert np.isposinf(corr2d(image, [[0.0, 1]], bias=np.inf, engine=engine)).all()


def test_a_nan_stays_in_its_plane_and_group(engine):
    image, kernel = np.ones((2, 4, 6, 20), np.float32), np.zeros((4, 2, 3, 3), np.float32)
    image[1, 2, 3, 7] = np.nan
    result = np.isnan(corr2d(image, kernel, groups=2, engine=engine))
    assert result[1, 2:].any(axis=(-1, -2)).all()
    result[1, 2:] = False
    assert not result.any()


# Says of each call by how many KiB it raised the peak of the process beyond operands and output.
PEAKS = """
import json, sys
from pathlib import Path
import numpy as np
from cases import suited
from corr2d import corr2d, explain

def resident(line):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(line))

LAYOUTS = {"plain": lambda a: a, "transposed": lambda a: a.T, "reversed": lambda a: a[::-1, ::-1]}
for dtype, size, layout, options, copied in json.loads(sys.argv[1]):
    image = LAYOUTS[layout](np.ones((3000, 4000), dtype))
    weights = np.random.default_rng(1).integers(1, 5, (size, size))
    kernel = suited(weights.astype("int16" if image.dtype.kind in "iu" else dtype), options["engine"])
    plan = explain(image, kernel, **options)
    out = np.ones(plan.shape, plan.dtype)
    corr2d(image[:300, :300], kernel, **options)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    corr2d(image.copy() if copied else image, kernel, out=out, **options)
    print(resident("VmHWM") - before)
"""
PLAIN = {"padding": "same", "border": "reflect", "engine": "direct"}
MEMORY = {
    "float32": ("float32", 3, "plain", PLAIN, False),
    "full": ("float32", 9, "reversed", {"padding": "full", "engine": "direct"}, False),
    "transposed": ("float32", 3, "transposed", {**PLAIN, "border": "wrap"}, False),
    "uint8": ("uint8", 5, "plain", {**PLAIN, "border": "edge"}, False),
    "stride": ("float64", 3, "plain", {"stride": 2, "engine": "direct"}, False),
    "float16": ("float16", 3, "plain", {**PLAIN, "border": "symmetric"}, False),
    "complex64": ("complex64", 3, "plain", PLAIN, False),
    "a copy": ("uint8", 3, "plain", PLAIN, True),
}
for _engine in sorted(set(registry()) - {"torch"}):  # which takes tensors: test_torch.py
    for _size in (5, 31):
        _dtype = "uint8" if _engine == "integer" else "float32"
        MEMORY[f"{_engine} {_size}"] = (_dtype, _size, "plain", {**PLAIN, "engine": _engine}, False)


@pytest.fixture(scope="module")
def peaks():
    """One process for all calls; what is freed goes back to the system, so that it hides no later copy."""
    environment = {"CORR2D_NUM_THREADS": "2", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = run_python(PEAKS, json.dumps(list(MEMORY.values())), **environment)
    assert done.returncode == 0, done.stderr
    return dict(zip(MEMORY, map(int, done.stdout.split()), strict=True))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("name", MEMORY)
def test_memory_beyond_the_output_is_a_few_mib_per_thread(peaks, name):
    """The image alone has 11 to 92 MiB, so one hidden copy of it, or of its padded form, shows."""
    assert (peaks[name] <= 2 * 4 * 1024) == (name != "a copy"), f"{peaks[name]} KiB"


def long_call():
    """A call of the direct engine that takes about a third of a second on one thread here."""
    kernel = np.ones((1, 1))
    image = np.ones((900, 900))
    seconds = 0.0
    while seconds < 0.3:
        kernel = np.ones((2 * kernel.shape[0] + 1,) * 2)
        image = np.ones((600 + kernel.shape[0],) * 2)
        start = time.perf_counter()
        corr2d(image, kernel, engine="direct")
        seconds = time.perf_counter() - start
    return image, kernel


def test_the_gil_is_released(restored_threads):
    set_num_threads(1)
    image, kernel = long_call()
    stamps, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            stamps.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    start = time.perf_counter()
    corr2d(image, kernel, engine="direct")
    end = time.perf_counter()
    stop.set()
    other.join()
    assert sum(start < stamp < end for stamp in stamps) >= 20


def test_calls_from_several_threads_at_once(engine, restored_threads, rng):
    set_num_threads(2)
    jobs = [
        (random_image(rng, (200 + 40 * i, 333), "float32"), random_array(rng, (5, 3 + i), "float32"))
        for i in range(4)
    ]
    expected = [corr2d(image, kernel, engine=engine, padding="same") for image, kernel in jobs]
    wrong = []

    def work(index):
        for _ in range(25):
            image, kernel = jobs[index % 4]
            if not np.array_equal(corr2d(image, kernel, engine=engine, padding="same"), expected[index % 4]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong


FORK = """
import os, sys, time, warnings
import numpy as np, corr2d
warnings.simplefilter("ignore")  # Python 3.12 warns of a fork beside threads, which is the point here
corr2d.set_num_threads(2)
image, kernel = np.arange(1e6, dtype="float32").reshape(1000, 1000), np.ones((5, 5), "float32")
used_before = sys.argv[1] == "used"
expected = corr2d.corr2d(image, kernel) if used_before else None
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        first = corr2d.corr2d(image, kernel)
        same = expected is None or np.array_equal(first, expected)
        os._exit(0 if same and np.array_equal(first, corr2d.corr2d(image, kernel)) else 3)
    children.append(child)
mine = corr2d.corr2d(image, kernel)
assert expected is None or np.array_equal(mine, expected)
print([os.waitpid(child, 0)[1] for child in children])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("before", ["used", "unused"])
def test_a_fork_is_survived(before):
    done = run_python(FORK, before, timeout=60)
    assert done.stdout.strip() == "[0, 0, 0]", done.stderr


INTERRUPT = """
import sys, time
import numpy as np, corr2d
corr2d.set_num_threads(int(sys.argv[1]))
image, kernel = np.ones((3000, 3000)), np.random.default_rng(0).normal(size=(301, 301))
print("ready", flush=True)
try:
    corr2d.corr2d(image, kernel, padding="same", engine="direct")
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
again = corr2d.corr2d(image[:400, :400], np.ones((3, 3)), engine="direct")
print("alive", (again == 9).all(), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_ends_a_long_call(threads):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", INTERRUPT, threads]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.7)
            assert child.poll() is None
            sent = time.time()
            child.send_signal(signal.SIGINT)
            output, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    lines = output.splitlines()
    assert lines[0].startswith("interrupted"), output
    assert float(lines[0].split()[1]) - sent < 15  # the whole call takes minutes
    assert lines[1] == "alive True"


def test_importing_loads_next_to_nothing_beyond_numpy():
    """What `import corr2d` costs beyond `import numpy` is its own rooms."""

    def modules(name):
        return set(run_python(f"import {name}, sys; print(*sys.modules)").stdout.split())

    beyond = {module for module in modules("corr2d") - modules("numpy") if not module.startswith("corr2d")}
    # importlib's are those of an editable installation.
    assert beyond <= {"dataclasses", "copy", "atexit", "__future__", "importlib.util", "importlib._abc"}


def test_small_results_do_not_depend_on_earlier_calls():
    """A cached plan must know everything that it depends on."""
    kernel = np.array([[1, 2], [3, 4]], np.int16)
    for dtype in IMAGE_DTYPES:
        image = np.ones((3, 4), dtype)
        for options in (
            {},
            {"padding": 1},
            {"padding": 1, "fill": 2},
            {"padding": 1, "border": "edge"},
            {"bias": 3},
        ):
            assert np.array_equal(corr2d(image, kernel, **options), reference(image, kernel, **options))
            assert explain(image, kernel, **options).shape == corr2d(image, kernel, **options).shape
