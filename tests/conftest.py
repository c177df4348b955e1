"""What every test file shares: one hypothesis profile, one parameter for the engines, one for the threads."""

import os
import sys
import zlib
from pathlib import Path

# Before NumPy is imported: each worker's linear algebra would spin on all CPUs, and the workers share them.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np
import pytest
from hypothesis import settings

import corr2d
from corr2d import NoEngineError
from corr2d.engines import registry

BENCH = Path(__file__).parents[1] / "bench"

# Derandomised: a red run is red again on the next machine. No database: the checkout stays clean.
settings.register_profile("corr2d", deadline=None, derandomize=True, database=None, max_examples=120)
settings.load_profile("corr2d")


def pytest_generate_tests(metafunc):
    """A test that asks for an `engine` runs once for each one in the registry; nobody keeps a list.

    The one that takes tensors only is left to the tests of tensors.
    """
    if "engine" in metafunc.fixturenames:
        tensors = "torch" in metafunc.module.__name__ or "autograd" in metafunc.module.__name__
        metafunc.parametrize("engine", [name for name in sorted(registry()) if tensors or name != "torch"])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """An engine may say that it cannot do what a test asks; the direct one may not, nor any of its `HOME`."""
    try:
        return (yield)
    except NoEngineError as reason:
        if pyfuncitem.funcargs.get("engine", "direct") == "direct":
            raise
        pytest.skip(str(reason))


@pytest.fixture
def rng(request):
    """Random numbers of this test's own: the same whichever tests ran before it, and with xdist."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="module")
def scripts():
    """Scripts of the bench folder import each other by bare names; afterwards nobody can."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCH))
    yield
    sys.path.remove(str(BENCH))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCH)):
            del sys.modules[name]


@pytest.fixture
def restored_threads():
    """The number of threads may be changed by the test; it is put back afterwards."""
    before = corr2d.get_num_threads()
    yield before
    corr2d.set_num_threads(before)
