"""Naming a learnt kernel: the name it was made with comes back, and the proof is a proof."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from corr2d import corr2d, kernels
from corr2d.learn import learn_kernel
from corr2d.learn.identifiability import examine, null_directions
from corr2d.learn.identify.catalogue import FAMILIES, TURNS, match
from corr2d.learn.identify.rationals import Rational, fraction_text, proportional, snap
from corr2d.learn.identify.rounding import ROUNDINGS, prove
from corr2d.learn.identify.samples import Sample
from corr2d.learn.identify.shape import factors, symmetries


def placed(kernel, shape, top, left):
    support = np.zeros(shape)
    support[top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    return support


def exact(kernel):
    return np.full(kernel.shape, 1e-9 * np.abs(kernel).max())


@pytest.fixture(scope="module")
def picture():
    """Levels from 0 to 255 with slopes, edges and noise."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:90, :110]
    levels = 120 + 60 * np.sin(x / 7) * np.cos(y / 9) + 40 * (x > 50) + random.normal(scale=12, size=x.shape)
    return levels.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("entry", kernels.catalogue(), ids=lambda entry: entry.name)
def test_every_kernel_of_the_catalogue_is_named(entry):
    """Scaled and off the middle, without noise: what is named is the kernel, to nine digits."""
    kernel = np.asarray(kernels.named(entry.name), np.float64)
    if entry.name in ("gabor", "motion"):
        pytest.skip("gabor: larger than kernels are learnt; motion: its default is a box as well")
    support = placed(kernel * 0.75, (kernel.shape[0] + 2, kernel.shape[1] + 1), 0, 1)
    found = match(support, exact(support))
    if entry.name == "unsharp":  # its support has to be known: it is the identity's and a Gaussian's
        found = match(kernel * 0.75, exact(kernel))
        support = kernel * 0.75
    assert found.within
    assert entry.name in found.name
    np.testing.assert_allclose(found.taps, support, atol=1e-8 * np.abs(support).max())
    again = np.asarray(kernels.named(found.name), np.float64)
    turned = dict(TURNS)[found.turn](again) * found.scale
    assert np.abs(turned).sum() == pytest.approx(np.abs(support).sum(), rel=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "gaussian:sigma=1.3",
        "gaussian:size=9,sigma=2",
        "gaussian:sigma=0.8,size=5",
        "motion:length=6,angle=40",
        "motion:length=7.5,angle=-22.5",
        "laplacian-of-gaussian:sigma=1.2",
        "difference-of-gaussians:low_sigma=0.7",
        "sharpen:amount=0.35,neighbors=8",
        "unsharp:sigma=1.1,amount=0.7,size=7",
        "box:size=4x2",
        "sobel-y:size=5",
    ],
)
def test_parameters_are_found(text):
    kernel = np.asarray(kernels.named(text), np.float64)
    found = match(kernel, exact(kernel))
    assert found.within
    name, _, settings = text.partition(":")
    assert found.name.partition(":")[0] == name
    assert set(found.name.partition(":")[2].split(",")) >= {
        setting for setting in settings.split(",") if "size" not in setting or name in ("box", "sobel-y")
    }
    assert (found.scale, found.turn, found.shift) == (1, "", (0, 0))


def test_a_name_with_noise_and_a_name_that_is_only_near():
    random = np.random.default_rng(0)
    kernel = placed(np.asarray(kernels.sobel("x")) / 4, (5, 5), 1, 1)
    noise = random.normal(scale=1e-3, size=kernel.shape)
    found = match(kernel + noise, np.full(kernel.shape, 4e-3))
    assert str(found) == "sobel-x times 1/4"
    bent = kernels.gaussian(1.0, size=5) * (1 + 0.1 * random.normal(size=(5, 5)))
    near = match(bent, exact(bent))
    assert not near.within
    assert "nearest name" in str(near)
    assert match(random.normal(size=(5, 5)), np.full((5, 5), 1e-6)) is None
    assert match(np.zeros((3, 3)), np.zeros((3, 3))) is None
    assert match(kernel, np.full(kernel.shape, np.inf)) is None


def test_turns_and_signs_are_said():
    kernel = placed(-0.5 * np.rot90(kernels.named("emboss"), -1), (5, 5), 0, 1)
    text = str(match(kernel, exact(kernel)))
    assert (
        text
        == "emboss times -1/2, turned a quarter clockwise, its centre -1 rows and +0 columns off the middle"
    )


def test_families_survive_every_small_support():
    """Supports on which a family has no member are refused by its maker, not by us."""
    random = np.random.default_rng(1)
    for shape in ((1, 1), (1, 4), (2, 2), (3, 1), (4, 5)):
        kernel = random.normal(size=shape)
        for family in FAMILIES.values():
            found = family(kernel, exact(kernel))
            assert found is None or found.taps.shape == shape


def test_fractions_within_intervals():
    taps = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16 + 1e-4
    assert str(snap(taps, np.full((3, 3), 2e-4))) == "[1, 2, 1; 2, 4, 2; 1, 2, 1] / 16"
    assert str(snap(np.array([[3.0, -1.0]]), np.full((1, 2), 1e-6))) == "[3, -1]"
    fixed = np.array([[12345, -2001]]) / 2**15
    assert snap(fixed, np.full((1, 2), 1e-9)) == Rational(pytest.approx(np.array([[12345, -2001]])), 2**15)
    # Intervals so wide that some fractions always fit; numbers that are none; nothing to go by.
    assert snap(np.random.default_rng(0).random((3, 3)), np.full((3, 3), 0.05)) is None
    assert snap(np.array([[np.pi, np.e]]), np.full((1, 2), 1e-12)) is None
    assert snap(np.zeros((2, 2)), np.full((2, 2), 1e-9)) is None
    assert snap(taps, np.full((3, 3), np.inf)) is None
    assert snap(taps, np.full((3, 3), 9.0)) is None
    assert proportional(taps, np.full((3, 3), np.inf)) is None
    assert proportional(np.zeros((2, 2)), np.full((2, 2), 1e-9)) is None
    assert proportional(np.array([[np.pi, np.e]]), np.full((1, 2), 1e-12)) is None


def test_chance_is_rarely_called_a_fraction():
    """One in fifty is what is allowed."""
    random = np.random.default_rng(0)
    found = [snap(random.random((1, 2)), np.full((1, 2), 10.0 ** -random.integers(2, 6))) for _ in range(200)]
    assert sum(one is not None for one in found) <= 8


def test_fraction_text():
    assert [fraction_text(value) for value in (0.5, -2.0, 1 / 3, 0.0627451)] == [
        "1/2",
        "-2",
        "1/3",
        "0.06275",
    ]


@pytest.mark.parametrize("name", ROUNDINGS)
def test_roundings_are_what_they_are_called(name):
    """Against fractions of Python, ties and negative numbers included."""
    rules = {
        "half to even": round,
        "half up": lambda value: (value + Fraction(1, 2)).__floor__(),
        "half down": lambda value: (value - Fraction(1, 2)).__ceil__(),
        "half away from zero": lambda value: int(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1),
        "down (floor)": lambda value: value.__floor__(),
        "towards zero (truncation)": int,
        "up (ceiling)": lambda value: value.__ceil__(),
    }
    sums = np.arange(-40, 41)
    for below in (2, 3, 8, 10):
        expected = [rules[name](Fraction(int(value), below)) for value in sums]
        assert ROUNDINGS[name](sums, below).tolist() == expected


@pytest.mark.parametrize(
    ("text", "store"),
    [
        ("half to even", lambda sums: np.rint(sums / 8)),
        ("half up", lambda sums: (sums + 4) >> 3),
        ("down (floor)", lambda sums: sums >> 3),
        ("towards zero (truncation)", lambda sums: np.trunc(sums / 8)),
        ("up (ceiling)", lambda sums: np.ceil(sums / 8)),
    ],
)
def test_the_rounding_is_found_and_every_pixel_proves_it(picture, text, store):
    sums = corr2d(picture, kernels.sobel("x"))
    target = store(sums).astype(np.int16)
    identity = learn_kernel(picture, target, 3).identify()
    assert identity.proof.is_whole
    assert identity.proof.matched == target.size
    assert identity.proof.rounding == text
    np.testing.assert_array_equal(identity.rational.numerators[0], kernels.sobel("x"))
    assert identity.rational.denominator == 8
    assert f"{target.size:,}/{target.size:,}" in str(identity)
    if text in ("half up", "down (floor)"):
        assert ">> 3" in str(identity.proof)


def test_one_wrong_pixel_is_no_proof(picture):
    target = (corr2d(picture, kernels.sobel("x")) >> 3).astype(np.int16)
    target[40, 40] += 1
    proof = learn_kernel(picture, target, 3).identify().proof
    assert not proof.is_whole
    assert proof.matched == target.size - 1
    assert "every" not in str(proof)


def test_saturated_targets(picture):
    target = np.clip(corr2d(picture, kernels.sharpen(2)), 0, 255).astype(np.uint8)
    assert ((target == 0) | (target == 255)).mean() > 0.05
    identity = learn_kernel(picture, target, 3).identify()
    np.testing.assert_array_equal(identity.rational.numerators[0], kernels.sharpen(2))
    assert identity.proof.is_whole
    assert identity.proof.saturated
    assert identity.name == "sharpen:amount=2"


def test_a_whole_sum_needs_no_rounding(picture):
    proof = learn_kernel(picture, corr2d(picture, kernels.laplacian(4)), 3).identify().proof
    assert (proof.is_whole, proof.rounding) == (True, "none")
    assert str(proof).startswith("reproduces every pixel")
    lifted = learn_kernel(picture, corr2d(picture, kernels.laplacian(4), bias=7), 3, bias=True).identify()
    assert lifted.proof.is_whole
    assert str(lifted.proof).endswith(", with bias 7")


def test_many_fractions_are_counted_instead(picture):
    kernel = np.random.default_rng(3).integers(-3, 4, (9, 9))
    identity = learn_kernel(picture, corr2d(picture, kernel), 9).identify()
    np.testing.assert_array_equal(identity.rational.numerators[0], kernel)
    assert "fractions 81 whole numbers over 1" in str(identity)


def test_fractions_whose_sums_do_not_fit_are_passed_over():
    image = np.full((1, 1, 4, 4), 255, np.uint8)
    every = np.ones((1, 4, 4), bool)
    sample = Sample(image, np.full((1, 4, 4), 255, np.uint8), every, every[0], {"padding": "valid"})
    huge = Rational(np.full((1, 1, 1), 2**62), 2**62)
    proof = prove([sample], [huge, np.ones((1, 1, 1))], [0.0])
    assert proof.is_whole
    assert proof.taps is not huge


@pytest.mark.parametrize("border", ["constant", "edge", "symmetric", "reflect", "wrap"])
def test_the_border_that_made_the_rim(picture, border):
    """Learnt under the usual border, which is the wrong one: what is named is what was used."""
    target = corr2d(
        picture, kernels.gaussian(1.0, size=5), padding="same", border=border, fill=9, dtype="uint8"
    )
    fit = learn_kernel(picture, target, 5, padding="same")
    identity = fit.identify()
    assert identity.border.is_clear
    assert identity.border.name == border
    assert identity.border.fill == (9 if border == "constant" else 0)
    assert identity.border.pixels == 90 * 110 - 86 * 106
    assert f"border={border!r}" in str(identity)
    assert identity.match.name == "gaussian:size=5,sigma=1"
    assert identity.proof.matched >= identity.proof.total - 5


def test_a_rim_of_zeros_rounded_to_eight_bits():
    """What rounding adds puts the fill a little off zero: of whole numbers it is a whole one all the same."""
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    for seed in range(6):
        picture = np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8)
        target = (corr2d(picture.astype(int), kernel, padding="same") + 8 >> 4).astype(np.uint8)
        identity = learn_kernel(picture, target, 3, padding="same").identify()
        assert (identity.border.name, identity.border.fill) == ("constant", 0)
        assert identity.proof.is_whole


def test_a_fill_that_is_no_whole_number(picture):
    """Nothing explains the rim, so that the border stays as it was given: no sum there is a whole number."""
    sums = corr2d(picture, kernels.box(3), padding="same", fill=2.5)
    border = learn_kernel(picture, sums, 3, padding="same").identify().border
    assert (border.explains, border.fill) == (True, pytest.approx(2.5))
    target = corr2d(picture, kernels.box(3), padding="same", dtype="uint8")
    target[:1] = 77
    proof = learn_kernel(picture, target, 3, padding="same", fill=0.5).identify().proof
    assert proof.matched > 0.9 * proof.total


@pytest.mark.parametrize("pair", [("edge", "wrap"), ("constant", "reflect")])
def test_a_border_of_its_own_for_each_axis(picture, pair):
    target = corr2d(picture, kernels.sobel("x") + 1, padding="same", border=pair, fill=9)
    identity = learn_kernel(picture, target, 3, padding="same", border=pair, fill=9).identify()
    assert identity.border.is_clear
    assert (identity.border.name, identity.border.fill) == (pair, 9 if "constant" in pair else 0)
    assert identity.proof.is_whole
    assert f"border={pair!r}" in str(identity)


def test_a_dark_rim_tells_no_border(picture):
    dark = np.pad(picture, 5)
    border = (
        learn_kernel(dark, corr2d(dark, kernels.sobel("x"), padding="same"), 3, padding="same")
        .identify()
        .border
    )
    assert str(border) == "the rim does not tell: all borders explain it"


def test_a_rim_that_nothing_explains(picture):
    target = corr2d(picture, kernels.box(3), padding="same", border="reflect").astype(np.float64)
    target[:1] = 77
    border = learn_kernel(picture, target, 3, padding="same").identify().border
    assert not border.explains
    assert "none explains the rim" in str(border)


def test_what_inside_windows_cannot_tell_is_left_alone(picture):
    """No window lies inside: the fit stands as it is."""
    small = picture[:3, :3]
    fit = learn_kernel(small, corr2d(small, kernels.box(3), padding="full"), 3, padding="full")
    assert fit.identify().border is not None
    tiny = picture[:2, :2]
    none = learn_kernel(tiny, corr2d(tiny, kernels.box(3), padding="full"), 3, padding="full").identify()
    assert none.gain == pytest.approx(1)


def test_floating_targets_need_no_proof(picture):
    identity = learn_kernel(picture, corr2d(picture, kernels.gaussian(0.7)), 7).identify()
    assert identity.proof is None
    assert identity.name.startswith("gaussian:sigma=0.7")
    assert identity.gain == pytest.approx(1)
    assert identity.centroid == pytest.approx((0, 0), abs=1e-5)
    assert identity.factors is not None
    assert "proof" not in str(identity)


def test_other_pictures_to_prove_it_on(picture):
    kernel = np.array([[1, 2], [3, -4]])
    fit = learn_kernel(picture, corr2d(picture, kernel), 2)
    other = picture[::-1]
    assert fit.identify(other, corr2d(other, kernel)).proof.is_whole
    assert not fit.identify(other, corr2d(other, kernel[::-1])).proof.is_whole
    with pytest.raises(ValueError, match="images and targets must be given together"):
        fit.identify(other)


def test_colours_one_by_one(picture):
    colours = np.stack([picture, picture[::-1], picture[:, ::-1]], axis=-1)
    target = corr2d(colours, kernels.sobel("y"), channel_axis=-1)
    fit = learn_kernel(colours, target, 3, channel_axis=-1, groups=3)
    for output in range(3):
        identity = fit.identify(output=output)
        assert (identity.name, identity.proof.is_whole) == ("sobel-y", True)
    with pytest.raises(ValueError, match=r"output and channel must be within \(3, 1\)"):
        fit.identify(output=3)


def test_symmetries():
    def of(kernel):
        kernel = np.asarray(kernel, np.float64)
        return symmetries(kernel, exact(kernel))

    assert of(kernels.gaussian(1, size=5)) == ("the same at equal distances from the middle",)
    assert of(kernels.sobel("x")) == (
        "mirrored left to right it changes sign",
        "mirrored top to bottom it is the same",
    )
    square = np.ones((5, 5))
    square[0, 0] = square[0, 4] = square[4, 0] = square[4, 4] = 0.2
    square[0, 1] = 7
    assert of(square) == ()
    assert of([[1, 2], [2, 1]]) == ("turned by a half it is the same (symmetric)", "its own transpose")
    assert of([[1, 2], [-2, -1]]) == ("turned by a half it changes sign (antisymmetric)",)
    assert of([[1, 5, 1]]) == (
        "mirrored left to right it is the same",
        "mirrored top to bottom it is the same",
    )
    wild = np.random.default_rng(0).normal(size=(3, 3))
    assert symmetries(wild, np.full((3, 3), 9.0)) == ()


def test_factors():
    random = np.random.default_rng(2)
    column, row = random.normal(size=5), random.normal(size=4)
    found = factors(np.outer(column, row), np.full((5, 4), 1e-9), None)
    np.testing.assert_allclose(np.outer(found.column, found.row), np.outer(column, row), atol=1e-12)
    assert factors(random.normal(size=(3, 3)), np.full((3, 3), 1e-9), None) is None
    assert factors(np.ones((1, 5)), np.zeros((1, 5)), None) is None
    whole = factors(kernels.sobel("x") / 4, np.zeros((3, 3)), Rational(kernels.sobel("x"), 4))
    assert str(whole) == "[1, 2, 1] down, [-1, 0, 1] across / 4"
    assert factors(np.eye(2), np.zeros((2, 2)), Rational(np.eye(2, dtype=np.int64), 1)) is None
    assert "13 taps down" in str(factors(kernels.gaussian(1.5), np.full((13, 13), 1e-12), None))


def gram(image, shape):
    rows = np.lib.stride_tricks.sliding_window_view(image, shape).reshape(-1, shape[0] * shape[1])
    return rows.T @ rows, len(rows)


@pytest.mark.parametrize(
    ("shape", "rank", "words"),
    [
        ((1, 2), 2, ""),
        ((2, 1), 1, "only the sum of all taps is determined: rank 1 of 2"),
        ((2, 2), 2, "only column sums are determined: rank 2 of 4"),
        ((3, 3), 3, "only column sums are determined: rank 3 of 9"),
    ],
)
def test_the_textbook_s_bar(shape, rank, words):
    """White, a black bar, white: the rank and the undetermined taps of each size."""
    bar = np.ones((6, 8))
    bar[:, 2:6] = 0
    matrix, count = gram(bar, shape)
    found = examine(matrix, (1, *shape), count=count)
    assert (found.rank, found.free) == (rank, shape[0] * shape[1])
    assert found.undetermined.all() == bool(words)
    assert found.sentences[:1] == ((words,) if words else ())
    if words:
        assert "top to bottom" in found.sentences[1] or shape == (2, 1)
        np.testing.assert_allclose(matrix @ found.null_space, 0, atol=1e-10)


def test_what_is_determined_in_words():
    stripes = np.ones((8, 1)) * np.random.default_rng(0).random(9)
    cases = [
        (gram(stripes.T, (3, 3)), "only row sums are determined: rank 3 of 9", "from left to right too"),
        (gram(np.zeros((5, 5)), (2, 2)), "nothing is determined: rank 0 of 4", "the images are zero"),
        (
            gram(np.ones((5, 5)), (2, 2)),
            "only the sum of all taps is determined: rank 1 of 4",
            "random zeros",
        ),
        (
            gram(np.indices((8, 8)).sum(axis=0) % 2, (3, 3)),
            "chessboard are determined: rank 2 of 9",
            "random",
        ),
        (gram(np.random.default_rng(0).random((4, 4)), (3, 3)), "rank 4 of 9", "4 windows are too few for 9"),
    ]
    for (matrix, count), said, advice in cases:
        side = int(len(matrix) ** 0.5)
        found = examine(matrix.astype(np.float64), (1, side, side), count=count)
        assert said in found.sentences[0]
        assert advice in found.sentences[1]


def test_some_taps_of_two_channels():
    image = np.random.default_rng(0).random((9, 9))
    rows = np.lib.stride_tricks.sliding_window_view(image, (2, 2)).reshape(-1, 4)
    dark = np.hstack([rows, 0 * rows])
    found = examine(dark.T @ dark, (2, 2, 2), count=len(rows))
    assert found.sentences[0].startswith("4 of 8 taps are determined: rank 4 of 8")
    np.testing.assert_array_equal(found.undetermined, [False] * 4 + [True] * 4)
    twice = np.hstack([rows, 1e-6 * rows])
    alike = examine(twice.T @ twice, (2, 2, 2), count=len(rows))
    assert alike.rank == 4
    assert alike.undetermined.any()
    faint = np.hstack([rows, 1e-6 * np.random.default_rng(1).random(rows.shape)])
    assert examine(faint.T @ faint, (2, 2, 2), count=len(rows)).rank == 8


def test_a_constraint_can_settle_it():
    """Column sums only; but where all taps of a column are known to be alike, that is all there is."""
    stripes = np.ones((8, 1)) * np.random.default_rng(0).random(9)
    matrix, count = gram(stripes, (2, 2))
    tangent = np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    found = examine(matrix, (1, 2, 2), count=count, tangent=tangent)
    assert (found.rank, found.free, found.sentences) == (2, 2, ())
    assert not found.undetermined.any()
    assert null_directions(np.zeros((4, 4)), tangent).shape == (4, 2)


def test_long_lines_are_wrapped(picture):
    random = np.random.default_rng(4)
    product = np.outer(random.normal(size=9), random.normal(size=9))
    text = str(learn_kernel(picture, corr2d(picture.astype(float), product), 9).identify())
    assert "separable [" in text
    assert max(map(len, text.splitlines())) <= 96


def test_what_is_rounding_is_not_told_of_the_centroid(picture):
    fit = learn_kernel(picture.astype(float), corr2d(picture.astype(float), np.ones((3, 3))), 3)
    assert "centroid  +0 rows, +0 columns from the middle" in str(fit.identify())


def test_only_the_rounding_that_is_told_counts_as_cut_off():
    image = np.full((4, 4), 255, np.uint8)
    every = np.ones((1, 4, 4), bool)
    sample = Sample(
        image[np.newaxis, np.newaxis],
        np.full((1, 4, 4), 255, np.uint8),
        every,
        every[0],
        {"padding": "valid"},
    )
    # 255.2: rounded up it would not fit the dtype, to the nearest it does.
    proof = prove([sample], [np.full((1, 1, 1), 255.2 / 255)], [0.0])
    assert proof.rounding == "to the nearest"
    assert not proof.saturated


def test_an_identity_shows_itself_in_words(picture):
    identity = learn_kernel(picture, corr2d(picture, kernels.laplacian(4)), 3).identify()
    assert repr(identity) == str(identity)
    assert identity._repr_html_().startswith("<pre>  name")


def test_what_was_masked_is_not_looked_at(picture):
    """Dead pixels of target and image, left out by a mask: neither taps, gain, border nor proof feel them."""
    target = corr2d(picture, kernels.sobel("x"), padding="same", border="reflect")
    random = np.random.default_rng(0)
    dead = random.random(target.shape) < 0.1
    target[dead] = random.integers(-900, 900, int(dead.sum()))
    fit = learn_kernel(picture, target, 3, padding="same", mask=~dead)
    identity = fit.identify()
    assert identity.border.name == "reflect"
    assert identity.proof.is_whole
    assert identity.proof.total == int((~dead).sum())
    assert identity.gain == pytest.approx(0, abs=1e-9)
    assert identity.border.pixels == int((~dead)[:, [0, -1]].sum() + (~dead)[[0, -1], 1:-1].sum())


def test_a_pair_with_a_single_nan_is_not_dropped(picture):
    image = picture.astype(float)
    target = corr2d(image, kernels.sobel("x"), padding="same", border="wrap")
    image[30, 40] = target[70, 5] = np.nan
    identity = learn_kernel(image, target, 3, padding="same", mask="finite").identify()
    assert identity.border.name == "wrap"
    assert identity.proof.is_whole
    assert identity.proof.total == target.size - 10
    shown = learn_kernel(picture, corr2d(picture, kernels.sobel("x"), padding="same"), 3, padding="same")
    assert shown.identify(image, target).proof.total == target.size - 10


def test_a_pair_that_counts_nowhere_is_no_matter(picture):
    image, target = picture.astype(float), corr2d(picture, kernels.sobel("x")).astype(float)
    fit = learn_kernel([image, image], [target, np.full_like(target, np.nan)], 3, mask="finite")
    proof = fit.identify().proof
    assert (proof.is_whole, proof.total) == (True, target.size)


def test_where_nothing_counts_nothing_is_proved(picture):
    fit = learn_kernel(
        picture,
        corr2d(picture, kernels.box(3), padding="same", dtype="uint8"),
        3,
        padding="same",
        border=None,
    )
    small = picture[:2, :2]
    identity = fit.identify(small, small + 90)
    assert identity.proof is None
    assert not identity.border.explains
    assert "none explains the rim" in str(identity)


def test_outliers_do_not_rule_what_a_robust_fit_is_called(picture):
    target = corr2d(picture, kernels.sobel("y"))
    random = np.random.default_rng(1)
    wrong = random.random(target.shape) < 0.05
    target[wrong] += random.integers(2000, 9000, int(wrong.sum()))
    proof = learn_kernel(picture, target, 3, loss="huber").identify().proof
    assert proof.matched == int((~wrong).sum())
    np.testing.assert_array_equal(proof.taps.numerators[0], kernels.sobel("y"))


def test_weights_say_which_half_to_believe(picture):
    target = corr2d(picture, kernels.laplacian(4))
    target[:30] = corr2d(picture, kernels.box(3), dtype="int32")[:30]
    weights = np.ones(target.shape)
    weights[:30] = 0
    identity = learn_kernel(picture, target, 3, weights=weights).identify()
    assert identity.name.startswith("laplacian")
    assert identity.proof.is_whole
    assert identity.proof.total == int(weights.sum())


def test_a_constraint_holds_for_what_is_learnt_again(picture):
    target = corr2d(picture, kernels.box(3), padding="same", border="reflect", dtype="uint8")
    fit = learn_kernel(picture, target, 3, padding="same", constraint="sum-to-one")
    assert fit.identify().gain == pytest.approx(1, abs=1e-12)
    free = learn_kernel(picture, target, 3, padding="same").identify().gain
    assert abs(free - 1) > 1e-9
    strong = learn_kernel(picture, target, 3, padding="same", ridge=1e9)
    assert strong.identify().gain < 0.9


def test_what_was_learnt_inside_is_not_learnt_again(picture, monkeypatch):
    target = corr2d(picture, kernels.gaussian(0.7, size=3), padding="same", border="reflect")
    chosen = learn_kernel(picture, target, "auto", max_size=5)
    rim = learn_kernel(picture, target, 3, padding="same")
    monkeypatch.setattr("corr2d.learn.identify.call.learn", None)
    assert chosen.identify().border.name == "reflect"
    with pytest.raises(TypeError):
        rim.identify()


def test_a_kernel_of_many_channels_is_named_by_its_place(picture):
    images = np.stack([picture, picture[::-1]])
    kernel = np.zeros((2, 2, 3, 3))
    kernel[0, 1], kernel[1, 0] = kernels.sobel("x"), kernels.laplacian(4)
    fit = learn_kernel(images, corr2d(images, kernel), 3)
    assert fit.identify(output=0, channel=1).name == "sobel-x"
    assert fit.identify(output=1, channel=0).name.startswith("laplacian")
    with pytest.raises(ValueError, match="images and targets must be of the channels that the kernel goes"):
        fit.identify(picture, corr2d(picture, kernel[0, 1]))


@pytest.mark.parametrize(
    "asked",
    [
        {"clip": (0, 255)},
        {"errors": "hac"},
        {"errors": "tiles", "bias": True},
        {"loss": "tukey"},
        {"method": "lbfgs"},
        {"weights": np.random.default_rng(3).random((90, 110))},
        {"ridge": "gcv"},
        {"constraint": ["sum-to-one", "symmetric"]},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_whatever_the_fit_was_asked_for(picture, asked):
    """Saturated targets with a rim: learnt again as it was learnt, and proved."""
    if "clip" in asked:
        pytest.importorskip("scipy")
    target = corr2d(picture, kernels.sharpen(2), padding="same", border="edge", dtype="uint8")
    identity = learn_kernel(picture, target, 3, padding="same", **asked).identify()
    assert identity.name == "sharpen:amount=2"
    assert identity.proof.is_whole
    assert identity.border.name == "edge"


@pytest.mark.parametrize("errors", ["tiles", "hac"])
def test_errors_by_tiles_where_one_is_left(picture, errors):
    """The rim and what saturated are left out, and with them all tiles but one."""
    small = picture[:12, :12]
    target = corr2d(small, kernels.sharpen(1), padding="same", dtype="uint8")
    target[4:6, 4:6] = 255
    fit = learn_kernel(small, target, 3, padding="same", errors=errors)
    assert fit.identify().border is not None


def test_what_lies_at_a_limit_is_told_by_its_likelihood(picture):
    """Noise before the limits: without what saturated the gain would come out too small."""
    pytest.importorskip("scipy")
    random = np.random.default_rng(5)
    picture = random.integers(0, 256, picture.shape, dtype=np.uint8)
    sums = corr2d(picture.astype(float), kernels.sharpen(1))
    target = np.rint(sums + random.normal(scale=20, size=sums.shape)).clip(0, 255).astype(np.uint8)
    identity = learn_kernel(picture, target, 3, clip=(0, 255), bias=True).identify()
    assert identity.name == "sharpen"
    assert abs(identity.gain - 1) < 3 * identity.gain_error


def test_under_a_shift_windows_inside_are_proved(picture):
    target = np.roll(corr2d(picture, kernels.sobel("x"), padding="same"), (3, -4), (0, 1))
    identity = learn_kernel(picture, target, "auto", max_size=5).identify()
    assert identity.name == "sobel-x"
    assert identity.proof.is_whole
    assert identity.proof.total == (90 - 3 - 1) * (110 - 4 - 1)
    assert identity.border is None
