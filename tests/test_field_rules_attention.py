"""Attention, fused and by hand, with every way of masking it, held against brute force (`field_brute`)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d.field.propagation import reading_of, reads
from corr2d.field.rules import WHOLE
from field_brute import Function, case, check, drawn

torch.set_num_threads(1)
ATEN = torch.ops.aten
DOUBLE = torch.float64

attention = functional.scaled_dot_product_attention
WINDOW = (torch.arange(5)[:, None] - torch.arange(5)).abs() <= 1
CAUSAL = torch.ones(4, 4, dtype=torch.bool).tril()
#: True forbids. The first head sees what came before, the second itself.
BY_HEAD = torch.stack([~CAUSAL[:3, :3], ~torch.eye(3, dtype=torch.bool)]).expand(2, 2, 3, 3)


def added(mask: torch.Tensor, amount: float = -torch.inf) -> torch.Tensor:
    return torch.zeros(mask.shape, dtype=DOUBLE).masked_fill(~mask, amount)


def by_hand(mask):
    """Attention as it is written by hand, with the scores masked by `mask`."""
    return lambda q, k, v: mask(q @ k.mT / 2**0.5).softmax(-1) @ v


class SelfAttention(nn.Module):
    def __init__(self, mask=None, weights=False):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.mask, self.weights = mask, weights

    def forward(self, tokens):
        return self.attention(tokens, tokens, tokens, need_weights=self.weights, attn_mask=self.mask)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, tokens):
        return self.encoder(tokens, mask=added(CAUSAL[:3, :3]), is_causal=True)


THREE = ((1, 2, 4, 2),) * 3
FIXED = tuple(drawn(*shape) for shape in ((12, 4), (12,), (4, 4), (4,)))
TOKENS = drawn(1, 3, 4)


def native(query, key, value, mask=None, kind=None):
    result, _ = ATEN._native_multi_head_attention(query, key, value, 4, 2, *FIXED, mask, False, True, kind)
    return result


def fused_layer(tokens, *weights):
    norm = (torch.ones(4, dtype=DOUBLE), torch.zeros(4, dtype=DOUBLE)) * 2
    forward = (drawn(8, 4), drawn(8), drawn(4, 8), drawn(4))
    return ATEN._transformer_encoder_layer_fwd(
        tokens, 4, 2, *weights, True, False, 1e-5, *norm, *forward, CAUSAL[:3, :3].logical_not(), 0
    )


ATTENTION = [
    *(case(f"softmax {dim}", lambda x, d=dim: functional.softmax(x, d), (2, 3, 2)) for dim in (-1, 1, 0)),
    case("softmax over channels", lambda x: functional.softmax(x, 1), (1, 3, 2, 1)),
    case("log softmax", lambda x: functional.log_softmax(x, 1), (2, 3, 2)),
    case("softmax of one", lambda x: functional.softmax(x, 1), (2, 1, 2)),
    case("softmin", lambda x: functional.softmin(x, 0), (3, 2)),
    *(
        case(f"core {name}", lambda x, n=name, a=arguments: getattr(ATEN, n)(x, 1, *a), (2, 3))
        for name, arguments in [
            ("_softmax", (False,)),
            ("_log_softmax", (False,)),
            ("_safe_softmax", ()),
            ("special_softmax", ()),
            ("special_log_softmax", ()),
        ]
    ),
    case(
        "core attention, truths added",
        lambda *x: ATEN._scaled_dot_product_attention_math(*x, CAUSAL)[0],
        *THREE,
    ),
    case("core attention", lambda *x: ATEN._scaled_dot_product_attention_math(*x, added(CAUSAL))[0], *THREE),
    case("fused", attention, (1, 2, 3, 2), (1, 2, 4, 2), (1, 2, 4, 3)),
    case(
        "fused, causal", lambda q, k, v: attention(q, k, v, is_causal=True), (2, 3, 2), (2, 4, 2), (2, 4, 2)
    ),
    case("fused, window", lambda *x: attention(*x, attn_mask=WINDOW), *((1, 5, 2),) * 3),
    case("fused, added window", lambda *x: attention(*x, attn_mask=added(WINDOW)), *((1, 5, 2),) * 3),
    case("fused, keys left out", lambda *x: attention(*x, attn_mask=WINDOW[:1]), *((1, 5, 2),) * 3),
    case("fused, computed mask", lambda q, m: attention(q, q, q, attn_mask=m), (1, 1, 4, 2), (1, 1, 1, 4)),
    case("fused, one key", attention, (1, 3, 2), (1, 1, 2), (1, 1, 2)),
    case("fused, known keys", lambda q: attention(q, drawn(1, 3, 2), drawn(1, 3, 2)), (1, 2, 2)),
    case(
        "fused, shared heads",
        lambda *x: attention(*x, enable_gqa=True),
        (1, 4, 2, 2),
        (1, 2, 3, 2),
        (1, 2, 3, 2),
    ),
    case("fused, one head", lambda *x: attention(*x, enable_gqa=True), (2, 2, 2), (2, 3, 2), (2, 3, 2)),
    case("fused, known queries", lambda k, v: attention(drawn(1, 2, 2), k, v), (1, 3, 2), (1, 3, 2)),
    case("core flash", lambda *x: ATEN._scaled_dot_product_flash_attention_for_cpu(*x, 0.0, True)[0], *THREE),
    case("by hand", by_hand(lambda s: s), *THREE),
    case("by hand, filled", by_hand(lambda s: s.masked_fill(~CAUSAL, -torch.inf)), *THREE),
    case("by hand, exported", by_hand(lambda s: s.masked_fill(~CAUSAL, -torch.inf)), *THREE, way="export"),
    case("by hand, large", by_hand(lambda s: s.masked_fill(~CAUSAL, -1e9)), *THREE),
    case("by hand, added", by_hand(lambda s: s + added(CAUSAL)), *THREE),
    case("by hand, Swin's -100", by_hand(lambda s: s.view(1, 2, 4, 4) + added(CAUSAL, -100.0)), *THREE),
    case("by hand, subtracted", by_hand(lambda s: s - (~CAUSAL) * 1e4), *THREE),
    case("by hand, twice added", by_hand(lambda s: torch.add(s, added(CAUSAL, -60.0), alpha=2)), *THREE),
    case("by hand, subtracted from", by_hand(lambda s: added(CAUSAL) - s), *THREE),
    case("by hand, half of a mask", lambda q, k, v: halved(q, k).softmax(-1) @ v, *((2, 4, 2),) * 3),
    case("by hand, whole numbers added", by_hand(lambda s: s + CAUSAL.long()), *THREE),
    case("by hand, zeros", by_hand(lambda s: s * CAUSAL), *THREE),
    case("by hand, where", by_hand(lambda s: torch.where(CAUSAL, s, -torch.inf)), *THREE),
    case("by hand, scaled", by_hand(lambda s: s.masked_fill(~CAUSAL, -torch.inf) * 0.5), *THREE),
    case("by hand, no softmax", lambda q, k, v: (q @ k.mT).tril() @ v, *THREE),
    case("by hand, switched", lambda q, k, v: ((q @ k.mT).softmax(-1) * CAUSAL) @ v, *THREE),
    case("by hand, transposed", lambda q, k, v: v.mT @ by_scores(q, k).mT, *THREE),
    case("by hand, einsum", lambda q, k, v: torch.einsum("bhij,bhjd->bhid", by_scores(q, k), v), *THREE),
    case(
        "by hand, dropout",
        lambda q, k, v: functional.dropout(by_scores(q, k), 0.1, False).flatten(0, 1) @ v[0],
        *THREE,
    ),
    case(
        "by hand, computed mask",
        lambda q, m: q @ q.mT.masked_fill(m > 0, -torch.inf).softmax(-1),
        (2, 2),
        (2, 2),
    ),
    case("layer", SelfAttention(), (1, 3, 4)),
    case("layer, causal", SelfAttention(~CAUSAL[:3, :3]), (1, 3, 4)),
    case("layer, causal, with weights", SelfAttention(~CAUSAL[:3, :3], True), (1, 3, 4)),
    case("layer, added, with weights", SelfAttention(added(CAUSAL[:3, :3]), True), (1, 3, 4)),
    case("encoder", nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (1, 3, 4)),
    case("encoder, causal", Encoder(), (1, 3, 4)),
    case("native", lambda x: native(x, x, x), (2, 3, 4)),
    case(
        "native, causal",
        lambda x: native(x, x, x, ~CAUSAL[:3, :3], 0),
        (2, 3, 4),
    ),
    case(
        "native, padded",
        lambda x: native(x, x, x, ~CAUSAL[1:3, :3], 1),
        (2, 3, 4),
    ),
    case(
        "native, masked head by head",
        lambda x: native(x, x, x, BY_HEAD, 2),
        (2, 3, 4),
    ),
    case("native, computed mask", lambda x, m: native(x, x, x, m > 0, 0), (1, 3, 4), (3, 3)),
    case("native, known keys", lambda q: native(q, TOKENS, TOKENS), (1, 3, 4)),
    case("native, known queries", lambda k: native(TOKENS, k, k), (1, 3, 4)),
    case("native encoder, computed weight", lambda x, w: fused_layer(x, w, *FIXED[1:]), (1, 3, 4), (12, 4)),
    case("native encoder", lambda x: fused_layer(x, *FIXED), (1, 3, 4)),
]


def halved(queries, keys):
    return torch.baddbmm(added(CAUSAL, -240.0), queries, keys.mT, beta=0.5)


def by_scores(queries, keys):
    return (queries @ keys.mT).masked_fill(~CAUSAL, -torch.inf).softmax(-1)


@pytest.mark.parametrize(("model", "inputs", "options"), ATTENTION)
def test_attention(model, inputs, options):
    check(model, *inputs, **options)


def test_a_parameter_is_no_mask():
    # Zeros and ones of a parameter may become anything, those of another constant may not.
    scores = Function(lambda q, k, v, w: ((q @ k.mT) * w) @ v, CAUSAL.double())
    check(scores, *THREE)


def test_attention_says_that_it_is_whole_and_what_lets_it():
    graph = check(by_hand(lambda s: s.masked_fill(~CAUSAL, -torch.inf)), *THREE)
    softmax = next(one for one in graph.operations if "softmax" in one.target)
    assert reading_of(softmax).status == WHOLE
    assert reading_of(softmax).reason == "softmax over axis 3, as far as its mask lets it"


def test_without_attention_an_encoder_reads_its_own_token():
    graph = check(lambda x: fused_layer(x, *FIXED), (1, 3, 4))
    (output,) = graph.outputs
    seed = torch.zeros(output.shape, dtype=torch.bool)
    seed[0, 1, 0] = True
    found = reads(graph, output, seed, global_ops="exclude")
    assert found.of[graph.inputs[0]].nonzero().tolist() == [[0, 1, feature] for feature in range(4)]
