"""The lines of the textbook's chapters on convolution, as they stand there."""

import pytest

from corr2d import conv2d, corr2d

torch = pytest.importorskip("torch")

from corr2d import Conv2D  # noqa: E402


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


def the_bar_and_its_edges():
    X = torch.ones((6, 8))
    X[:, 2:6] = 0
    return X, corr2d(X, torch.tensor([[1.0, -1.0]]))


# What the textbook prints, from the start kernel that its losses lead back to.
PRINTED = """epoch 2, loss 6.422
epoch 4, loss 1.225
epoch 6, loss 0.266
epoch 8, loss 0.070
epoch 10, loss 0.022
"""


def test_learning_a_kernel(capsys):
    X, Y = the_bar_and_its_edges()
    conv2d = Conv2D((1, 2), bias=False)
    conv2d.weight.data[:] = torch.tensor([[0.03909, 0.21345]])
    X = X.reshape((1, 1, 6, 8))
    Y = Y.reshape((1, 1, 6, 7))
    lr = 3e-2
    for i in range(10):
        Y_hat = conv2d(X)
        l = (Y_hat - Y) ** 2  # noqa: E741
        conv2d.zero_grad()
        l.sum().backward()
        conv2d.weight.data[:] -= lr * conv2d.weight.grad
        if (i + 1) % 2 == 0:
            print(f"epoch {i + 1}, loss {l.sum():.3f}")
    assert capsys.readouterr().out == PRINTED
    learned = conv2d.weight.data.reshape((1, 2))
    assert torch.allclose(learned, torch.tensor([[1.001, -0.974]]), rtol=0, atol=5e-4)


def test_the_textbooks_own_layer():
    """The class as the chapter writes it, on our operator, learns by the same steps as ours."""

    class Layer(torch.nn.Module):
        def __init__(self, kernel_size):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.rand(kernel_size))
            self.bias = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return corr2d(x, self.weight) + self.bias

    X, Y = the_bar_and_its_edges()
    torch.manual_seed(0)
    written = Layer((1, 2))
    torch.manual_seed(0)
    ours = Conv2D((1, 2))
    assert [parameter.shape for parameter in ours.parameters()] == [p.shape for p in written.parameters()]
    for layer in (written, ours):
        optimizer = torch.optim.SGD(layer.parameters(), lr=1e-2)
        for _ in range(10):
            optimizer.zero_grad()
            ((layer(X) - Y) ** 2).sum().backward()
            optimizer.step()
    for theirs, own in zip(written.parameters(), ours.parameters(), strict=True):
        assert torch.allclose(own, theirs, rtol=1e-5, atol=1e-6)
