"""Picking that leaves the choice to the particle classifier: one round shape, a low threshold.

Templates in all views and turns tell particles from chance better than a round shape does, and take
five times as long. Where a learnt classifier looks at every pick the round shape is enough: it only
has to miss nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.template_file import ROUND_SHAPE, write_templates

# Scores are in deviations of the noise. Lessons and next data are picked from here on alike: low
# enough to miss nothing, and to hold junk enough to know it.
LOWEST_THRESHOLD = 2.0
FILE = "picking.json"


def round_template(templates: Templates) -> Templates:
    """Return what the good class averages have in common when turned at random: a round shape."""
    mean = np.tensordot(templates.weights, templates.images, axes=1)
    side = mean.shape[-1]
    axis = np.arange(side) - side // 2
    distance = np.hypot(axis[:, None], axis[None, :])
    ring = np.minimum(np.rint(distance).astype(np.intp), side // 2)
    count = np.maximum(np.bincount(ring.ravel()), 1)
    profile = np.bincount(ring.ravel(), mean.ravel()) / count
    profile -= profile[side // 2]
    image = np.interp(distance, np.arange(len(profile)), profile)
    return Templates(
        images=np.asarray(image, np.float32)[None],
        pixel_size_a=templates.pixel_size_a,
        weights=np.ones(1),
    )


def with_threshold(settled: ParameterFile, threshold: float) -> ParameterFile:
    """Return the run's picking parameters with another threshold, by the round shape."""
    changed: Mapping[str, float] = {**settled.parameters, "score_threshold": threshold}
    return replace(settled, parameters=changed, templates=ROUND_SHAPE)


def write_quick_picking(folder: Path, settled: ParameterFile, templates: Templates) -> Path:
    """Write ``picking.json`` and its round shape into a folder; return the file."""
    write_templates(folder, round_template(templates), ROUND_SHAPE)
    path = folder / FILE
    settled.write(path)
    return path
