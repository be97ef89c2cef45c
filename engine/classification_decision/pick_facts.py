"""What is known of the picks of a data set before extraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.ctf_estimation import estimate_all
from cryoverdict.engine.extraction.coordinates import read_coordinates
from cryoverdict.engine.extraction.picked_micrographs import PickedMicrograph, PickedSet
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import electron_wavelength_a
from cryoverdict.features.read_image import read_image

# Where the list has no CTF, it is fitted to so many micrographs; so many are opened for their size.
FITTED, OPENED = 8, 3
MOST_DEFOCUS = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class PickFacts:
    """The facts by name, sentences on how they were found, and what could not be read."""

    facts: Mapping[str, Answer]
    findings: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


def facts_of_picks(
    picked: PickedSet, picking: Mapping[str, float], *, threads: int = 1
) -> PickFacts:
    """Return the facts of the kind «classification» that picks and micrographs tell.

    ``picking`` are the parameters of ``picking.json``. Raises `InputError` where no pick can be
    read.
    """
    errors: dict[str, str] = {}
    used: list[PickedMicrograph] = []
    count = 0
    distances: list[float] = []
    for one in picked.picked:
        try:
            places = read_coordinates(one.coordinates)
        except InputError as error:
            errors[one.subject] = str(error)
            continue
        good = np.isfinite(places.x_px) & np.isfinite(places.y_px)
        if not good.any():
            continue
        used.append(one)
        count += int(good.sum())
        distances += _nearest(np.stack([places.x_px[good], places.y_px[good]], axis=1))
    if not used:
        reason = next(iter({**picked.errors, **errors}.values()), "the lists hold no coordinates")
        msg = f"no pick can be used: {reason}"
        raise InputError(msg)
    micrographs = [one.micrograph for one in used]
    findings: list[str] = []
    sizes = sorted({m.optics.pixel_size_a for m in micrographs if m.optics.pixel_size_a})
    if len(sizes) > 1:
        findings.append(
            f"micrographs of {len(sizes)} pixel sizes, {sizes[0]:g} to {sizes[-1]:g} Å: settled for"
            " the most frequent one"
        )
    pixel = _most_frequent([m.optics.pixel_size_a for m in micrographs])
    voltage = _most_frequent([m.optics.voltage_kv for m in micrographs])
    facts: dict[str, Answer] = {
        "particle_count": float(count),
        "micrograph_count": float(len(used)),
        "diameter_a": _number(picking, "diameter_a"),
        "diameter_max_a": _number(picking, "diameter_max_a"),
        "extent_a": _number(picking, "extent_a"),
        "contrast_sign": _number(picking, "contrast_sign"),
        "pixel_size_a": Absent("the pixel size is unknown") if pixel is None else pixel,
        "wavelength_a": (
            Absent("the voltage is unknown") if voltage is None else electron_wavelength_a(voltage)
        ),
        "micrograph_side_px": _side(micrographs),
        "neighbour_distance_a": (
            float(np.median(distances)) * pixel
            if distances and pixel is not None
            else Absent("no micrograph with two picks and a pixel size")
        ),
    }
    ctf, said = _ctf_facts(micrographs, threads)
    return PickFacts(facts={**facts, **ctf}, findings=(*findings, *said), errors=errors)


def _nearest(places: NDArray[np.float64]) -> list[float]:
    """Return each place's distance to the nearest other one, in pixels."""
    if len(places) < 2:
        return []
    from scipy.spatial import cKDTree

    return [float(d) for d in cKDTree(places).query(places, k=2)[0][:, 1]]


def _most_frequent(values: Sequence[float | None]) -> float | None:
    """Return the value that occurs most often, the smaller of two; ``None`` if all are unknown."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    found, counts = np.unique(known, return_counts=True)
    return float(found[counts.argmax()])


def _number(picking: Mapping[str, float], name: str) -> Answer:
    """Return a parameter of picking."""
    return picking[name] if name in picking else Absent(f"picking.json has no {name}")


def _side(micrographs: Sequence[Micrograph]) -> Answer:
    """Return the shorter side of the smallest of a few micrographs."""
    step = max(1, len(micrographs) // OPENED)
    sides = []
    for micrograph in micrographs[::step][:OPENED]:
        try:
            sides.append(min(read_image(micrograph.path).pixels.shape))
        except InputError:
            continue
    return float(min(sides)) if sides else Absent("no micrograph could be opened")


def _ctf_facts(
    micrographs: Sequence[Micrograph], threads: int
) -> tuple[dict[str, Answer], tuple[str, ...]]:
    """Return what the CTFs of the lists say, else those fitted to a few micrographs."""
    given = [m.given_ctf for m in micrographs if m.given_ctf is not None]
    share = len(given) / len(micrographs)
    defocus = [0.5 * (c.defocus_u_a + c.defocus_v_a) for c in given]
    ends = [c.resolution_a for c in given if c.resolution_a is not None]
    said: tuple[str, ...] = ()
    if not defocus and not any(m.optics.missing_for_ctf for m in micrographs):
        step = max(1, len(micrographs) // FITTED)
        tried = micrographs[::step][:FITTED]
        fits = [
            e.fit
            for e in estimate_all(tried, stored=False, phase_plate=False, threads=threads)
            if e.fit is not None and e.fit.rings_seen and e.fit.ctf.mean_defocus_a > 0
        ]
        defocus = [f.ctf.mean_defocus_a for f in fits]
        ends = [f.resolution_a for f in fits]
        said = (
            (f"The lists have no CTF: it was fitted to {len(fits)} micrographs.",) if fits else ()
        )
    known = bool(defocus)
    absent = Absent("no defocus is known")
    facts: dict[str, Answer] = {
        "ctf_known_share": share,
        "defocus_median_a": float(np.median(defocus)) if known else absent,
        "defocus_max_a": float(np.quantile(defocus, MOST_DEFOCUS)) if known else absent,
        "ctf_resolution_a": (
            float(np.median(ends)) if ends else Absent("the lists have no CTF resolution")
        ),
    }
    return facts, said
