"""Several effective fields side by side."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from corr2d.errors import describe, door, refuse
from corr2d.field.effective.result import EffectiveField
from corr2d.printed import Printed

COLUMNS = ("size", "of theory", "50 %", "90 %", "99 %", "sigma", "R²", "padding")


class Comparison(Printed, Mapping[str, EffectiveField]):
    """Effective fields by name; ``print`` shows a table, `plot` a picture."""

    def __init__(self, fields: Mapping[str, EffectiveField]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> EffectiveField:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The measures of each, in plain numbers."""
        return {name: one.to_dict() for name, one in self.items()}

    def plot(self) -> Any:
        """Draw them side by side, at one scale; see `corr2d.plots.fields.compare`.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.

        Raises
        ------
        ValueError
            More than 6.
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.fields").compare(self)

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(map(repr, self))}>"

    def __str__(self) -> str:
        wide = max(len(name) for name in self)
        lines = [" " * wide + "".join(f"{column:>11}" for column in COLUMNS)]
        lines += [
            f"{name:{wide}}" + "".join(f"{cell:>11}" for cell in _cells(one)) for name, one in self.items()
        ]
        return "\n".join(lines)


@door
def compare(fields: Mapping[str, EffectiveField]) -> Comparison:
    """Put effective fields of several models, layers or definitions side by side.

    Parameters
    ----------
    fields : dict of str to EffectiveField
        Any number, each under the name that the table and the picture show.

    Returns
    -------
    Comparison
        The same, as a table: size by Luo's threshold in pixels and beside the theoretical field, sides of the
        squares that hold 50, 90 and 99 %, the fitted Gaussian's sigmas with the R², the share in the padding.

    Raises
    ------
    TypeError
        A value that is no EffectiveField.
    ValueError
        Nothing to compare.

    Examples
    --------
    >>> import torch
    >>> from corr2d.field import effective_receptive_field
    >>> layer = torch.nn.Conv2d(1, 1, 3)
    >>> found = compare({"3 x 3": effective_receptive_field(layer, (2, 1, 9, 9), "")})
    >>> list(found), found["3 x 3"].box.size
    (['3 x 3'], (3, 3))
    """
    if not isinstance(fields, Mapping):
        refuse("fields", "a dict of EffectiveField by name", describe(fields), kind=TypeError)
    if not fields:
        refuse("fields", "at least one", "none")
    for name, one in fields.items():
        if not isinstance(one, EffectiveField):
            refuse("fields", "of EffectiveField", f"{describe(one)} at {name!r}", kind=TypeError)
    return Comparison(fields)


def _cells(one: EffectiveField) -> tuple[str, ...]:
    fit = one.gaussian()
    return (
        f"{one.size():.1f}",
        "–" if one.ratio is None else f"{100 * one.ratio:.0f} %",
        *(f"{one.square(share):.0f}" for share in (0.5, 0.9, 0.99)),
        f"{fit.sigma[0]:.1f} x {fit.sigma[1]:.1f}",
        f"{fit.r_squared:.3f}",
        "–" if one.padding_share is None else f"{100 * one.padding_share:.1f} %",
    )
