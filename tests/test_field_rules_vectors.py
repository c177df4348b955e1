"""Rules of products, reductions and recurrent layers, held against brute force (`field_brute`)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d.field.propagation import reading_of
from corr2d.field.rules import DATA_DEPENDENT, EXACT, SUPERSET, WHOLE
from field_brute import Function, case, check, drawn

torch.set_num_threads(1)
ATEN = torch.ops.aten
DOUBLE = torch.float64
TRIANGLE = torch.ones(3, 3, dtype=DOUBLE).tril()


# --- products

PRODUCTS = [
    case(f"matmul {left} {right}", torch.matmul, left, right)
    for left, right in [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 2)),
        ((2, 2, 3), (3, 2)),
        ((2, 3), (2, 3, 2)),
        ((2, 1, 2, 3), (2, 3, 2)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
    ]
]
PRODUCTS += [
    case(f"einsum {equation}", lambda *x, e=equation: torch.einsum(e, *x), *shapes)
    for equation, *shapes in [
        ("bchw,bchv->bwv", (1, 2, 2, 3), (1, 2, 2, 2)),
        ("ii->i", (3, 3)),
        ("ij->", (2, 3)),
        ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
        ("i,j->ij", (2,), (3,)),
        ("ij,jk,kl->il", (2, 2), (2, 3), (3, 2)),
        ("bij->bji", (1, 2, 3)),
        ("ij,kl->ik", (2, 2), (3, 2)),
    ]
]
PRODUCTS += [
    case("linear", nn.Linear(4, 3), (1, 2, 4)),
    case("linear, computed weight", functional.linear, (2, 4), (3, 4)),
    case("linear, known image", lambda w: functional.linear(drawn(2, 3), w), (2, 3)),
    case("linear, computed bias", lambda x, b: functional.linear(x, drawn(3, 4), b), (2, 4), (3,)),
    case("linear, one output", lambda x: functional.linear(x, drawn(4)), (2, 4)),
    case("mm", torch.mm, (2, 3), (3, 2)),
    case("bmm", torch.bmm, (2, 2, 3), (2, 3, 2)),
    case("mv", torch.mv, (2, 3), (3,)),
    case("dot", torch.dot, (3,), (3,)),
    case("vdot", torch.vdot, (3,), (3,)),
    case("addmm", torch.addmm, (2,), (2, 3), (3, 2)),
    case("addmm, beta 0", lambda a, b, c: torch.addmm(a, b, c, beta=0), (2, 2), (2, 3), (3, 2)),
    case("addmm, alpha 0", lambda a, b, c: torch.addmm(a, b, c, alpha=0), (2, 2), (2, 3), (3, 2)),
    case("addmv", torch.addmv, (2,), (2, 3), (3,)),
    case("addbmm", torch.addbmm, (2, 2), (2, 2, 3), (2, 3, 2)),
    case("baddbmm", torch.baddbmm, (1, 2, 2), (2, 2, 3), (2, 3, 2)),
    case("linalg.matmul", torch.linalg.matmul, (2, 3), (3, 2)),
    case("core distances", lambda a, b: ATEN._cdist_forward(a, b, 2.0, None), (2, 3), (3, 3)),
    case("outer", torch.outer, (2,), (3,)),
    case("ger", torch.ger, (2,), (3,)),
    case("addr", torch.addr, (2, 3), (2,), (3,)),
    case("addr, beta 0", lambda a, b, c: torch.addr(a, b, c, beta=0), (2, 3), (2,), (3,)),
    case("inner", torch.inner, (2, 3), (2, 2, 3)),
    case("inner of vectors", torch.inner, (3,), (3,)),
    case("kron", torch.kron, (2, 2), (3, 1)),
    case("tensordot", lambda a, b: torch.tensordot(a, b, dims=([0, 2], [1, 0])), (2, 3, 2), (2, 2, 3)),
    case("bilinear", nn.Bilinear(2, 3, 2), (2, 2), (2, 3)),
    case("bilinear, computed weight", functional.bilinear, (2, 2), (2, 1), (2, 2, 1), (2,)),
    case("chain", lambda *x: torch.linalg.multi_dot(x), (2, 3), (3, 2), (2, 2)),
    case("chain, one known", lambda a, c: torch.linalg.multi_dot([a, drawn(3, 2), c]), (2, 3), (2, 2)),
    case("chain of vectors", lambda *x: torch.linalg.multi_dot(x), (3,), (3, 2), (2,)),
    case("cosine", lambda a, b: functional.cosine_similarity(a, b, dim=1), (2, 3, 2), (1, 3, 2)),
    case("distance of pairs", lambda a, b: functional.pairwise_distance(a, b, keepdim=True), (2, 3), (2, 3)),
    case("vecdot", lambda a, b: torch.linalg.vecdot(a, b, dim=0), (3, 2), (3, 2)),
    case("distances", torch.cdist, (2, 3), (3, 3)),
    case("distance", torch.dist, (2, 2), (2, 2)),
    case("cross", torch.linalg.cross, (2, 3), (1, 3)),
    case("cross along columns", lambda a, b: torch.cross(a, b, dim=0), (3, 2), (3, 2)),
    # Constants that are no parameters keep their zeros.
    case("constant right", lambda x: x @ TRIANGLE, (2, 3)),
    case("constant left", lambda x: TRIANGLE @ x, (3, 2)),
    case("constant vector", lambda x: x @ TRIANGLE[1], (2, 3)),
    case("constant in einsum", lambda x: torch.einsum("bi,ij->bj", x, TRIANGLE), (2, 3)),
    case("constant in tensordot", lambda x: torch.tensordot(x, TRIANGLE, dims=1), (2, 3)),
    case("constant weight", lambda x: functional.linear(x, TRIANGLE), (2, 3)),
    case("constant in outer", lambda x: torch.outer(x, TRIANGLE[1]), (2,)),
    case("constant in inner", lambda x: torch.inner(x, TRIANGLE), (2, 3)),
    case("constant in kron", lambda x: torch.kron(x, TRIANGLE), (1, 2)),
    case("masked weight", Function(lambda x, w: functional.linear(x, w * TRIANGLE), drawn(3, 3)), (2, 3)),
]


@pytest.mark.parametrize(("model", "inputs", "options"), PRODUCTS)
def test_products(model, inputs, options):
    graph = check(model, *inputs, **options)
    assert {reading_of(operation).status for operation in graph.operations} <= {EXACT, WHOLE}


# --- reductions

REDUCTIONS = [
    case(
        f"{name} {dim} {keep}",
        lambda x, n=name, d=dim, k=keep: getattr(x, n)(dim=d, keepdim=k),
        (2, 2, 1, 3),
        draws=3,
    )
    for name in ("sum", "mean", "var", "std", "amax", "amin", "nansum")
    for dim in (1, (2, 3), (0, -1))
    for keep in (False, True)
    if keep == (dim == (2, 3))
]
REDUCTIONS += [
    case(f"all {name}", lambda x, n=name: getattr(x, n)(), (2, 2), draws=6)
    for name in (
        "sum",
        "mean",
        "var",
        "prod",
        "max",
        "min",
        "median",
        "norm",
        "nanmean",
        "argmax",
        "logsumexp0",
    )
    if name != "logsumexp0"
]
REDUCTIONS += [
    case(f"{name} with places", lambda x, n=name: getattr(x, n)(1), (2, 3, 2), draws=12)
    for name in (
        "max",
        "min",
        "median",
        "nanmedian",
        "mode",
        "argmax",
        "argmin",
        "sort",
        "argsort",
        "cummax",
        "cummin",
    )
]
REDUCTIONS += [
    case(f"{name} of one", lambda x, n=name: getattr(x, n)(1), (2, 1, 2), draws=3)
    for name in ("max", "median", "argmax", "sort", "cummax")
]
REDUCTIONS += [
    case(f"{name}", lambda x, n=name: getattr(x, n)(1), (2, 4, 2))
    for name in ("cumsum", "cumprod", "logcumsumexp")
]
REDUCTIONS += [
    case("variance of one", lambda x: torch.var_mean(x, dim=1, unbiased=False), (2, 1, 2)),
    case("variance and mean", lambda x: torch.std_mean(x, dim=(1, 2)), (2, 2, 2)),
    case("extremes", lambda x: torch.aminmax(x, dim=1), (2, 3), draws=6),
    case("product", lambda x: x.prod(1, keepdim=True), (2, 3, 2)),
    *(
        case(f"norm {p}", lambda x, o=p: torch.linalg.vector_norm(x, o, dim=(1,)), (2, 3), draws=6)
        for p in (1, 2, torch.inf)
    ),
    case("norm by p", lambda x: x.norm(p=1, dim=1), (2, 3)),
    case("norm of a matrix", lambda x: torch.linalg.matrix_norm(x), (2, 2, 3)),
    case("nuclear norm", lambda x: torch.linalg.matrix_norm(x, "nuc"), (2, 2, 3)),
    case("core norm", lambda x: ATEN.norm.ScalarOpt_dim(x, 2, [1]), (2, 3)),
    case("core Frobenius norm", lambda x: ATEN.frobenius_norm.dim(x, [0, 1]), (2, 2, 2)),
    case("core nuclear norm", lambda x: ATEN.nuclear_norm(x), (2, 3)),
    case("linalg.norm", lambda x: torch.linalg.norm(x, dim=1), (2, 3)),
    case("log of sums", lambda x: x.logsumexp((0, 2)), (2, 3, 2)),
    case("special log of sums", lambda x: ATEN.special_logsumexp(x, [1]), (2, 3)),
    case("quantile of numbers", lambda x: torch.nanquantile(x, 0.5, 1), (2, 3), draws=12),
    case("any", lambda x: (x > 0).any(1), (2, 2, 2), draws=16),
    case("all", lambda x: (x > 0).all(1), (2, 2, 2), draws=32),
    case("count", lambda x: (x > 0).count_nonzero(1), (2, 3), draws=6),
    case("largest two", lambda x: x.topk(2, 1), (2, 3, 2), draws=16),
    case("second", lambda x: x.kthvalue(2, 1), (2, 3), draws=16),
    case("quantile", lambda x: x.quantile(0.3, 1), (2, 3, 2), draws=12),
    case("quantiles", lambda x: torch.quantile(x, drawn(2).abs(), dim=1, keepdim=True), (2, 3, 2), draws=12),
    case("quantile of all", lambda x: torch.quantile(x, 0.5), (2, 2), draws=12),
    case("sorted", torch.msort, (3, 2), draws=12),
    case("sorted, stable", lambda x: x.sort(dim=0, stable=True), (3, 2), draws=12),
    case("differences", lambda x: x.diff(n=2, dim=1), (2, 4)),
    case("differences, prepended", lambda x, p: torch.diff(x, prepend=p, append=drawn(2, 1)), (2, 3), (2, 1)),
    case("trace", torch.trace, (3, 3)),
    *(
        case(f"{name} {shape}", function, shape)
        for name, function in (("covariance", torch.cov), ("correlation", torch.corrcoef))
        for shape in ((3, 4), (4,))
    ),
    case("sums of one number", lambda x: x.cumsum(0), ()),
    case("maxima of one number", lambda x: x.cummax(0), ()),
]


@pytest.mark.parametrize(("model", "inputs", "options"), REDUCTIONS)
def test_reductions(model, inputs, options):
    # What the data decide is found, too, given enough draws.
    check(model, *inputs, equal=True, **options)


@pytest.mark.parametrize("function", [torch.sort, torch.argmax, lambda x: x.topk(2), torch.median])
def test_orders_are_decided_by_the_data(function):
    graph = check(function, (1, 3))
    assert reading_of(graph.operations[0]).status == DATA_DEPENDENT


@pytest.mark.parametrize(
    ("function", "shape", "status"),
    [
        (lambda x: x.mean((2, 3)), (1, 2, 2, 2), WHOLE),
        (lambda x: x.mean((1, 2)), (1, 2, 2, 2), WHOLE),
        (lambda x: x.mean(1), (1, 2, 2, 2), EXACT),
        (lambda x: x.amax(3), (1, 2, 2, 2), EXACT),
        (lambda x: x.mean(-1), (1, 2, 4), WHOLE),
    ],
)
def test_a_squeeze_over_the_image_is_told_from_one_over_channels(function, shape, status):
    graph = check(function, shape, equal=True, draws=4)
    assert reading_of(graph.operations[0]).status == status


# --- recurrent layers


class WithStates(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, line, *states):
        return self.inner(line, states if len(states) > 1 else states[0])


class OfPacked(nn.Module):
    """Three sequences of 4, 2 and 1 steps."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, data, *states):
        packed = nn.utils.rnn.PackedSequence(data, torch.tensor([3, 2, 1, 1]))
        output, last = self.inner(packed, states or None)
        return output.data, last


RECURRENT = [
    case(
        f"{kind.__name__} {options}",
        kind(2, 3, **options),
        (2, 4, 2) if "batch_first" in options else (4, 1, 2),
    )
    for kind in (nn.RNN, nn.GRU, nn.LSTM)
    for options in (
        {},
        {"num_layers": 2},
        {"bidirectional": True},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
    )
]
RECURRENT += [
    case("rectified", nn.RNN(2, 3, nonlinearity="relu"), (3, 1, 2), positive=True),
    case("unbatched", nn.RNN(2, 3), (3, 2)),
    case("projected", nn.LSTM(2, 3, 2, proj_size=2, bidirectional=True), (3, 1, 2)),
    case("computed states", WithStates(nn.LSTM(2, 3, 2)), (3, 1, 2), (2, 1, 3), (2, 1, 3)),
    case("computed states, one step", WithStates(nn.LSTM(2, 3, 2)), (1, 1, 2), (2, 1, 3), (2, 1, 3)),
    case(
        "computed states, both ways",
        WithStates(nn.LSTM(2, 2, bidirectional=True)),
        (3, 1, 2),
        (2, 1, 2),
        (2, 1, 2),
    ),
    case(
        "computed states, projected", WithStates(nn.LSTM(2, 3, proj_size=2)), (3, 1, 2), (1, 1, 2), (1, 1, 3)
    ),
    case(
        "computed states, projected, one step",
        WithStates(nn.LSTM(2, 3, proj_size=2)),
        (1, 1, 2),
        (1, 1, 2),
        (1, 1, 3),
    ),
    case("computed state", WithStates(nn.GRU(2, 3, 2)), (3, 1, 2), (2, 1, 3)),
    case(
        "known line",
        Function(
            lambda h, *w: torch.gru(drawn(3, 1, 2), h, w, True, 1, 0.0, False, False, False),
            drawn(6, 2),
            drawn(6, 2),
            drawn(6),
            drawn(6),
        ),
        (1, 1, 2),
    ),
    case("cell", nn.LSTMCell(2, 3), (2, 2)),
    case("cell with states", WithStates(nn.LSTMCell(2, 3)), (2, 2), (2, 3), (2, 3)),
    case("gated cell", WithStates(nn.GRUCell(2, 3)), (2, 2), (2, 3)),
    case("plain cell", WithStates(nn.RNNCell(2, 3)), (2, 2), (2, 3)),
    case("rectified cell", nn.RNNCell(2, 3, nonlinearity="relu"), (2, 2), positive=True),
    case("packed", OfPacked(nn.GRU(2, 2, 2, bidirectional=True)), (7, 2)),
    case("packed, with memories", OfPacked(nn.LSTM(2, 2)), (7, 2)),
    case("packed, computed states", OfPacked(nn.LSTM(2, 2)), (7, 2), (1, 3, 2), (1, 3, 2)),
]


@pytest.mark.parametrize(("model", "inputs", "options"), RECURRENT)
def test_recurrent_layers(model, inputs, options):
    check(model, *inputs, **options)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (
            lambda x, *w: torch.rnn_tanh(
                x, drawn(1, 1, 2) * 0, (*w, drawn(2), drawn(2)), True, 1, 0.0, False, False, False
            ),
            ((3, 1, 2), (2, 2), (2, 2)),
        ),
        (lambda x, *w: torch.rnn_tanh_cell(x, drawn(2, 2), *w), ((2, 2), (2, 2), (2, 2))),
    ],
)
def test_computed_weights_of_a_recurrent_layer_are_taken_to_reach_everything(layer, inputs):
    graph = check(layer, *inputs)
    assert reading_of(graph.operations[0]).status == SUPERSET
