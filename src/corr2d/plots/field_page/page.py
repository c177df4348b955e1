"""The page: table, two pictures that answer each other, and all that they need to know."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from collections.abc import Sequence
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d.errors import describe, door, refuse
from corr2d.field import LayerField, ReceptiveFields
from corr2d.field.indices import inside, middle
from corr2d.field.names import several
from corr2d.field.table import HEADINGS, row_of
from corr2d.plots.field_page.encoding import Tables, encoded

HERE = os.path.dirname(__file__)


@door
def field_page(
    field: ReceptiveFields,
    layers: Sequence[str] | None = None,
    *,
    position: tuple[int, ...] | None = None,
    image: npt.ArrayLike | None = None,
    title: str = "Receptive fields",
) -> str:
    """Make the page that shows which pixels every value has seen; `ReceptiveFields.page` also writes it.

    Parameters
    ----------
    field : ReceptiveFields
        What `receptive_field` found, of an input with rows and columns.
    layers : sequence of str, optional
        The layers whose fields can be looked at; by default all whose masks do not take minutes. The table
        has all.
    position : tuple of int, optional
        What is marked when the page opens, as for `LayerField.mask`, in the last of the layers; by default
        the middle of the last layer that does not see everything.
    image : array, shape (H, W) or (H, W, 3), uint8, optional
        Shown below; of the input's size.
    title : str
        Heading and window title.

    Returns
    -------
    str
        A complete HTML document that loads nothing.

    Raises
    ------
    ValueError
        An input that is not an image, no such layer or position, or a picture of another size.

    Examples
    --------
    >>> import torch
    >>> from corr2d.field import receptive_field
    >>> page = field_page(receptive_field(torch.nn.Conv2d(1, 1, 3), (1, 1, 8, 8)))
    >>> page.startswith("<!DOCTYPE html>"), "http" in page
    (True, False)
    """
    if len(field.image_size) != 2:
        refuse("field", "that of an input with rows and columns", f"{len(field.image_size)} axes of space")
    names = list(field) if layers is None else several(layers)
    tables = Tables()
    shown: dict[str, Any] = {}
    for name in names:
        fields = encoded(field[name], tables, asked_for=layers is not None)
        if fields is not None:
            shown[name] = fields | _numbers(field[name])
    if not shown:
        refuse("layers", "at least one layer with positions in at most two axes", f"{len(names)} others")
    first = _opened(field, shown, position is not None)
    grid = field[first].grid
    at = middle(grid) if position is None else inside("position", position, grid, f"the output of {first!r}")
    # On the page a layer has two axes.
    start = (*(0,) * (2 - len(at)), *at)
    data = {"size": field.image_size, "tables": tables.texts, "layers": shown, "open": [first, *start]}
    return _document(title, field, data, _picture(image, field.image_size))


def _numbers(layer: LayerField) -> dict[str, Any]:
    """Give what the script says of a layer in words, and its box on an image without end where it repeats."""
    row = dict(zip(HEADINGS, row_of(layer), strict=True))
    law = None
    if layer.uniform and layer.stride is not None and layer.size is not None and layer.start is not None:
        law = [[float(one) for one in part] for part in (layer.start, layer.stride, layer.size)]
    return {"status": row["status"], "size": row["size"], "stride": row["stride"], "law": law}


def _opened(field: ReceptiveFields, shown: dict[str, Any], asked_for: bool) -> str:
    """Choose the layer that is open first: the last, or, where nothing is said, the last that sees a part."""
    names = list(shown)
    parts = [name for name in names if not field[name].sees_all and math.prod(shown[name]["grid"]) > 1]
    return parts[-1] if parts and not asked_for else names[-1]


def _picture(image: npt.ArrayLike | None, size: tuple[int, ...]) -> str:
    """Encode the picture as an address that holds it."""
    if image is None:
        return ""
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.shape not in (size, (*size, 3)):
        refuse("image", f"uint8 of shape {size} or {(*size, 3)}", describe(pixels))
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _document(title: str, field: ReceptiveFields, data: dict[str, Any], picture: str) -> str:
    height, width = field.image_size
    return Template(_part("page.html")).substitute(
        title=html.escape(title),
        size=f"{height} x {width}",
        picture=picture,
        table=_table(field, data["layers"]),
        # "</script>" inside a name must not end the script.
        known=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        style=_part("page.css"),
        script=_part("page.js"),
    )


def _table(field: ReceptiveFields, shown: dict[str, Any]) -> str:
    lines = [
        "<table>",
        "<thead><tr>" + "".join(f"<th>{one}</th>" for one in HEADINGS) + "</tr></thead>",
        "<tbody>",
    ]
    for name, row in zip(field, field.rows, strict=True):
        layer, *cells = map(html.escape, row)
        label = f'<button data-layer="{layer}">{layer}</button>' if name in shown else layer
        lines.append(f"<tr><td>{label}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def _part(name: str) -> str:
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()
