"""The operators under torch's machinery: opcheck, torch.func, forward mode, compilation, export, modes."""

import itertools

import pytest

from cases import BORDERS
from corr2d import conv2d, corr2d

torch = pytest.importorskip("torch")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap  # noqa: E402
from torch.library import opcheck  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from corr2d import autograd  # noqa: E402, F401

# Of torch itself, while it traces.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

OPTIONS = [
    {"padding": "same"},
    {"padding": 1, "border": "wrap", "stride": 2},
    {"padding": ((1, 0), (2, 9)), "border": ("edge", "reflect"), "fill": 1.5, "dilation": (1, 2)},
    {"padding": "full", "border": "symmetric", "stride": (1, 3)},
    {"padding": "same", "anchor": (0, 1), "fill": -2.0},
]


def some(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=dtype)


# ---- torch.library.


@pytest.mark.parametrize(
    ("window", "dtype"),
    [
        (([1, 1, 1, 1], "edge", "constant", 0.5, [2, 1], [1, 1], 1), torch.float32),
        pytest.param(
            ([0, 0, 0, 0], "constant", "constant", 0, [1, 1], [1, 1], 2),
            torch.float32,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ([0, 9, 2, 0], "reflect", "wrap", 1 + 2j, [1, 3], [2, 1], 2),
            torch.complex64,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_opcheck(window, dtype):
    """Schema, registration, fake kernels, and autograd under tracing with fixed and with free shapes."""
    groups = window[-1]
    image, kernel, bias = (
        some(2, 4, 9, 8, dtype=dtype),
        some(6, 4 // groups, 3, 3, dtype=dtype),
        some(6, dtype=dtype),
    )
    for tensor in (image, kernel, bias):
        tensor.requires_grad_()
    operators = torch.ops.corr2d
    result = operators.correlate(image, kernel, None, *window, "", "").detach()
    gradient = torch.randn_like(result).requires_grad_()
    opcheck(operators.correlate.default, (image, kernel, bias, *window, "", ""))
    opcheck(operators.correlate.default, (image.detach(), kernel, None, *window, "", "direct"))
    opcheck(operators.image_adjoint.default, (gradient, kernel, [9, 8], *window))
    opcheck(operators.kernel_adjoint.default, (gradient, image, [3, 3], *window))


def test_the_fake_kernels_know_the_shapes():
    """Shape, dtype and layout in memory, over random options."""
    generator = torch.Generator().manual_seed(0)

    def pick(low, high):
        return int(torch.randint(low, high + 1, (), generator=generator))

    for _ in range(150):
        groups, inside, outside = pick(1, 2), pick(1, 3), pick(1, 3)
        options = {
            "padding": ((pick(0, 9), pick(0, 9)), (pick(4, 30), pick(0, 9))),
            "border": (BORDERS[pick(0, 4)], BORDERS[pick(0, 4)]),
            "stride": (pick(1, 6), pick(1, 6)),
            "dilation": (pick(1, 2), pick(1, 3)),
            "groups": groups,
        }
        dtype = [torch.float16, torch.bfloat16, torch.float32, torch.complex128][pick(0, 3)]
        engine = [None, "torch" if dtype == torch.float32 and inside * outside > 1 else "direct"][pick(0, 1)]
        image = some(pick(0, 2), groups * inside, pick(3, 9), pick(1, 9)).to(dtype)
        if pick(0, 1):
            image = image.to(memory_format=torch.channels_last)
        kernel = some(groups * outside, inside, pick(1, 2), pick(1, 3), dtype=torch.float32)
        real = corr2d(image, kernel, engine=engine, **options)
        with FakeTensorMode() as mode:
            fake = corr2d(mode.from_tensor(image), mode.from_tensor(kernel), engine=engine, **options)
        assert (fake.shape, fake.dtype) == (real.shape, real.dtype)
        assert not real.numel() or fake.stride() == real.stride()


def test_modes_see_the_operator():
    class Names(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.seen = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.seen.append(str(func))
            return func(*args, **(kwargs or {}))

    image, kernel = some(5, 6).requires_grad_(), some(2, 2).requires_grad_()
    expected = corr2d(image, kernel)
    with Names() as names:
        result = corr2d(image, kernel)
        result.sum().backward()
    assert torch.equal(result, expected)
    for name in ("correlate", "image_adjoint", "kernel_adjoint"):
        assert names.seen.count(f"corr2d.{name}.default") == 1


# ---- torch.func.


def function(image, kernel, bias=None, operator=corr2d):
    return operator(
        image, kernel, bias=bias, padding=((1, 0), (2, 1)), border=("reflect", "edge"), stride=(1, 2)
    )


def loop(function, dimensions, *arguments):
    count = next(a.shape[d] for a, d in zip(arguments, dimensions, strict=True) if d is not None)
    return torch.stack(
        [
            function(
                *(a if d is None else a.select(d, n) for a, d in zip(arguments, dimensions, strict=True))
            )
            for n in range(count)
        ]
    )


@pytest.mark.parametrize("kernel_size", [(2, 3), (4, 2, 2, 3)])
@pytest.mark.parametrize(
    "dimensions",
    [d for d in itertools.product((0, 1, None), (0, -1, None), (0, None)) if any(x is not None for x in d)],
)
def test_vmap(dimensions, kernel_size):
    """Any of image, kernel and bias may be mapped, along any dimension."""
    sizes = [[4, 5, 6], list(kernel_size), [4] if len(kernel_size) == 4 else []]
    for size, dimension in zip(sizes, dimensions, strict=True):
        if dimension is not None:
            size.insert(len(size) if dimension == -1 else dimension, 3)
    arguments = [some(*size) for size in sizes]
    options = {"groups": 2} if len(kernel_size) == 4 else {}

    def call(image, kernel, bias):
        return corr2d(image, kernel, bias=bias, padding=1, border="wrap", **options)

    expected = loop(call, dimensions, *arguments)
    torch.testing.assert_close(vmap(call, dimensions)(*arguments), expected)
    for argument in range(3):

        def slope(*inputs, argument=argument):
            return grad(lambda *tensors: call(*tensors).square().sum(), argument)(*inputs)

        torch.testing.assert_close(vmap(slope, dimensions)(*arguments), loop(slope, dimensions, *arguments))


def test_vmap_of_vmap():
    images, kernels = some(2, 3, 5, 6), some(4, 2, 3)
    both = vmap(vmap(vmap(function, (None, 0)), (0, None)), (0, None))(images, kernels)
    assert both.shape[:3] == (2, 3, 4)
    torch.testing.assert_close(both[1, 2, 3], function(images[1, 2], kernels[3]))


def test_gradients_of_each_sample():
    """Of a small network, as for differential privacy: no sample sees another."""
    layer = torch.nn.Linear(20, 1).double()
    parameters = {"kernel": some(3, 1, 2, 2), **dict(layer.named_parameters())}
    images, targets = some(5, 1, 5, 6), some(5)

    def loss(parameters, image, target):
        features = corr2d(image, parameters["kernel"]).relu().sum(0).flatten()
        linear = {name: parameters[name] for name in ("weight", "bias")}
        return (functional_call(layer, linear, (features,)) - target).square().sum()

    each = vmap(grad(loss), (None, 0, 0))(parameters, images, targets)
    for n in range(5):
        alone = grad(loss)(parameters, images[n], targets[n])
        for name in parameters:
            torch.testing.assert_close(each[name][n], alone[name])


def test_jacobians():
    """By reverse and by forward mode, both equal to what one basis vector after another gives."""
    arguments = some(3, 4), some(2, 3), some()
    for argument, tensor in enumerate(arguments):

        def single(value, argument=argument):
            return function(*arguments[:argument], value, *arguments[argument + 1 :])

        origin = single(torch.zeros_like(tensor))
        basis = torch.eye(max(1, tensor.numel()), dtype=torch.float64).reshape(-1, *tensor.shape)
        columns = torch.stack([single(vector) - origin for vector in basis], -1)
        expected = columns.reshape(*columns.shape[:-1], *tensor.shape)
        for jacobian in (jacrev, jacfwd):
            torch.testing.assert_close(jacobian(single)(tensor), expected)


@pytest.mark.parametrize("complex_kernel", [False, True])
def test_products_with_jacobians(complex_kernel):
    dtype = torch.complex128 if complex_kernel else torch.float64
    arguments = some(5, 6), some(2, 3, dtype=dtype), some(dtype=dtype)
    tangents = some(5, 6, seed=1), some(2, 3, dtype=dtype, seed=1), some(dtype=dtype, seed=1)
    _, forward = jvp(function, arguments, tangents)
    step = 1e-6
    moved = [function(*(a + s * t for a, t in zip(arguments, tangents, strict=True))) for s in (step, -step)]
    torch.testing.assert_close(forward, (moved[0] - moved[1]) / (2 * step), rtol=1e-6, atol=1e-7)
    result, back = vjp(function, *arguments)
    weights = some(*result.shape, dtype=result.dtype, seed=2)
    products = [(c.conj() * t).sum().real for c, t in zip(back(weights), tangents, strict=True)]
    torch.testing.assert_close(sum(products), (weights.conj() * forward).sum().real)


def test_hessians():
    """Forward over reverse, and reverse over reverse."""
    image, kernel = some(4, 5), some(2, 2)

    def loss(kernel):
        return function(image, kernel).tanh().sum()

    def plain(kernel):
        windows = torch.stack(
            [function(image, unit) for unit in torch.eye(4, dtype=kernel.dtype).reshape(4, 2, 2)]
        )
        return (kernel.flatten()[:, None, None] * windows).sum(0).tanh().sum()

    expected = torch.autograd.functional.hessian(plain, kernel)
    torch.testing.assert_close(hessian(loss)(kernel), expected)
    torch.testing.assert_close(jacrev(jacrev(loss))(kernel), expected)
    torch.testing.assert_close(torch.autograd.functional.hessian(loss, kernel), expected)
    torch.testing.assert_close(jacfwd(jacfwd(loss))(kernel), expected)


@pytest.mark.parametrize("argument", [0, 1])
@pytest.mark.parametrize("kernel_size", [(2, 3), (4, 2, 2, 3)])
def test_batched_gradients(kernel_size, argument):
    """As torch.autograd computes Jacobians and Hessians at once: by a vmap older than torch.func's."""
    tensors = [some(2, 4, 5), some(*kernel_size)]

    def single(value):
        return function(*tensors[:argument], value, *tensors[argument + 1 :])

    def loss(value):
        return single(value).tanh().sum()

    whole = torch.autograd.functional
    for jacobian, of in ((whole.jacobian, single), (whole.hessian, loss)):
        torch.testing.assert_close(
            jacobian(of, tensors[argument], vectorize=True), jacobian(of, tensors[argument])
        )


def test_tangents_through_the_gradients():
    """Forward mode through both adjoints: what a Hessian's product with a vector needs."""
    image, kernel, tangent = some(4, 5), some(2, 2), some(2, 2, seed=1)

    def slopes(image, kernel):
        return grad(lambda i, k: function(i, k).tanh().sum(), (0, 1))(image, kernel)

    _, forward = jvp(slopes, (image, kernel), (image * 2, tangent))
    step = 1e-6
    ahead, behind = (slopes(image + s * image * 2, kernel + s * tangent) for s in (step, -step))
    for one, other, product in zip(ahead, behind, forward, strict=True):
        torch.testing.assert_close(product, (one - other) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dual", list(itertools.product((False, True), repeat=3))[1:])
def test_dual_numbers(dual):
    """Whichever of the three carries a tangent."""
    arguments = some(5, 6), some(2, 3), some()
    tangents = [some(*a.shape, seed=1) for a in arguments]
    with forward_ad.dual_level():
        inputs = [
            forward_ad.make_dual(a, t) if wanted else a
            for a, t, wanted in zip(arguments, tangents, dual, strict=True)
        ]
        result = forward_ad.unpack_dual(function(*inputs))
    _, expected = jvp(
        function, arguments, tuple(t * wanted for t, wanted in zip(tangents, dual, strict=True))
    )
    torch.testing.assert_close(result.primal, function(*arguments))
    torch.testing.assert_close(result.tangent, expected)


# ---- Compilation and export.


@pytest.fixture
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compare_compiled(compiled, plain, *tensors):
    """Values and gradients."""
    found = []
    for call in (compiled, plain):
        inputs = [tensor.clone().requires_grad_() for tensor in tensors]
        result = call(*inputs)
        found.append([result, *torch.autograd.grad(result.square().sum(), inputs)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("options", OPTIONS[:3], ids=["same", "wrap", "mixed"])
def test_compiled_without_a_graph_break(fresh_compiler, options):
    def layer(image, kernel, bias):
        return corr2d(image, kernel, bias=bias, **options).relu() + conv2d(image, kernel, **options)

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    compare_compiled(compiled, layer, some(2, 7, 8), some(3, 3), some())


@pytest.mark.parametrize("argument", ["kernel", "bias"])
def test_a_compiled_graph_refuses_as_the_door_does(fresh_compiler, argument):
    """What depends on values is refused where the graph runs."""
    arguments = {"image": torch.ones(4, 5), "kernel": some(2, 2), "bias": some()}
    arguments[argument] = arguments[argument] * 0 + 1e300
    compiled = torch.compile(corr2d, fullgraph=True, backend="eager")
    for call in (compiled, corr2d):
        with pytest.raises(ValueError, match=rf"^corr2d: {argument} must be within the range of float32"):
            call(**arguments)


def test_compiled_for_any_size(fresh_compiler):
    """One graph serves images of every size. No two sizes of the first call are equal by chance."""
    compilations = []

    def backend(graph, inputs):
        compilations.append(graph)
        return graph

    def layer(image, kernel, bias):
        return corr2d(image, kernel, bias=bias, padding="same", border="wrap", groups=2, channel_axis=-1)

    compiled = torch.compile(layer, fullgraph=True, backend=backend, dynamic=True)
    for size in [(11, 7, 8, 4), (13, 9, 12, 4), (9, 14, 20, 4)]:
        compare_compiled(compiled, layer, some(*size), some(6, 2, 3, 5), some(6))
    assert len(compilations) == 1


def test_compiled_for_any_size_with_gradients(fresh_compiler):
    def layer(image, kernel):
        return corr2d(image, kernel, padding=2, border="reflect", stride=2)

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for size in [(7, 8), (9, 13), (20, 6)]:
        compare_compiled(compiled, layer, some(*size), some(3, 2))


def test_compiled_without_gradients_and_mapped(fresh_compiler):
    image, kernels = some(5, 6), some(4, 2, 3)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(image, kernels[0]), function(image, kernels[0]))
    mapped = vmap(function, (None, 0))
    compiled = torch.compile(mapped, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(image, kernels), mapped(image, kernels))


def test_a_graph_break_would_show(fresh_compiler):
    """The tests above rest on this: something the tracer cannot follow raises."""

    def broken(image, kernel):
        torch._dynamo.graph_break()
        return corr2d(image, kernel)

    with pytest.raises(Exception, match="graph_break"):
        torch.compile(broken, fullgraph=True, backend="eager")(some(5, 6), some(2, 2))


@pytest.mark.slow
def test_compiled_by_inductor(fresh_compiler):
    def layer(image, kernel, bias):
        return corr2d(image, kernel, bias=bias, **OPTIONS[2]).relu() * 2

    compare_compiled(torch.compile(layer, fullgraph=True), layer, some(2, 7, 8), some(3, 3), some())


class Layer(torch.nn.Module):
    def __init__(self, options):
        super().__init__()
        self.kernel = torch.nn.Parameter(some(4, 3, 3, 2))
        self.options = options

    def forward(self, image):
        return corr2d(image, self.kernel, **self.options)


@pytest.mark.parametrize("options", OPTIONS[:3], ids=["same", "wrap", "mixed"])
def test_exported(options, tmp_path):
    layer, image = Layer(options), some(2, 3, 7, 8)
    batch = torch.export.Dim("batch", min=1, max=64)
    height = torch.export.Dim("height", min=4, max=512)
    program = torch.export.export(layer, (image,), dynamic_shapes=({0: batch, 2: height},))
    assert "corr2d.correlate" in str(program.graph)
    torch.export.save(program, tmp_path / "layer.pt2")
    loaded = torch.export.load(tmp_path / "layer.pt2").module()
    for size in [(2, 3, 7, 8), (5, 3, 12, 8)]:
        torch.testing.assert_close(loaded(some(*size)), layer(some(*size)))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("padding", ["same", "full", 1])
def test_traced(padding):
    image, kernel = some(1, 4, 7, 8), some(4, 4, 3, 2)

    def layer(image, kernel):
        return corr2d(image, kernel, padding=padding, border="wrap")

    traced = torch.jit.trace(layer, (image, kernel))
    larger = some(1, 4, 9, 10)
    torch.testing.assert_close(traced(larger, kernel), layer(larger, kernel))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(("dtype", "given"), [(torch.int32, False), (torch.float32, True)])
def test_what_a_trace_cannot_hold_is_refused(dtype, given):
    """The trace would hold a result that nothing writes to."""
    kernel = torch.ones(2, 2, dtype=dtype)
    out = {"out": torch.empty(4, 4, dtype=dtype)} if given else {}
    with pytest.raises(ValueError, match=r"^corr2d: the call must be one that torch.jit.trace can record"):
        torch.jit.trace(lambda image: corr2d(image, kernel, **out), torch.ones(5, 5, dtype=dtype))
