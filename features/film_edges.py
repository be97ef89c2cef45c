"""Edges of the support film: long smooth arcs across which the image changes.

A hole of a holey film is round, so its edge in a micrograph is an arc of a circle, or a straight
line where the hole is much larger than the field. Along such an arc weak evidence adds up: the
score of an arc is the sum of the normal derivative of a channel (grey level, texture at two
scales) along it. The share of each cell is bounded, so that only what goes on along a long stretch
counts, and a short strong thing such as an ice crystal does not.

The principle is that of the Hough transform for parametric curves (R. Duda & P. Hart, Commun. ACM
15:11, 1972), with normal derivatives in the place of edge points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.arc_refinement import refined_arc
from cryoverdict.features.bare_sides import is_bare
from cryoverdict.features.cell_grid import cell_means
from cryoverdict.features.edge_sides import (
    abrupt_part,
    ridge_coherence,
    spread,
    step_between,
    step_coherence,
    stretches,
)
from cryoverdict.features.film_arcs import (
    SHORTEST_ARC_CELLS,
    Arc,
    ArcSums,
    arc_sums,
    grid_places,
)

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

# Cells on the longer side of the grid in which edges are looked for.
GRID_CELLS = 64
# A grid with fewer cells on its shorter side is too small to tell an arc from anything else.
SMALLEST_GRID_CELLS = 16
# The share of one cell is bounded by this many robust deviations.
CLIP = 3.5
CANDIDATE_SCORE = 4.3
# Robust deviations of the scores of all arcs, after refinement. The largest of some 20,000
# dependent scores reaches 4 to 5.5 in noise, ice and particles; edges of films reach 7 to 20.
STRONG_SCORE = 6.0
# An edge as clear as this needs half the step of the grey level to be believed.
CERTAIN_SCORE = 10.0
MOST_EDGES = 3
# Along at least this fraction of an edge its two sides must differ in the same sense.
COHERENT_FRACTION = 0.85
# The two sides of a film's edge differ by at least this many robust deviations of the cells in
# a texture, or by this many in the grey level alone.
TEXTURE_STEP = 1.3
GREY_STEP = 4.0
# A step in the grey level alone must be no gradient: this part of it is not foreseen by the slopes
# on its two sides.
ABRUPT_PART = 0.25
# How far an edge may be moved to where the grey level steps.
FARTHEST_MOVE_CELLS = 3.0
# What is darker than its other side by this many deviations of that side's pixels is opaque, and
# no ice (simulated: gold 10 to 35, torn ice 1 to 8).
OPAQUE_DROP = 10.0
# From here on a side is taken to lie beyond the fringes of its edge.
SIDE_CELLS = 3.0
# A dark round thing of this radius (in units of the longer side) is an object and no film.
OBJECT_RADIUS = 0.8

EdgeKind = Literal["film", "bar", "void", "torn", "object", "line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmEdge:
    """One edge found, on the grid of cells.

    ``kind`` is ``film`` (one side is film), ``bar`` (one side is a straight dark bar along the
    image's side), ``void`` (one side is bright and without ice), ``torn`` (one side is opaque film,
    the other without ice), ``object`` (a round dark thing) or ``line`` (only the edge itself shows,
    as at a meniscus). ``side`` is +1 where film, bar, void or object lies along the arc's
    direction, −1 where against it, 0 for a line. ``score`` is in robust deviations of all arcs'
    scores; ``grey_step`` and ``texture_step`` are the differences of the film's, bar's or object's
    side (for a void: of the ice's side) from the other in robust deviations of the cells. ``level``
    is the grey level halfway between the sides, None for a line.
    """

    arc: Arc
    kind: EdgeKind
    side: int
    score: float
    grey_step: float
    texture_step: float
    level: float | None
    grid: tuple[int, int]

    def distance(self, shape: tuple[int, int]) -> _Float:
        """Return the distance of each pixel of an image of ``shape`` from the edge, in cells.

        It is positive along the arc's direction.
        """
        return self.arc.distance(*grid_places(shape, self.grid))


def grid_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the shape of the grid of cells for an image of ``shape``, cells at least 4 px."""
    cells = min(GRID_CELLS, max(shape) // 4)
    return (
        max(1, round(shape[0] * cells / max(shape))),
        max(1, round(shape[1] * cells / max(shape))),
    )


def find_film_edges(coarse: _Float, half: _Float) -> tuple[FilmEdge, ...]:
    """Return the edges of film in an image, the clearest first.

    ``coarse`` is the image ``(y, x)``, ``half`` the same at half the sampling.
    """
    grid = grid_shape((coarse.shape[0], coarse.shape[1]))
    if min(grid) < SMALLEST_GRID_CELLS:
        return ()
    channels = _channels(coarse, half, grid)
    free = np.ones(grid, np.bool_)
    edges: list[FilmEdge] = []
    for _ in range(MOST_EDGES):
        edge = _clearest(channels, half, free)
        if edge is None:
            break
        edges.append(edge)
        distance = edge.distance(grid)
        # Derivatives reach four cells far; what they see of this edge is no other edge.
        free &= (np.abs(distance) > 5.0) & (distance * edge.side <= 0.0)
        if np.count_nonzero(free) < free.size // 8:
            break
    return tuple(edges)


def _channels(coarse: _Float, half: _Float, grid: tuple[int, int]) -> tuple[_Float, ...]:
    """Return grey level and log variance at two scales, each ``grid``.

    The finest scale is that of neighbouring pixels of ``coarse``, the other twice as wide.
    """
    from scipy import ndimage

    fine = coarse - (ndimage.uniform_filter(coarse, 3) * 9.0 - coarse) / 8.0
    band = half - ndimage.gaussian_filter(half, 1.0)
    return (
        cell_means(half, grid),
        np.log(cell_means(fine * fine, grid) + np.float32(1e-9)),
        np.log(cell_means(band * band, grid) + np.float32(1e-9)),
    )


def _clipped(parts: tuple[_Float, ...], strength: _Float, free: _Bool) -> list[_Float]:
    """Return derivatives in robust deviations, 0 where not ``free``.

    Their strength is bounded by ``CLIP``, but still rises towards the edge itself.
    """
    factor = CLIP / (CLIP + strength) * free
    return [np.asarray(part * factor, np.float32) for part in parts]


def _steps(channel: _Float, free: _Bool, *, local: bool) -> list[_Float]:
    """Return the derivatives ``(y, x)`` of a channel, clipped.

    With ``local`` their mean over 9 cells is taken off, so that gradients of the ice, which run
    on and on, do not count.
    """
    from scipy import ndimage

    slopes = [
        ndimage.gaussian_filter(channel, 1.2, order=order, mode="nearest")
        for order in ((1, 0), (0, 1))
    ]
    if local:
        slopes = [s - ndimage.uniform_filter(s, 9) for s in slopes]
    scale = spread(np.concatenate([s[free] for s in slopes]))
    slopes = [s / np.float32(scale) for s in slopes]
    return _clipped(tuple(slopes), np.hypot(*slopes), free)


def _ridges(grey: _Float, free: _Bool) -> list[_Float]:
    """Return the second derivatives ``(yy, yx, xx)`` of the grey level, clipped."""
    from scipy import ndimage

    bends = [ndimage.gaussian_filter(grey, 1.0, order=order) for order in ((2, 0), (1, 1), (0, 2))]
    scale = np.float32(spread(np.concatenate([bends[0][free], bends[2][free]])))
    yy, yx, xx = (b / scale for b in bends)
    return _clipped((yy, yx, xx), np.sqrt(yy * yy + 2.0 * yx * yx + xx * xx), free)


_LESSER = ("line", "object")


def _clearest(channels: tuple[_Float, ...], half: _Float, free: _Bool) -> FilmEdge | None:
    """Return the clearest edge among the free cells, or None where there is none."""
    grid = (free.shape[0], free.shape[1])
    sums = arc_sums(grid)
    fill = _fill(sums, free)
    if not fill.any():
        return None
    found: list[tuple[float, Arc]] = []
    for number in range(len(channels) + 1):
        if number < len(channels):
            parts = _steps(channels[number], free, local=number == 0)
            scores = sums.y @ parts[0].ravel() + sums.x @ parts[1].ravel()
        else:
            parts = _ridges(channels[0], free)
            scores = sums.yy @ parts[0].ravel() + sums.yx @ parts[1].ravel()
            scores += sums.xx @ parts[2].ravel()
        # The sign of a score depends on which way round an arc is named.
        scores = np.abs(scores) * fill
        unit = 1.4826 * float(np.median(scores[fill > 0.0])) + 1e-9
        index = int(np.argmax(scores))
        if scores[index] > CANDIDATE_SCORE * unit:
            score, arc = refined_arc(sums.parameters[index], parts, grid)
            found.append((score / unit, arc))
    found.sort(key=lambda pair: -pair[0])
    edges = [_judged(arc, s, channels, half, free) for s, arc in found if s > STRONG_SCORE]
    # The fringe of an edge can be clearer than the film behind it; the film matters more.
    for edge in sorted((e for e in edges if e is not None), key=lambda e: e.kind in _LESSER):
        return _placed(edge, channels[0], free)
    return None


def _fill(sums: ArcSums, free: _Bool) -> _Float:
    """Return for each arc what makes its score that of its free part, 0 if that is too short."""
    ones = np.ones(free.size, np.float32)
    root = sums.yy @ ones + sums.xx @ ones  # the root of an arc's length
    length = root * (sums.yy @ free.ravel() + sums.xx @ free.ravel())
    enough = length >= SHORTEST_ARC_CELLS - 0.5
    return np.asarray(np.where(enough, root / np.sqrt(np.maximum(length, 1.0)), 0.0), np.float32)


def _placed(edge: FilmEdge, grey: _Float, free: _Bool) -> FilmEdge:
    """Return an edge put where the grey level steps, where it does so clearly.

    The texture next to a strong step is that of the step's own fringes.
    """
    if abs(edge.grey_step) < GREY_STEP:
        return edge
    at = np.array([edge.arc.curvature, edge.arc.direction, edge.arc.offset])
    _, arc = refined_arc(at, _steps(grey, free, local=True), edge.grid)
    if abs(arc.offset - edge.arc.offset) > FARTHEST_MOVE_CELLS:
        return edge
    return replace(edge, arc=arc)


def _judged(
    arc: Arc, score: float, channels: tuple[_Float, ...], half: _Float, free: _Bool
) -> FilmEdge | None:
    """Say what kind of edge an arc is, from what lies on its two sides; None for no edge."""
    grid = (free.shape[0], free.shape[1])
    y, x = grid_places(grid, grid)
    distance = arc.distance(y, x)
    stretch = stretches(arc, y, x)
    inner, outer = (distance < -0.8) & free, (distance > 0.8) & free
    steps, coherent = [], []
    for channel in channels:
        near = step_between(channel, inner & (distance > -6.0), outer & (distance < 6.0))
        steps.append(near)
        coherent.append(step_coherence(channel, inner, outer, distance, stretch))
    grey, textures = steps[0], steps[1:]
    strongest = max((0, 1), key=lambda i: abs(textures[i]))
    texture = textures[strongest]
    by_texture = abs(texture) >= TEXTURE_STEP and coherent[1 + strongest] >= COHERENT_FRACTION
    needed = GREY_STEP if score < CERTAIN_SCORE else GREY_STEP / 2.0
    by_grey = abs(grey) >= needed and coherent[0] >= COHERENT_FRACTION
    by_grey &= abrupt_part(channels[0], distance, free) >= ABRUPT_PART
    if by_texture or by_grey:
        # Film takes electrons away; where it hardly does, it still adds texture.
        side = dark = -int(np.sign(grey)) if abs(grey) >= 1.0 else int(np.sign(texture))
        bent = arc.curvature * max(grid)
        kind: EdgeKind = "bar" if _along_side(arc, grid) and by_grey else "film"
        if side * bent < -1.0 / OBJECT_RADIUS:
            kind = "object"
        level, drop = _levels(channels, distance * side, free)
        opaque = drop >= OPAQUE_DROP
        if kind != "object" and is_bare(
            half, channels, arc, free, level=level, step=abs(grey), opaque=opaque
        ):
            if not opaque:
                kind, side = "void", -side
            elif kind == "film":
                kind = "torn"
        return FilmEdge(
            arc=arc,
            kind=kind,
            side=side,
            score=score,
            grey_step=dark * grey,
            texture_step=dark * texture,
            level=level,
            grid=grid,
        )
    if ridge_coherence(channels[0], distance, stretch, free) >= COHERENT_FRACTION:
        return FilmEdge(
            arc=arc,
            kind="line",
            side=0,
            score=score,
            grey_step=0.0,
            texture_step=0.0,
            level=None,
            grid=grid,
        )
    return None


def _levels(channels: tuple[_Float, ...], depth: _Float, free: _Bool) -> tuple[float, float]:
    """Return the grey level halfway between two sides, and by how much the dark one is darker.

    The dark side is where ``depth`` is positive; the second number is in deviations of the bright
    side's pixels.
    """
    dark, bright = (free & (s * depth > SIDE_CELLS) for s in (1.0, -1.0))
    if not (dark.any() and bright.any()):
        dark, bright = (free & (s * depth > 0.0) for s in (1.0, -1.0))
    low, high = (float(np.median(channels[0][side])) for side in (dark, bright))
    noise = float(np.exp(np.median(channels[1][bright]) / 2.0))
    return (low + high) / 2.0, (high - low) / noise


def _along_side(arc: Arc, grid: tuple[int, int]) -> bool:
    """Say whether an arc is straight and runs along a side of the image, to 4°."""
    quarter = np.pi / 2
    turned = abs((arc.direction + quarter / 2) % quarter - quarter / 2)
    return bool(turned < np.deg2rad(4.0) and abs(arc.curvature) * max(grid) < 0.2)
