"""The least of a quadratic among kernels that are sums of few separable ones.

A kernel of rank r is a sum of r products of a column and a row. With the rows held the columns are a linear
fit, and the other way round; the fit alternates between the two, from several starts, and keeps the best end.
A symmetric kernel is even or odd along both axes, and an antisymmetric one even along one and odd along the
other: every way to share r among the two kinds is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.constraints.bounds import Sum, nonnegative
from corr2d.learn.constraints.declarations import Declared
from corr2d.learn.constraints.linear import linear
from corr2d.learn.constraints.solution import NONE_FREE, Answer
from corr2d.learn.semidefinite import complement, least, rounding, span

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Every start gets the first number of rounds, the best one the second or until the kernel, relative to its
# largest tap, stands still. Most fits need five.
TRIED, ROUNDS = 5, 200
STILL = 1e-12
# Starts of random factors beside the reasoned ones: the error has several valleys where no kernel of the rank
# fits well, above all with bounds.
RANDOM_STARTS = 6


@dataclass(frozen=True)
class _Term:
    """Separable kernels, `rank` of them: columns in the span of `down` (kh, a), rows of `across` (kw, b)."""

    down: Array
    across: Array
    rank: int


@dataclass(frozen=True)
class _Rule:
    """What the kernel must obey beside its terms."""

    kernel_shape: tuple[int, int, int]
    nonnegative: bool
    sum_to_one: bool


def low_rank(gram: Array, right: Array, declared: Declared, kernel_shape: Any) -> Answer:
    """Find the kernel (taps,) of rank ``declared.terms`` at most that leaves the least squared error."""
    rule = _Rule(kernel_shape, declared.nonnegative, declared.sum_to_one)
    free = least(gram, right[:, None]).x[:, 0]
    best: _Fit | None = None
    for terms in _shares(declared, kernel_shape):
        for start in _starts(gram, right, free, rule):
            fit = _Fit(gram, right, free, rule, terms, start)
            fit.alternate(TRIED)
            if np.isfinite(fit.error) and (best is None or fit.error < best.error):
                best = fit
    if best is None:  # a single tap, antisymmetric: it has no terms
        return Answer(np.zeros(len(right)), np.zeros((len(right), 0)), 0, (NONE_FREE,))
    best.alternate(ROUNDS)
    tangent = best.tangent()
    power = float(np.diagonal(gram).max())
    rank = least(tangent.T @ gram @ tangent, np.zeros((tangent.shape[1], 1)), power).rank
    return Answer(best.kernel, tangent, rank)


def _shares(declared: Declared, kernel_shape: tuple[int, int, int]) -> Iterator[tuple[_Term, ...]]:
    _, kh, kw = kernel_shape
    assert declared.terms is not None
    if not declared.ties:
        yield (_Term(np.eye(kh), np.eye(kw), min(declared.terms, kh, kw)),)
        return
    (even_h, odd_h), (even_w, odd_w) = _parities(kh), _parities(kw)
    pairs = [(even_h, even_w), (odd_h, odd_w)]
    if "antisymmetric" in declared.ties:
        pairs = [(even_h, odd_w), (odd_h, even_w)]
    most = [min(down.shape[1], across.shape[1]) for down, across in pairs]
    shares = {
        (min(first, most[0]), min(declared.terms - first, most[1])) for first in range(declared.terms + 1)
    }
    for share in sorted(shares):
        if any(share):
            yield tuple(_Term(*pair, rank) for pair, rank in zip(pairs, share, strict=True) if rank)


def _parities(size: int) -> tuple[Array, Array]:
    """Give orthonormal bases of the vectors that are even and odd under reversal."""
    unit = np.eye(size)
    even, odd = unit + unit[::-1], unit - unit[::-1]
    half = size // 2
    even, odd = even[:, : size - half], odd[:, :half]
    return even / np.linalg.norm(even, axis=0), odd / np.linalg.norm(odd, axis=0)


def _starts(gram: Array, right: Array, free: Array, rule: _Rule) -> Iterator[Array]:
    """Give kernels (C_in, kh, kw) to start from: the free fit, what each tap alone sees, flat, random."""
    power = np.diagonal(gram)
    seen = right / np.where(power > 0, power, 1)
    for kernel in (free, seen, np.ones(len(right))):
        yield kernel.reshape(rule.kernel_shape)
    rng = np.random.default_rng(len(right))
    for _ in range(RANDOM_STARTS):
        yield rng.normal(size=rule.kernel_shape)


class _Fit:
    """One alternation: of each term the weights of columns (C_in, a, rank) and rows (C_in, b, rank)."""

    def __init__(
        self, gram: Array, right: Array, free: Array, rule: _Rule, terms: tuple[_Term, ...], start: Array
    ) -> None:
        self.gram, self.right, self.free, self.rule, self.terms = gram, right, free, rule, terms
        # By how much the squared error is above that of the free fit: small differences keep their digits.
        self.kernel = np.zeros(len(right))
        self.error = np.inf
        self.rows = [self._leading(start, term) for term in terms]
        self.columns = [
            np.zeros((*rows.shape[:1], term.down.shape[1], term.rank)) for rows, term in self._each()
        ]

    def alternate(self, rounds: int) -> None:
        """Improve columns and rows in turns, from where a step along the tangent leads if that is better."""
        for _ in range(rounds):
            before, error = self.kernel, self.error
            if not (self._leap() or self._turn()):
                return
            still = np.abs(self.kernel - before).max() <= STILL * np.abs(self.kernel).max()
            if still or not self.error < error:
                return

    def _turn(self) -> bool:
        """Improve the columns, then the rows; False where the rule cannot be obeyed."""
        return self._improve(down=True) and self._improve(down=False)

    def _leap(self) -> bool:
        """Go to the least of the tangent space (Gauss and Newton's step), and to the products nearest to it.

        Near the end, where turns alone shrink what is left by a part, this squares it.
        """
        if not np.isfinite(self.error):
            return False
        before = self.columns, self.rows, self.kernel, self.error
        tangent = self.tangent()
        slope = tangent.T @ (self.right - self.gram @ self.kernel)
        step = tangent @ least(tangent.T @ self.gram @ tangent, slope[:, None]).x[:, 0]
        target = (self.kernel + step).reshape(self.rule.kernel_shape)
        self.rows = [self._leading(target, term) for term in self.terms]
        if self._turn() and self.error < before[3]:
            return True
        self.columns, self.rows, self.kernel, self.error = before
        return False

    def tangent(self) -> Array:
        """Give orthonormal directions in which the kernel moves when its factors do, within the rule."""
        parts = []
        for down in (True, False):
            design = self._design(down)
            if self.rule.nonnegative:
                design = design[:, _flat(self.columns if down else self.rows) > 0]
            parts.append(design)
        tangent = span(np.concatenate(parts, axis=1))
        if self.rule.sum_to_one and tangent.shape[1]:
            tangent = tangent @ complement(tangent.sum(axis=0))
        return tangent

    def _each(self) -> Iterator[tuple[Array, _Term]]:
        return zip(self.rows, self.terms, strict=True)

    def _leading(self, start: Array, term: _Term) -> Array:
        """Give the rows of the best separable kernels near `start`."""
        *_, rows = np.linalg.svd(term.down.T @ start @ term.across, full_matrices=False)
        leading: Array = rows[:, : term.rank].transpose(0, 2, 1)
        return np.abs(leading) if self.rule.nonnegative else leading

    def _improve(self, down: bool) -> bool:
        """Hold the rows (or columns) and fit the others; False where that cannot obey the rule."""
        design = self._design(down)
        gram, right = design.T @ self.gram @ design, design.T @ self.right
        sums = design.sum(axis=0)
        if self.rule.sum_to_one and np.abs(sums).max() <= rounding(len(design)):
            return False
        equation = Sum(sums, 1.0) if self.rule.sum_to_one else None
        if self.rule.nonnegative:
            x = nonnegative(gram, right, equation)
        else:
            x = linear(gram, right[:, None], equation).x[:, 0]
        self.kernel = design @ x
        away = self.kernel - self.free
        self.error = float(away @ (self.gram @ away))
        found, begin = [], 0
        for weights in self.columns if down else self.rows:
            found.append(x[begin : begin + weights.size].reshape(weights.shape))
            begin += weights.size
        self.columns, self.rows = (found, self.rows) if down else (self.columns, found)
        return True

    def _design(self, down: bool) -> Array:
        """Give the kernel that each weight of the columns makes with the rows held, or vice versa."""
        channels, kh, kw = self.rule.kernel_shape
        blocks = []
        for term, columns, rows in zip(self.terms, self.columns, self.rows, strict=True):
            if down:
                block = np.einsum("im,cjr->cijmr", term.down, term.across @ self._level(rows))
            else:
                block = np.einsum("cir,jm->cijmr", term.down @ self._level(columns), term.across)
            table = np.zeros((channels, kh, kw, channels, *block.shape[3:]))
            for channel in range(channels):
                table[channel, :, :, channel] = block[channel]
            blocks.append(table.reshape(channels * kh * kw, -1))
        return np.concatenate(blocks, axis=1)

    def _level(self, weights: Array) -> Array:
        """Give factors of the same span and of length 1, so that no turn starts from huge or tiny ones."""
        if not self.rule.nonnegative:
            return np.linalg.qr(weights)[0]
        length = np.linalg.norm(weights, axis=1, keepdims=True)
        even = np.full_like(weights, 1 / np.sqrt(weights.shape[1]))
        return np.where(length > 0, weights / np.where(length > 0, length, 1), even)


def _flat(weights: list[Array]) -> Array:
    return np.concatenate([part.ravel() for part in weights])
