"""`ReceptiveFields`: the fields of all layers, as a table and by name."""

from __future__ import annotations

import html
import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from os import PathLike
from typing import Any

from corr2d.arguments import as_path, whole
from corr2d.errors import door, refuse
from corr2d.field.analysis import Analysis
from corr2d.field.graph import Graph, Value, output_of
from corr2d.field.image_axes import batch_of, space_of
from corr2d.field.layer import LayerField
from corr2d.field.names import several
from corr2d.field.propagation import Note
from corr2d.field.tiling import TileOverlap, checked, find_overlap
from corr2d.field.verification import Verification, verify
from corr2d.images.files import replacing

HEADINGS = ("layer", "operator", "output", "size", "stride", "padding", "uniform", "coverage", "status")
#: What torch's generators take.
_LARGEST_SEED = 2**63 - 1
#: Columns that are words and stand to the left; the others are numbers.
_WORDS = ("layer", "operator", "status")


class ReceptiveFields(Mapping[str, LayerField]):
    """What every layer of a model has seen of its input: the result of `receptive_field`.

    A mapping from layer names to `LayerField`, in the order in which the layers ran. `plot` draws how the
    field grows, `page` makes a page to point into; ``print`` gives one table, with the columns

    - size, stride, padding: of the field, in pixels, on an image without end; "3 x 1" where the axes differ,
      "3-4" where positions do; with a "+" where the image cuts what could be measured;
    - uniform: whether all positions see the same, moved by the stride;
    - coverage: the share of the box that is really read;
    - status: exact, or not, and because of which operation; and which global one was left out.

    Rows have the columns' words as attributes, ``fields["conv1"].coverage``; output is `sample_shape`.

    Attributes
    ----------
    graph : Graph
        The model as it was captured.
    mode : {"eval", "train"}
        The mode in which.

    Examples
    --------
    >>> import torch
    >>> from corr2d.field import receptive_field
    >>> stack = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), torch.nn.Conv2d(1, 1, 5, stride=2))
    >>> field = receptive_field(stack, (1, 1, 20, 20))
    >>> field["1"].size, field.between("0", "1").size, field.tile_overlap("1").overlap
    ((7, 7), (5, 5), (6, 6))
    >>> bool(field.verify())
    True
    """

    def __init__(
        self,
        graph: Graph,
        names: Sequence[str],
        analysis: Analysis,
        model: Callable[..., Any],
        mode: str,
    ) -> None:
        self.graph, self.mode = graph, mode
        self._analysis, self._model = analysis, model
        self._names = tuple(names)
        self._layers: dict[str, LayerField] = {}

    @property
    def image_size(self) -> tuple[int, ...]:
        """Rows, columns and so on of the input that is looked at."""
        return self._analysis.lengths

    @property
    def way(self) -> str:
        """How the model was captured: "export" or "dispatch"."""
        return self.graph.way

    @door
    def __getitem__(self, layer: str) -> LayerField:
        if layer not in self._layers:
            value = output_of(self.graph, layer)
            producer = self.graph.producers.get(value)
            operator = producer.target.split(".")[1] if producer else "input"
            self._layers[layer] = LayerField(self._analysis, layer, value, operator)
        return self._layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, layer: object) -> bool:
        return layer in self._names

    @door
    def of_input(self, number: int) -> ReceptiveFields:
        """Give the fields in another input of the model.

        Parameters
        ----------
        number : int
            Which input, from 0.

        Returns
        -------
        ReceptiveFields
            Of the same capture.

        Raises
        ------
        TypeError
            No whole number.
        ValueError
            No such input.
        """
        inputs = self.graph.inputs
        rule = f"one of the model's {len(inputs)} inputs, from 0"
        number = whole("number", number, -len(inputs), len(inputs) - 1, rule=rule)
        return self._seen_from(inputs[number], None)

    @door
    def between(self, source: str, layer: str) -> LayerField:
        """Give the field of a layer's values in the output of another layer.

        Parameters
        ----------
        source : str
            The layer whose output is looked at.
        layer : str
            The layer whose values look at it.

        Returns
        -------
        LayerField
            Its pixels are the positions of `source`, all channels together.

        Raises
        ------
        ValueError
            No such layer, or one that does not come after `source`.
        """
        value = output_of(self.graph, source)
        found = self._seen_from(value, self._analysis.axes_of(value))
        target = output_of(self.graph, layer)
        if target is not value and target not in found._analysis.seen:
            refuse("layer", f"one that reads {source!r}", repr(layer), "Is the order source, layer?")
        return found[layer]

    def _seen_from(self, value: Value, places: tuple[int, ...] | None) -> ReceptiveFields:
        old = self._analysis
        batch = old.batch if places is not None else batch_of(self.graph, value)
        if batch is not None and value.shape[:1] != (batch,):
            batch = None
        found = space_of(self.graph, value) if places is None else places
        analysis = Analysis(self.graph, value, found, batch, old.global_ops, old.strict)
        # What strict does not allow is refused here, as in `receptive_field`.
        _ = analysis.seen
        return ReceptiveFields(self.graph, self._names, analysis, self._model, self.mode)

    @door
    def tile_overlap(self, layer: str = "", *, check: bool = True) -> TileOverlap:
        """Find by how much tiles must overlap for a layer's output, made of tiles, to be that of the whole.

        Parameters
        ----------
        layer : str, default ""
            By default the model's output.
        check : bool, default True
            Whether to run the model on tiles and on the whole, in double precision, and compare: some seconds
            for a large one.

        Returns
        -------
        TileOverlap
            The smallest overlap, and the number of which all tile starts must be multiples; it cuts an image.
            Its `unchecked` says why it could not be checked, if so.

        Raises
        ------
        ValueError
            No such layer, or one that no overlap is enough for: the operation responsible is named. Or one
            that knows its place in the image, so that its tiles differ.
        """
        value = output_of(self.graph, layer)
        found = find_overlap(self._analysis, value, self[layer])
        return checked(found, self._analysis, value, self._model, self.mode) if check else found

    @door
    def verify(
        self, layers: Sequence[str] | None = None, *, positions: int = 3, seed: int = 0
    ) -> Verification:
        """Hold the table against four things that know nothing of it.

        Masks are propagated and compared with the table's; receptive fields with projective ones; the other
        way of capturing with this one; and the model's own gradient must lie within.

        Parameters
        ----------
        layers : sequence of str, optional
            Which; by default all in the table.
        positions : int, default 3
            How many of each layer, at random.
        seed : int, default 0
            Of the random numbers.

        Returns
        -------
        Verification
            What was compared, and every difference; false if there is one.

        Raises
        ------
        TypeError
            Positions or a seed that are no whole numbers.
        ValueError
            No such layer; no position; a seed below 0.
        """
        positions, seed = whole("positions", positions, 1), whole("seed", seed, 0, _LARGEST_SEED)
        names = self._names if layers is None else several(layers)
        return verify(self._analysis, [self[name] for name in names], self._model, self.mode, positions, seed)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Give the table as numbers and words, by layer: fractions stay, what is not known is None."""
        return {name: _record(self[name]) for name in self}

    def to_pandas(self) -> Any:
        """Give the table as a pandas.DataFrame with a row for each layer and a column for each axis."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise ModuleNotFoundError(
                "corr2d.field.to_pandas must have pandas, got an environment without it. "
                "Install it with `pip install pandas`, or use to_dict().",
                name="pandas",
            ) from None
        return pandas.DataFrame.from_dict({name: _flat(_record(self[name])) for name in self}, orient="index")

    def plot(self) -> Any:
        """Draw how the field grows from layer to layer, on a logarithmic axis.

        The side is that of the longer axis; layers that read nothing have no row. See
        `corr2d.plots.fields.growth`, which also takes sizes of effective fields.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.

        Raises
        ------
        ValueError
            No layer that reads anything.
        """
        sizes = {
            name: math.inf if field.sees_all else float(max(field.size))
            for name, field in self.items()
            if field.size is not None
        }
        strides = {name: float(max(field.stride)) for name, field in self.items() if field.stride}
        # Pictures stand above this room, so they are called by name only.
        fields = importlib.import_module("corr2d.plots.fields")
        return fields.growth(sizes, strides, image=float(max(self.image_size)))

    @door
    def page(self, path: str | PathLike[str] | None = None, **options: Any) -> str:
        """Make one HTML page to point into: at a value to see its pixels, at a pixel to see its values.

        Parameters
        ----------
        path : path, optional
            The file to write it to, which is there as a whole or not at all.
        **options
            The `layers`, `position`, `image` and `title` of `corr2d.plots.field_page.field_page`.

        Returns
        -------
        str
            The document, which loads nothing.

        Raises
        ------
        ValueError
            An input that is not an image, no such layer or position, or a picture of another size.
        OSError
            A file that cannot be written.
        """
        # Pages stand above this room, so they are called by name only.
        text: str = importlib.import_module("corr2d.plots.field_page").field_page(self, **options)
        if path is not None:
            with replacing(as_path("path", path)) as file:
                file.write(text.encode("utf-8"))
        return text

    def __str__(self) -> str:
        rows = [HEADINGS, *self.rows]
        wide = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        return "\n".join(
            "  ".join(
                text.ljust(width) if heading in _WORDS else text.rjust(width)
                for text, width, heading in zip(row, wide, HEADINGS, strict=True)
            ).rstrip()
            for row in rows
        )

    def __repr__(self) -> str:
        return f"<ReceptiveFields of {len(self)} layers in an image of {_times(self.image_size)}>"

    def _repr_html_(self) -> str:
        cells = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
        lines = [f"<tr>{cells}</tr>"]
        for row in self.rows:
            cells = "".join(
                f'<td style="text-align:{"left" if heading in _WORDS else "right"}">{html.escape(text)}</td>'
                for text, heading in zip(row, HEADINGS, strict=True)
            )
            lines.append(f"<tr>{cells}</tr>")
        return "<table>" + "\n".join(lines) + "</table>"

    @cached_property
    def rows(self) -> list[tuple[str, ...]]:
        """The table's texts, a tuple for each layer with one for each column."""
        return [row_of(self[name]) for name in self]


def row_of(layer: LayerField) -> tuple[str, ...]:
    """Write one row of the table, a text per column."""
    size = "-" if layer.size is None else "whole" if layer.sees_all else _size(layer)
    share = "-" if layer.coverage is None else f"{_percent(layer.coverage)}"
    status = layer.status if layer.responsible is None else f"{layer.status}: {_because(layer.responsible)}"
    if layer.left_out is not None:
        status += f", leaving out: {_because(layer.left_out)}"
    return (
        layer.name,
        layer.operator,
        _times(layer.sample_shape) or "1",
        size,
        _pair(layer.stride),
        _pair(layer.padding),
        "yes" if layer.uniform else "no",
        share,
        status,
    )


def _because(note: Note) -> str:
    """Name an operation that is responsible by its layer, or by its operator where it has none."""
    where = repr(note.layer) if note.layer else note.target.split(".")[1]
    return f"{where} {note.reason}".rstrip()


def _record(layer: LayerField) -> dict[str, Any]:
    note = layer.responsible
    return {
        "operator": layer.operator,
        "shape": layer.shape,
        "size": layer.size,
        "stride": layer.stride,
        "start": layer.start,
        "padding": layer.padding,
        "uniform": layer.uniform,
        "sizes": layer.sizes,
        "coverage": layer.coverage,
        "clipped": layer.clipped,
        "status": layer.status,
        "responsible": None if note is None else note.layer or note.target,
        "reason": "" if note is None else str(note),
        "left_out": "" if layer.left_out is None else str(layer.left_out),
    }


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give one number per cell: a column for each axis."""
    letters = ("z", "y", "x")
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if name in ("size", "stride", "start", "padding"):
            count = len(value or record["size"] or "yx")
            for axis, letter in enumerate(letters[3 - count :]):
                flat[f"{name}_{letter}"] = None if value is None else float(value[axis])
        elif name != "sizes":
            flat[name] = float(value) if isinstance(value, Fraction) else value
    return flat


def _size(layer: LayerField) -> str:
    assert layer.size is not None
    sizes = layer.sizes or tuple((one,) for one in layer.size)
    texts = [str(axis[-1]) if len(axis) == 1 else f"{axis[0]}-{axis[-1]}" for axis in sizes]
    return _joined(texts) + ("+" if layer.clipped else "")


def _pair(numbers: Sequence[Fraction] | None) -> str:
    return "-" if numbers is None else _joined([str(one) for one in numbers])


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(str(one) for one in numbers)


def _percent(share: Fraction) -> str:
    """Write a share so that only all is 100 % and only nothing 0 %."""
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return ">99%"
    return "<1%" if whole == 0 and share > 0 else f"{whole}%"
