"""What a learnt kernel is: its name, its symmetries, its fractions, and a proof of them on whole numbers.

`call` says it all; the files beside it know one thing each: `samples` what is looked at, `catalogue` names,
`shape` symmetries and factors, `rationals` fractions, `rounding` the proof, `rim` the border, `identity` the
result. What is said of the kernel holds within its intervals: a kernel learnt from noise is called what it
cannot be told from.
"""

from corr2d.learn.identify.catalogue import Match
from corr2d.learn.identify.identity import Identity
from corr2d.learn.identify.rationals import Rational
from corr2d.learn.identify.rim import Border
from corr2d.learn.identify.rounding import Proof
from corr2d.learn.identify.shape import Factors

__all__ = ["Border", "Factors", "Identity", "Match", "Proof", "Rational"]
