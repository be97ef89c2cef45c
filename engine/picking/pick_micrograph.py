"""Picking one micrograph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.discoveries import discoveries
from cryoverdict.engine.picking.found import Found
from cryoverdict.engine.picking.mistaken_area import corrected_kind
from cryoverdict.engine.picking.peaks import apart
from cryoverdict.engine.picking.picking_field import picking_field
from cryoverdict.engine.picking.picking_image import PickingImage, read_picking_image
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.engine.picking.rings import Rings
from cryoverdict.engine.picking.search import Search, search
from cryoverdict.engine.picking.sought import Sought, sought
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.features.area_map import AreaKind

_Double = NDArray[np.float64]
_Bool = NDArray[np.bool_]

# The share of the picks of one micrograph that may look like what its own noise shows with the
# contrast turned round; beyond it, its threshold is raised.
DECOY_RATE = 0.35
# Fewer picks than this number that decoys explain are not worth a rule of their own.
FEW_DECOYS = 3
# What a particle's shape may leave over reaches this far, in diameters.
DECOY_REACH = 0.7


def pick_micrograph(
    subject: PickingMicrograph,
    parameters: PickingParameters,
    templates: Templates | None = None,
) -> Picks:
    """Return the picks of one micrograph.

    Places above the threshold that lie on film, under contamination, too near the border or to a
    better place, or above the ceiling are dropped and counted. What the usable-area map holds for
    contamination and is filled with such particles counts as usable. A micrograph whose noise gives
    light maxima as high as the dark ones (carbon, crystalline ice) gets a higher threshold of its
    own. Raises `InputError` where the image cannot be read or its pixel size is unknown.
    """
    image = read_picking_image(
        subject, parameters.picking_pixel_size_a, sign=parameters.contrast_sign
    )
    return pick_image(image, parameters, templates)


def pick_image(
    image: PickingImage, parameters: PickingParameters, templates: Templates | None = None
) -> Picks:
    """Return the picks of a picking image."""
    wanted = sought(parameters, templates)
    held = image.kind
    image, made, found = _looked_at(image, parameters, wanted)
    usable = _on(image.kind, found) == AreaKind.USABLE
    threshold, notes = _own_threshold(
        made,
        found.only(usable),
        parameters.score_threshold,
        DECOY_REACH * parameters.diameter_a / image.pixel_size_a,
    )
    full_y, full_x = image.full_px(found.y, found.x)
    step_a = image.pixel_size_a / (image.step[0] * image.step[1]) ** 0.5
    reasons = _reasons(image, found, full_y, full_x, parameters, step_a, threshold)
    size = np.array(wanted.diameters_a)[found.reference]
    kept = reasons == ""
    dropped = {}
    for reason in sorted(set(reasons.tolist()) - {""}):
        of = reasons == reason
        dropped[reason] = DroppedPicks(x_px=full_x[of], y_px=full_y[of], score=found.score[of])
    return Picks(
        subject=image.subject,
        x_px=full_x[kept],
        y_px=full_y[kept],
        score=found.score[kept],
        diameter_a=size[kept],
        dropped=dropped,
        usable_fraction=_allowed_fraction(image, parameters.edge_margin_a),
        notes=(*notes, *_corrections(held, image.kind)),
    )


def _corrections(held: NDArray[np.uint8], corrected: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return a note of what was held for contamination and is particles, if anything."""
    share = float(np.mean(held != corrected))
    if share == 0.0:
        return ()
    return (f"{share:.1%} of it was held for contamination and is filled with particles",)


def _looked_at(
    image: PickingImage, parameters: PickingParameters, wanted: Sought
) -> tuple[PickingImage, Search, Found]:
    """Return an image with its usable area corrected, the search in it and the places found.

    Where particles are held for contamination the noise is too low and their scores too high, so
    that no ceiling holds until they are usable; what then scores higher than particles do is what
    it was held for.
    """

    def looked(shown: PickingImage) -> tuple[Search, Found]:
        made = prepared_search(shown, parameters, wanted)
        return made, _everywhere(made, max(parameters.score_threshold, 1.0))

    shown, (made, found) = image, looked(image)
    for ceiling in (float("inf"), parameters.score_ceiling):
        kind = corrected_kind(image, found, parameters, ceiling)
        if not np.array_equal(kind, shown.kind):
            shown = replace(image, kind=kind)
            made, found = looked(shown)
    return shown, made, found


def prepared_search(image: PickingImage, parameters: PickingParameters, wanted: Sought) -> Search:
    """Return the search for what is wanted, its noise measured."""
    longest_a = max(parameters.diameter_max_a, parameters.diameter_a)
    return search(
        picking_field(image, longest_a),
        wanted.round_ones,
        Rings.of(parameters.diameter_a, image.pixel_size_a),
        # Neighbours are looked at again after places that are no picks are gone.
        spacing_a=0.5 * parameters.spacing_a,
        views=wanted.views,
        lowpass_a=parameters.lowpass_a,
    )


def _everywhere(made: Search, floor: float) -> Found:
    """Return the places of a micrograph, those of film and contamination included, best first."""
    field = made.detector.field
    found = made.found(field.transform, floor)
    if field.whole is field.transform:
        return found
    found = found.only(_on(field.image.kind, found) == AreaKind.USABLE)
    there = made.found(field.whole, floor)
    there = there.only(_on(field.image.kind, there) != AreaKind.USABLE)
    order = np.argsort(-np.concatenate((found.score, there.score)), kind="stable")
    return Found(
        y=np.concatenate((found.y, there.y))[order],
        x=np.concatenate((found.x, there.x))[order],
        score=np.concatenate((found.score, there.score))[order],
        reference=np.concatenate((found.reference, there.reference))[order],
    )


def _on(kind: NDArray[np.uint8], found: Found) -> NDArray[np.uint8]:
    """Return what lies under each place."""
    return np.asarray(kind[found.pixels(kind.shape)], np.uint8)


def _own_threshold(
    made: Search, usable: Found, threshold: float, own_px: float
) -> tuple[float, tuple[str, ...]]:
    """Return the threshold of this micrograph, and a note where it is not the common one.

    Decoys are light maxima in what was left over. Those within ``own_px`` of a dark place may be
    what its shape left there and do not count; the others stand for their share of the area.
    """
    from scipy.spatial import KDTree

    shown = made.detector.field.image
    opposite = made.found(-made.rest, max(threshold, 1.0))
    light = opposite.only(_on(shown.kind, opposite) == AreaKind.USABLE)
    dark = usable.only(usable.score >= threshold)
    area = max(1, int(np.count_nonzero(shown.usable)))
    if len(light) and len(dark):
        places = np.stack((light.y, light.x), axis=1)
        away = KDTree(np.stack((dark.y, dark.x), axis=1)).query(places)[0] > own_px
        light = light.only(away)
    free = max(0.2, float(np.exp(-len(dark) * np.pi * own_px**2 / area)))
    decoys = len(light) / free
    if decoys <= FEW_DECOYS or decoys <= DECOY_RATE * len(dark):
        return threshold, ()
    own = discoveries(dark.score, light.score, 1.0 / free).threshold(DECOY_RATE)
    if own <= threshold:
        return threshold, ()
    note = (
        f"its noise shows {decoys:.0f} places as high in the opposite contrast beside {len(dark)}: "
        + (f"its own threshold is {own:.2f}" if np.isfinite(own) else "nothing is picked")
    )
    return own, (note,)


def _reasons(
    image: PickingImage,
    found: Found,
    full_y: _Double,
    full_x: _Double,
    parameters: PickingParameters,
    step_a: float,
    threshold: float,
) -> NDArray[np.str_]:
    """Return why each place is dropped, an empty string where it is picked."""
    reasons = np.full(len(found), "", dtype="<U16")
    kind = _on(image.kind, found)
    margin = parameters.edge_margin_a / step_a
    height, width = image.full_shape
    outside = np.minimum.reduce(
        [full_y + 0.5, full_x + 0.5, height - 0.5 - full_y, width - 0.5 - full_x]
    )
    for which in AreaKind:
        if which != AreaKind.USABLE:
            reasons[kind == which] = which.name.lower()
    beside = _beside_bars(image, found, 0.5 * parameters.diameter_a / image.pixel_size_a)
    reasons[(reasons == "") & beside] = AreaKind.DARK_BAR.name.lower()
    reasons[(reasons == "") & (outside < margin)] = "edge"
    reasons[(reasons == "") & (found.score < threshold)] = "chance"
    reasons[(reasons == "") & (found.score > parameters.score_ceiling)] = "score_ceiling"
    # What is too high to be a particle keeps its neighbourhood to itself; other drops do not.
    rivals = np.flatnonzero((reasons == "") | (reasons == "score_ceiling"))
    stays = apart(full_y[rivals], full_x[rivals], parameters.spacing_a / step_a)
    crowded = rivals[~stays]
    reasons[crowded[reasons[crowded] == ""]] = "crowded"
    left = np.flatnonzero(reasons == "")
    reasons[left[parameters.most_per_micrograph :]] = "too_many"
    return reasons


def _beside_bars(image: PickingImage, found: Found, reach_px: float) -> NDArray[np.bool_]:
    """Return which places are so near a bar that it cuts the particle.

    What a bar hides is no specimen, and its edge is as high as a particle.
    """
    from scipy import ndimage

    bars = image.kind == AreaKind.DARK_BAR
    if not bars.any() or not len(found):
        return np.zeros(len(found), np.bool_)
    away = ndimage.distance_transform_edt(~bars)
    near: NDArray[np.bool_] = away[found.pixels(bars.shape)] < reach_px
    return near


def _allowed_fraction(image: PickingImage, margin_a: float) -> float:
    """Return the fraction of the field that is usable and away from the borders."""
    margin = round(margin_a / image.pixel_size_a)
    height, width = image.kind.shape
    if 2 * margin >= min(height, width):
        return 0.0
    inner = image.usable[margin : height - margin, margin : width - margin]
    return float(np.count_nonzero(inner)) / image.kind.size
