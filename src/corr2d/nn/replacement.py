"""``replace_conv2d``: put `Conv2D` into a model where it is faster than torch's own layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from corr2d.correlation.options import Options
from corr2d.correlation.tensors import decided
from corr2d.errors import describe, door, refuse
from corr2d.nn.conversion import TORCH_ONLY, obstacle, options_from_torch
from corr2d.nn.layer import Conv2D, take_options
from corr2d.nn.options import LayerOptions
from corr2d.printed import Printed

Shape = tuple[int, ...]
# The shapes of the images that convolutions were called with; None for a call by keyword.
Seen = Mapping[torch.nn.Conv2d, Sequence[Shape | None]]

# Pixels on each side of the image that the planner is asked about where no example is given: between the
# first and the last layer of a network for photographs.
NOMINAL_SIDE = 64


@dataclass(frozen=True)
class Replacement(Printed):
    """What `replace_conv2d` changed and why not the rest; ``print`` shows it as a table.

    Attributes
    ----------
    replaced : dict of str to str
        The layers that are now `Conv2D`, by their names in the model, each with what speaks for it. A layer
        that stands in several places is listed under its first name, with the number of places.
    kept : dict of str to str
        The convolutions of torch that were left as they are, each with the reason.
    """

    replaced: Mapping[str, str]
    kept: Mapping[str, str]

    def __str__(self) -> str:
        count = len(self.replaced) + len(self.kept)
        lines = [f"{len(self.replaced)} of {count} convolution{'s' if count != 1 else ''} replaced"]
        wide = max((len(name) for name in [*self.replaced, *self.kept]), default=0)
        for title, rows in (("replaced", self.replaced), ("kept", self.kept)):
            lines += [f"{title:10} {name:{wide}}  {reason}" for name, reason in rows.items()]
        return "\n".join(lines)


@door
def replace_conv2d(model: torch.nn.Module, *, example: Any = None, everything: bool = False) -> Replacement:
    """Turn the convolutions of a model that gain by it into `Conv2D`, in place.

    Every ``torch.nn.Conv2d`` found stays the same object with the same parameters, buffers, hooks, mode and
    names; only its class and its options change. So optimizers, state_dicts, shared layers and references
    from elsewhere stay valid, and the outputs and gradients are the same up to rounding.

    Parameters
    ----------
    model : torch.nn.Module
        Any model, or a single ``torch.nn.Conv2d``.
    example : torch.Tensor, shape as a tuple of ints, or tuple of all positional arguments, optional
        What the model is called with in practice. It is run once, without gradients and in evaluation mode,
        to see the size of the image that each layer gets; without it all are judged on 64 x 64 pixels.
    everything : bool, default False
        Replace all that can be, whatever the planner says.

    Returns
    -------
    Replacement
        What was changed and why not the rest.

    Raises
    ------
    TypeError
        If `model` is no module, or `example` none of the above.

    See Also
    --------
    Conv2D.from_torch : one layer, as a new object.
    corr2d.explain : the planner that is asked.

    Notes
    -----
    Replaced is what `corr2d` would compute in an engine of this library: forward or, for weights that learn,
    one of the gradients. It leaves dense layers of many channels, and small ones, to torch's own convolution,
    and nothing is won by calling that through another layer. Lazy, parametrized, pruned, subclassed and
    wrapped convolutions are left alone, with what to do in the report; so are those that the example calls by
    keyword.

    Call it before the model is compiled, exported or wrapped for distributed training.

    Examples
    --------
    >>> import torch
    >>> from corr2d.nn import replace_conv2d
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.LazyConv2d(4, 3))
    >>> print(replace_conv2d(model, everything=True))
    1 of 2 convolutions replaced
    replaced   0  asked for
    kept       1  lazy: its channels are not known yet. Call the model once on an image first.
    >>> model[0]
    Conv2D(3, in_channels=3, out_channels=8)
    """
    if not isinstance(model, torch.nn.Module):
        refuse("model", "a torch.nn.Module", describe(model), kind=TypeError)
    found = _convolutions(model)
    seen = None if example is None else _image_shapes(model, list(found), _arguments(model, example))
    replaced: dict[str, str] = {}
    kept: dict[str, str] = {}
    chosen = []  # all that might be refused is done before the first layer changes
    for conv, name in found.items():
        hindrance = obstacle(conv) or _called_by_keyword(conv, seen)
        if hindrance:
            kept[name] = ". ".join(hindrance)
            continue
        options = options_from_torch(conv)
        gains, reason = (True, "asked for") if everything else _judged(conv, options, seen)
        (replaced if gains else kept)[name] = reason
        if gains:
            chosen.append((conv, options))
    for conv, options in chosen:
        _become(conv, options)
    return Replacement(replaced, kept)


def _convolutions(model: torch.nn.Module) -> dict[torch.nn.Conv2d, str]:
    """Find torch's convolutions, each once, with the name it is reported under."""
    names: dict[torch.nn.Conv2d, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, torch.nn.Conv2d):
            names.setdefault(module, []).append(name or "(the model)")
    return {
        conv: places[0] + (f" ({len(places)} places)" if len(places) > 1 else "")
        for conv, places in names.items()
    }


def _called_by_keyword(conv: torch.nn.Conv2d, seen: Seen | None) -> tuple[str, str] | None:
    if seen is None or None not in seen.get(conv, []):
        return None
    return "called by keyword: a Conv2D takes an image, not an input", "Call it as conv(image)."


def _become(conv: Any, options: LayerOptions) -> None:
    """Change a convolution's class, which is how torch itself parametrizes a layer and makes a lazy one real.

    A new layer in its place would lose whoever holds the old one: hooks, shared places, lists of modules.
    """
    for name in TORCH_ONLY:
        vars(conv).pop(name, None)
    conv.__class__ = Conv2D
    take_options(conv, options)


def _judged(conv: torch.nn.Conv2d, options: LayerOptions, seen: Seen | None) -> tuple[bool, str]:
    """Ask who would compute the layer, whether it gains by that, and give what is said."""
    if seen is not None and conv not in seen:
        return False, "not reached by the example"
    if conv.weight.device.type != "cpu":
        return False, f"on {conv.weight.device.type}, where torch's own operators do the work"
    shapes = [_nominal(conv)] if seen is None else [shape for shape in seen[conv] if shape is not None]
    # The layer that is called at several sizes is judged at the largest, where most of its time goes.
    shape = max(shapes, key=math.prod)
    if math.prod(shape) == 0:
        return False, "no image to judge by: the example is empty"
    faster = _faster_directions(conv, options, shape)
    pixels = " x ".join(map(str, shape))
    if faster:
        return True, f"faster for {pixels}: {', '.join(faster)}"
    return False, f"torch's own convolution is the fastest for {pixels}"


def _faster_directions(conv: torch.nn.Conv2d, options: LayerOptions, shape: Shape) -> list[str]:
    """Name what would run in an engine of ours: forward and, where the layer learns, its two gradients."""
    learns = conv.weight.requires_grad
    image = conv.weight.detach().new_zeros(()).expand(shape).requires_grad_(learns)
    with torch.enable_grad():
        decision = decided(image, _any_kernel(conv), False, Options(**options.call), conv.bias, out=None)
    if decision is None:
        return []
    gradients = [name for name in decision.ours if name != "forward"]
    faster = [f"forward by {decision.plan.engine}"] * ("forward" in decision.ours)
    return faster + [f"gradient of {' and '.join(gradients)}"] * bool(gradients)


def _any_kernel(conv: torch.nn.Conv2d) -> torch.Tensor:
    """Make a kernel without structure: zeros and ranks of weights go with the first step of training."""
    if not conv.weight.requires_grad:
        return conv.weight.detach()
    drawn = torch.rand(conv.weight.shape, generator=torch.Generator().manual_seed(0), device="cpu")
    return drawn.to(conv.weight.dtype).requires_grad_()


def _nominal(conv: torch.nn.Conv2d) -> Shape:
    spans = [d * (k - 1) + 1 for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
    return (1, conv.in_channels, *(max(NOMINAL_SIDE, span) for span in spans))


def _arguments(model: torch.nn.Module, example: Any) -> tuple[Any, ...]:
    """Give the positional arguments that an example stands for."""
    if isinstance(example, torch.Tensor):
        return (example,)
    if not isinstance(example, (tuple, list)) or not example:
        refuse("example", "a tensor, a shape or a tuple of arguments", describe(example), kind=TypeError)
    if not all(isinstance(length, int) for length in example):
        return tuple(example)
    like = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), None)
    made: dict[str, Any] = {} if like is None else {"device": like.device, "dtype": like.dtype}
    return (torch.zeros(tuple(example), **made),)


def _image_shapes(
    model: torch.nn.Module, convs: Sequence[torch.nn.Conv2d], arguments: tuple[Any, ...]
) -> Seen:
    """Run the model once and see the shapes of the images that its convolutions get."""
    shapes: dict[torch.nn.Conv2d, list[Shape | None]] = {}

    def see(conv: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        if named or (inputs and isinstance(inputs[0], torch.Tensor)):
            shapes.setdefault(conv, []).append(None if named else tuple(inputs[0].shape))

    watches = [conv.register_forward_pre_hook(see, with_kwargs=True) for conv in convs]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), _evaluating(model):
            model(*arguments)
    finally:
        for watch in watches:
            watch.remove()
    return shapes


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode for a while, so that no running mean notices the visit."""
    modes = {module: module.training for module in model.modules()}
    try:
        for module in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
