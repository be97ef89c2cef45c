"""Picking many micrographs: in parallel, in bounded memory, never the same one twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.parallel import each
from cryoverdict.engine.picking.pick_micrograph import pick_micrograph
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_run.consensus import agreed, agreements
from cryoverdict.engine.picking_run.pick_store import (
    PickedMicrograph,
    PickStore,
    fingerprint_of,
)
from cryoverdict.engine.picking_run.screening import screened
from cryoverdict.features.input_error import InputError

# The longer side of the picture of a micrograph on the page.
THUMBNAIL_PX = 512
BUILTIN = "builtin"
# How the picks that were given with the call are called among the pickers.
GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What became of one micrograph: picked now, found picked before, or not readable."""

    subject: str
    how: Literal["picked", "stored", "error"]
    count: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingJob:
    """Everything that the picking of each micrograph has in common.

    ``given`` holds the picks of outside pickers by the picker's name and the subject; ``pickers``
    names all that are asked, `BUILTIN` among them where the built-in one is. Two or more are
    brought to a consensus.
    """

    parameters: PickingParameters
    store: PickStore
    templates: Templates | None = None
    pickers: tuple[str, ...] = (BUILTIN,)
    given: Mapping[str, Mapping[str, Picks]] = field(default_factory=dict)

    def fingerprint(self, subject: PickingMicrograph) -> str:
        """Return under what the picks of a micrograph are kept; raises `OSError` without its file.

        What a program picks follows from the micrograph and the parameters; what was given with
        the call counts itself.
        """
        given = self.given.get(GIVEN, {}).get(subject.subject)
        brought = {GIVEN: "" if given is None else picks_digest(given)}
        pickers = {name: brought.get(name, "") for name in self.pickers}
        return fingerprint_of(subject, self.parameters, self.templates, pickers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One micrograph of a job, with the given picks of this micrograph only."""

    subject: PickingMicrograph
    job: PickingJob


def pick_all(
    subjects: Sequence[PickingMicrograph], job: PickingJob, *, threads: int
) -> Iterator[Picked]:
    """Pick what the store does not hold yet, and yield what became of each micrograph, in order.

    A file that changed since (size or time), other parameters, templates, optics or pickers, or
    another version of the picking code are picked anew.
    """
    tasks = (_Task(subject=s, job=_for_one(job, s.subject)) for s in subjects)
    yield from each(_pick_task, tasks, threads=min(threads, max(1, len(subjects))))


def pick_until(
    subjects: Sequence[PickingMicrograph], job: PickingJob, *, particles: int, threads: int
) -> Iterator[Picked]:
    """Yield as `pick_all` does until so many particles are picked; the rest is left alone.

    The count goes by the order of ``subjects``, so that it stops at the same micrograph with any
    number of threads.
    """
    total = 0
    done = pick_all(subjects, job, threads=threads)
    for picked in done:
        yield picked
        total += picked.count
        if total >= particles:
            break
    done.close()  # type: ignore[attr-defined]


def kept_already(subject: PickingMicrograph, job: PickingJob) -> bool:
    """Say whether the store holds the picks of a micrograph as they are asked for."""
    try:
        return job.store.holds(subject.subject, job.fingerprint(subject))
    except OSError:  # it will be an entry of the ledger
        return False


def picks_digest(picks: Picks) -> str:
    """Return a digest of the places and scores of some picks."""
    return hashlib.sha256(np.stack([picks.x_px, picks.y_px, picks.score]).tobytes()).hexdigest()


def pick_one(subject: PickingMicrograph, job: PickingJob) -> PickedMicrograph:
    """Return the picks of one micrograph by the job's pickers, and its small picture.

    Raises `InputError` where the image cannot be read or its pixel size is unknown.
    """
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.read_image import read_image

    image = read_image(subject.micrograph.path)
    optics = check_pixel_size(subject.micrograph, image)
    if subject.optics is not None:
        optics = subject.optics.completed(optics)
    if optics.pixel_size_a is None:
        msg = (
            f"{subject.subject}: the pixel size is unknown; picking needs it, in the list or as "
            "--pixel-size-a"
        )
        raise InputError(msg)
    shape = (image.pixels.shape[0], image.pixels.shape[1])
    thumbnail = thumbnail_of(image.pixels)
    del image
    found: dict[str, Picks] = {}
    for name in job.pickers:
        if name == BUILTIN:
            found[name] = pick_micrograph(subject, job.parameters, job.templates)
        else:
            outside = job.given.get(name, {}).get(subject.subject)
            found[name] = screened(
                outside or _nothing(subject.subject),
                shape=shape,
                pixel_size_a=optics.pixel_size_a,
                usable_area=subject.usable_area,
                parameters=job.parameters,
            )
    within_px = job.parameters.spacing_a / 2 / optics.pixel_size_a
    several = len(found) > 1
    return PickedMicrograph(
        picks=agreed(found, within_px=within_px) if several else next(iter(found.values())),
        shape=shape,
        pixel_size_a=optics.pixel_size_a,
        thumbnail=thumbnail,
        agreement=agreements(found, within_px=within_px) if several else (),
    )


def thumbnail_of(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a small grey picture of a micrograph, its sides in proportion."""
    from cryoverdict.features.cell_grid import cell_means

    rows, columns = pixels.shape
    factor = max(1.0, max(rows, columns) / THUMBNAIL_PX)
    small = cell_means(pixels, (max(1, round(rows / factor)), max(1, round(columns / factor))))
    dark, bright = np.percentile(small, [0.5, 99.5])
    scaled = (small - dark) * (255.0 / max(float(bright - dark), 1e-12))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _for_one(job: PickingJob, subject: str) -> PickingJob:
    """Return the job with the given picks of one subject only, so that little is sent to it."""
    if not job.given:
        return job
    mine = {
        name: {subject: picks[subject]} for name, picks in job.given.items() if subject in picks
    }
    return replace(job, given=mine)


def _nothing(subject: str) -> Picks:
    """Return no picks at all."""
    none = np.empty(0)
    return Picks(subject=subject, x_px=none, y_px=none, score=none, diameter_a=none)


def _pick_task(task: _Task) -> Picked:
    """Do one task in a worker; every fault of the file becomes an answer, none an exception."""
    subject, job = task.subject, task.job
    name = subject.subject
    try:
        fingerprint = job.fingerprint(subject)
        if job.store.holds(name, fingerprint):
            return Picked(
                subject=name, how="stored", count=len(job.store.read(name, pictured=False).picks)
            )
        picked = pick_one(subject, job)
        job.store.write(picked, fingerprint)
    except InputError as error:
        return Picked(subject=name, how="error", error=str(error))
    except OSError as error:
        reason = f"{subject.micrograph.path}: cannot be read ({error.strerror or error})"
        return Picked(subject=name, how="error", error=reason)
    return Picked(subject=name, how="picked", count=len(picked.picks))
