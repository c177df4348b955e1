"""The lines of the textbook's chapters on convolution, as they stand there."""

import pytest

from corr2d import conv2d, corr2d

torch = pytest.importorskip("torch")


def test_cross_correlation():
    X = torch.tensor([[0.0, 1, 2], [3, 4, 5], [6, 7, 8]])
    K = torch.tensor([[0.0, 1], [2, 3]])
    assert torch.equal(corr2d(X, K), torch.tensor([[19.0, 25.0], [37.0, 43.0]]))


def test_convolution_flips_the_kernel():
    X = torch.tensor([[0.0, 1, 2], [3, 4, 5], [6, 7, 8]])
    K = torch.tensor([[0.0, 1], [2, 3]])
    assert torch.equal(conv2d(X, K), torch.tensor([[5.0, 11.0], [23.0, 29.0]]))
    assert torch.equal(conv2d(X, K), corr2d(X, K.flip(0, 1)))


def test_the_edge_of_a_black_band():
    X = torch.ones((6, 8))
    X[:, 2:6] = 0
    K = torch.tensor([[1.0, -1.0]])
    Y = corr2d(X, K)
    expected = torch.zeros((6, 7))
    expected[:, 1], expected[:, 5] = 1, -1
    assert torch.equal(Y, expected)
    assert torch.equal(corr2d(X.t(), K), torch.zeros((8, 5)))
    assert torch.equal(corr2d(X.t(), K.t()), expected.t())


def test_padding_keeps_the_size():
    X = torch.rand(size=(8, 8))
    assert corr2d(X, torch.rand(3, 3), padding=1).shape == (8, 8)
    assert corr2d(X, torch.rand(5, 3), padding=(2, 1)).shape == (8, 8)
    assert corr2d(X, torch.rand(5, 3), padding="same").shape == (8, 8)


def test_stride_makes_it_smaller():
    X = torch.rand(size=(8, 8))
    assert corr2d(X, torch.rand(3, 3), padding=1, stride=2).shape == (4, 4)
    assert corr2d(X, torch.rand(3, 5), padding=(0, 1), stride=(3, 4)).shape == (2, 2)


def test_zero_padding_written_out():
    X = torch.tensor([[0.0, 1, 2], [3, 4, 5], [6, 7, 8]])
    K = torch.tensor([[0.0, 1], [2, 3]])
    expected = torch.tensor([[0.0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]])
    assert torch.equal(corr2d(X, K, padding=1), expected)
    assert torch.equal(corr2d(X, K, padding=1, stride=(3, 2)), torch.tensor([[0.0, 8.0], [6.0, 8.0]]))


def test_several_input_channels():
    X = torch.tensor([[[0.0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]])
    K = torch.tensor([[[0.0, 1], [2, 3]], [[1.0, 2], [3, 4]]])
    assert torch.equal(corr2d(X, K[None]), torch.tensor([[[56.0, 72.0], [104.0, 120.0]]]))
    summed = sum(corr2d(x, k) for x, k in zip(X, K, strict=True))
    assert torch.equal(corr2d(X, K[None])[0], summed)


def test_several_output_channels():
    X = torch.tensor([[[0.0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]])
    K = torch.tensor([[[0.0, 1], [2, 3]], [[1.0, 2], [3, 4]]])
    K = torch.stack((K, K + 1, K + 2), 0)
    expected = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    assert corr2d(X, K).tolist() == expected


def test_one_by_one_kernels_mix_channels():
    X, K = torch.normal(0, 1, (3, 3, 3)), torch.normal(0, 1, (2, 3, 1, 1))
    mixed = (K.reshape(2, 3) @ X.reshape(3, 9)).reshape(2, 3, 3)
    assert torch.allclose(corr2d(X, K), mixed, atol=1e-6)
