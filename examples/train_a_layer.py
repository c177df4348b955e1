"""Train a layer.

Somebody has filtered a photograph and kept the kernel to himself. A layer with random weights sees both
pictures and finds it: forward, backward and update by torch, the convolutions by `Conv2D`.
"""

import sys
from pathlib import Path

import torch
from matplotlib.cbook import get_sample_data

from corr2d import Conv2D, corr2d, images, kernels, plots
from corr2d.plots.training import losses


def main(folder: Path) -> None:
    """Write train_a_layer.png and train_a_layer_loss.png into a folder."""
    photo = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels
    grey = torch.tensor(images.grey(photo)[60:188, 170:298] / 255)
    secret = torch.tensor(kernels.emboss(135)).float()
    wanted = corr2d(grey, secret)

    torch.manual_seed(0)
    layer = Conv2D(3)
    first = layer.weight.detach().clone()
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=1, line_search_fn="strong_wolfe")
    history = []

    def wrong() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (layer(grey) - wanted).square().mean()
        loss.backward()
        return loss

    for _ in range(36):
        history.append(optimizer.step(wrong).item())
    learned = layer.weight.detach()
    if (learned - secret).abs().max() > 0.02:
        raise SystemExit(f"the kernel was not found: {learned}")

    pictures = [plots.picture(grey, "before"), plots.signed(wanted, "after")]
    weights = [(first, "random start"), (learned, "learned"), (secret, "the secret")]
    panels = plots.same_extent(
        [plots.kernel(kernel.numpy().round(2) + 0.0, name) for kernel, name in weights]
    )
    (folder / "train_a_layer.png").write_bytes(plots.png(plots.grid(pictures, panels)))
    figure = losses({"L-BFGS": history}, "step", "mean squared error")
    (folder / "train_a_layer_loss.png").write_bytes(plots.png(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
