"""Every argument of every kernel refuses what it cannot be, by the one pattern, before anything is made."""

import math

import numpy as np
import pytest

from corr2d import kernels
from corr2d.kernels import sizes

ABC, TABLE_OF_NAMES = "got 'abc'", "one of 'identity', 'box', .*, 'gabor', got "


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        # sizes
        (
            lambda k: k.box("3"),
            TypeError,
            r"box: size must be an int or a \(y, x\) pair of ints, each at least 1, got '3'\.",
        ),
        (
            lambda k: k.box(2.0),
            TypeError,
            r"box: size must be an int or a \(y, x\) pair of ints, each at least 1, got 2\.0\.",
        ),
        (lambda k: k.box(True), TypeError, "box: size must be an int .*, got True"),
        (
            lambda k: k.box(np.ones((1, 1))),
            ValueError,
            r"size must be an int or a \(y, x\) pair of ints, each at least 1, got ndarray of",
        ),
        (
            lambda k: k.box(np.array(2.5)),
            TypeError,
            r"size must be an int .*, got 2\.5",
        ),
        (
            lambda k: k.box((1, 2, 3)),
            ValueError,
            r"box: size must be an int or a \(y, x\) pair of ints, each at least 1, got \(1, 2, 3\)",
        ),
        (lambda k: k.box(0), ValueError, "box: size must be an int .*, each at least 1, got 0"),
        (lambda k: k.box((3, -1)), ValueError, "box: size must be .* at least 1, got -1"),
        (
            lambda k: k.box(10**9),
            ValueError,
            r"size must be small enough for a kernel of at most 16777216 taps",
        ),
        (
            lambda k: k.identity(2),
            ValueError,
            "identity: size must be odd, for the kernel to have a central pixel",
        ),
        (lambda k: k.unsharp(size=(3, 4)), ValueError, r"unsharp: size must be odd, .*, got \(3, 4\)"),
        (lambda k: k.sobel(size=4), ValueError, "sobel: size must be an odd int from 3 to 31, got 4"),
        (lambda k: k.sobel(size=33), ValueError, "sobel: size must be an odd int from 3 to 31, got 33"),
        (
            lambda k: k.sobel(size=1),
            ValueError,
            "sobel: size must be an odd int from 3 to 31, got 1",
        ),
        (lambda k: k.laplacian_of_gaussian(size=2), ValueError, "size must be .* at least 3, got 2"),
        # numbers
        (
            lambda k: k.gaussian("abc"),
            TypeError,
            f"gaussian: sigma must be a number of pixels of at least 0, {ABC}",
        ),
        (lambda k: k.gaussian(False), TypeError, "gaussian: sigma must be a number .*, got False"),
        (lambda k: k.gaussian(-1), ValueError, "gaussian: sigma must be .* of at least 0, got -1"),
        (lambda k: k.gaussian((1, math.nan)), ValueError, "gaussian: sigma must be .*, got nan"),
        (lambda k: k.gaussian(10**400), ValueError, r"sigma must be .*, got 1000*\.\.\. \(int\)"),
        (
            lambda k: k.gaussian(1e300),
            ValueError,
            "sigma must be small enough for a kernel of at most 16777216 taps",
        ),
        (
            lambda k: k.gaussian(truncate=0),
            ValueError,
            "truncate must be a number of standard deviations above 0, got 0",
        ),
        (
            lambda k: k.gaussian(truncate=3, size=3),
            ValueError,
            r"truncate must be left out when size is given, got 3\. Give one of the two\.",
        ),
        (
            lambda k: k.motion(0.5),
            ValueError,
            "motion: length must be a number of pixels of at least 1, got 0.5",
        ),
        (
            lambda k: k.motion(1e5, 45),
            ValueError,
            "length must be small enough for a kernel of at most 16777216 taps",
        ),
        (lambda k: k.motion(9, math.inf), ValueError, "motion: angle must be a number of degrees, got inf"),
        (lambda k: k.emboss("abc"), TypeError, f"emboss: angle must be a number of degrees, {ABC}"),
        (lambda k: k.emboss(amount=None), TypeError, "emboss: amount must be a number, got None"),
        (
            lambda k: k.sharpen(2**53),
            ValueError,
            r"amount must be a number between -2\*\*53 and 2\*\*53, got 9007",
        ),
        (lambda k: k.unsharp(amount=math.nan), ValueError, "unsharp: amount must be a number, got nan"),
        (lambda k: k.laplacian_of_gaussian(0.05), ValueError, "sigma must be .* of at least 0.1, got 0.05"),
        (
            lambda k: k.difference_of_gaussians(2, 1),
            ValueError,
            r"high_sigma must be larger than low_sigma, got high_sigma \(1.0, 1.0\) and low_sigma",
        ),
        (
            lambda k: k.difference_of_gaussians((1, 2), (2, 1)),
            ValueError,
            "high_sigma must be larger than low_sigma",
        ),
        (lambda k: k.difference_of_gaussians(1, 1), ValueError, "high_sigma must be larger than low_sigma"),
        (
            lambda k: k.difference_of_gaussians("abc"),
            TypeError,
            f"low_sigma must be a number of pixels .*{ABC}",
        ),
        (
            lambda k: k.gabor(1.9),
            ValueError,
            "gabor: wavelength must be a number of pixels of at least 2, got 1.9",
        ),
        (
            lambda k: k.gabor(sigma=0),
            ValueError,
            "gabor: sigma must be a number of pixels of at least 0.1, got 0",
        ),
        (lambda k: k.gabor(aspect=0), ValueError, "gabor: aspect must be a number above 0, got 0"),
        (
            lambda k: k.gabor(sigma=1, aspect=11),
            ValueError,
            "aspect must be at most sigma / 0.1 = 10, got 11",
        ),
        (lambda k: k.gabor(phase="abc"), TypeError, f"gabor: phase must be a number of degrees, {ABC}"),
        # choices
        (lambda k: k.sobel("z"), ValueError, r"sobel: axis must be one of 'y', 'x', got 'z'\."),
        (lambda k: k.sobel(0), TypeError, "sobel: axis must be one of 'y', 'x', got 0"),
        (
            lambda k: k.scharr(scale="derivate"),
            ValueError,
            r"scale must be one of 'derivative', 'raw', got 'derivate'\. Did you mean 'derivative'\?",
        ),
        (
            lambda k: k.roberts("dawn"),
            ValueError,
            "diagonal must be one of 'down', 'up', got 'dawn'. Did you mean 'down'",
        ),
        (lambda k: k.laplacian(6), ValueError, "laplacian: neighbors must be one of 4, 8, got 6"),
        (lambda k: k.laplacian(4.0), TypeError, "laplacian: neighbors must be one of 4, 8, got 4.0"),
        (lambda k: k.box(normalize=1), TypeError, "box: normalize must be True or False, got 1"),
        (lambda k: k.gabor(zero_sum="no"), TypeError, "gabor: zero_sum must be True or False, got 'no'"),
        (lambda k: k.gabor(quadrature=0), TypeError, "gabor: quadrature must be True or False, got 0"),
        # names
        (lambda k: k.named(3), TypeError, "named: name must be a string such as 'sobel-x', got 3"),
        (lambda k: k.named("sobl-x"), ValueError, f"{TABLE_OF_NAMES}'sobl-x'. Did you mean 'sobel-x'"),
        (lambda k: k.named(""), ValueError, f"{TABLE_OF_NAMES}''.$"),
        (lambda k: k.named("box:"), ValueError, "a parameter of 'box' must be written as key=value, got ''"),
        (
            lambda k: k.named("box:size="),
            ValueError,
            "a parameter of 'box' must be written as key=value, got 'size='",
        ),
        (
            lambda k: k.named("box:5"),
            ValueError,
            "a parameter of 'box' must be written as key=value, got '5'",
        ),
        (
            lambda k: k.named("gaussian:sigm=2"),
            ValueError,
            "a parameter of 'gaussian' must be one of 'sigma', .*, 'size', got 'sigm'. Did you mean 'sig",
        ),
        (
            lambda k: k.named("sobel-x:axis=y"),
            ValueError,
            "a parameter of 'sobel-x' must be one of 'size', 'scale', got 'axis'",
        ),
        (
            lambda k: k.named("box:size=3,Size=5"),
            ValueError,
            "each parameter of 'box' must be given once, got 'size' twice",
        ),
        (
            lambda k: k.named("box:size=3x5x7"),
            TypeError,
            "size must be an int .*, got '3x5x7'",
        ),
        (
            lambda k: k.named("gaussian:sigma=1e999"),
            ValueError,
            "sigma must be a number of pixels .*, got inf",
        ),
        # text
        (
            lambda k: k.parse(3),
            TypeError,
            "parse: text must be a string such as '1,0,-1;2,0,-2;1,0,-1', got 3",
        ),
        (
            lambda k: k.parse(" \n"),
            ValueError,
            "parse: text must be a kernel such as '1,0,-1;2,0,-2;1,0,-1', got nothing",
        ),
        (
            lambda k: k.parse("1,2;3"),
            ValueError,
            "text must be a table of rows of equal length, got 2 values in row 1 and 1 in row 2",
        ),
        (
            lambda k: k.parse("1,2;3,"),
            ValueError,
            "text must be made of numbers .*, got '' in row 2, column 2",
        ),
        (
            lambda k: k.parse("1,abc"),
            ValueError,
            "text must be made of numbers such as 2, -0.5 or 1/9, got 'abc' in row 1",
        ),
        (
            lambda k: k.parse("nan"),
            ValueError,
            "text must be made of numbers such as 2, -0.5 or 1/9, got 'nan'",
        ),
        (
            lambda k: k.parse("1_0"),
            ValueError,
            "text must be made of numbers such as 2, -0.5 or 1/9, got '1_0'",
        ),
        (
            lambda k: k.parse("1/0"),
            ValueError,
            "text must be made of numbers such as 2, -0.5 or 1/9, got '1/0'",
        ),
        (
            lambda k: k.parse("1" * 50),
            ValueError,
            r"text must be made of numbers .*, got '1+' in row 1, column 1",
        ),
        (
            lambda k: k.parse("1e999"),
            ValueError,
            "text must be made of finite numbers that fit 64 bits, got 1e999 in row 1",
        ),
        (
            lambda k: k.parse(f"{2**63}"),
            ValueError,
            "made of finite numbers that fit 64 bits, got 9223372036854775808",
        ),
        # files
        (lambda k: k.load(3), TypeError, "load: path must be a file name .*, got 3"),
        (
            lambda k: k.load("a.png"),
            ValueError,
            r"path must be a file that ends in one of \.npy, .*\.json, got 'a.png'",
        ),
        (
            lambda k: k.load("none.npy"),
            FileNotFoundError,
            "load: path must be an existing file, got 'none.npy'",
        ),
    ],
)
def test_errors_name_the_rule_and_the_value(call, kind, message):
    with pytest.raises(kind, match=message):
        call(kernels)


def test_the_largest_kernels_are_still_made():
    assert kernels.box((1, sizes.MOST_TAPS), normalize=False).shape == (1, 1 << 24)
