"""``Conv2D``: a layer of torch that owns a kernel and applies it by the operator."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import torch
from torch.nn import init

from corr2d.correlation import corr2d
from corr2d.errors import describe, door, refuse
from corr2d.nn.conversion import computed_otherwise, options_for_torch, options_from_torch
from corr2d.nn.options import LayerOptions, checked, constructor, options_of

# torch.fx then records one call of the operator instead of looking inside, as it does with torch's layers.
torch.fx.wrap("corr2d")


class Conv2D(torch.nn.Module):
    """A 2-D convolution layer: the textbook's without channels, a drop-in for torch's with them.

    ``Y[o, i, j] = b[o] + sum over c, u, v of K[o, c, u, v] * X~[c, i*sy + u*dy - top, j*sx + v*dx - left]``

    with c over the input channels of o's group, ``X~`` the image continued past its edges by the border rule,
    and the kernel not flipped. Without channels one kernel ``K[u, v]`` is applied to every plane.

    Parameters
    ----------
    kernel_size : int or (y, x)
        Size of the kernel; an int means a square. Note that it comes first, unlike in ``torch.nn.Conv2d``.
    in_channels, out_channels : int, optional
        Both, or neither for a layer with one 2-D kernel.
    stride, dilation : int or (y, x), default 1
        Step between windows; step between taps. A stride samples the stride-1 result.
    padding : {"valid", "same", "full"}, int, (y, x) or ((top, bottom), (left, right)), default "valid"
        As for `corr2d.corr2d`: none by default, as in torch; "same" goes with every stride.
    border : {"constant", "edge", "symmetric", "reflect", "wrap"} or a (y, x) pair, default "constant"
        How the image goes on past its edges.
    fill : number, default 0
        The value past the edges for border="constant".
    groups : int, default 1
        Number of groups of channels that do not mix; it divides both numbers of channels.
    anchor : int or (y, x), optional
        With padding="same": the element of the kernel that lies on the output pixel.
    bias : bool, default True
        Whether a learned number is added to each output channel.
    device : torch.device, optional
        Where the parameters are made.
    dtype : torch.dtype, optional
        Floating or complex dtype of the parameters; by default torch's default dtype.

    Attributes
    ----------
    weight : torch.nn.Parameter, shape (kh, kw) or (out_channels, in_channels/groups, kh, kw)
        The kernel. Without channels it starts uniform in [0, 1), as in the textbook; with channels as that of
        ``torch.nn.Conv2d``: from one seed both layers start with the same numbers.
    bias : torch.nn.Parameter, shape (1,) or (out_channels,), or None
        Starts at 0 without channels, as in torch with them.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or has a wrong value: at once, not at the first image.

    See Also
    --------
    corr2d.corr2d : the operator, with the exact meaning of every option.
    replace_conv2d : puts this layer into a model.

    Notes
    -----
    Gradients are those of the operator, exact for every option and to any order; the layer works under
    ``torch.no_grad``, autocast, ``torch.compile``, ``torch.func`` and DistributedDataParallel, and its
    state_dict is that of ``torch.nn.Conv2d``. `forward` takes any number of leading axes.

    Numerics: sums are kept in float32 (float64 for float64 images); an engine of this library keeps those of
    the kernel's gradient in float64 from tile to tile. Cost: the operator's; torch's own convolution computes
    what it is estimated to be faster at, gradients and with channels the result too (`corr2d.explain` tells).

    An export to ONNX gets torch's own operators, as does one of `corr2d.corr2d` on tensors. Where torch has
    no such padding (border="symmetric", or a mirror farther away than the image is long) the size of the
    image must be fixed in the export.

    References
    ----------
    .. [1] A. Zhang, Z. Lipton, M. Li, A. Smola, "Dive into Deep Learning", sections 7.2 and 7.4.
    .. [2] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", 2015, section 2.2.

    Examples
    --------
    >>> import torch
    >>> from corr2d import Conv2D
    >>> layer = Conv2D(3, in_channels=3, out_channels=8, padding="same", border="reflect")
    >>> layer(torch.ones(2, 3, 32, 32)).shape
    torch.Size([2, 8, 32, 32])
    >>> edge = Conv2D((1, 2), bias=False)
    >>> _ = edge.load_state_dict({"weight": torch.tensor([[1.0, -1.0]])})
    >>> edge(torch.tensor([[1.0, 1, 0, 0, 1]])).tolist()
    [[0.0, 1.0, 0.0, -1.0]]
    """

    kernel_size: tuple[int, int]
    in_channels: int | None
    out_channels: int | None
    stride: tuple[int, int]
    padding: Any
    border: Any
    fill: complex
    dilation: tuple[int, int]
    groups: int
    anchor: tuple[int, int] | None
    weight: torch.nn.Parameter
    bias: torch.nn.Parameter | None

    @constructor
    def __init__(
        self,
        kernel_size: Any,
        in_channels: int | None = None,
        out_channels: int | None = None,
        *,
        stride: Any = 1,
        padding: Any = "valid",
        border: Any = "constant",
        fill: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        anchor: Any = None,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options = checked(
            kernel_size,
            in_channels,
            out_channels,
            stride=stride,
            padding=padding,
            border=border,
            fill=fill,
            dilation=dilation,
            groups=groups,
            anchor=anchor,
        )
        if not isinstance(bias, bool):
            remedy = "Set layer.bias to start from values of your own."
            refuse("bias", "True or False", describe(bias), remedy, TypeError)
        take_options(self, options)
        made: dict[str, Any] = {"device": device, "dtype": _parameter_dtype(dtype)}
        self.weight = torch.nn.Parameter(torch.empty(options.weight_shape, **made))
        offsets = torch.nn.Parameter(torch.empty(options.out_channels or 1, **made)) if bias else None
        self.register_parameter("bias", offsets)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters: uniform in [0, 1) with bias 0 without channels, by torch's rule with them."""
        if self.in_channels is None:
            init.uniform_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)
            return
        # He's gain for a leaky slope of sqrt(5) comes to a bound of 1/sqrt(fan_in), that of the bias. It is
        # written as torch writes it because 1/sqrt(fan_in) differs in the last bit (test_nn.py holds it).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Apply the layer to an image of shape (..., H, W), with channels (..., in_channels, H, W).

        Parameters
        ----------
        image : torch.Tensor
            On the layer's device; any strides.

        Returns
        -------
        torch.Tensor, shape (..., H', W') or (..., out_channels, H', W')
            ``H' = (H + top + bottom - dy*(kh - 1) - 1) // sy + 1``, W' likewise; of the image's dtype if that
            is floating or complex. It never aliases the image.

        Raises
        ------
        TypeError, ValueError
            If the image is no tensor; if its shape or dtype does not fit the layer, as `corr2d.corr2d` says.
        """
        if not isinstance(image, (torch.Tensor, torch.fx.Proxy)):
            got = f"a {type(image).__name__}" if isinstance(image, (list, tuple)) else describe(image)
            raise TypeError(f"Conv2D: image must be a torch tensor, got {got}. Use torch.as_tensor(image).")
        bias: torch.Tensor | None = self.bias
        if bias is not None and self.in_channels is None:
            bias = bias.reshape(())
        result: torch.Tensor = corr2d(
            image,
            self.weight,
            padding=self.padding,
            border=self.border,
            fill=self.fill,
            stride=self.stride,
            dilation=self.dilation,
            anchor=self.anchor,
            groups=self.groups,
            bias=bias,
        )
        return result

    def extra_repr(self) -> str:
        """Write the arguments that make this layer again, options at their default left out."""
        size = self.kernel_size
        words = [repr(size[0] if size[0] == size[1] else size)]
        if self.in_channels is not None:
            words += [f"in_channels={self.in_channels}", f"out_channels={self.out_channels}"]
        for name, usual in _USUAL.items():
            value = getattr(self, name)
            if value not in usual:
                alike = isinstance(value, tuple) and value[0] == value[1] and name != "border"
                words.append(f"{name}={value[0] if alike else value!r}")
        return ", ".join([*words, *["bias=False"] * (self.bias is None)])

    @classmethod
    @door
    def from_torch(cls, conv: torch.nn.Conv2d) -> Conv2D:
        """Make the layer that computes what a ``torch.nn.Conv2d`` does.

        Parameters
        ----------
        conv : torch.nn.Conv2d
            With any padding, padding_mode, stride, dilation and groups.

        Returns
        -------
        Conv2D
            It *shares* the parameters with `conv`, the very same objects: an optimizer that holds them goes
            on training both. Copy `conv` first (`copy.deepcopy`) for a layer of its own. Hooks stay with
            `conv`.

        Raises
        ------
        TypeError
            If `conv` is no ``torch.nn.Conv2d``.
        ValueError
            If it is more than that: a subclass, lazy, parametrized, pruned. The message says what to do.

        Examples
        --------
        >>> import torch
        >>> from corr2d import Conv2D
        >>> conv = torch.nn.Conv2d(3, 8, 5, padding=2, padding_mode="circular")
        >>> layer = Conv2D.from_torch(conv)
        >>> layer
        Conv2D(5, in_channels=3, out_channels=8, padding=2, border='wrap')
        >>> layer.weight is conv.weight
        True
        """
        options = options_from_torch(conv)
        layer = cls.__new__(cls)
        torch.nn.Module.__init__(layer)
        take_options(layer, options)
        for name in ("weight", "bias"):
            layer.register_parameter(name, conv._parameters[name])
        return layer.train(conv.training)

    @door
    def to_torch(self) -> torch.nn.Conv2d:
        """Make the ``torch.nn.Conv2d`` that computes what this layer does, where there is one.

        Returns
        -------
        torch.nn.Conv2d
            It *shares* the parameters with this layer, the very same objects. Hooks stay with this layer.

        Raises
        ------
        ValueError
            If this layer is parametrized, pruned or wrapped; the message says what to do. If torch has no
            such layer: one without channels, padding that differs before and after (other
            than what torch's "same" does), border="symmetric", two different borders, a fill that is not 0.

        Examples
        --------
        >>> from corr2d import Conv2D
        >>> Conv2D(3, in_channels=4, out_channels=4, groups=4, padding="full", border="edge").to_torch()
        Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=(2, 2), groups=4, padding_mode=replicate)
        """
        hindrance = computed_otherwise(self)
        if hindrance:
            refuse("the layer", "a Conv2D and no more", f"one that is {hindrance[0]}", hindrance[1])
        options = options_for_torch(options_of(self))
        # On the meta device nothing is allocated or drawn for parameters that are replaced at once.
        conv = torch.nn.Conv2d(**options, bias=self.bias is not None, device="meta")
        conv.weight, conv.bias = self.weight, self.bias
        return conv.train(self.training)


def take_options(layer: torch.nn.Module, options: LayerOptions) -> None:
    """Set the options as the layer's attributes."""
    for field in fields(options):
        setattr(layer, field.name, getattr(options, field.name))


def _parameter_dtype(dtype: Any) -> Any:
    rule = "None or a floating or complex dtype of torch"
    if dtype is not None and not isinstance(dtype, torch.dtype):
        refuse("dtype", rule, describe(dtype), "Such as torch.float32.", TypeError)
    if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
        refuse("dtype", rule, str(dtype), "Whole numbers have no gradient.", TypeError)
    return dtype


# What `extra_repr` leaves out: the constructor's defaults, as the attributes spell them.
_USUAL: dict[str, tuple[Any, ...]] = {
    "stride": ((1, 1),),
    "padding": ("valid", (0, 0)),
    "border": ("constant",),
    "fill": (0,),
    "dilation": ((1, 1),),
    "groups": (1,),
    "anchor": (None,),
}
