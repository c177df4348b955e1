"""A kernel that nobody chose: learned from a picture and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corr2d import plots
from corr2d.plots.training import Surface, descent, losses
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """Ten steps down a valley, then the movement of a camera out of two pictures."""
    yield from _the_bar(session)
    yield from _the_photograph(session)


def _the_bar(session: Session) -> Iterator[Block]:
    yield Prose("""
        Suppose somebody hands you the black bar and its edges, and not the kernel `[1, -1]` that found them.
        Then start with any two weights, see how wrong their answer is, ask in which direction each weight
        would have to move to be less wrong, move it a little, and start over. That is *training*. What it
        needs is the derivative of the error with respect to the kernel, which is another convolution.
    """)
    yield session.run("""
        import torch
        from corr2d import Conv2D

        X = torch.ones(6, 8)
        X[:, 2:6] = 0                             # white, a black bar, white
        Y = corr2d(X, torch.tensor([[1.0, -1.0]]))

        layer = Conv2D((1, 2), bias=False)
        layer.load_state_dict({"weight": torch.tensor([[0.03909, 0.21345]])})
        path, loss = [layer.weight.detach().clone()], []
        for step in range(10):
            error = ((layer(X) - Y) ** 2).sum()
            layer.zero_grad()
            error.backward()
            layer.weight.data -= 3e-2 * layer.weight.grad
            path.append(layer.weight.detach().clone())
            loss.append(error.item())
        {step: round(loss[step - 1], 3) for step in (2, 4, 6, 8, 10)}
    """)
    learned = session.run("[round(weight, 3) for weight in layer.weight.flatten().tolist()]")
    yield learned
    yield Picture(
        "training",
        descent(_path(session), session["loss"], _surface(session), ("first weight", "second weight")),
        "Left, the loss on a logarithmic axis, falling in an almost straight line over ten steps. Right, the "
        "loss as a long oval valley with lines of equal loss, and the path of the kernel zigzagging down to "
        "its floor at 1 and −1.",
        "Left the loss at each step. Right the loss of every pair of weights, one line for each factor of 4, "
        "and the way the kernel took.",
    )
    yield Prose("""
        The valley is narrow in one direction: where both weights grow together the loss grows five times as
        fast as where one grows and the other shrinks. Across the valley each step (0.03 times the derivative)
        goes too far and lands on the other side, at 0.8 of the distance; along it each step leaves 0.64 of
        the way. With 1/30 and more in place of 0.03 no step would come nearer across, and the kernel would
        climb out of the valley. Many stories of a training that does not work are this story.
    """)


def _path(session: Session) -> plots.Array:
    return np.array([weight.flatten().tolist() for weight in session["path"]])


def _surface(session: Session) -> Surface:
    """The loss of every kernel around the path, by the sum that defines it."""
    image, wanted = session["X"].numpy(), session["Y"].numpy()
    first, second = np.linspace(-0.4, 1.6, 101), np.linspace(-1.4, 0.6, 101)
    answers = first[:, None, None] * image[:, :-1] + second[:, None, None, None] * image[:, 1:]
    return Surface(first, second, ((answers - wanted) ** 2).sum(axis=(-2, -1)))


def _the_photograph(session: Session) -> Iterator[Block]:
    yield Prose("""
        The same on the photograph, with 25 weights. A camera moved while its shutter was open; given the
        picture before and after, how did it move? The weights start at 0. Three ways of using the derivative
        are in common use: step straight downhill (*SGD*), let each weight have a step of its own (*Adam*), or
        learn the shape of the valley on the way (*L-BFGS*).
    """)
    yield session.run("""
        before = torch.tensor(grey[:128, :128])
        movement = kernels.motion(6, 40)
        after = corr2d(before, torch.tensor(movement))

        steepest = 50 * max(before.square().mean().item(), 1e-9)    # no valley here is steeper than this
        ways = {
            "SGD": lambda weights: torch.optim.SGD(weights, lr=1 / steepest),
            "Adam": lambda weights: torch.optim.Adam(weights, lr=3e-2),
            "L-BFGS": lambda weights: torch.optim.LBFGS(weights, max_iter=2, line_search_fn="strong_wolfe"),
        }
        learned, curves = {}, {}
        for way, optimizer in ways.items():
            layer, curves[way] = Conv2D(5, bias=False), []
            torch.nn.init.zeros_(layer.weight)
            steps = optimizer(layer.parameters())

            def wrong():
                steps.zero_grad()
                error = (layer(before) - after).square().mean()
                error.backward()
                curves[way].append(error.item())
                return error

            while len(curves[way]) < 150:
                steps.step(wrong)
            learned[way] = layer.weight.detach().numpy()
        {way: f"{abs(weights - movement).max():.0e}" for way, weights in learned.items()}
    """)
    images = [
        plots.picture(session["before"].numpy(), "before"),
        plots.picture(session["after"].numpy(), "after"),
    ]
    weights = [plots.kernel(_rounded(session["movement"]), "how the camera moved")]
    weights += [
        plots.kernel(_rounded(found), f"learned by {way}") for way, found in session["learned"].items()
    ]
    yield Picture(
        "camera",
        plots.grid(images, plots.same_extent(weights)),
        "A part of the photograph, sharp and blurred along a slanted line; below, the kernel of that blur, a "
        "slanted line of weights, and the three learned kernels.",
        "A part of the photograph before and after, and what three ways of training found between them.",
    )
    yield Picture(
        "optimizers",
        losses(session["curves"], "forward and backward passes", "mean squared error"),
        "Three falling curves on a logarithmic axis; plain descent flattens out first, L-BFGS ends lowest.",
        "The same layer, the same pictures, the same derivatives: only the use of them differs.",
    )
    yield Prose("""
        Neighbouring pixels of a photograph are nearly alike, so it hardly matters to the answer which of two
        neighbouring weights does the work: the valley is many times longer than wide, and plain steps that
        are short enough for its walls creep along its floor. For a kernel as small as this one nobody has to
        descend at all: the floor can be computed. A network of many layers has no such shortcut.
    """)


def _rounded(weights: plots.Array) -> plots.Array:
    """Round to two digits, with no zero below zero."""
    rounded: plots.Array = weights.round(2) + 0.0
    return rounded


CHAPTER = Chapter(order=80, title="A kernel that is learned", tell=tell, needs=("torch",))
