"""Torch tensors in, torch tensors out: every dtype, any memory layout, and what is refused."""

import re

import numpy as np
import pytest

from cases import (
    IMAGE_DTYPES,
    judge,
    random_array,
    random_image,
    result_dtype,
    run_python,
    skip_unless_tap_by_tap,
)
from corr2d import NoEngineError, conv2d, corr2d, explain
from corr2d.reference import reference

torch = pytest.importorskip("torch")
computing = pytest.importorskip("corr2d.autograd.computing")
RNG = np.random.default_rng(0)
NEAR = 0.123412300, 0.123412301  # printed alike by NumPy and by torch
IMAGE, KERNEL = torch.from_numpy(random_array(RNG, (9, 14), "float32")), torch.ones(3, 2)


def tensor(shape, dtype):
    return torch.from_numpy(random_image(RNG, shape, dtype))


@pytest.mark.parametrize("dtype", [name for name in IMAGE_DTYPES if hasattr(torch, name)])
@pytest.mark.parametrize("kernel_dtype", ["int16", "float32", "complex64"])
def test_a_tensor_gives_the_bits_of_its_array(engine, dtype, kernel_dtype):
    image = tensor((2, 3, 8, 21), dtype)
    kernel = torch.from_numpy(random_array(RNG, (4, 3, 3, 2), kernel_dtype))
    bias = torch.from_numpy(random_array(RNG, 4, kernel_dtype))
    options = {"padding": "same", "border": "reflect", "stride": 2, "engine": engine}
    result = corr2d(image, kernel, bias=bias, **options)
    expected = corr2d(image.numpy(), kernel.numpy(), bias=bias.numpy(), **options)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == getattr(torch, expected.dtype.name)
    assert result.device == image.device
    assert result.numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("kernel_dtype", [torch.int16, torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    "options", [{}, {"padding": "same", "border": "wrap", "bias": 2}, {"padding": 2, "stride": 2}]
)
def test_bfloat16(engine, kernel_dtype, options):
    """Summed in float32, rounded once."""
    skip_unless_tap_by_tap(engine)
    image = torch.from_numpy(random_array(RNG, (2, 9, 43), "float32")).bfloat16()
    for size in [(1, 1), (3, 3), (4, 5)]:
        kernel = torch.from_numpy(random_array(RNG, size, "float32", 9)).mul(4).to(kernel_dtype)
        plan = explain(image, kernel, engine=engine, **options)
        assert (plan.dtype, plan.sum_dtype) == ("bfloat16", "float32")
        out = torch.full(plan.shape, 77, dtype=torch.bfloat16)
        assert corr2d(image, kernel, out=out, engine=engine, **options) is out
        image64, kernel64 = image.double().numpy(), kernel.double().numpy()
        truth = reference(image64, kernel64, **options)
        weight = reference(np.abs(image64), np.abs(kernel64), **options)
        judge(
            out.float().numpy(), truth, weight, plan.error_bound, kernel.numel(), f"bfloat16 {size} {options}"
        )


def test_bfloat16_rounds_half_to_even_and_sums_wide(engine):
    def row(*values):
        return torch.tensor([values], dtype=torch.bfloat16)

    ones = torch.ones(1, 2, dtype=torch.bfloat16)
    assert corr2d(row(1, 2**-8), ones, engine=engine).tolist() == [[1.0]]
    assert corr2d(row(1, 3 * 2**-8), ones, engine=engine).tolist() == [[1 + 2**-6]]
    assert corr2d(row(256, 1, -256), torch.ones(1, 3), engine=engine).tolist() == [[1.0]]
    assert corr2d(row(3e38, 3e38), ones, engine=engine).tolist() == [[float("inf")]]
    for value in (float("nan"), float("inf"), -float("inf")):
        result = corr2d(row(1, value, 1, 1), ones, engine=engine)
        assert (~torch.isfinite(result)).tolist() == [[True, True, False]]
    assert corr2d(ones, torch.ones(1, 1, dtype=torch.complex64), engine=engine).dtype == torch.complex64


LAYOUTS = {
    "transposed": lambda x: x.t().contiguous().t(),
    "strided": lambda x: x.repeat_interleave(2, 0).repeat_interleave(3, 1)[::2, ::3],
    "inside a larger one": lambda x: torch.nn.functional.pad(x, (3, 4, 5, 6))[5:-6, 3:-4],
    "channel of a photograph": lambda x: torch.stack([x, x, x], -1)[..., 1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_image_and_out(engine, layout):
    view = LAYOUTS[layout](IMAGE)
    assert torch.equal(view, IMAGE)
    before = view.clone()
    expected = corr2d(IMAGE, KERNEL, engine=engine)
    assert torch.equal(corr2d(view, KERNEL, engine=engine), expected)
    assert torch.equal(view, before)
    out = LAYOUTS[layout](torch.full(expected.shape, 77.0))
    assert corr2d(IMAGE, KERNEL, out=out, engine=engine) is out
    assert torch.equal(out, expected)


def test_a_photograph_stays_stored_by_pixels():
    photo = torch.from_numpy(random_array(RNG, (9, 14, 3), "float32"))
    result = corr2d(photo, KERNEL, channel_axis=-1)
    assert result.is_contiguous()
    assert np.array_equal(result, corr2d(photo.numpy(), KERNEL.numpy(), channel_axis=-1))


def test_a_kernel_that_learns_is_not_looked_at_for_little_work():
    image, kernel = torch.ones(40, 40), torch.ones(9, 9)
    assert explain(image, kernel).engine == "box"
    learning = explain(image, kernel.requires_grad_())
    assert learning.engine == "direct"
    assert learning.rejected["box"] == "so little work is not worth a look at a kernel that learns"


def test_broadcast_and_channels_last_tensors():
    expanded = IMAGE[None].expand(3, 9, 14)
    assert torch.equal(corr2d(expanded, KERNEL), corr2d(IMAGE, KERNEL).expand(3, 7, 13))
    image, kernel = torch.rand(2, 3, 8, 9), torch.rand(5, 3, 3, 3)
    expected = corr2d(image, kernel)
    assert torch.equal(corr2d(image.to(memory_format=torch.channels_last), kernel), expected)
    moved = corr2d(image.movedim(1, -1), kernel, channel_axis=-1)
    assert torch.equal(moved.movedim(-1, 1), expected)
    assert corr2d(torch.ones(0, 5, 5), KERNEL).shape == (0, 3, 4)


def test_lazy_conjugates_and_negatives_are_what_they_show():
    """Torch conjugates and negates by a flag on the view; the memory still holds the other number."""
    image, kernel = tensor((6, 8), "complex64"), tensor((2, 3), "complex64")
    assert image.conj().is_conj()
    expected = corr2d(image.conj().resolve_conj(), kernel)
    assert torch.equal(corr2d(image.conj(), kernel), expected)
    expected = corr2d(image, kernel.conj().resolve_conj())
    assert torch.equal(corr2d(image, kernel.conj()), expected)
    negative = image.conj().imag
    assert negative.is_neg()
    assert torch.equal(corr2d(negative, KERNEL), corr2d(negative.clone().resolve_neg(), KERNEL))


def test_a_lazy_out_is_refused():
    image, memory = tensor((6, 8), "complex64"), torch.full((5, 6), 77 + 7j)
    for source, out in ((image, memory.conj()), (image.real, memory.conj().imag)):
        with pytest.raises(ValueError, match=r"^corr2d: out must .*its own numbers.*Pass the tensor"):
            corr2d(source, torch.ones(2, 3, dtype=source.dtype), out=out)
    assert (memory == 77 + 7j).all()


@pytest.mark.parametrize("make", [np.array, torch.DoubleTensor], ids=["array", "tensor"])
def test_fills_that_print_alike_are_two_fills(make):
    """The second call must not find the first one's plan."""
    one, other = (make([value])[0, ...] for value in NEAR)
    assert repr(one) == repr(other)
    for image in (IMAGE.double(), IMAGE.double().numpy()):
        for fill, value in zip((one, other), NEAR, strict=True):
            result = corr2d(image, KERNEL, padding="same", fill=fill)
            assert (result == corr2d(image, KERNEL, padding="same", fill=value)).all()


@pytest.mark.parametrize(
    ("name", "kind"), [("", ValueError), ("dirict", ValueError), (["direct"], TypeError), (1, TypeError)]
)
def test_an_engine_is_named_for_tensors_as_for_arrays(name, kind):
    for image in (IMAGE, IMAGE.numpy()):
        with pytest.raises(kind, match=r"^corr2d: engine must be None or one of 'box', 'direct', .*got"):
            corr2d(image, KERNEL, engine=name)


def test_the_engine_for_tensors_is_named_by_explain():
    image, kernel = torch.ones(1, 32, 28, 28), torch.rand(32, 32, 3, 3)
    assert explain(image, kernel, engine="torch").engine == "torch"
    assert "tensors only" in explain(image.numpy(), kernel.numpy()).rejected["torch"]
    assert "one plane" in explain(image, torch.rand(3, 3)).rejected["torch"]


# Calls on tensors: shapes of image and kernel, and options.
CALLS = {
    "one small plane": ((1, 1, 8, 8), (1, 1, 3, 3), {}),
    "one small plane, a 2-D kernel": ((8, 8), (3, 3), {}),
    "one large plane": ((1, 1, 256, 256), (1, 1, 31, 31), {"padding": "same"}),
    "dense": ((1, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}),
    "depthwise": ((1, 64, 32, 32), (64, 1, 21, 21), {"padding": "same", "groups": 64}),
    "asked for": ((1, 32, 28, 28), (32, 32, 3, 3), {"engine": "torch"}),
    "not for planes": ((1, 1, 28, 28), (1, 1, 3, 3), {"engine": "torch"}),
    "channels last": ((8, 9, 2), (3, 2, 2, 2), {"channel_axis": -1, "border": "wrap", "padding": 1}),
}


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("case", CALLS)
def test_explain_names_what_runs(monkeypatch, case, learns):
    """By the same question, so that neither small calls nor gradients nor engine="torch" are told wrongly."""
    size, taps, options = CALLS[case]
    image, kernel = (torch.rand(shape, requires_grad=learns) for shape in (size, taps))
    ran = []
    by_torch = torch.nn.functional.conv2d
    monkeypatch.setattr(
        torch.nn.functional, "conv2d", lambda *a, **k: ran.append("torch") or by_torch(*a, **k)
    )
    by_us = computing.run_plan
    monkeypatch.setattr(
        computing, "run_plan", lambda plan, *rest: ran.append(plan.engine) or by_us(plan, *rest)
    )
    try:
        plan = explain(image, kernel, **options)
    except NoEngineError as refused:
        with pytest.raises(NoEngineError, match=re.escape(str(refused).removeprefix("explain"))):
            corr2d(image, kernel, **options)
        assert case == "not for planes"
        return
    result = corr2d(image, kernel, **options)
    assert ran == [plan.engine]
    assert (tuple(result.shape), str(result.dtype)) == (plan.shape, f"torch.{plan.dtype}")
    assert ("; gradients: " in plan.reason) == learns
    if "Convolution" in str(result.grad_fn):
        assert plan.reason.endswith("; gradients: image and kernel by torch")


def test_explain_knows_autocast_and_other_devices():
    image, kernel = torch.ones(1, 3, 8, 8), torch.ones(2, 3, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert explain(image, kernel).dtype == "bfloat16"
    there = image.to("meta"), kernel.to("meta")
    plan = explain(*there)
    assert (plan.engine, plan.shape, plan.dtype) == ("torch", (1, 2, 6, 6), "float32")
    assert "CPU" in plan.rejected["direct"]
    assert "no bound is known" in str(plan)
    assert explain(*there, engine="torch").engine == "torch"
    for function in (explain, corr2d):
        with pytest.raises(NoEngineError, match=r"engine must be None or 'torch' on meta, got 'direct'"):
            function(*there, engine="direct")


def test_the_image_decides_the_library():
    array, kernel = IMAGE.numpy(), KERNEL.numpy()
    expected = corr2d(array, kernel)
    for mixed in (corr2d(IMAGE, kernel), corr2d(IMAGE, kernel.tolist())):
        assert isinstance(mixed, torch.Tensor)
        assert np.array_equal(mixed.numpy(), expected)
    mixed = corr2d(array, KERNEL)
    assert isinstance(mixed, np.ndarray)
    assert np.array_equal(mixed, expected)
    mixed = corr2d(array.tolist(), KERNEL)
    assert isinstance(mixed, np.ndarray)
    channels, stack = torch.ones(2, 5, 6), torch.ones(4, 2, 3, 3)
    with_bias = [
        corr2d(channels, stack, bias=bias) for bias in (torch.arange(4.0), np.arange(4.0), [0, 1, 2, 3])
    ]
    assert torch.equal(with_bias[0], with_bias[1])
    assert torch.equal(with_bias[0], with_bias[2])
    assert torch.equal(corr2d(IMAGE, KERNEL, bias=torch.tensor(2.0)), corr2d(IMAGE, KERNEL, bias=2))


def test_a_default_device_is_for_new_tensors_only():
    image, kernel = torch.ones(5, 6, dtype=torch.int32), torch.ones(2, 2, dtype=torch.int32)
    expected = corr2d(image, kernel)
    with torch.device("meta"):
        assert torch.equal(corr2d(image, kernel), expected)


def test_results_are_new_memory():
    image = torch.rand(5, 6)
    result = corr2d(image, torch.ones(1, 1))
    assert torch.equal(result, image)
    assert result.data_ptr() != image.data_ptr()


@pytest.mark.parametrize(
    "dtype", [torch.float64, "float64", torch.bfloat16, "bfloat16", torch.uint8, torch.float16]
)
def test_asked_dtypes(dtype):
    result = corr2d(IMAGE * 100, KERNEL, dtype=dtype)
    wanted = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype)
    assert result.dtype == wanted
    wide = corr2d(IMAGE.double() * 100, KERNEL)
    if wanted == torch.uint8:
        wide = wide.round().clamp(0, 255)
    assert torch.allclose(result.double(), wide, rtol=2**-8, atol=1)


def test_numpy_has_no_bfloat16():
    with pytest.raises(TypeError, match=r"^corr2d: dtype must be"):
        corr2d(IMAGE.numpy(), KERNEL, dtype="bfloat16")


REFUSED_GRADIENTS = {
    "a kernel for an array": lambda operator, image, kernel: operator(image.numpy(force=True), kernel),
    "a bias for an array": lambda operator, image, kernel: operator([[1.0]], [[2.0]], bias=kernel[0, 0]),
    "an out": lambda operator, image, kernel: operator(image, KERNEL, out=torch.empty(7, 13)),
    "an out for a kernel": lambda operator, image, kernel: operator(IMAGE, kernel, out=torch.empty(7, 13)),
    "a rounded result": lambda operator, image, kernel: operator(image, KERNEL, dtype=torch.uint8),
    "a rounded result of a kernel": lambda operator, image, kernel: operator(IMAGE, kernel, dtype="int16"),
}


@pytest.mark.parametrize("operator", [corr2d, conv2d])
@pytest.mark.parametrize("case", REFUSED_GRADIENTS)
def test_gradients_are_refused_where_there_are_none(operator, case):
    """NumPy results, a given `out` and rounded integers; without gradients they are computed."""
    image, kernel = IMAGE.clone().requires_grad_(), torch.nn.Parameter(KERNEL)
    call = REFUSED_GRADIENTS[case]
    rule = "(image|kernel|bias) must be without requires_grad where the result has no gradient"
    remedy = r"torch\.no_grad\(\), or pass tensor\.detach\(\)"
    with pytest.raises(ValueError, match=f"^{operator.__name__}: {rule} .*{remedy}"):
        call(operator, image, kernel)
    expected = call(operator, image.detach(), kernel.detach())
    for without in (torch.no_grad, torch.inference_mode):
        with without():
            assert np.array_equal(call(operator, image, kernel), expected)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.ones(5, 6).to_sparse(), "dense"),
        (torch.ones(5, 6).to_mkldnn(), "dense"),
        (torch.ones(5, 6).to(torch.float8_e4m3fn), "dtype that NumPy knows.*float8_e4m3fn"),
    ],
    ids=["sparse", "mkldnn", "float8"],
)
def test_tensors_of_another_kind(image, words):
    with pytest.raises(TypeError, match=rf"^corr2d: image must .*({words})"):
        corr2d(image, KERNEL)
    with pytest.raises(TypeError, match=rf"^corr2d: kernel must .*({words})"):
        corr2d(torch.ones(9, 9), image)
    with pytest.raises(TypeError, match=rf"^corr2d: bias must .*({words})"):
        corr2d(torch.ones(9, 9), KERNEL, bias=image)
    with pytest.raises(TypeError, match=rf"^corr2d: kernel must .*({words})"):
        corr2d(np.ones((9, 9)), image)


@pytest.mark.parametrize("bias", [None, 2, torch.arange(4.0)], ids=["none", "one", "each"])
@pytest.mark.parametrize("border", ["constant", "wrap"])
def test_torchs_convolution_writes_to_out(bias, border):
    image, kernel, options = torch.rand(2, 3, 9, 10), torch.rand(4, 3, 3, 3), {"padding": 1, "border": border}
    out = torch.empty(2, 9, 10, 4).movedim(-1, 1)
    assert corr2d(image, kernel, bias=bias, out=out, engine="torch", **options) is out
    expected = corr2d(image, kernel, bias=bias, engine="direct", **options)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


def test_out_matches_the_image():
    array_out, tensor_out = np.full((7, 13), 77, "float32"), torch.full((7, 13), 77.0)
    with pytest.raises(TypeError, match=r"^corr2d: out must be"):
        corr2d(IMAGE, KERNEL, out=array_out)
    with pytest.raises(TypeError, match=r"^corr2d: out must be"):
        corr2d(IMAGE.numpy(), KERNEL, out=tensor_out)
    with pytest.raises(ValueError, match=r"^corr2d: out must be.*\(7, 13\)"):
        corr2d(IMAGE, KERNEL, out=torch.ones(7, 14))
    with pytest.raises((TypeError, ValueError), match=r"^corr2d: out must be.*float32.*float64"):
        corr2d(IMAGE, KERNEL, out=torch.ones(7, 13).double())
    with pytest.raises(ValueError, match=r"^corr2d: out must"):
        corr2d(IMAGE, KERNEL, out=torch.ones(7, 13, requires_grad=True))
    memory = torch.ones(20, 14)
    with pytest.raises(ValueError, match=r"^corr2d: out must .*memory"):
        corr2d(memory[:9], torch.ones(3, 1), out=memory[8:15])
    assert (array_out == 77).all()
    assert (tensor_out == 77).all()
    assert (memory == 1).all()


def test_refusals_do_not_print_tensors():
    with pytest.raises(ValueError, match=r"^corr2d: kernel must be") as caught:
        corr2d(torch.full((2, 2), 31.4159), KERNEL)
    assert "31.4" not in str(caught.value)
    with pytest.raises(OverflowError, match=r"int64"):
        corr2d(torch.full((1, 1), 255, dtype=torch.uint8), torch.tensor([[2**24]]))


PEAK = """
import torch, corr2d
from pathlib import Path
def resident(line):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(line))
image, out = torch.ones(3000, 4000), torch.ones(3000, 4000)
corr2d.set_num_threads(2)
corr2d.corr2d(image[:300, :300], torch.ones(3, 3), padding="same")
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
corr2d.corr2d(image, torch.ones(3, 3), padding="same", out=out)
print(resident("VmHWM") - before)
"""


@pytest.mark.slow
def test_tensors_are_not_copied():
    done = run_python(PEAK)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 8 * 1024


def test_the_table_of_dtypes_is_the_same():
    for dtype in ("uint8", "int64", "float16", "float64", "complex64"):
        for kernel in (KERNEL, KERNEL.to(torch.int16)):
            expected = result_dtype(dtype, str(kernel.dtype).removeprefix("torch.")).name
            assert explain(torch.ones(3, 3).to(getattr(torch, dtype)), kernel).dtype == expected
