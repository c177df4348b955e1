"""What a network sees.

Three networks of the same few weights: plain layers, strides, holes. Which pixels *can* change the middle
value, and how much each really does, before any training.
"""

import sys
from pathlib import Path

import torch

from corr2d import plots
from corr2d.field import effective_receptive_field, receptive_field

SIZE = (1, 1, 65, 65)


def network(*layers: dict[str, int]) -> torch.nn.Sequential:
    """Stack layers of 3 x 3 weights, with a ReLU after each."""
    made, channels = [], 1
    for options in layers:
        made += [torch.nn.Conv2d(channels, 8, 3, **options), torch.nn.ReLU()]
        channels = 8
    return torch.nn.Sequential(*made)


def main(folder: Path) -> None:
    """Write receptive_field.png into a folder."""
    torch.manual_seed(0)
    networks = {
        "plain": network({"padding": 1}, {"padding": 1}, {"padding": 1}, {"padding": 1}),
        "two strides": network(
            {"padding": 1, "stride": 2}, {"padding": 1, "stride": 2}, {"padding": 1}, {"padding": 1}
        ),
        "holes": network(*({"padding": holes, "dilation": holes} for holes in (1, 2, 4, 8))),
    }
    can, does = [], []
    for name, net in networks.items():
        last = str(len(net) - 1)
        field = receptive_field(net, SIZE)[last]
        middle = [length // 2 for length in field.grid]
        can.append(
            plots.Panel(
                ~field.mask(*middle), f"{name}: can see {field.size[0]} x {field.size[1]}", extent=(0, 1)
            )
        )
        effective = effective_receptive_field(net, (4, *SIZE[1:]), last)
        does.append(plots.magnitude(effective.weights / effective.weights.max(), "how much it does"))
    (folder / "receptive_field.png").write_bytes(plots.png(plots.grid(can, does)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
