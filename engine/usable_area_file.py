"""The usable-area map of each micrograph as a file that the picking step reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cryoverdict.engine.measurement_store import MeasurementStore


def write_usable_areas(
    store: MeasurementStore, subjects: Iterable[str], folder: Path
) -> dict[str, str]:
    """Write the maps as MRC of mode 0 and return each file's path relative to ``folder``'s parent.

    A pixel holds the code of what lies there (`cryoverdict.features.area_map`; 0 is usable). The
    map is coarser than the micrograph: both cover the same field of view.
    """
    import mrcfile

    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for subject in subjects:
        if not store.path(subject).exists():
            continue
        area = store.read(subject).pictures.get("area")
        if area is None:
            continue
        target = folder / store.path(subject).with_suffix(".mrc").name
        temporary = target.with_suffix(".part.mrc")
        with mrcfile.new(temporary, overwrite=True) as file:
            file.set_data(area.astype(np.int8))
            # The library writes when; the same map shall be the same bytes.
            file.header.nlabl = 0
            file.header.label = b""
        temporary.replace(target)
        written[subject] = f"{folder.name}/{target.name}"
    return written
