"""One layer's field: its numbers, and the exact pixels of any of its positions."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy.typing as npt

from corr2d.errors import describe, door, refuse
from corr2d.field.analysis import Analysis, Mask
from corr2d.field.box import Box
from corr2d.field.graph import Value
from corr2d.field.indices import inside, middle
from corr2d.field.lines import Rows, one_place, painted
from corr2d.field.propagation import Note
from corr2d.field.rules import EXACT, WHOLE
from corr2d.field.seen import Product
from corr2d.field.summary import Summary, count, summarize
from corr2d.printed import Printed


class LayerField(Printed):
    """The receptive field of a layer's output: a row of the table; ``print`` says it in words.

    Attributes
    ----------
    name : str
        Of the layer.
    operator : str
        The operator that computed its output last.
    shape : tuple of int
        Of the output.
    value : Value
        The output in the captured graph.

    Examples
    --------
    >>> import torch
    >>> from corr2d.field import receptive_field
    >>> layer = receptive_field(torch.nn.Conv2d(1, 1, 3, padding=1), (1, 1, 5, 5))["conv2d"]
    >>> layer.box(0, 0), layer.box(0, 0, clip=False), int(layer.mask(0, 0).sum())
    ((0, 0, 2, 2), (-1, -1, 2, 2), 4)
    >>> int(layer.projective(0, 0).sum()), round(layer.padding_share(0, 0), 3)
    (4, 0.556)
    """

    def __init__(self, analysis: Analysis, name: str, value: Value, operator: str) -> None:
        self.name, self.operator, self.shape, self.value = name, operator, value.shape, value
        self._analysis = analysis

    @cached_property
    def _summary(self) -> Summary:
        return summarize(self._analysis, self.value)

    @property
    def size(self) -> tuple[int, ...] | None:
        """Rows, columns and so on from the first to the last that one value sees, past the edges too.

        The largest where positions differ (see `sizes`); None where nothing is read.
        """
        return self._summary.size

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Along each axis all sizes that occur; empty where they were not counted."""
        return self._summary.sizes

    @property
    def stride(self) -> tuple[Fraction, ...] | None:
        """Pixels from one position's field to the next one's, on average; None where no number says it."""
        return self._summary.stride

    @property
    def start(self) -> tuple[Fraction, ...] | None:
        """First row, column and so on that position 0 would read if the image had no edges."""
        return self._summary.start

    @property
    def padding(self) -> tuple[Fraction, ...] | None:
        """Pixels by which position 0 looks past the image's edge: ``-start``."""
        return None if self.start is None else tuple(-one for one in self.start)

    @property
    def uniform(self) -> bool:
        """Whether all positions see the same, moved by the stride, where the image's edges do not cut it."""
        return self._summary.uniform

    @property
    def coverage(self) -> Fraction | None:
        """Pixels that the middle value sees, over those of its box: less than 1 where there are holes."""
        return self._summary.coverage

    @property
    def clipped(self) -> bool:
        """Whether `size` was measured where the image's edges cut it: the field may be larger."""
        return self._summary.clipped

    @property
    def status(self) -> str:
        """``"exact"``, ``"superset"``, ``"data-dependent"``, ``"probed"`` or ``"whole input"``."""
        return EXACT if self.responsible is None else self.responsible.status

    @property
    def sees_all(self) -> bool:
        """Whether the status is ``"whole input"``: every value sees all of it, whatever its size."""
        return self.status == WHOLE

    @cached_property
    def responsible(self) -> Note | None:
        """The operation because of which the status is not exact."""
        return self._analysis.doubt(self.value) or self._analysis.whole(self.value)

    @property
    def left_out(self) -> Note | None:
        """With ``global_ops="exclude"`` the first global operation on the way, which is not counted."""
        return self._analysis.left_out(self.value)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The output's shape without the batch, where its first axis is one."""
        batch = self._analysis.batch
        return self.shape[1:] if batch is not None and self.shape[:1] == (batch,) else self.shape

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of positions along each axis."""
        return tuple(self.shape[axis] for axis in self._analysis.axes_of(self.value))

    @door
    def mask(self, *position: int, channel: int | None = None, channels: bool = False) -> Mask:
        """Find exactly which pixels one value has seen.

        Parameters
        ----------
        *position : int
            Its row, column and so on in the layer's output; negative numbers count from the end. The middle
            if left out.
        channel : int, optional
            Of the layer's output; by default what any channel sees.
        channels : bool, default False
            Tell the channels of the input apart.

        Returns
        -------
        ndarray, shape of the image without batch and channels, bool
            True where the pixel can change the value, for some weights and inputs. With `channels`, (C, ...).
            New, and yours.

        Raises
        ------
        ValueError
            No such position or channel.

        Notes
        -----
        Of all channels together it is looked up; else propagated, a fraction of a second in deep networks.
        """
        return self._mask(self._at(position), channel, channels)

    def products(self) -> list[tuple[Rows, ...]] | None:
        """Give the fields of all positions as a union of products, rows times columns.

        Returns
        -------
        list of tuples, one entry per axis of the image, or None
            For each product and axis what the positions read: a whole number for each position of `grid`, or
            one for all; bit 0 is row 0. None where rows and columns depend on each other.
        """
        seen = self._analysis.seen_of(self.value)
        return None if seen is None else [term.rows for term in seen.terms]

    @door
    def box(self, *position: int, channel: int | None = None, clip: bool = True) -> Box:
        """Find the smallest box around what one value has seen.

        Parameters
        ----------
        *position, channel
            As for `mask`.
        clip : bool, default True
            Whether the image's edges cut it, exactly, at every layer. Without, the box that a value would
            have in an image without end; its numbers may be negative or larger than the image.

        Returns
        -------
        Box
            Starts, then stops, excluded: (top, left, bottom, right). All zeros where only padding is seen.

        Raises
        ------
        ValueError
            No such position or channel; or `clip=False` for a layer whose field does not repeat.
        """
        at = self._at(position)
        if not clip and channel is not None:
            refuse("clip", "True with a channel", "False", "What all channels see has a box without edges.")
        products = self._analysis.on_image(self.value, at) if clip else self._canvas(at)
        if products is None or channel is not None:
            return Box.around(self._mask(at, channel))
        return Box.of(products, len(self._analysis.lengths))

    @door
    def projective(self, *pixel: int) -> Mask:
        """Find which positions of the layer one pixel reaches: the transpose of `mask`.

        Parameters
        ----------
        *pixel : int
            Its row, column and so on; the middle of the image if left out.

        Returns
        -------
        ndarray, shape of `grid`, bool
            True where any channel can be changed by any channel of the pixel. New, and yours.

        Raises
        ------
        ValueError
            No such pixel.
        """
        sizes = self._analysis.lengths
        at = inside("pixel", pixel, sizes, "the image") if pixel else middle(sizes)
        shape = self._analysis.source.shape
        seed = one_place(shape, dict(zip(self._analysis.places, at, strict=True)))
        return self._analysis.reach(seed.expand(shape), self.value)

    @door
    def padding_share(self, *position: int) -> float:
        """Give the share of a value's field, in an image without end, that is not in this image.

        Parameters
        ----------
        *position : int
            As for `mask`.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            No such position, or a layer whose field does not repeat.
        """
        at = self._at(position)
        whole, clipped = count(self._canvas(at)), self._analysis.on_image(self.value, at)
        return 1 - count(clipped or []) / whole if whole else 0.0

    @door
    def describe(self, *position: int) -> str:
        """Say in words what one value sees.

        Parameters
        ----------
        *position : int
            As for `mask`.

        Returns
        -------
        str
            Its pixels, and the box around them.

        Raises
        ------
        ValueError
            No such position.

        Examples
        --------
        >>> import torch
        >>> from corr2d.field import receptive_field
        >>> receptive_field(torch.nn.Conv2d(1, 1, 3), (1, 1, 5, 5))["conv2d"].describe(0, -1)
        'value 0,-1 of conv2d sees 9 pixels in a box of 3 x 3: rows 0 to 2, columns 2 to 4'
        """
        at = self._at(position)
        mask = self._mask(at)
        where = f"value {','.join(map(str, position or at))} of {self.name or 'the output'}"
        if not mask.any():
            return f"{where} sees nothing but padding"
        box = Box.around(mask)
        names = ("planes", "rows", "columns")[-mask.ndim :] if 1 < mask.ndim <= 3 else ("pixels",) * mask.ndim
        sides = ", ".join(
            f"{name} {start} to {stop - 1}"
            for name, start, stop in zip(names, box.start, box.stop, strict=True)
        )
        pixels, size = int(mask.sum()), " x ".join(map(str, box.size))
        return f"{where} sees {pixels} pixels in a box of {size}: {sides}"

    @door
    def plot(self, *position: int, image: npt.ArrayLike | None = None, title: str = "") -> Any:
        """Draw what one value has seen over the image: holes stay holes, the box's padding is purple.

        Parameters
        ----------
        *position : int
            As for `mask`.
        image : array, shape (H, W) or (H, W, 3), optional
            The image below, of the input's size; by default white.
        title : str
            The line above; by default the layer and the position.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.

        Raises
        ------
        ValueError
            No such position, an image of another size, or an input without rows and columns.
        """
        at = self._at(position)
        mask, endless = self._mask(at), self._analysis.on_canvas(self.value, at)
        box = Box.of(endless, mask.ndim) if endless and mask.any() else Box.around(mask)
        # Pictures stand above this room, so they are called by name only.
        fields = importlib.import_module("corr2d.plots.fields")
        panel = fields.seen(mask, box, image, title or f"{self.name} at {at}")
        return importlib.import_module("corr2d.plots").grid([panel])

    def __str__(self) -> str:
        rows: list[tuple[str, object]] = [
            ("status", self.status if self.responsible is None else self._why())
        ]
        for name in ("size", "stride", "start"):
            numbers = getattr(self, name)
            shown = "not known" if numbers is None else " x ".join(str(one) for one in numbers)
            rows.append((name, "nothing is read" if name == "size" and numbers is None else shown))
        if self.coverage is not None:
            rows.append(("coverage", f"{100 * float(self.coverage):.3g} % of the box"))
        heading = f"field of {self.name!r} ({self.operator}), {' x '.join(map(str, self.sample_shape))}"
        return "\n".join([heading, *(f"  {name:9}{text}" for name, text in rows)])

    def _why(self) -> str:
        return f"{self.status}, because of {self.responsible}"

    def __repr__(self) -> str:
        return f"<LayerField {self.name!r}: {self.status}>"

    def _mask(self, at: tuple[int, ...], channel: int | None = None, channels: bool = False) -> Mask:
        products = self._analysis.on_image(self.value, at)
        if products is None or channel is not None or channels:
            seed = self._analysis.seed(self.value, at, self._channel(channel))
            return self._analysis.read(self.value, seed, channels)
        return painted(products, self._analysis.lengths)

    def _canvas(self, at: tuple[int, ...]) -> list[Product]:
        """Give what a position would read of an image without end."""
        found = self._analysis.on_canvas(self.value, at)
        if found is None:
            got = f"{self.name!r}, whose field is {self.status} and follows no law"
            refuse("layer", "one whose field repeats", got, "On the image it has a box and a mask.")
        return found

    def _at(self, position: Sequence[int]) -> tuple[int, ...]:
        if not position:
            return middle(self.grid)
        return inside("position", position, self.grid, f"the output of {self.name!r}")

    def _channel(self, channel: int | None) -> int | None:
        if channel is None:
            return None
        axis = self._analysis.channel_axis(self.value)
        if axis is None:
            refuse("channel", f"left out for {self.name!r}, which has no channels", describe(channel))
        return inside("channel", channel, self.shape[axis : axis + 1], f"the channels of {self.name!r}")[0]
