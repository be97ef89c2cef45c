"""The usable area as measurements: how much of a micrograph is film, bar or contamination."""

from __future__ import annotations

from collections.abc import Callable

from cryoverdict.features.area_map import AreaKind, AreaMap, usable_area
from cryoverdict.features.dark_objects import IceObject
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.film_edges import FilmEdge
from cryoverdict.features.view import View

_MAP = "usable-area map (as MicrographCleaner and Warp's BoxNet mask areas)"
# Weights in robust deviations below which an edge or an object is not there.
_NOTHING = 0.0


def _map(view: View) -> AreaMap:
    """Return the map of the view, made once."""
    return view.once(usable_area)


def _dark(view: View) -> tuple[IceObject, ...]:
    """Return the objects darker than the ice."""
    return tuple(o for o in _map(view).objects if o.kind != "bright")


def _strongest(edges: tuple[FilmEdge, ...], of: Callable[[FilmEdge], float]) -> float:
    """Return the largest value over all film edges, 0 where there is none."""
    return max((of(e) for e in edges if e.kind in ("film", "line")), default=_NOTHING)


@feature(better="higher", source=_MAP)
def usable_area_fraction(view: View) -> Answer:
    """Fraction of the micrograph where particles could be picked."""
    return _map(view).fraction(AreaKind.USABLE)


@feature(better="lower", source=_MAP)
def film_fraction(view: View) -> Answer:
    """Fraction of the micrograph that is carbon or gold film, with the zone along its edge."""
    return _map(view).fraction(AreaKind.FILM)


@feature(better="lower", source=_MAP)
def contamination_fraction(view: View) -> Answer:
    """Fraction of the micrograph under dark contaminants such as ice crystals and ethane."""
    return _map(view).fraction(AreaKind.CONTAMINATION)


@feature(better="lower", source=_MAP)
def aggregate_fraction(view: View) -> Answer:
    """Fraction of the micrograph under aggregates: dark things in a heap."""
    return _map(view).fraction(AreaKind.AGGREGATE)


@feature(better="lower", source=_MAP)
def dark_bar_fraction(view: View) -> Answer:
    """Fraction of the micrograph behind a grid bar, outside the beam, or in faulty border lines."""
    return _map(view).fraction(AreaKind.DARK_BAR)


@feature(better="lower", source=_MAP)
def bright_area_fraction(view: View) -> Answer:
    """Fraction of the micrograph brighter than its ice: holes and tears without ice."""
    return _map(view).fraction(AreaKind.BRIGHT)


@feature(better="lower", source=_MAP)
def dark_object_count(view: View) -> Answer:
    """How many dark objects larger than particles there are."""
    return float(len(_dark(view)))


@feature(better="lower", source=_MAP)
def largest_object_fraction(view: View) -> Answer:
    """Fraction of the micrograph under its largest dark object."""
    return max((o.area_fraction for o in _dark(view)), default=0.0)


@feature(better="lower", source=_MAP)
def darkest_object_contrast(view: View) -> Answer:
    """Darkness of the darkest object in deviations of the noise, 0 where there is none."""
    return max((o.contrast for o in _dark(view)), default=_NOTHING)


@feature(better="lower", source="robust deviations over all arcs and lines through the micrograph")
def film_edge_score(view: View) -> Answer:
    """How clearly the edge of a film crosses the micrograph, 0 where none does."""
    return _strongest(_map(view).edges, lambda e: e.score)


@feature(better="neither", source="difference of the two sides of the edge")
def film_edge_step(view: View) -> Answer:
    """Step of the grey values across the film's edge, in robust deviations of its cells."""
    edges = _map(view).edges
    if not any(e.kind in ("film", "line") for e in edges):
        return Absent("no edge of a film crosses the micrograph")
    return _strongest(edges, lambda e: abs(e.grey_step))


FEATURES = (
    usable_area_fraction,
    film_fraction,
    contamination_fraction,
    aggregate_fraction,
    dark_bar_fraction,
    bright_area_fraction,
    dark_object_count,
    largest_object_fraction,
    darkest_object_contrast,
    film_edge_score,
    film_edge_step,
)
