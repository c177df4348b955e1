"""`receptive_field`: a model and an example go in, a table of fields comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corr2d.arguments import choice
from corr2d.errors import door
from corr2d.field.analysis import Analysis
from corr2d.field.capture import capture
from corr2d.field.graph import Graph, output_of
from corr2d.field.image_axes import batch_of, space_of
from corr2d.field.names import several
from corr2d.field.propagation import GLOBAL_OPS
from corr2d.field.table import ReceptiveFields


@door
def receptive_field(
    model: Callable[..., Any],
    input: Any,
    *,
    layers: Sequence[str] | None = None,
    global_ops: str = "include",
    mode: str = "eval",
    strict: bool = False,
) -> ReceptiveFields:
    """Find which pixels every value of every layer has seen.

    A pixel is seen by a value that it can change, for some weights and some images. For layers of kernel k,
    stride s, padding p and dilation d one after another, size, jump and padding of the field are, from
    ``r, j, P = 1, 1, 0`` on::

        r += (k - 1)*d*j;  P += p*j;  j *= s

    This is for any network: branches, holes, upsampling, windows, attention.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Looked at, not changed; its weights do not matter.
    input : torch.Tensor, shape, or tuple of these
        What the model is called with: (1, 3, 224, 224), an example, or several. The field is that in the
        first; `ReceptiveFields.of_input` gives the others.
    layers : sequence of str, optional
        Layers of the table; by default all, in the order of running.
    global_ops : {"include", "exclude"}, default "include"
        Whether operations over the whole image (global pooling, attention, normalisation by the image's own
        mean) count. Without them the table says what the windows alone see.
    mode : {"eval", "train"}, default "eval"
        In training, batch normalisation reads whole images.
    strict : bool, default False
        Refuse operations for which there is no rule. By default they are probed, and fields through them are
        labelled so.

    Returns
    -------
    ReceptiveFields
        A table to print and a mapping from names to `LayerField`.

    Raises
    ------
    TypeError
        A model or an input that is none.
    ValueError
        A layer or option that does not exist; an input that the model cannot take, such as one too small; a
        model in which data decide what is computed; with `strict`, an operation without a rule.

    Notes
    -----
    The model is captured by torch.export, or by watching it run, without decomposing its operators. Each
    operator's rule says what it reads; rows and columns are followed separately, as exact sets and as a law
    on an endless canvas, and where they depend on each other masks are propagated. Padding reads nothing, at
    every layer. A ResNet-50 at 224 x 224 takes seconds, most of them for the capture.

    A layer has the name of its part of the model; a second call of it is "relu_1", the second tensor that a
    part gives "gru[1]". What the model computes outside of its innermost parts has the operators' names, as
    in "layer1.0.add".

    References
    ----------
    .. [1] A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks",
       Distill 2019, doi 10.23915/distill.00021, equations 2 to 7.

    Examples
    --------
    >>> import torch
    >>> stack = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 4, 3, dilation=2))
    >>> field = receptive_field(stack, (1, 1, 9, 9))
    >>> field["1"].size, field["1"].box(0, 2), int(field["1"].mask(0, 2).sum())
    ((7, 7), (0, 2, 7, 9), 49)
    """
    choice("global_ops", global_ops, GLOBAL_OPS)
    names = None if layers is None else several(layers)
    return fields_of(capture(model, input, mode=mode), model, names, global_ops, mode, strict)


def fields_of(
    graph: Graph,
    model: Callable[..., Any],
    layers: Sequence[str] | None,
    global_ops: str = "include",
    mode: str = "eval",
    strict: bool = False,
) -> ReceptiveFields:
    """Make the table of a model that has been captured."""
    names = list(graph.layers) if layers is None else list(layers)
    for name in names:
        output_of(graph, name)
    source = graph.inputs[0]
    analysis = Analysis(graph, source, space_of(graph, source), batch_of(graph, source), global_ops, strict)
    # The whole pass, now: what strict does not allow is refused here and not when a row is looked at.
    _ = analysis.seen
    return ReceptiveFields(graph, names, analysis, model, mode)
