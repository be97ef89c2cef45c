"""Where the selected particles lie in their micrographs, once 2D classification has moved them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.coordinates import SCORE, X, Y
from cryoverdict.engine.extraction.extract_micrograph import SCALE_TOLERANCE
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.particle_optics import MICROGRAPH_SIZE, ORIGINAL_SIZE
from cryoverdict.engine.picking_files.coordinate_star import DIAMETER
from cryoverdict.engine.stack.recentre import recentred
from cryoverdict.engine.stack.selected_particles import (
    MICROGRAPH,
    SelectedParticles,
    number_or_nan,
)
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import MicrographList, find_file, printable
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_list import GROUP

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Centred coordinates ``(n,)`` in micrograph pixels, and ``origin_a`` ``(n, 2)`` what is left.

    ``size_a`` is the pixel size of each particle's micrograph, ``score`` and ``diameter_a`` are the
    pick's; NaN where unknown.
    ``by_micrograph`` holds each micrograph's rows, in the order of the lists.
    """

    x_px: Floats
    y_px: Floats
    origin_a: Floats
    size_a: Floats
    score: Floats
    diameter_a: Floats
    by_micrograph: Mapping[str, NDArray[np.int64]]

    def common_size_a(self, settings: ExtractionSettings) -> float | None:
        """Return the pixel size of the micrographs that the settings fit; ``None`` if unknown.

        Where these differ by a little it is the one that was decided for.
        """
        wanted = settings.binned_pixel_size_a
        sizes = np.unique(self.size_a[np.isfinite(self.size_a)])
        if wanted is not None:
            expected = wanted / settings.binning
            near = np.abs(sizes - expected) <= SCALE_TOLERANCE * expected
            sizes = sizes[near] if near.sum() == 1 else np.array([expected])
        return float(sizes[0]) if len(sizes) == 1 else None


def find_micrographs(
    particles: SelectedParticles, listed: MicrographList | None
) -> dict[str, Micrograph]:
    """Return the micrographs of the particles that are there, by the name the particles give.

    Looked for in the list given, then as named, from the current folder or from a folder above
    the particles' list.
    """
    names = particles.words(MICROGRAPH)
    sizes = {g: _size_of(row) for g, row in particles.group_rows.items()}
    groups = particles.words(GROUP)
    known = {} if listed is None else {m.subject: m for m in listed.micrographs}
    found: dict[str, Micrograph] = {}
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen or not name:
            continue
        seen.add(name)
        size = sizes.get(groups[i])
        own = Optics() if size is None else Optics(pixel_size_a=size)
        subject = printable(name)
        if subject in known:
            path = known[subject].path
            own = own.completed(known[subject].optics)
        else:
            place = find_file(name, particles.lists[particles.source[i]])
            if isinstance(place, str):
                continue
            path = place[0]
        found[name] = Micrograph(subject=subject, path=path, optics=own)
    return found


def particle_places(
    particles: SelectedParticles,
    settings: ExtractionSettings,
    micrographs: Mapping[str, Micrograph],
) -> Places | None:
    """Return where the particles lie; ``None`` where the lists say no coordinates.

    The pixel size is the optics group's, else the micrograph's, else what the settings were
    decided for.
    """
    x, y = particles.numbers(X), particles.numbers(Y)
    names = particles.words(MICROGRAPH)
    if x is None or y is None or not particles.has(MICROGRAPH):
        return None
    decided = settings.binned_pixel_size_a
    usual = np.nan if decided is None else decided / settings.binning
    groups = particles.words(GROUP)
    of_group = {g: _size_of(row) for g, row in particles.group_rows.items()}
    of_file = {name: m.optics.pixel_size_a for name, m in micrographs.items()}
    size = np.array(
        [of_group[g] or of_file.get(n) or usual for g, n in zip(groups, names, strict=True)]
    )
    origin = np.zeros((len(x), 2))
    for axis, label in enumerate("XY"):
        angstrom = particles.numbers(f"rlnOrigin{label}Angst")
        if angstrom is not None:
            origin[:, axis] = np.nan_to_num(angstrom)
    # Where the pixel size is unknown no shift in Å can be followed: the origin stays as it is.
    known = np.isfinite(size)
    step = np.where(known, size, 1.0)
    moved_x, left_x = recentred(x, np.where(known, origin[:, 0], 0.0), step)
    moved_y, left_y = recentred(y, np.where(known, origin[:, 1], 0.0), step)
    left = np.where(known[:, None], np.stack([left_x, left_y], axis=1), origin)
    score, diameter = particles.numbers(SCORE), particles.numbers(DIAMETER)
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault(name, []).append(i)
    return Places(
        x_px=moved_x,
        y_px=moved_y,
        origin_a=left,
        size_a=size,
        score=np.full(len(x), np.nan) if score is None else score,
        diameter_a=np.full(len(x), np.nan) if diameter is None else diameter,
        by_micrograph={name: np.array(listed, dtype=np.int64) for name, listed in rows.items()},
    )


def _size_of(group: Mapping[str, str]) -> float | None:
    """Return the pixel size (Å) of the micrographs of an optics group."""
    for label in (MICROGRAPH_SIZE, ORIGINAL_SIZE):
        size = number_or_nan(group.get(label, ""))
        if np.isfinite(size) and size > 0.0:
            return size
    return None
