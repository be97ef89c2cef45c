"""What lies where in a micrograph: usable ice, film, bars, contamination, aggregates, tears."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.bare_sides import bare_area
from cryoverdict.features.border_lines import BorderLines, find_border_lines, mirror_borders
from cryoverdict.features.cell_grid import cell_means, spread_cells
from cryoverdict.features.dark_objects import IceObject, find_ice_objects
from cryoverdict.features.film_edges import FilmEdge, find_film_edges
from cryoverdict.features.ice_background import smooth_background
from cryoverdict.features.view import View

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

# Half width of the zone along a film's edge that is given up, in cells of the film's grid (1/64 of
# the longer side): fringes, charging and thick ice.
EDGE_ZONE_CELLS = 1.0


class AreaKind(IntEnum):
    """Codes of `AreaMap.kind`."""

    USABLE = 0
    FILM = 1
    DARK_BAR = 2
    CONTAMINATION = 3
    AGGREGATE = 4
    BRIGHT = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaMap:
    """The map of one micrograph.

    ``kind`` ``(y, x)`` uint8 holds an `AreaKind` for each pixel of the coarse image. ``edges``,
    ``objects`` and ``lines`` are what it was made from. ``rest`` ``(y, x)`` float32 is the coarse
    image at half sampling without its smooth background, 0 where it is not usable; a pixel of it
    is ``rest_step_px`` pixels of the coarse image wide.
    """

    kind: NDArray[np.uint8]
    edges: tuple[FilmEdge, ...]
    objects: tuple[IceObject, ...]
    lines: BorderLines
    rest: _Float
    rest_step_px: float

    @property
    def usable(self) -> _Bool:
        """Where particles could be picked."""
        usable: _Bool = self.kind == AreaKind.USABLE
        return usable

    def fraction(self, *kinds: AreaKind) -> float:
        """Return the fraction of the image that is of some kinds."""
        return float(np.isin(self.kind, kinds).mean())


def usable_area(view: View) -> AreaMap:
    """Return the map of a micrograph, from its coarse image; call it through ``view.once``.

    First the faulty border lines are found, then the edges of film, then, in what is left and
    above the smooth background of the ice, dark and bright objects.
    """
    coarse = view.coarse
    shape = (coarse.shape[0], coarse.shape[1])
    lines = find_border_lines(coarse)
    whole = mirror_borders(coarse, lines)
    half_shape = (-(-shape[0] // 2), -(-shape[1] // 2))
    half = cell_means(whole, half_shape)
    edges = find_film_edges(whole, half)
    kind = _border_kind(lines, shape, half_shape)
    _lay_film(kind, edges, half)
    free = kind == AreaKind.USABLE
    background = smooth_background(half, free & ~_round_objects(edges, half_shape))
    rest = np.where(free, half - background, np.float32(0.0))
    pixel_size_a = view.optics.pixel_size_a
    if pixel_size_a is not None:
        pixel_size_a *= view.coarse_step_px * shape[0] / half_shape[0]
    objects = find_ice_objects(np.asarray(rest, np.float32), free, pixel_size_a)
    for found in objects:
        area = kind[found.window]
        area[found.pixels & (area == AreaKind.USABLE)] = _OBJECT_KINDS[found.kind]
    usable_rest = np.where(kind == AreaKind.USABLE, rest, np.float32(0.0)).astype(np.float32)
    return AreaMap(
        kind=spread_cells(kind, shape),
        edges=edges,
        objects=objects,
        lines=lines,
        rest=usable_rest,
        rest_step_px=max(shape) / max(half_shape),
    )


_EDGE_KINDS = {
    "film": AreaKind.FILM,
    "line": AreaKind.FILM,
    "torn": AreaKind.FILM,
    "bar": AreaKind.DARK_BAR,
    "void": AreaKind.BRIGHT,
}
_OBJECT_KINDS = {
    "contamination": AreaKind.CONTAMINATION,
    "aggregate": AreaKind.AGGREGATE,
    "bright": AreaKind.BRIGHT,
}


def _border_kind(
    lines: BorderLines, shape: tuple[int, int], half_shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a map at half sampling in which only the faulty border lines are marked."""
    kind = np.full(half_shape, AreaKind.DARK_BAR, np.uint8)
    rows, columns = lines.interior(shape)
    scale = half_shape[0] / shape[0], half_shape[1] / shape[1]
    top, bottom = round(rows.start * scale[0]), round(rows.stop * scale[0])
    left, right = round(columns.start * scale[1]), round(columns.stop * scale[1])
    kind[top:bottom, left:right] = AreaKind.USABLE
    return kind


def _lay_film(kind: NDArray[np.uint8], edges: tuple[FilmEdge, ...], half: _Float) -> None:
    """Mark film and bars and the zone along their edges in a map of ``half``, in place."""
    for edge in edges:
        if edge.kind == "object":
            continue
        distance = edge.distance((kind.shape[0], kind.shape[1]))
        if edge.kind == "void" and edge.level is not None:
            zone = EDGE_ZONE_CELLS * max(kind.shape) / max(edge.grid)
            area = bare_area(half, distance * edge.side, edge.level, zone)
        else:
            area = np.abs(distance) < EDGE_ZONE_CELLS
            if edge.side:
                area |= distance * edge.side > 0.0
        kind[area & (kind == AreaKind.USABLE)] = _EDGE_KINDS[edge.kind]
        if edge.kind == "torn":
            kind[~area & (kind == AreaKind.USABLE)] = AreaKind.BRIGHT


def _round_objects(edges: tuple[FilmEdge, ...], shape: tuple[int, int]) -> _Bool:
    """Return the pixels inside large round dark objects, which the background must not follow."""
    inside = np.zeros(shape, np.bool_)
    for edge in edges:
        if edge.kind == "object":
            inside |= edge.distance(shape) * edge.side > -EDGE_ZONE_CELLS
    return inside
