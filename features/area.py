"""The usable area as measurements: how much of a micrograph is film, bar or contamination."""

from __future__ import annotations

from cryoverdict.features.area_map import AreaKind, AreaMap, usable_area
from cryoverdict.features.dark_objects import IceObject
from cryoverdict.features.feature import Absent, Answer, feature
from cryoverdict.features.film_edges import FilmEdge
from cryoverdict.features.view import View

_MAP = "usable-area map (as MicrographCleaner and Warp's BoxNet mask areas)"
_ARCS = "arcs of circles along which the sides differ (Hough transform, Duda & Hart 1972)"
# Kinds of edges that come from the support, and not from bars, tears or objects.
_SUPPORT = ("film", "line", "torn")


def _map(view: View) -> AreaMap:
    """Return the map of the view, made once."""
    return view.once(usable_area)


def _dark(view: View) -> tuple[IceObject, ...]:
    """Return the objects darker than the ice."""
    return tuple(o for o in _map(view).objects if o.kind != "bright")


def _film_edge(view: View) -> FilmEdge | Absent:
    """Return the clearest edge of a film, or of a hole of which only the rim shows."""
    edges = [e for e in _map(view).edges if e.kind in _SUPPORT]
    if not edges:
        return Absent("no edge of a film crosses the micrograph")
    return max(edges, key=lambda e: (e.kind == "film", e.score))


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
    """Fraction of the micrograph behind a straight dark bar or in faulty lines at the border."""
    return _map(view).fraction(AreaKind.DARK_BAR)


@feature(better="lower", source=_MAP)
def bright_area_fraction(view: View) -> Answer:
    """Fraction of the micrograph brighter than its ice: holes and tears without ice."""
    return _map(view).fraction(AreaKind.BRIGHT)


@feature(unit="count", better="lower", source=_MAP)
def dark_object_count(view: View) -> Answer:
    """Count of dark objects that are no particles; what lies close together counts once."""
    return float(len(_dark(view)))


@feature(better="lower", source=_MAP)
def largest_object_fraction(view: View) -> Answer:
    """Fraction of the micrograph under its largest dark object."""
    return max((float(o.area_fraction) for o in _dark(view)), default=0.0)


@feature(better="lower", source=_MAP)
def darkest_object_contrast(view: View) -> Answer:
    """Darkness of the darkest object in deviations of the noise, 0 where there is none."""
    return max((float(o.contrast) for o in _dark(view)), default=0.0)


@feature(better="lower", source=_ARCS)
def film_edge_score(view: View) -> Answer:
    """How clearly the edge of a film crosses the micrograph, 0 where none does."""
    edge = _film_edge(view)
    return 0.0 if isinstance(edge, Absent) else float(edge.score)


@feature(better="neither", source=_ARCS)
def film_edge_step(view: View) -> Answer:
    """Grey level of the film less that of the ice, in robust deviations of cells of 1/64 field."""
    edge = _film_edge(view)
    return edge if isinstance(edge, Absent) else float(edge.grey_step)


@feature(better="neither", source=_ARCS)
def film_edge_curvature(view: View) -> Answer:
    """Longer side of the field over the radius of the film's edge: 0 straight, 2 a whole circle."""
    edge = _film_edge(view)
    if isinstance(edge, Absent):
        return edge
    return abs(float(edge.arc.curvature)) * max(edge.grid)


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
    film_edge_curvature,
)
