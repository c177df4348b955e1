"""What is known of a kernel before it is learnt: taps that are tied, bounded, given, or products.

`prepare` reads the names and records a person gives and refuses those that cannot hold together; the
`Constraint` it returns knows the least squares solution under them, from a Quadratic alone. Everything that
is linear (ties, bases, known taps, the sum) leads to a smaller Quadratic; bounds are met by active sets; a
bounded rank by alternating between the factors.
"""

from corr2d.learn.constraints.constraint import Constraint, prepare
from corr2d.learn.constraints.declarations import NAMES, Basis, Known, Rank, declared
from corr2d.learn.constraints.solution import Constrained

__all__ = ["NAMES", "Basis", "Constrained", "Constraint", "Known", "Rank", "declared", "prepare"]
