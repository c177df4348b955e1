"""What a kernel was found to be, on one screen."""

from __future__ import annotations

from dataclasses import dataclass

from corr2d.learn.identify.catalogue import Match
from corr2d.learn.identify.rationals import Rational
from corr2d.learn.identify.rim import Border
from corr2d.learn.identify.rounding import Proof
from corr2d.learn.identify.shape import Factors
from corr2d.learn.report import entry
from corr2d.printed import Printed


@dataclass(frozen=True, repr=False)
class Identity(Printed):
    """What a kernel was found to be; ``print`` shows it.

    Attributes
    ----------
    match : Match or None
        The named kernel, None if no name is near.
    symmetries : tuple of str
    factors : Factors or None
        Column and row, if the kernel is separable.
    gain, gain_error : float
        Sum of the taps, and its standard error.
    centroid : (float, float) or None
        Centre of gravity (y, x) from the middle of the kernel, in taps; None where the gain is zero.
    rational : Rational or None
        The taps as fractions, shape (channels, kh, kw).
    proof : Proof or None
        How many pixels come out exactly; None where the targets are not whole numbers.
    border : Border or None
        What made the rim; None where no window reaches past the image.
    """

    match: Match | None
    symmetries: tuple[str, ...]
    factors: Factors | None
    gain: float
    gain_error: float
    centroid: tuple[float, float] | None
    rational: Rational | None
    proof: Proof | None
    border: Border | None

    @property
    def name(self) -> str:
        """The name with scale, turn and place in words, or ""."""
        return str(self.match) if self.match is not None else ""

    def __str__(self) -> str:
        rows = [
            ("name", self.name or "none: no named kernel is near"),
            ("fractions", "" if self.rational is None else _written(self.rational)),
            ("separable", "no" if self.factors is None else f"{self.factors}"),
            ("symmetry", "; ".join(self.symmetries) or "none found"),
            ("gain", f"{self.gain:.6g} ± {self.gain_error:.2g}"),
        ]
        if self.centroid is not None:
            # Rounded first: what is below a millionth of a tap is rounding, and there is no zero below zero.
            down, right = (round(place, 6) + 0.0 for place in self.centroid)
            rows.append(("centroid", f"{down:+.4g} rows, {right:+.4g} columns from the middle"))
        if self.proof is not None:
            rows.append(("proof", str(self.proof)))
        if self.border is not None:
            rows.append(("border", str(self.border)))
        return "\n".join(line for name, text in rows if text for line in entry(name, text, 10))

    __repr__ = __str__


def _written(rational: Rational) -> str:
    taps = rational.numerators
    if taps.size > 49:
        return f"{taps.size} whole numbers over {rational.denominator}"
    return " and ".join(str(Rational(layer, rational.denominator)) for layer in taps)
