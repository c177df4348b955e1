"""Rules that read or write by indices, constant and computed, and of views, held against brute force."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d.field.propagation import reading_of
from corr2d.field.rules import DATA_DEPENDENT, SUPERSET
from field_brute import Function, case, check, drawn

torch.set_num_threads(1)
ATEN = torch.ops.aten
INDEX = torch.tensor([[0, 2, 1], [1, 1, 0]])
APART = torch.tensor([[0, 2], [1, 0]])
MASK = torch.tensor([[True, False, True], [False, True, True]])


def line(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


GATHERING = [
    case("gather", lambda x: x.gather(1, INDEX), (2, 3)),
    case("gather, some rows", lambda x: x.gather(1, INDEX[:1, :2]), (2, 3)),
    case("along", lambda x: x.take_along_dim(INDEX[:1], 1), (2, 3)),
    case("along the flat one", lambda x: torch.take_along_dim(x, line(3, 0)), (2, 3)),
    case("take", lambda x: x.take(INDEX), (2, 3)),
    case("slices", lambda x: x.index_select(1, line(2, 0, 0)), (2, 3, 2)),
    case("embedding", Function(lambda i, w: functional.embedding(i, w), drawn(3, 2)), INDEX),
    case("embedding, computed table", lambda w: functional.embedding(INDEX, w), (3, 2)),
    case("one axis", lambda x: x[:, line(1, 0), :], (2, 3, 2)),
    case("two axes, broadcast", lambda x: x[line(0, 1)[:, None], line(1, 2, 0)], (2, 3, 2)),
    case("two axes apart", lambda x: x[line(0, 1), :, line(1, 0)], (2, 3, 2)),
    case("negative", lambda x: x[:, line(-1, 0)], (2, 3)),
    case("mask of an axis", lambda x: x[:, MASK[0]], (2, 3, 2)),
    case("mask of two axes", lambda x: x[MASK], (2, 3, 2)),
    case("buckets", lambda x: torch.bucketize(x, drawn(3).sort()[0]), (2, 2), draws=6),
    case("classes", lambda i: functional.one_hot(i, 3), INDEX),
    case("computed places in known numbers", lambda y: drawn(3, 2)[y.argsort()], (3,)),
]
SCATTERING = [
    case("put", lambda x, v: torch.index_put(x, (line(0, 1),), v), (3, 2), (2, 2)),
    case("put along columns", lambda x, v: ATEN.index_put(x, [None, line(0, 2)], v), (2, 3), (2, 2)),
    case(
        "put, added",
        lambda x, v: torch.index_put(x, (line(0, 1), line(1, 1)), v, accumulate=True),
        (3, 2),
        (2,),
    ),
    case("put, unsafe", lambda x, v: ATEN._unsafe_index_put(x, [line(0, 2)], v), (3,), (2,)),
    case("put one number", lambda x, v: torch.index_put(x, (MASK,), v), (2, 3), ()),
    case("flat put", lambda x, s: x.put(line(1, 3), s), (2, 2), (2,)),
    case("flat put, added", lambda x, s: x.put(line(1, 1), s, accumulate=True), (2, 2), (2,)),
    case("scatter", lambda x, s: x.scatter(1, APART, s), (2, 3), (2, 3)),
    case("scatter a number", lambda x: x.scatter(1, APART[:, :1], 2.0), (2, 3)),
    case("scatter, added", lambda x, s: x.scatter(1, INDEX, s, reduce="add"), (2, 3), (2, 3)),
    case("scatter_add", lambda x, s: x.scatter_add(0, INDEX, s), (3, 3), (2, 3)),
    *(
        case(
            f"scatter_reduce {how} {kept}",
            lambda x, s, h=how, k=kept: x.scatter_reduce(1, INDEX, s, reduce=h, include_self=k),
            (2, 3),
            (2, 3),
            draws=6,
        )
        for how in ("sum", "mean", "amax", "prod")
        for kept in (True, False)
    ),
    case("slices, added", lambda x, s: x.index_add(1, line(0, 2), s), (2, 3), (2, 2)),
    case("slices, copied", lambda x, s: x.index_copy(0, line(1, 0), s), (3, 2), (2, 2)),
    case("slices, filled", lambda x: x.index_fill(1, line(1), 0.0), (2, 3)),
    case("slices, filled by a computed number", lambda x, v: x.index_fill(1, line(1), v), (2, 3), ()),
    case(
        "slices, reduced",
        lambda x, s: x.index_reduce(0, line(1, 0), s, "amax", include_self=False),
        (3, 2),
        (2, 2),
    ),
    case("where a mask is", lambda x, s: x.masked_scatter(MASK, s), (2, 3), (5,)),
    case("known numbers where a mask is", lambda x: x.masked_scatter(MASK, drawn(5)), (2, 3)),
    case("filled", lambda x: x.masked_fill(MASK, 0.0), (2, 3)),
    case("filled by a computed number", lambda x, v: x.masked_fill(MASK, v), (2, 3), ()),
    case("where", lambda x, y: torch.where(MASK, x, y), (2, 3), (2, 3)),
]


@pytest.mark.parametrize(("model", "inputs", "options"), [*GATHERING, *SCATTERING])
def test_constant_places_are_exact(model, inputs, options):
    check(model, *inputs, **({"equal": True} | options))


#: Indices are given as inputs: they move by themselves then, and every place they can point at is seen.
COMPUTED = [
    case("gather", lambda x, i: x.gather(1, i), (2, 3), INDEX),
    case("gather, some rows", lambda x, i: x.gather(1, i), (3, 3, 2), INDEX[:, :2, None] % 3),
    case("along", lambda x, i: x.take_along_dim(i, 1), (2, 3), INDEX[:1]),
    case("take", lambda x, i: x.take(i), (3,), line(0, 2)),
    case("slices", lambda x, i: x.index_select(1, i), (2, 3, 2), line(2, 0)),
    case("embedding", lambda i, w: functional.embedding(i, w), INDEX[0], (3, 2)),
    case("one axis", lambda x, i: x[:, i], (2, 3, 2), line(2, 0)),
    case("two axes apart, one known", lambda x, i: x[line(0, 1), :, i], (2, 2, 3), line(2, 0)),
    case("two axes, broadcast", lambda x, i: x[i, line(1, 0)], (3, 2), INDEX[:, :1]),
    case("put", lambda x, v, i: torch.index_put(x, (i,), v), (3, 2), (1, 2), line(1)),
    case(
        "put, one axis known",
        lambda x, v, i: torch.index_put(x, (i, line(0, 1)), v),
        (3, 2),
        (2,),
        line(2, 0),
    ),
    case("put, added", lambda x, v, i: torch.index_put(x, (i,), v, accumulate=True), (3,), (2,), line(2, 0)),
    case("put where a mask is", lambda x: torch.index_put(x, (x > 0,), drawn(1)[0]), (2, 3)),
    case("flat put", lambda x, s, i: x.put(i, s), (3,), (1,), line(1)),
    case("scatter", lambda x, s, i: x.scatter(1, i, s), (2, 3), (2, 2), INDEX[:, :1]),
    case("scatter_add", lambda x, s, i: x.scatter_add(1, i, s), (2, 3), (2, 3), INDEX),
    case("slices, added", lambda x, s, i: x.index_add(1, i, s), (2, 3), (2, 2), line(2, 0)),
    case("slices, filled", lambda x, i: x.index_fill(1, i, 0.0), (2, 3), line(2)),
    case("filled", lambda x, y: x.masked_fill(y > 0, 0.0), (2, 2), (2, 1)),
    case("where", lambda x, y: torch.where(x > 0, x, y), (2, 2), (2, 2)),
    case(
        "unpool",
        lambda x: functional.max_unpool1d(*functional.max_pool1d(x, 2, return_indices=True), 2),
        (1, 1, 4),
    ),
    case(
        "unpool volumes",
        lambda x: functional.max_unpool3d(
            *functional.max_pool3d(x, (1, 2, 1), return_indices=True), (1, 2, 1)
        ),
        (1, 1, 1, 4, 1),
    ),
    case("buckets", lambda x, y: torch.bucketize(x, y.cumsum(0)), (2,), (2,)),
    case("search", lambda x, y: torch.searchsorted(x, y), (1, 2), (1, 2)),
]


#: What nobody can know: then everything is read.
UNKNOWN = [
    case(
        "put where a mask is, in one column",
        lambda x: torch.index_put(x, (x[:, 0] > 0, line(1)), drawn(1)[0]),
        (3, 2),
    ),
    case("where a computed mask is", lambda x, s: x.masked_scatter(x > 0, s), (2, 3), (6,)),
]


@pytest.mark.parametrize(("model", "inputs", "options"), UNKNOWN)
def test_values_at_unknown_places_are_taken_to_be_read_everywhere(model, inputs, options):
    graph = check(model, *inputs, draws=4, **options)
    reading = reading_of(graph.operations[-1])
    assert (reading.status, reading.reason) == (SUPERSET, "writes where a mask computed from the input is")


@pytest.mark.parametrize(("model", "inputs", "options"), COMPUTED)
def test_computed_places_hold_all_that_can_be_and_say_so(model, inputs, options):
    graph = check(model, *inputs, equal=False, draws=4, **options)
    assert DATA_DEPENDENT in {reading_of(operation).status for operation in graph.operations}


#: Of these all that can be is found by moving: nothing is in the masks that cannot be read.
@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (lambda x, i: x.gather(1, i), ((2, 3), INDEX)),
        (lambda x, i: x.index_select(1, i), ((2, 3, 2), line(2, 0))),
        (lambda x, i: x[line(0, 1), :, i], ((2, 2, 3), line(2, 0))),
        (lambda x, s, i: x.scatter_add(1, i, s), ((2, 3), (2, 3), INDEX)),
        (lambda x, s, i: x.index_add(1, i, s), ((2, 3), (2, 2), line(2, 0))),
    ],
)
def test_computed_places_hold_no_more_than_can_be(model, inputs):
    # What an index can point at is found by pointing it there.
    truth = None
    for first in range(3):
        given = [
            (one + first) % 3 if isinstance(one, torch.Tensor) else torch.rand(one, dtype=torch.float64)
            for one in inputs
        ]
        seen, changed = check_anyway(model, given)
        truth = changed if truth is None else truth | changed
    assert torch.equal(seen, truth)


def check_anyway(model, given):
    from corr2d.field.capture import capture
    from field_brute import backwards, moved

    module = Function(model)
    return backwards(capture(module, tuple(given), way="dispatch")), moved(module, given)


VIEWS = [
    *(
        case(name, function, (2, 3, 4))
        for name, function in {
            "view": lambda x: x.view(6, 4),
            "transpose": lambda x: x.transpose(0, 2),
            "permute": lambda x: x.permute(2, 0, 1),
            "flatten": lambda x: x.flatten(1),
            "unflatten": lambda x: x.unflatten(2, (2, 2)),
            "expand": lambda x: x[:, :1].expand(2, 2, 4),
            "slice": lambda x: x[:, 1:, ::2],
            "select": lambda x: x[:, 1],
            "flip": lambda x: x.flip(0, 2),
            "roll": lambda x: x.roll((1, -1), (1, 2)),
            "roll flat": lambda x: x.roll(5),
            "cat": lambda x: torch.cat([x, x[:, :1] * 2, drawn(2, 1, 4)], 1),
            "stack": lambda x: torch.stack([x, x.flip(2)], 1),
            "split": lambda x: x.split([1, 2], 1),
            "chunk": lambda x: x.chunk(2, 2)[1],
            "unbind": lambda x: x.unbind(1)[2],
            "repeat": lambda x: x.repeat(1, 2, 1),
            "interleaved": lambda x: x.repeat_interleave(2, 1),
            "tril": lambda x: x.tril(1),
            "diagonal": lambda x: x.diagonal(0, 1, 2),
            "rot90": lambda x: x.rot90(1, (1, 2)),
            "unfold": lambda x: x.unfold(2, 3, 1),
            "windows and back": lambda x: x.unflatten(2, (2, 2)).transpose(1, 2).flatten(1, 2).roll(1, 1),
            "written in place": lambda x: x.clone().index_fill_(1, line(0), 0.0),
            "written through a view": lambda x: written(x),
            "added in place": lambda x: x.clone()[:, 1].add_(x[:, 0]),
        }.items()
    ),
    case("shuffle", nn.PixelShuffle(2), (1, 4, 2, 2)),
    case("unshuffle", nn.PixelUnshuffle(2), (1, 1, 4, 2)),
    case("channel shuffle", nn.ChannelShuffle(2), (1, 4, 1, 2)),
    case("patches", lambda x: functional.unfold(x, 2, dilation=(1, 2), padding=1, stride=2), (1, 1, 4, 4)),
    *(
        case(f"bytes as {dtype}", lambda x, d=dtype: x.view(d), (2, 4))
        for dtype in (torch.int64, torch.float32, torch.complex128)
    ),
    *(
        case(f"{name} another", lambda x, y, n=name: getattr(ATEN, n)(x, y), (2, 2), (2, 2))
        for name in ("view_as", "expand_as", "type_as")
    ),
    case("known numbers as another", lambda y: ATEN.view_as(drawn(2, 2), y), (2, 2)),
    case("patches back", lambda x: functional.fold(x, (3, 4), 2, padding=(0, 1)), (1, 4, 10)),
]


def written(tensor):
    copy = tensor.clone()
    copy[:, 1:, ::2] = tensor[:, :2, 1::2] * 3
    return copy


@pytest.mark.parametrize(("model", "inputs", "options"), VIEWS)
def test_views_and_pieces(model, inputs, options):
    check(model, *inputs, equal=True, **options)


POINTWISE = [
    *(
        nn.ReLU(),
        nn.LeakyReLU(),
        nn.GELU(),
        nn.SiLU(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Softplus(),
        nn.Hardswish(),
    ),
    *(nn.ELU(), nn.PReLU(), nn.Hardtanh(), nn.ReLU6(), nn.Mish(), nn.Softsign(), nn.Dropout(), nn.Identity()),
    *(nn.Hardsigmoid(), nn.Threshold(0.1, 0.2), nn.Tanhshrink(), nn.LogSigmoid(), nn.Softshrink(), nn.CELU()),
]


@pytest.mark.parametrize("layer", POINTWISE, ids=lambda layer: type(layer).__name__)
def test_activations(layer):
    check(layer, (1, 2, 2), draws=4)


def test_operators_with_broadcasting():
    check(lambda x, y: (x + y) * x.exp() / (y**2 + 1) - torch.maximum(x, y), (2, 1, 3), (2, 1), draws=4)
    check(lambda x: x.sign() + (x > 0) + x.clamp(-1, 1).abs(), (2, 2), draws=8)
    check(lambda x, y, w: torch.lerp(x, y, w) + torch.addcmul(x, y, w), (2, 2), (2,), (1,))
    check(lambda x: torch.zeros_like(x) + x[:, :1], (2, 2))


def test_a_gated_unit_splits_its_channels():
    check(nn.GLU(1), (1, 4, 2))
