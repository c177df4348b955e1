"""Rules that resample, sample, normalise or transform images, held against brute force (`field_brute`)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d.field.propagation import reading_of
from corr2d.field.rules import DATA_DEPENDENT, EXACT, SUPERSET, WHOLE
from field_brute import case, check, drawn

torch.set_num_threads(1)
ATEN = torch.ops.aten
DOUBLE = torch.float64


# --- resampling and sampling


def interpolated(mode, align, **how):
    return lambda x: functional.interpolate(x, mode=mode, align_corners=align, **how)


def aligned(mode):
    return (None,) if mode in ("nearest", "nearest-exact", "area") else (False, True)


RESAMPLING = [
    case(f"{mode}-{align}-{list(how.values())}", interpolated(mode, align, **how), (1, 1, 4, 5))
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
    for align in aligned(mode)
    for how in (
        {"size": (5, 3)},
        {"size": (8, 1)},
        {"scale_factor": 2.0},
        {"scale_factor": (1.7, 0.6)},
        # A given factor is used even where the size stays what it was.
        {"scale_factor": (1.2, 1.1)},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
    )
]
RESAMPLING += [
    case(
        f"{mode}-antialias-{align}-{size}", interpolated(mode, align, antialias=True, size=size), (1, 1, 4, 7)
    )
    for mode in ("bilinear", "bicubic", "lanczos")
    for align in ((False,) if mode == "lanczos" else (False, True))
    for size in ((2, 3), (9, 8), (4, 2), (1, 1))
]
RESAMPLING += [
    case("lines", interpolated("linear", True, size=5), (1, 2, 4)),
    case("lines, nearest", interpolated("nearest", None, scale_factor=1.5), (1, 2, 4)),
    case("lines, nearest-exact", interpolated("nearest-exact", None, size=5), (1, 1, 7)),
    case("volumes", interpolated("trilinear", False, scale_factor=(1, 2, 0.5)), (1, 1, 2, 2, 4)),
    case("volumes, nearest-exact", interpolated("nearest-exact", None, size=(1, 3, 2)), (1, 1, 2, 2, 3)),
    case("volumes, nearest", interpolated("nearest", None, size=(1, 3, 2)), (1, 1, 2, 2, 3)),
    case("core, with scales", lambda x: ATEN.upsample_bilinear2d(x, [6, 7], False, 1.6, 1.4), (1, 1, 4, 5)),
    case("core, without", lambda x: ATEN.upsample_nearest2d(x, [6, 7]), (1, 1, 4, 5)),
    # 8/9 of a pixel per pixel: some outputs fall on a pixel exactly, and on no other.
    case("on pixels", interpolated("bilinear", True, size=(1, 10)), (1, 1, 1, 7)),
]


@pytest.mark.parametrize(("model", "inputs", "options"), RESAMPLING)
def test_resampling(model, inputs, options):
    graph = check(model, *inputs, **options)
    assert {reading_of(operation).status for operation in graph.operations} <= {EXACT, WHOLE}


def test_one_row_is_mirrored_into_itself():
    check(
        lambda x: functional.grid_sample(x, GRID[:, :, :2], padding_mode="reflection", align_corners=True),
        (1, 1, 1, 3),
    )


def test_a_neighbour_of_weight_zero_is_not_read():
    graph = check(nn.Upsample(size=(1, 5), mode="bilinear", align_corners=True), (1, 1, 1, 3))
    ones = reading_of(graph.operations[0]).spread([torch.ones(1, 1, 1, 3)])[0]
    assert ones.flatten().tolist() == [1, 2, 1, 2, 1]


GRID = 1.3 * drawn(1, 2, 3, 2)
SAMPLING = [
    case(
        f"{mode}-{padding}-{align}",
        lambda x, m=mode, p=padding, a=align: functional.grid_sample(
            x, GRID, mode=m, padding_mode=p, align_corners=a
        ),
        (1, 2, 3, 4),
    )
    for mode in ("bilinear", "nearest", "bicubic")
    for padding in ("zeros", "border", "reflection")
    for align in (False, True)
]
IDENTITY = torch.eye(2, 3, dtype=DOUBLE)[None]
SAMPLING += [
    case(
        "identity",
        lambda x: functional.grid_sample(
            x, functional.affine_grid(IDENTITY, (1, 1, 4, 5), align_corners=False), align_corners=False
        ),
        (1, 1, 4, 5),
    ),
    case(
        "computed grid",
        lambda x, g: functional.grid_sample(x, g * 0.3, align_corners=True),
        (1, 1, 3, 3),
        (1, 2, 2, 2),
    ),
    case(
        "known image",
        lambda g: functional.grid_sample(drawn(1, 2, 3, 3), g, align_corners=True),
        (1, 1, 2, 2),
    ),
    case(
        "volume",
        lambda x: functional.grid_sample(x, drawn(1, 1, 2, 2, 3), align_corners=True),
        (1, 1, 2, 3, 2),
    ),
    case("core", lambda x: ATEN.grid_sampler_2d(x, GRID, 0, 1, True), (1, 1, 3, 4)),
    case("core volume", lambda x: ATEN.grid_sampler_3d(x, drawn(1, 1, 2, 2, 3), 1, 0, True), (1, 1, 2, 3, 2)),
    case("affine", lambda t: functional.affine_grid(t, (1, 1, 3, 2), align_corners=False), (1, 2, 3)),
    case(
        "affine volume", lambda t: functional.affine_grid(t, (1, 1, 3, 3, 2), align_corners=True), (1, 3, 4)
    ),
]


@pytest.mark.parametrize(("model", "inputs", "options"), SAMPLING)
def test_sampling(model, inputs, options):
    check(model, *inputs, **options)


def test_a_computed_grid_is_said_to_be_decided_by_the_data():
    graph = check(lambda x, g: functional.grid_sample(x, g, align_corners=True), (1, 1, 2, 2), (1, 1, 1, 2))
    assert reading_of(graph.operations[0]).status == DATA_DEPENDENT


# --- norms


def batch_options(name):
    """What follows the statistics, in training where the operator has a choice."""
    return (True, 0.1, 1e-5) if "legit" in name else (0.1, 1e-5)


NORMS = [
    case("batch", nn.BatchNorm2d(2), (2, 2, 2, 3)),
    case("batch in training", nn.BatchNorm2d(2), (2, 2, 2, 2), mode="train"),
    case("batch, never tracked", nn.BatchNorm2d(2, track_running_stats=False), (2, 2, 2, 2)),
    case("batch, lines", nn.BatchNorm1d(2), (2, 2, 3), mode="train"),
    case("instance", nn.InstanceNorm2d(2, affine=True), (2, 2, 2, 3)),
    case("instance, tracked", nn.InstanceNorm2d(2, track_running_stats=True), (2, 2, 2, 3)),
    case(
        "instance, tracked, in training",
        nn.InstanceNorm1d(2, track_running_stats=True),
        (2, 2, 3),
        mode="train",
    ),
    case("group", nn.GroupNorm(2, 4), (2, 4, 2, 2)),
    case("group of all", nn.GroupNorm(1, 2), (1, 2, 3)),
    case("group of one", nn.GroupNorm(2, 2), (1, 2, 3)),
    case("layer", nn.LayerNorm(4), (1, 2, 3, 4)),
    case("layer over the image", nn.LayerNorm((2, 3)), (2, 2, 2, 3)),
    case("layer over one", nn.LayerNorm(1), (2, 3, 1)),
    case("root mean square", nn.RMSNorm(3), (2, 2, 3)),
    case("root mean square over one", nn.RMSNorm(1), (2, 3, 1), draws=4),
    case("local response", nn.LocalResponseNorm(3), (1, 5, 1, 2)),
    case("renorm", lambda x: x.renorm(2, 1, 0.1), (2, 3, 2)),
    case("unit length", lambda x: functional.normalize(x, dim=1), (1, 3, 2)),
    case("computed scale", lambda x, w, b: functional.layer_norm(x, (3,), w, b), (2, 3), (3,), (3,)),
    case("computed scale of channels", lambda x, w: functional.group_norm(x, 2, w), (2, 4, 2), (4,)),
    case("core root mean square", lambda x: ATEN._fused_rms_norm(x, [3], None, 1e-5)[0], (2, 3)),
    *(
        case(
            f"core batch, {name}",
            lambda x, n=name: getattr(ATEN, n)(x, None, None, drawn(2), drawn(2).abs(), *batch_options(n))[0],
            (2, 2, 2),
        )
        for name in (
            "_native_batch_norm_legit_functional",
            "_batch_norm_with_update_functional",
            "_batch_norm_no_update",
        )
    ),
    case("core layer", lambda x: ATEN.native_layer_norm(x, [3], None, None, 1e-5)[0], (2, 3)),
    case("core group", lambda x: ATEN.native_group_norm(x, None, None, 1, 4, 3, 2, 1e-5)[0], (1, 4, 3)),
    case(
        "core batch",
        lambda x: ATEN.native_batch_norm(x, None, None, drawn(2), drawn(2).abs(), False, 0.1, 1e-5)[0],
        (2, 2, 2),
    ),
    case(
        "core batch in training",
        lambda x: ATEN.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0],
        (2, 2, 2),
    ),
    case(
        "core batch, legit",
        lambda x: ATEN._native_batch_norm_legit.no_stats(x, None, None, True, 0.1, 1e-5)[0],
        (2, 2, 2),
    ),
    case(
        "core batch, no training",
        lambda x: ATEN._native_batch_norm_legit_no_training(
            x, None, None, drawn(2), drawn(2).abs(), 0.1, 1e-5
        )[0],
        (2, 2, 2),
    ),
]


@pytest.mark.parametrize(("model", "inputs", "options"), NORMS)
def test_norms(model, inputs, options):
    check(model, *inputs, **options)


@pytest.mark.parametrize(
    ("layer", "shape", "status"),
    [
        (nn.LayerNorm(3), (1, 2, 2, 3), EXACT),
        (nn.LayerNorm((2, 3)), (1, 2, 2, 3), WHOLE),
        (nn.GroupNorm(1, 2), (1, 2, 2, 2), WHOLE),
        (nn.BatchNorm2d(2), (1, 2, 2, 2), EXACT),
        (nn.Softmax(1), (1, 3, 2, 2), EXACT),
    ],
)
def test_a_norm_of_channels_is_told_from_one_of_the_image(layer, shape, status):
    graph = check(layer, shape)
    assert reading_of(graph.operations[0]).status == status


def test_a_global_norm_that_is_left_out_reads_its_own_place():
    graph = check(nn.InstanceNorm2d(2), (1, 2, 2, 2))
    reading = reading_of(graph.operations[0])
    numbers = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert torch.equal(reading.local([numbers])[0], numbers)


def test_a_known_image_normed_by_a_computed_weight_reads_all_of_it():
    graph = check(lambda w: functional.layer_norm(drawn(2, 3), (3,), w), (3,))
    assert reading_of(graph.operations[0]).status == SUPERSET


def test_statistics_that_the_model_computes_are_taken_for_more_than_they_are():
    graph = check(lambda x, m: functional.batch_norm(x, m, drawn(2).abs() + 1), (2, 2, 2), (2,))
    assert reading_of(graph.operations[0]).status == SUPERSET


# --- transforms


def transform(name, **how):
    return lambda x: getattr(torch.fft, name)(x, **how)


def of_complex(name, **how):
    return lambda x: getattr(torch.fft, name)(torch.complex(x, 2 * x + 1), **how)


TRANSFORMS = [
    case(f"{name} {how}", transform(name, **how), (2, 4))
    for name in ("fft", "ifft", "rfft", "ihfft")
    for how in ({}, {"n": 3}, {"n": 6, "dim": 0})
]
TRANSFORMS += [
    case(f"{name} {how}", transform(name, **how), (2, 3, 4))
    for name in ("fft2", "ifft2", "rfft2", "fftn", "rfftn", "ihfft2")
    for how in ({}, {"s": (2, 5)}, {"dim": (0, 1)})
]
TRANSFORMS += [
    case(f"{name} {how}", of_complex(name, **how), (1, 3, 4))
    for name, how in [
        ("irfft", {}),
        ("irfft", {"n": 4}),
        ("hfft", {}),
        ("hfft", {"n": 3}),
        ("irfft2", {}),
        ("irfft2", {"s": (2, 4)}),
        ("hfft2", {}),
        ("irfftn", {"dim": (1, 2)}),
        ("ifftn", {"s": (2, 2)}),
    ]
]
WINDOW = drawn(4).abs() + 0.1
TRANSFORMS += [
    case("hermitian", of_complex("hfftn", s=(2, 3)), (2, 2)),
    case("hermitian back", transform("ihfftn"), (2, 4)),
    case("shift", transform("fftshift"), (3, 4)),
    case("shift back", transform("ifftshift", dim=1), (3, 5)),
    case("amplitude", lambda x: torch.fft.fft(x).abs(), (2, 3)),
    case("from parts", lambda x: torch.view_as_complex(x).abs(), (3, 2)),
    case("complex", torch.complex, (2,), (2,)),
    case("polar", torch.polar, (2,), (2,)),
    case("core real to complex", lambda x: ATEN._fft_r2c(x, [0, 1], 0, True), (2, 4)),
    case("core complex", lambda x: ATEN._fft_c2c(torch.complex(x, x), [1], 0, True), (2, 3)),
    case("core complex to real", lambda x: ATEN._fft_c2r(torch.complex(x, x + 1), [1], 0, 5), (2, 3)),
    case("frames", lambda x: torch.stft(x, 4, 2, window=WINDOW, return_complex=True, center=False), (2, 9)),
    case(
        "frames of a short window",
        lambda x: torch.stft(x, 6, 1, 4, WINDOW, return_complex=True, center=False),
        (9,),
    ),
    case("frames, centred", lambda x: torch.stft(x, 4, 2, window=WINDOW, return_complex=True), (1, 7)),
    case(
        "a window of zeros",
        lambda x: torch.stft(
            x, 4, 2, window=WINDOW * (WINDOW.min() < WINDOW), return_complex=True, center=False
        ),
        (1, 9),
    ),
    case(
        "frames, computed window",
        lambda x, w: torch.stft(x, 4, 2, window=w, return_complex=True, center=False),
        (8,),
        (4,),
    ),
    case(
        "from frames, computed window",
        lambda x, w: torch.istft(torch.complex(x, 0.5 * x), 4, 2, window=w),
        (3, 4),
        (4,),
        positive=True,
    ),
    case("real part of a real number", ATEN.real, (2, 2)),
    case("from frames", lambda x: torch.istft(torch.complex(x, 0.5 * x), 4, 2, window=WINDOW), (1, 3, 5)),
    case(
        "from frames, longer",
        lambda x: torch.istft(torch.complex(x, 0.5 * x), 4, 2, window=WINDOW, length=11),
        (1, 3, 5),
    ),
]


@pytest.mark.parametrize(("model", "inputs", "options"), TRANSFORMS)
def test_transforms(model, inputs, options):
    check(model, *inputs, **options)


def test_the_parts_of_a_complex_number_are_followed_as_one():
    graph = check(lambda x, y: torch.view_as_real(torch.complex(x, y)), (2,), (2,))
    assert reading_of(graph.operations[-1]).status == SUPERSET
    for part in (lambda x, y: torch.complex(x, y).real, lambda x, y: torch.complex(x, y).imag):
        graph = check(part, (2,), (2,))
        assert reading_of(graph.operations[-1]).status == SUPERSET
