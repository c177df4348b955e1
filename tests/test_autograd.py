"""Gradients through torch: by differences over the option space, against torch's own, its rules kept."""

import itertools
import threading

import pytest

import corr2d as package
from cases import BORDERS, suited
from corr2d import conv2d, corr2d
from corr2d.adjoints import resolved
from corr2d.plan import calls, kinds

torch = pytest.importorskip("torch")
autograd = pytest.importorskip("corr2d.autograd")
computing, derivatives = autograd.transforms.computing, autograd.transforms.derivatives
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck
functional = torch.nn.functional

TORCH_BORDERS = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def leaf(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


def by_torch(image, kernel, bias=None, *, sides=((0, 0), (0, 0)), border="constant", fill=0, **options):
    """The same call in torch's words."""
    (top, bottom), (left, right) = sides
    value = {"value": fill} if border == "constant" else {}
    padded = functional.pad(image, (left, right, top, bottom), TORCH_BORDERS[border], **value)
    return functional.conv2d(padded, kernel, bias, **options)


def gradients(result, *tensors, **options):
    weights = torch.linspace(-1, 2, result.numel(), dtype=torch.float64).reshape(result.shape)
    return torch.autograd.grad(result, tensors, weights.to(result.dtype), **options)


def check_same(ours, theirs, relative=1e-10):
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        size = float(other.detach().abs().max()) if other.numel() else 0
        assert torch.allclose(one, other, rtol=relative, atol=relative * size), (one - other).abs().max()


def choose(monkeypatch, route):
    """Send calls through torch's convolution as a whole, or through our operators by torch or by us."""
    kinds.clear()
    calls.clear()
    monkeypatch.setattr(autograd, "torch_is_best", lambda *_: route == "whole")
    monkeypatch.setattr(computing, "torch_is_cheaper", lambda *_: route == "torch")


@pytest.fixture(autouse=True)
def our_operators(monkeypatch):
    """Where torch is left to do it all there is nothing of ours to test."""
    choose(monkeypatch, "native")
    yield
    kinds.clear()


# ---- By differences.


@pytest.mark.parametrize(("stride", "dilation"), [((2, 1), (1, 2)), (3, 2), (1, 1)])
@pytest.mark.parametrize("padding", ["valid", "same", "full", ((7, 1), (0, 13))])
@pytest.mark.parametrize("border", [*BORDERS, ("wrap", "constant"), ("reflect", "edge")])
def test_gradients_are_what_differences_say(border, padding, stride, dilation):
    """Once and twice, for a 2-D and a 4-D kernel; paddings past several mirrorings of the image too."""
    options = {"border": border, "padding": padding, "stride": stride, "dilation": dilation, "fill": 0.5}
    anchored = {"anchor": (1, 0)} if padding == "same" else {}

    def plain(image, kernel, bias):
        return corr2d(image, kernel, bias=bias, **options, **anchored)

    def stacked(image, kernel, bias):
        return conv2d(image, kernel, bias=bias, groups=2, channel_axis=-1, **options)

    inputs = {plain: (leaf(2, 5, 6), leaf(2, 3), leaf()), stacked: (leaf(5, 6, 4), leaf(4, 2, 2, 3), leaf(4))}
    for function, tensors in inputs.items():
        assert gradcheck(function, tensors, fast_mode=True)
        assert gradgradcheck(function, tensors, fast_mode=True)


@pytest.mark.parametrize("image", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kernel", [torch.float64, torch.complex128])
@pytest.mark.parametrize("border", ["constant", "wrap"])
def test_complex_gradients(image, kernel, border):
    fill = 1 + 2j if image.is_complex else 1.5

    def function(image, kernel, bias):
        return corr2d(image, kernel, padding="same", border=border, fill=fill, stride=(1, 2), bias=bias)

    result = torch.promote_types(image, kernel)
    tensors = leaf(4, 5, dtype=image), leaf(2, 3, dtype=kernel), leaf(dtype=result)
    assert gradcheck(function, tensors)
    assert gradgradcheck(function, tensors, fast_mode=True)


def test_gradients_in_full():
    """Every element of the Jacobians, not a random projection of them."""
    for options in ({"padding": 2, "border": "symmetric"}, {"padding": "same", "stride": 2, "groups": 2}):
        tensors = leaf(1, 2, 3, 2), leaf(2, 2 // options.get("groups", 1), 2, 2), leaf(2)
        assert gradcheck(lambda x, k, b, o=options: corr2d(x, k, bias=b, **o), tensors)
        assert gradgradcheck(lambda x, k, b, o=options: corr2d(x, k, bias=b, **o), tensors)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.int64])
def test_kernels_of_integer_images_have_gradients(dtype):
    image = (torch.arange(63).reshape(7, 9) * 37 % 200).to(dtype)
    kernel, bias = leaf(3, 2, dtype=torch.float32), leaf(dtype=torch.float32)
    result = corr2d(image, kernel, bias=bias, padding="same", border="reflect")
    wide = corr2d(image.double(), kernel.double(), bias=bias.double(), padding="same", border="reflect")
    check_same(gradients(result, kernel, bias), gradients(wide, kernel, bias), 1e-5)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_kernels_of_unsigned_images_have_gradients(dtype):
    """torch promotes these dtypes to no complex one."""
    image = torch.arange(63).reshape(7, 9) * 37 % 200
    kernel = leaf(3, 2, dtype=torch.complex64)
    found = [gradients(corr2d(pixels, kernel), kernel) for pixels in (image.to(dtype), image.double())]
    check_same(*found, 1e-5)


# ---- As torch's own.


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex64", "complex128"])
@pytest.mark.parametrize("border", TORCH_BORDERS)
def test_torch_gives_the_same(border, dtype):
    dtype = getattr(torch, dtype)
    paddings = ((0, 0), (0, 0)), ((1, 1), (2, 2)), ((3, 0), (1, 4))
    for groups, stride, dilation, sides in itertools.product((1, 2), (1, (2, 3)), (1, (1, 2)), paddings):
        options = {"border": border, "stride": stride, "dilation": dilation, "groups": groups}
        image, kernel, bias = (
            leaf(2, 4, 7, 8, dtype=dtype),
            leaf(6, 4 // groups, 3, 2, dtype=dtype),
            leaf(6, dtype=dtype),
        )
        fill = 1.5 if border == "constant" and not dtype.is_complex else 0
        ours = corr2d(image, kernel, bias=bias, padding=sides, fill=fill, **options)
        theirs = by_torch(image, kernel, bias, sides=sides, fill=fill, **options)
        relative = 1e-4 if dtype in (torch.float32, torch.complex64) else 1e-11
        check_same([ours], [theirs], relative)
        check_same(gradients(ours, image, kernel, bias), gradients(theirs, image, kernel, bias), relative)


def test_every_engine_has_the_same_gradients(engine):
    """On a plane, with a kernel of the sort that the engine is for, or else on channels."""
    if engine == "integer":
        pytest.skip("whole numbers have no gradients")
    taps = torch.from_numpy(suited(leaf(3, 5).detach().numpy(), engine))
    plane, stack = leaf(2, 9, 40), leaf(2, 3, 9, 20)
    image, kernel = (stack, leaf(4, 3, 3, 5)) if engine == "torch" else (plane, taps.requires_grad_())
    ours = corr2d(image, kernel, padding=1, border="edge", engine=engine)
    theirs = corr2d(image, kernel, padding=1, border="edge", engine="direct")
    check_same([ours], [theirs])
    check_same(gradients(ours, image, kernel), gradients(theirs, image, kernel))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits(dtype):
    """The dtypes are torch's; the numbers are those of float32, rounded once."""
    tensors = [leaf(2, 3, 8, 9, dtype=dtype), leaf(4, 3, 3, 3, dtype=dtype), leaf(4, dtype=dtype)]
    wide = [tensor.detach().float().requires_grad_() for tensor in tensors]
    for options in ({"padding": 1}, {"padding": 2, "border": "reflect", "stride": 2}):
        ours = corr2d(*tensors[:2], bias=tensors[2], **options)
        theirs = corr2d(*wide[:2], bias=wide[2], **options)
        for one, other in zip(
            (ours, *gradients(ours, *tensors)), (theirs, *gradients(theirs, *wide)), strict=True
        ):
            assert one.dtype == dtype
            unit = torch.finfo(dtype).eps / 2
            # The gradient that flows in is rounded too.
            assert torch.allclose(
                one.float(), other, rtol=3 * unit, atol=3 * unit * float(other.detach().abs().max())
            )


@pytest.mark.parametrize("route", ["native", "torch"])
def test_channels_last_stays_channels_last(monkeypatch, route):
    choose(monkeypatch, route)
    image, kernel = leaf(2, 16, 8, 9, dtype=torch.float32), leaf(16, 16, 3, 3, dtype=torch.float32)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        laid_out = image.detach().to(memory_format=layout).requires_grad_()
        result = corr2d(laid_out, kernel, padding=1)
        slopes = torch.autograd.grad(result.square().sum(), (laid_out, kernel))
        assert result.is_contiguous(memory_format=layout)
        assert slopes[0].is_contiguous(memory_format=layout)
        found.append([result, *slopes])
    check_same(*found, 1e-5)


def test_one_axis_alone_is_padded(monkeypatch):
    found, options = [], {"padding": ((1, 2), (0, 0)), "border": "wrap"}
    for route in ("native", "torch"):
        choose(monkeypatch, route)
        image, kernel = leaf(1, 2, 6, 7), leaf(3, 2, 3, 3)
        found.append(gradients(corr2d(image, kernel, **options), image, kernel))
    check_same(*found)


def test_any_strides():
    kernel, base = leaf(4, 3, 3, 2), leaf(2, 3, 8, 9)
    expected = gradients(corr2d(base, kernel, padding=1), base, kernel)
    store = torch.zeros(2, 3, 16, 20, dtype=torch.float64)
    store[..., ::2, 1:19:2] = base.detach()
    strided = store[..., ::2, 1:19:2].requires_grad_()
    check_same(gradients(corr2d(strided, kernel, padding=1), strided, kernel), expected)
    turned = base.detach().permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0).requires_grad_()
    turned_kernel = kernel.detach().transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()
    result = corr2d(turned, turned_kernel, padding=1)
    check_same(gradients(result, turned, turned_kernel), expected)
    row = leaf(1, 3, 8, 9)
    result = corr2d(row.expand(2, 3, 8, 9), kernel, padding=1)
    alone = corr2d(row, kernel, padding=1)
    check_same(
        torch.autograd.grad(result.sum(), [row, kernel]), torch.autograd.grad(2 * alone.sum(), [row, kernel])
    )
    # The gradient of a sum comes as one number expanded.


def test_an_empty_batch_has_gradients():
    image, kernel, bias = leaf(0, 3, 8, 9), leaf(4, 3, 3, 3), leaf(4)
    result = corr2d(image, kernel, bias=bias, padding=1, border="wrap")
    assert result.shape == (0, 4, 8, 9)
    found = torch.autograd.grad(result.sum(), [image, kernel, bias])
    assert [gradient.shape for gradient in found] == [image.shape, kernel.shape, bias.shape]
    assert not any(gradient.any() for gradient in found)


def test_autocast_is_torchs():
    image, kernel, bias = (leaf(*shape, dtype=torch.float32) for shape in ((2, 3, 9, 9), (4, 3, 3, 3), (4,)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = (
            corr2d(image, kernel, bias=bias, padding=1),
            functional.conv2d(image, kernel, bias, padding=1),
        )
        double = corr2d(image.double(), kernel.double())
        nested = corr2d(ours, kernel.new_ones(4, 4, 1, 1))
    assert ours.dtype == theirs.dtype == nested.dtype == torch.bfloat16
    assert double.dtype == torch.float64
    check_same([ours], [theirs], 0.02)
    check_same(gradients(ours, image, kernel, bias), gradients(theirs, image, kernel, bias), 0.02)


# ---- torch's rules.


def test_no_gradient_where_none_is_wanted(monkeypatch):
    image, kernel, fixed = leaf(5, 6), leaf(2, 2), torch.ones(2, 2, dtype=torch.float64)
    with torch.no_grad():
        assert not corr2d(image, kernel).requires_grad
    with torch.inference_mode():
        assert corr2d(image, kernel).is_inference()
    assert not corr2d(image.detach(), fixed).requires_grad
    monkeypatch.setattr(derivatives, "kernel_adjoint", forbidden)
    torch.autograd.grad(corr2d(image, fixed).sum(), image)
    monkeypatch.undo()
    monkeypatch.setattr(derivatives, "image_adjoint", forbidden)
    torch.autograd.grad(corr2d(image.detach(), kernel).sum(), kernel)
    torch.autograd.grad(corr2d(image.detach(), kernel, bias=leaf()).sum(), kernel)


def forbidden(*_):
    pytest.fail("a gradient that nobody wants is computed")


def test_a_gradient_penalty():
    """The gradient's own gradient, as in the training of critics, by torch's operator and by ours."""
    found = []
    for operator in (corr2d, functional.conv2d):
        image, kernel = leaf(2, 3, 6, 7), leaf(4, 3, 3, 3)
        first = operator(image, kernel, padding=1).tanh().sum()
        (slope,) = torch.autograd.grad(first, image, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        found.append([penalty, *torch.autograd.grad(penalty, (image, kernel))])
    check_same(*found)


def test_the_graph_may_be_kept():
    image, kernel = leaf(5, 6), leaf(2, 2)
    result = corr2d(image, kernel, padding="same", border="wrap").sum()
    result.backward(retain_graph=True)
    once = image.grad.clone(), kernel.grad.clone()
    result.backward()
    check_same([image.grad, kernel.grad], [2 * gradient for gradient in once])
    with pytest.raises(RuntimeError, match="second time"):
        result.backward()


@pytest.mark.parametrize("changed", [0, 1])
def test_a_changed_tensor_is_noticed(changed):
    tensors = leaf(5, 6), leaf(2, 2)
    result = corr2d(*tensors)
    with torch.no_grad():
        tensors[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


@pytest.mark.parametrize("channelled", [False, True])
def test_the_bias_may_change_before_the_gradients(channelled):
    """None of them is made of it."""
    tensors = (leaf(3, 5, 6), leaf(2, 3, 2, 2), leaf(2)) if channelled else (leaf(5, 6), leaf(2, 2), leaf())
    results = [corr2d(*tensors[:2], bias=tensors[2]) for _ in range(2)]
    expected = gradients(results[0], *tensors)
    with torch.no_grad():
        tensors[2].add_(1)
    check_same(gradients(results[1], *tensors), expected)


@pytest.mark.parametrize("route", ["native", "torch"])
@pytest.mark.parametrize("case", ["plane", "channels", "channels last", "photograph"])
def test_a_result_may_be_changed_in_place(monkeypatch, case, route):
    """As by ReLU(inplace=True): it must be no view made inside the node."""
    choose(monkeypatch, route)
    image, kernel, options = {
        "plane": (leaf(5, 6), leaf(2, 2), {}),
        "channels": (leaf(3, 5, 6), leaf(2, 3, 2, 2), {}),
        "channels last": (leaf(2, 3, 5, 6), leaf(3, 1, 2, 2), {"groups": 3}),
        "photograph": (leaf(5, 6, 3), leaf(2, 2), {"channel_axis": -1}),
    }[case]
    if case == "channels last":
        image = image.detach().to(memory_format=torch.channels_last).requires_grad_()
    changed, kept = corr2d(image, kernel, **options).relu_(), corr2d(image, kernel, **options).relu()
    check_same(gradients(changed, image, kernel), gradients(kept, image, kernel))


def test_the_kernel_may_change_between_calls():
    """Nothing that was kept of it may be stale: an optimiser's step is in place."""
    image, kernel = leaf(5, 6).detach(), leaf(2, 2)
    for _ in range(3):
        corr2d(image, kernel).square().sum().backward()
        with torch.no_grad():
            kernel.sub_(0.01 * kernel.grad)
        assert torch.allclose(
            corr2d(image, kernel), functional.conv2d(image[None, None], kernel[None, None])[0, 0]
        )
        kernel.grad = None


@pytest.mark.parametrize("layer", [False, True])
def test_a_small_kernel_that_learns_is_not_looked_at(monkeypatch, layer):
    """Its structure goes with the next step, and a look takes longer than what it might save."""
    size, taps = ((2, 3, 8, 8), (3, 1, 3, 3)) if layer else ((8, 8), (3, 3))
    options = {"groups": 3} if layer else {}
    image, kernel = leaf(*size), torch.ones(taps, dtype=torch.float64, requires_grad=True)
    looks = []
    look = resolved.weigh
    monkeypatch.setattr(resolved, "weigh", lambda *arguments: looks.append(1) or look(*arguments))
    torch.autograd.grad(corr2d(image, kernel, **options).sum(), (image, kernel))
    assert not looks
    with torch.no_grad():
        corr2d(image, kernel, **options)
        corr2d(image, kernel, **options)
    assert len(looks) == 1
    plane, large = leaf(256, 256), torch.ones(31, 31, dtype=torch.float64, requires_grad=True)
    assert package.explain(plane, large).engine == "box"
    before = len(looks)
    torch.autograd.grad(corr2d(plane, large).sum(), large)
    assert len(looks) > before


def test_the_same_bits_again(restored_threads):
    image, kernel = leaf(2, 1, 200, 300, dtype=torch.float32), leaf(2, 1, 5, 5, dtype=torch.float32)
    found = []
    for threads in (1, 2, 2):
        package.set_num_threads(threads)
        result = corr2d(image, kernel, padding=2, border="reflect", engine="direct")
        found.append([tensor.numpy().tobytes() for tensor in (result.detach(), gradients(result, kernel)[0])])
    assert found[0] == found[1] == found[2]


def test_backward_in_several_threads():
    image, kernel = leaf(3, 40, 50), leaf(5, 5)
    expected, found = gradients(corr2d(image, kernel, padding="same"), image, kernel), {}

    def work(number):
        found[number] = gradients(corr2d(image, kernel, padding="same"), image, kernel)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number in range(4):
        check_same(found[number], expected, 0)


def test_hooks_see_gradients_and_saved_tensors():
    image, kernel, seen, packed = leaf(5, 6), leaf(2, 2), [], []
    expected = torch.autograd.grad(corr2d(image, kernel).sum(), (image, kernel))
    image.register_hook(seen.append)
    kernel.register_hook(lambda gradient: 2 * gradient)

    def pack(tensor):
        packed.append(tensor.shape)
        return tensor.numpy(force=True).copy()

    with torch.autograd.graph.saved_tensors_hooks(pack, torch.from_numpy):
        result = corr2d(image, kernel)
    result.sum().backward()
    assert sorted(packed) == [(2, 2), (5, 6)]
    check_same([seen[0], kernel.grad], [expected[0], 2 * expected[1]])


@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:Error detected in SqrtBackward0")
def test_anomalies_are_found():
    image = torch.full((3, 3), torch.inf, requires_grad=True)
    with torch.autograd.detect_anomaly():
        result = corr2d(image, torch.ones(2, 2)) * 0
        with pytest.raises(RuntimeError, match="returned nan values"):
            result.sqrt().sum().backward()


# ---- Both routes, other devices.


ROUTES = {"PlainCorrelateBackward", "ConvolutionBackward0"}


def nodes(node):
    """Names of all nodes of a graph."""
    if node is None:
        return set()
    return {type(node).__name__}.union(*(nodes(following) for following, _ in node.next_functions))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("border", [*BORDERS, ("symmetric", "constant")])
def test_every_route_gives_the_same(monkeypatch, border, dtype):
    calls = [
        (
            (2, 4, 9, 8),
            (6, 2, 3, 2),
            {"groups": 2, "padding": ((4, 1), (0, 12)), "stride": (2, 1), "fill": 1.5},
        ),
        ((4, 9, 8), (6, 4, 2, 2), {"padding": 1, "dilation": 2, "fill": -1}),
        ((3, 7, 6), (3, 3), {"padding": "same"}),
    ]
    for size, taps, options in calls:
        image, kernel, bias = (
            leaf(*size, dtype=dtype),
            leaf(*taps, dtype=dtype),
            leaf(*taps[:1] if len(taps) == 4 else (), dtype=dtype),
        )
        found = []
        for route in ("native", "torch", "whole"):
            choose(monkeypatch, route)
            result = conv2d(image, kernel, bias=bias, border=border, **options)
            found.append([result, *gradients(result, image, kernel, bias)])
        routes = [nodes(results[0].grad_fn) & ROUTES for results in found]
        whole = {"ConvolutionBackward0"} if len(taps) == 4 else {"PlainCorrelateBackward"}
        assert routes == [{"PlainCorrelateBackward"}, {"PlainCorrelateBackward"}, whole]
        for other in found[1:]:
            check_same(other, found[0], 1e-4 if dtype == torch.float32 else 1e-11)


@pytest.mark.parametrize("route", ["native", "engine", "whole"])
@pytest.mark.parametrize("argument", ["kernel", "bias"])
def test_every_route_refuses_what_the_sum_cannot_hold(monkeypatch, argument, route):
    choose(monkeypatch, "native" if route == "engine" else route)
    arguments = {"image": torch.ones(3, 5, 6), "kernel": leaf(2, 3, 2, 2), "bias": leaf(2)}
    arguments[argument] = arguments[argument] * 1e300
    with pytest.raises(ValueError, match=rf"^corr2d: {argument} must be within the range of float32"):
        corr2d(**arguments, engine="torch" if route == "engine" else None)


def test_other_devices_go_through_torch():
    """Tensors on "meta" have shapes only: enough to see that nothing asks for memory on the CPU."""
    image, kernel = (
        leaf(*shape).detach().to("meta").requires_grad_() for shape in ((2, 4, 7, 8), (6, 2, 3, 2))
    )
    result = corr2d(image, kernel, groups=2, padding=3, border="symmetric", stride=2, dtype=torch.float32)
    assert (result.device.type, result.dtype, result.shape) == ("meta", torch.float32, (2, 6, 6, 7))
    result.sum().backward()
    assert (image.grad.device.type, image.grad.shape, kernel.grad.shape) == (
        "meta",
        image.shape,
        kernel.shape,
    )
    with pytest.raises(ValueError, match=r"^corr2d: kernel must be on the image's device, meta, .*cpu"):
        corr2d(image, torch.ones(6, 2, 3, 2), groups=2)
    with pytest.raises(ValueError, match=r"^corr2d: image must be floating on this device"):
        corr2d(image, kernel, groups=2, dtype=torch.uint8)
