"""Measure many micrographs: in parallel, in bounded memory, never the same file twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.measurement_store import Measurement, MeasurementStore, Pictures
from cryoverdict.engine.parallel import each
from cryoverdict.features.ctf_fit import CtfFit
from cryoverdict.features.embedding import embedding, embedding_name
from cryoverdict.features.families import measure, micrograph_features
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.table import FeatureTable
from cryoverdict.features.view import View

# Closer to 0 than this the sign of the contrast is a guess, not worth a note.
CLEARLY_INVERTED = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What became of one micrograph: measured now, found measured before, or not readable."""

    subject: str
    how: Literal["measured", "changed", "stored", "error"]
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One micrograph and where its measurement is kept."""

    micrograph: Micrograph
    store: MeasurementStore


def measure_all(
    micrographs: Sequence[Micrograph],
    store: MeasurementStore,
    *,
    threads: int,
) -> Iterator[Measured]:
    """Measure what the store does not hold yet, and yield what became of each micrograph.

    A file that changed since it was measured (size or time), other optics, or another version of
    the measuring code is measured anew.
    """
    tasks = (_Task(micrograph=m, store=store) for m in micrographs)
    yield from each(_measure_task, tasks, threads=min(threads, max(1, len(micrographs) // 2)))


def table_of(store: MeasurementStore, subjects: Sequence[str]) -> FeatureTable:
    """Return the feature table of some measured subjects."""
    rows: dict[str, Mapping[str, Answer]] = {}
    embeddings: dict[str, dict[str, NDArray[np.float32]]] = {}
    for subject in subjects:
        stored = store.read(subject, pictured=False)
        rows[subject] = stored.answers
        for name, vector in stored.embeddings.items():
            embeddings.setdefault(name, {})[subject] = vector
    return FeatureTable.of(rows, micrograph_features(), embeddings)


def measure_file(micrograph: Micrograph) -> Measurement:
    """Read one micrograph and measure everything; raises `InputError` where it is not usable."""
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.prepare import prepare
    from cryoverdict.features.read_image import read_image

    image = read_image(micrograph.path)
    view = prepare(micrograph, image, check_pixel_size(micrograph, image))
    return measure_view(view)


def measure_view(view: View) -> Measurement:
    """Measure a view and draw its small pictures."""
    notes = []
    if view.contrast_sign < -CLEARLY_INVERTED:
        notes.append("The contrast was inverted (particles light) and has been corrected.")
    if view.optics.pixel_size_a is None:
        notes.append("The pixel size is unknown: what needs it could not say.")
    return Measurement(
        answers=measure(view),
        optics=view.optics,
        notes=tuple(notes),
        pictures=draw(view),
        embeddings=embedded(view),
    )


def embedded(view: View) -> dict[str, NDArray[np.float32]]:
    """Return the embedding of a view under its network's name; nothing without a network."""
    vector = view.once(embedding)
    return {} if isinstance(vector, Absent) else {str(embedding_name()): vector}


def draw(view: View) -> Pictures:
    """Return the thumbnail, the spectrum, the usable-area map and the CTF curves of a view."""
    from cryoverdict.features.area_map import usable_area
    from cryoverdict.features.ctf_family import fitted
    from cryoverdict.features.pictures import pictures

    small = pictures(view)
    drawn: Pictures = {
        "thumbnail": small.thumbnail,
        "spectrum": small.spectrum,
        "area": view.once(usable_area).kind,
    }
    fit = view.once(fitted)
    if isinstance(fit, CtfFit):
        for name in ("frequency_per_a", "power", "background", "fit", "agreement"):
            drawn[f"profile_{name}"] = np.asarray(getattr(fit.profile, name), np.float32)
        drawn["ctf"] = np.array(told(fit))
    return drawn


def told(fit: CtfFit) -> str:
    """Return a CTF in words, for the caption under the power spectrum."""
    ctf = fit.ctf
    how = "given" if fit.given else "fitted"
    if not (fit.given or fit.rings_seen):
        return "no Thon rings stand out of the noise"
    focus = f"defocus {ctf.mean_defocus_a / 1e4:.2f} µm, astigmatism {ctf.astigmatism_a:.0f} Å"
    return f"{focus}, rings to {fit.resolution_a:.1f} Å ({how})"


def _measure_task(task: _Task) -> Measured:
    """Do one task in a worker; every fault of the file becomes an answer, none an exception."""
    micrograph, store = task.micrograph, task.store
    try:
        state = store.state(micrograph)
        if state == "current":
            return Measured(subject=micrograph.subject, how="stored")
        store.write(micrograph, measure_file(micrograph))
    except InputError as error:
        return Measured(subject=micrograph.subject, how="error", error=str(error))
    except OSError as error:
        reason = f"{micrograph.path}: cannot be read ({error.strerror or error})"
        return Measured(subject=micrograph.subject, how="error", error=reason)
    return Measured(subject=micrograph.subject, how="changed" if state == "changed" else "measured")


def stored_folder(output: Path) -> Path:
    """Return where a run keeps its measurements."""
    return output / "measured"
