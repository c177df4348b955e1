"""What a value deep inside a network has seen of the picture, and what it makes of it."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.plots import fields
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session

# Sides of the little pictures on which fields are drawn, pixel by pixel.
SIDE = 15


def tell(session: Session) -> Iterator[Block]:
    """Two layers see further than one, some see with holes, all see padding, and one network learns."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield from _two_layers(session)
        yield from _holes(session)
        yield from _the_border(session)
        yield from _feature_maps(session)
    finally:
        # The lines shown set it to 1, which is for a script of one's own to do, not for a library's function.
        torch.set_num_threads(threads)


def _two_layers(session: Session) -> Iterator[Block]:
    yield Prose("""
        A value of a feature map was made from nine numbers by a kernel of 3x3. If those nine were made the
        same way, each from nine pixels of its own, then the value has seen 5x5 pixels: its *receptive field*.
        A third layer sees 7x7. So a deep network looks at large things with small kernels.
    """)
    yield session.run(f"""
        import torch
        from corr2d import Conv2D
        from corr2d.field import effective_receptive_field, feature_maps, receptive_field, top_patches

        torch.set_num_threads(1)                  # for networks as small as these more would only wait

        def middle(side):
            lines = (np.arange(side) + (size - side) // 2 for size in grey.shape)
            return grey[np.ix_(*(np.clip(line, 0, size - 1) for line, size in zip(lines, grey.shape)))]

        def stack(*dilations):
            return torch.nn.Sequential(*(Conv2D(3, padding="same", dilation=one) for one in dilations))

        three = receptive_field(stack(1, 1, 1), (1, 1, {SIDE}, {SIDE}))
        {{layer: (field.size, int(field.mask(7, 7).sum())) for layer, field in three.items()}}
    """)
    part = session["middle"](SIDE)
    yield Picture(
        "field_layers",
        plots.grid(
            [
                fields.seen(field.mask(7, 7), image=part, title=f"layer {number}")
                for number, field in enumerate(session["three"].values(), 1)
            ]
        ),
        "A small part of the photograph three times, with a square of 3 by 3, of 5 by 5 and of 7 by 7 pixels "
        "coloured orange around the same middle.",
        "What the same value of three layers on top of each other has seen, in orange.",
    )


def _holes(session: Session) -> Iterator[Block]:
    yield Prose("""
        To see further at no cost, a kernel can be spread out: with a *dilation* of 2 its nine weights lie on
        every other pixel. Three such layers span 13x13 pixels. But each of them steps over the same pixels,
        and so 120 of the 169 are never read by this value; its neighbours read them, and they do not read
        its 49. The picture falls apart into four that know nothing of each other. With dilations of 1, 2 and
        3 the span is the same and nothing is left out.
    """)
    yield session.run(f"""
        spans = {{}}
        for dilations in [(2, 2, 2), (1, 2, 3)]:
            last = receptive_field(stack(*dilations), (1, 1, {SIDE}, {SIDE}))["2"]
            spans[dilations] = last.mask(7, 7)
        {{dilations: int(mask.sum()) for dilations, mask in spans.items()}}
    """)
    part = session["middle"](SIDE)
    yield Picture(
        "field_holes",
        plots.grid(
            [
                fields.seen(mask, image=part, title=f"dilations {', '.join(map(str, dilations))}")
                for dilations, mask in session["spans"].items()
            ]
        ),
        "Left a frame of 13 by 13 pixels in which only every other pixel of every other row is orange; right "
        "the same frame filled with orange.",
        "Two stacks of three layers, with 27 weights each: one sees a comb, the other a square. The frame is "
        "the box that both have in a table of sizes.",
    )


def _the_border(session: Session) -> Iterator[Block]:
    yield Prose("""
        Near the border a value looks past it. What it finds there is the padding: zeros that nobody
        photographed. One layer of 3x3 gives the corner value 5 zeros and 4 pixels; six layers make that 120
        zeros and 49 pixels. On a picture of 15x15 eight layers are enough to leave no value that sees pixels
        only.
    """)
    yield session.run(f"""
        shares = {{}}
        for layers in (1, 3, 6):
            last = receptive_field(stack(*[1] * layers), (1, 1, {SIDE}, {SIDE}))[str(layers - 1)]
            places = np.ndindex({SIDE}, {SIDE})
            shares[layers] = np.reshape([last.padding_share(*place) for place in places], ({SIDE}, {SIDE}))
        {{layers: round(float(share[0, 0]), 2) for layers, share in shares.items()}}
    """)
    yield Picture(
        "field_padding",
        plots.grid(
            plots.same_extent(
                [
                    plots.Panel(100 * share, f"{layers} layer{'s' if layers > 1 else ''}", look="magnitude")
                    for layers, share in session["shares"].items()
                ]
            )
        ),
        "Three maps of 15 by 15 values: a thin dark rim after one layer, a wider one after three, and after "
        "six only the middle is white.",
        "Share of each value's field that is padding, in percent.",
    )


def _feature_maps(session: Session) -> Iterator[Block]:
    yield Prose("""
        So much for what a value can see; what does it say? Here is a network of four layers. It was shown
        little pieces of the photograph's middle with noise on them, eight at a time, and corrected 200 times
        towards the drawing of edges that opened this page, made of the same pieces without noise. Nobody told
        it how to get there. Then it was shown the whole without noise.
    """)
    yield session.run("""
        clean = torch.tensor(middle(256))[None, None]
        across, down = (torch.tensor(kernels.scharr(way, scale="derivative")).float() for way in "xy")
        wanted = torch.hypot(
            *(corr2d(clean, one, padding="same", border="reflect") for one in (across, down))
        )
        wanted = wanted / max(float(wanted.max()), 1e-9)
        torch.manual_seed(0)
        noisy = clean + 0.05 * torch.randn(clean.shape)

        layers = {
            "look": torch.nn.Conv2d(1, 8, 5, padding=2),
            "look_on": torch.nn.ReLU(),
            "combine": torch.nn.Conv2d(8, 12, 3, stride=2, padding=1),
            "combine_on": torch.nn.ReLU(),
            "again": torch.nn.Conv2d(12, 16, 3, stride=2, padding=1),
            "again_on": torch.nn.ReLU(),
            "paint": torch.nn.Conv2d(16, 16, 3, padding=1),
            "unfold": torch.nn.PixelShuffle(4),           # 16 channels become 4x4 pixels each
        }
        network = torch.nn.Sequential()
        for name, layer in layers.items():
            network.add_module(name, layer)

        optimizer, errors = torch.optim.Adam(network.parameters(), lr=5e-3), []
        for step in range(200):
            corners = torch.randint(256 - 23, (8, 2)).tolist()
            pieces = [np.s_[..., y : y + 24, x : x + 24] for y, x in corners]
            answers = network(torch.cat([noisy[piece] for piece in pieces]))
            error = (answers - torch.cat([wanted[piece] for piece in pieces])).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            errors.append(error.item())

        maps = feature_maps(network, clean, ["look", "combine", "again", "unfold"])
        {layer: (found.values.shape[0], found.stride[0]) for layer, found in maps.items()}
    """)
    yield Picture(
        "feature_maps",
        fields.feature_maps(session["maps"], ["look", "again", "unfold"], channels=6),
        "The middle of the photograph above two rows of six maps each, in orange and purple, the first fine, "
        "the second in tiles of four pixels; last a drawing of its edges.",
        "Feature maps of the photograph, the six of each layer that vary most, drawn to scale: a value "
        "covers the pixels it stands for. Above each its channel and the range of its colours. The last one "
        "is the answer.",
    )
    yield from _patches(session)
    yield from _what_counts(session)


def _patches(session: Session) -> Iterator[Block]:
    yield Prose("""
        The first layer answers to edges of this or that direction and to brightness. What a channel further
        in answers to is best asked of the photograph itself: which of its places excite the channel most? As
        it is known what each value has seen, those places can be cut out to the pixel.
    """)
    yield session.run("""
        strongest = maps["again"].strongest(3)
        excited = {one: top_patches(network, clean, "again", one, 8, per_image=None) for one in strongest}
        {channel: found[0].pixels.shape[1:] for channel, found in excited.items()}
    """)
    yield Picture(
        "field_patches",
        fields.patches(
            [patch for found in session["excited"].values() for patch in found],
            columns=8,
            titles=[f"channel {channel}" for channel in session["excited"]],
        ),
        "Three rows of eight little pieces of the photograph; those in one row look alike.",
        "For three channels of the layer `again` the eight pieces of the photograph that excite it most, "
        "and how much.",
    )


def _what_counts(session: Session) -> Iterator[Block]:
    yield Prose("""
        Seeing is not minding. Of the pixels a value can see, those in the middle reach it on many ways
        through the layers and those at the rim on few. How much each counts is told by a derivative: by how
        much does the value move when the pixel does? The *effective* receptive field is the mean of that over
        images (here eight of mere noise), and its size the side of a square of the pixels that matter.
    """)
    yield session.run("""
        table = receptive_field(network, (1, 1, 32, 32))
        counted = {
            layer: effective_receptive_field(network, (8, 1, 32, 32), layer)
            for layer in ["look", "combine", "again", "paint"]
        }
        {layer: (table[layer].size[0], round(found.size(), 1)) for layer, found in counted.items()}
    """)
    counted, table = session["counted"], session["table"]
    yield Picture(
        "field_growth",
        fields.growth(
            {layer: table[layer].size[0] for layer in counted},
            {layer: float(table[layer].stride[0]) for layer in counted},
            {layer: found.size() for layer, found in counted.items()},
        ),
        "Four bars, each longer than the one above it, with a diamond for the step between two values "
        "and a dot for the size of what counts.",
        "The network's fields, layer by layer: what can be seen, and what counts.",
    )


CHAPTER = Chapter(order=85, title="What has this value seen?", tell=tell, needs=("torch",))
