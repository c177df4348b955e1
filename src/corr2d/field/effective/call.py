"""`effective_receptive_field`: gradients of one value in many images, averaged."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch

from corr2d.arguments import choice, whole
from corr2d.errors import describe, door, refuse
from corr2d.field.capture.modes import as_module, prepared
from corr2d.field.effective.definitions import (
    DEFINITIONS,
    Channels,
    find_channel_axis,
    find_channels,
    find_position,
)
from corr2d.field.effective.padding import share_past_the_edges
from corr2d.field.effective.result import EffectiveField
from corr2d.field.effective.running import (
    Initialize,
    Measurement,
    Progress,
    first_batch,
    output_shape,
    summed,
)
from corr2d.field.effective.sizes import moments
from corr2d.field.theory import theory_of


@door
def effective_receptive_field(
    model: torch.nn.Module,
    images: Any,
    layer: str,
    position: Any = "center",
    *,
    definition: str = "absolute",
    channels: Channels = None,
    layer_channel_axis: int = 1,
    batch_size: int = 8,
    mode: str = "eval",
    initialize: Initialize | None = None,
    padding_images: int = 4,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress = False,
    seed: int = 0,
) -> EffectiveField:
    """Measure how much each pixel moves one value of a layer, on average over images.

    For the value y at a position of a layer, summed over channels, and an image x of channels c::

        weights[i, j]  ~  mean over images of  sum over c of  |dy / dx[c, i, j]|

    Parameters
    ----------
    model : torch.nn.Module
        Called with a batch of images and nothing else.
    images : Tensor or ndarray, shape (N, C, H, W), iterable, or shape
        The images, floating and as the model takes them; also a loader of batches, with or without labels,
        a list of images (C, H, W), or a shape (N, C, H, W) for so many images of normal noise. All have one
        size.
    layer : str
        The layer's name, as in ``model.named_modules()``; "" for the model's own output.
    position : "center" or tuple of int, default "center"
        In the layer's output: one index for each axis that is neither batch nor channel.
    definition : str, default "absolute"
        ``"absolute"`` as above; ``"luo"`` the magnitude of the mean gradient; ``"rms"`` the root of its mean
        square; ``"relu"`` the positive part of the gradient of the positive part of y.
    channels : int or sequence of int, optional
        The channels of the layer that are summed; by default all.
    layer_channel_axis : int, default 1
        Where the layer's output has its channels; -1 for tokens and channels-last layers.
    batch_size : int, default 8
        Images in one pass. The result does not depend on it in evaluation mode.
    mode : "eval" or "train", default "eval"
        How the model's parts are set meanwhile; afterwards they are as they were.
    initialize : function of one module, optional
        Called with a copy of the model before each image, to draw new weights; the model itself is left
        alone.
    padding_images : int, default 4
        How many images are run again at a larger size to see how much falls into the padding; 0 for none.
        It is not needed, and not done, where the theoretical field lies inside the image.
    checkpoint : str or path, optional
        A file that is written every few batches. Where it is there already, with the same model, first image
        and options, its images are not run again. That the other images are the same is for you to see to,
        and that `initialize` is: a function is known by its name.
    progress : bool or function of (done, total), default False
        True writes a line to stderr. `total` is None where the number of images is not known.
    seed : int, default 0
        Of the noise and of `initialize`.

    Returns
    -------
    EffectiveField
        The map, its sizes, and its share in the padding.

    Raises
    ------
    TypeError
        Images that are none, a layer whose output is no tensor, or counts that are no whole numbers.
    ValueError
        No such layer, position, channel or definition; images of several sizes; a gradient that is nowhere
        different from 0, or not finite; a checkpoint of something else.

    Notes
    -----
    A gradient of 0 does not mean that a pixel is not read: see `receptive_field` for that. Deep linear stacks
    underflow in float32 (80 layers of 3x3 means are all zeros): use ``model.double()``.

    *Cost*: one pass forwards and one backwards for each image, and 16 maps in memory.

    References
    ----------
    .. [1] W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the effective receptive field in deep
       convolutional neural networks", NIPS 2016.
    .. [2] X. Ding et al., "Scaling up your kernels to 31x31", CVPR 2022, section 4 (``"relu"``).

    Examples
    --------
    >>> blur = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    >>> _ = torch.nn.init.constant_(blur.weight, 1 / 9)
    >>> found = effective_receptive_field(torch.nn.Sequential(blur, blur), (1, 1, 9, 9), "")
    >>> (found.weights[4] * 81).round().astype(int).tolist(), found.size()
    ([0, 0, 3, 6, 9, 6, 3, 0, 0], 5.0)
    """
    if not isinstance(model, torch.nn.Module):
        refuse("model", "a torch.nn.Module", describe(model), kind=TypeError)
    choice("definition", definition, DEFINITIONS)
    model, batch_size = as_module(model), whole("batch_size", batch_size, 1)
    padding_images = whole("padding_images", padding_images, 0)
    with prepared(model, mode):
        size = 1 if initialize is not None else batch_size
        batch = first_batch(images, size, model, seed)
        first, output = batch[0], output_shape(model, layer, batch)
        channel_axis = find_channel_axis(output, layer_channel_axis)
        place = find_position(output, position, channel_axis)
        measurement = Measurement(
            model,
            layer,
            place,
            find_channels(output, channels, channel_axis),
            channel_axis,
            output,
            definition,
            initialize,
            seed,
        )
        sums = summed(measurement, images, first, size, checkpoint, progress)
        weights = DEFINITIONS[definition].finished(sums.mean())
        scale = float(weights.sum())
        if scale == 0:
            refuse(
                "layer",
                "one that the image can move",
                f"a gradient of 0 at every pixel for {layer!r} at {place}",
                "Take more images or another position; a very deep model may need model.double().",
            )
        theory = theory_of(model, (1, *first.shape), layer, place, mode)
        share, reason = share_past_the_edges(measurement, images, first, padding_images, theory)
    weights = weights / scale
    center = theory.center or moments(weights).center
    return EffectiveField(
        weights, layer, place, definition, sums.done, scale, center, theory.box, share, reason, sums
    )
