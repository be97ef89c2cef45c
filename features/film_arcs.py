"""Arcs on a grid of cells, and the sums of a derivative along all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import asin, ceil, hypot, pi
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]

SHORTEST_ARC_CELLS = 14
# Radii in units of the longer side, None for a straight line. Holes of holey films are 0.3 to
# 3.5 µm wide, fields 0.2 to 0.8 µm.
RADII = (None, 4.0, 2.0, 1.3, 0.9, 0.65, 0.5, 0.4, 0.3)
DIRECTIONS = 48
OFFSET_STEP_CELLS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A circle's arc on a grid of cells; a straight line where ``curvature`` is 0.

    The arc crosses the line through the image centre along ``direction`` (radians, from the
    columns' axis towards increasing rows) at right angles, ``offset`` cells from the centre. With
    a positive ``curvature`` (1 / cells) the circle's centre lies against ``direction``.
    """

    curvature: float
    direction: float
    offset: float

    def distance(self, y: _Float, x: _Float) -> _Float:
        """Return the distance, positive along ``direction``, of points given from the centre."""
        uy, ux = np.float32(np.sin(self.direction)), np.float32(np.cos(self.direction))
        along, across = y * uy + x * ux, x * uy - y * ux
        if self.curvature == 0.0:
            return np.asarray(along - np.float32(self.offset), np.float32)
        radius = 1.0 / self.curvature
        reach = np.hypot(along - np.float32(self.offset - radius), across)
        return np.asarray(np.sign(radius) * reach - np.float32(radius), np.float32)

    def along(self, y: _Float, x: _Float) -> _Float:
        """Return how far along the arc, from its middle, points given from the centre lie."""
        uy, ux = np.float32(np.sin(self.direction)), np.float32(np.cos(self.direction))
        along, across = y * uy + x * ux, x * uy - y * ux
        if self.curvature == 0.0:
            return np.asarray(across, np.float32)
        radius = 1.0 / self.curvature
        depth = np.sign(radius) * (along - np.float32(self.offset - radius))
        return np.asarray(radius * np.arctan2(across, depth), np.float32)


def grid_places(shape: tuple[int, int], grid: tuple[int, int]) -> tuple[_Float, _Float]:
    """Return the rows ``(y, 1)`` and columns ``(1, x)`` of an image's pixels, from its centre.

    They are in cells of a ``grid`` laid over the image.
    """
    y, x = (
        ((np.arange(count) + 0.5) * (cells / count) - cells / 2).astype(np.float32)
        for count, cells in zip(shape, grid, strict=True)
    )
    return y[:, None], x[None, :]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArcPoints:
    """Points one cell apart on arcs, ``(arcs, points)``, in cells from the first cell.

    ``normal_y`` and ``normal_x`` are the unit normals, ``inside`` says which points exist and lie
    at least half a cell inside the grid.
    """

    y: _Double
    x: _Double
    normal_y: _Double
    normal_x: _Double
    inside: NDArray[np.bool_]


def _longest(curvature: float, reach: float) -> float:
    """Return how far along an arc from its middle the field, a disc of radius ``reach``, goes."""
    bent = curvature * reach
    if bent == 0.0:
        return reach
    # Of a circle wider than the disc only the near side is seen; a small one may be seen whole.
    angle = asin(bent) if bent < 0.9 else pi
    return min(angle / curvature, pi * reach)


def arc_points(parameters: _Double, shape: tuple[int, int]) -> ArcPoints:
    """Return the points of arcs ``(arcs, 3)``: curvature, direction, offset, on a grid."""
    curvature, direction, offset = (p[:, None] for p in parameters.T)
    reach = hypot(*shape) / 2.0
    longest = ceil(_longest(float(np.abs(curvature).max()), reach))
    if np.ptp(curvature) == 0.0:
        curvature = curvature[:1]  # the sines of one arc serve for all
    step = np.arange(-longest, longest + 1.0)[None, :]
    angle = curvature * step
    # sinc keeps straight lines and circles one formula.
    across = step * np.sinc(angle / pi)
    along = offset - 0.5 * angle * step * np.square(np.sinc(angle / (2.0 * pi)))
    uy, ux = np.sin(direction), np.cos(direction)
    y = along * uy - across * ux + (shape[0] - 1) / 2
    x = along * ux + across * uy + (shape[1] - 1) / 2
    inside = (y > 0.5) & (y < shape[0] - 1.5) & (x > 0.5) & (x < shape[1] - 1.5)
    inside &= np.abs(angle) <= pi
    cos, sin = np.cos(angle), np.sin(angle)
    normal_y = np.broadcast_to(cos * uy - sin * ux, y.shape)
    normal_x = np.broadcast_to(cos * ux + sin * uy, y.shape)
    return ArcPoints(y=y, x=x, normal_y=normal_y, normal_x=normal_x, inside=inside)


@dataclass(frozen=True, slots=True, eq=False)
class ArcSums:
    """All arcs tried on a grid, and the matrices that sum a derivative along each of them.

    Row ``i`` of a matrix ``(arcs, cells)`` belongs to arc ``i`` of ``parameters`` ``(arcs, 3)``
    (curvature, direction, offset). It holds, over the root of the arc's length, the components of
    its normal (``y``, ``x``) or their products (``yy``, twice ``yx``, ``xx``).
    """

    parameters: _Double
    y: csr_matrix
    x: csr_matrix
    yy: csr_matrix
    yx: csr_matrix
    xx: csr_matrix

    def arc(self, index: int) -> Arc:
        """Return one of the arcs."""
        curvature, direction, offset = (float(p) for p in self.parameters[index])
        return Arc(curvature=curvature, direction=direction, offset=offset)


@lru_cache(maxsize=4)
def arc_sums(shape: tuple[int, int]) -> ArcSums:
    """Return the arcs tried on a grid of ``shape`` (built once a process, some 0.1 s)."""
    from scipy.sparse import csr_matrix

    longer = max(shape)
    steps = int(hypot(*shape) / 2.0 / OFFSET_STEP_CELLS)
    # No arc goes through the very centre, which may lie on the border of two cells.
    offsets = (np.arange(-steps, steps) + 0.5) * OFFSET_STEP_CELLS
    circle = 2.0 * pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    parameters, lengths, cells, normals_y, normals_x = [], [], [], [], []
    for radius in RADII:
        curvature = 0.0 if radius is None else 1.0 / (radius * longer)
        directions = circle[: DIRECTIONS // 2] if radius is None else circle
        arcs = np.array([(curvature, d, o) for d in directions for o in offsets])
        points = arc_points(arcs, shape)
        length = points.inside.sum(axis=1)
        kept = length >= SHORTEST_ARC_CELLS
        inside = points.inside & kept[:, None]
        parameters.append(arcs[kept])
        lengths.append(length[kept])
        rows, columns = np.rint(points.y[inside]), np.rint(points.x[inside])
        cells.append((rows * shape[1] + columns).astype(np.int32))
        normals_y.append(points.normal_y[inside].astype(np.float32))
        normals_x.append(points.normal_x[inside].astype(np.float32))
    length = np.concatenate(lengths)
    starts = np.concatenate(([0], np.cumsum(length))).astype(np.int32)
    column = np.concatenate(cells)
    weight = np.repeat(1.0 / np.sqrt(length), length).astype(np.float32)
    a, b = np.concatenate(normals_y), np.concatenate(normals_x)

    def matrix(values: _Float) -> csr_matrix:
        return csr_matrix((values, column, starts), shape=(len(length), shape[0] * shape[1]))

    return ArcSums(
        parameters=np.concatenate(parameters),
        y=matrix(a * weight),
        x=matrix(b * weight),
        yy=matrix(a * a * weight),
        yx=matrix(2.0 * a * b * weight),
        xx=matrix(b * b * weight),
    )
