"""Pictures whose edges are known exactly: ramps, steps, lines and rings at any angle and any part of a pixel.

A scene says what its brightness is at any point (y, x), how far that point lies from the nearest edge, and
which way brightness grows there. Its picture is that brightness at the pixels' centres, blurred a little as
by a lens, so that a camera could have taken it.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

Array = np.ndarray

SIDE = 64
# Standard deviation of the lens in pixels: about the sharpest picture without aliasing.
BLUR = 0.7
LINE_WIDTH = 1.6
RADII = (10.0, 20.0)
RAMP_SLOPE = 1 / 64
# Orientation is judged so far from the edge at most, in pixels.
NEAR = 1.0


@dataclass(frozen=True)
class Scene(ABC):
    """One picture, turned by `angle` in radians and moved by `offset` pixels from its middle."""

    angle: float
    offset: float

    def along(self, y: Array, x: Array) -> Array:
        """How far a point lies across the edge, in the direction of the angle."""
        middle = (SIDE - 1) / 2
        return (x - middle) * math.cos(self.angle) + (y - middle) * math.sin(self.angle) - self.offset

    @abstractmethod
    def value(self, y: Array, x: Array) -> Array:
        """Brightness, from 0 to 1."""

    @abstractmethod
    def distance(self, y: Array, x: Array) -> Array:
        """Signed distance to the nearest edge in pixels."""

    def direction(self, y: Array, x: Array) -> Array:
        """Direction in which brightness grows, in radians from x towards y."""
        return np.full(np.broadcast(y, x).shape, self.angle)

    def picture(self, noise: float, rng: np.random.Generator) -> Array:
        """Give the pixels, with Gaussian noise of this standard deviation."""
        y, x = np.indices((SIDE, SIDE)).astype(float)
        return self.value(y, x) + noise * rng.normal(size=(SIDE, SIDE))


class Ramp(Scene):
    """Brightness that grows evenly: every point is as good as on an edge."""

    def value(self, y: Array, x: Array) -> Array:
        """Grow evenly."""
        return 0.5 + RAMP_SLOPE / 2 * self.along(y, x)

    def distance(self, y: Array, x: Array) -> Array:
        """Be everywhere on the edge."""
        return np.zeros(np.broadcast(y, x).shape)


class Step(Scene):
    """Dark on one side, bright on the other."""

    def value(self, y: Array, x: Array) -> Array:
        """Rise once."""
        return ndtr(self.along(y, x) / BLUR)

    def distance(self, y: Array, x: Array) -> Array:
        """Measure from the edge."""
        return self.along(y, x)


class Line(Scene):
    """A bright line of Gaussian profile; its edges are where that is steepest."""

    def value(self, y: Array, x: Array) -> Array:
        """Rise and fall."""
        return np.exp(-((self.along(y, x) / LINE_WIDTH) ** 2) / 2)

    def distance(self, y: Array, x: Array) -> Array:
        """Measure from the nearer side."""
        return np.abs(self.along(y, x)) - LINE_WIDTH

    def direction(self, y: Array, x: Array) -> Array:
        """Point to the middle."""
        return np.where(self.along(y, x) > 0, self.angle + math.pi, self.angle)


class Ring(Scene):
    """A bright ring; the angle says where its centre is moved to."""

    def radius(self, y: Array, x: Array) -> tuple[Array, Array, Array]:
        """Distance from the centre, and its parts."""
        middle = (SIDE - 1) / 2
        down = y - middle - self.offset * math.sin(self.angle)
        right = x - middle - self.offset * math.cos(self.angle)
        return np.hypot(down, right), down, right

    def value(self, y: Array, x: Array) -> Array:
        """Rise and fall along a radius."""
        radius = self.radius(y, x)[0]
        return ndtr((radius - RADII[0]) / BLUR) - ndtr((radius - RADII[1]) / BLUR)

    def distance(self, y: Array, x: Array) -> Array:
        """Measure from the nearer circle."""
        radius = self.radius(y, x)[0]
        inner, outer = radius - RADII[0], RADII[1] - radius
        return np.where(np.abs(inner) < np.abs(outer), inner, outer)

    def direction(self, y: Array, x: Array) -> Array:
        """Point into the ring."""
        radius, down, right = self.radius(y, x)
        sign = np.where(radius < sum(RADII) / 2, 1.0, -1.0)
        return np.arctan2(sign * down, sign * right)


KINDS: dict[str, type[Scene]] = {"ramp": Ramp, "step": Step, "line": Line, "ring": Ring}


def scenes(kind: str, angles: int, offsets: int) -> Iterator[Scene]:
    """Give a kind of scene at so many angles of the full turn and offsets within a pixel."""
    turns = 2 * math.pi * (np.arange(angles) + 0.5) / angles  # never along an axis, where all are good
    for angle, offset in itertools.product(turns, np.arange(offsets) / offsets):
        yield KINDS[kind](float(angle), float(offset))
