"""The particles of one micrograph: judged, cut out, written into its stack."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.coordinates import SCORE, Coordinates, X, Y, read_coordinates
from cryoverdict.engine.extraction.cut_particles import cut_particles
from cryoverdict.engine.extraction.extraction_record import (
    ExtractionRecord,
    fingerprint_of,
    read_record,
)
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.micrograph_ctf import fitted_ctf
from cryoverdict.engine.extraction.particle_fate import FATES, Fate
from cryoverdict.engine.extraction.pick_filter import duplicates, over_the_edge, particle_radii
from cryoverdict.engine.extraction.picked_micrographs import PickedMicrograph
from cryoverdict.engine.extraction.stack_file import StackWriter, stack_bytes
from cryoverdict.engine.extraction.window import centre_pixels
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable

# Beyond this relative difference a micrograph is of another scale than the settings were made for.
SCALE_TOLERANCE = 0.005
PICK = "cryoverdictPick"
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionTask:
    """One micrograph, how to cut it, and where its stack and its record go.

    ``ctf`` is the CTF that came with the list under RELION's labels; where it is ``None`` the
    CTF is fitted if ``fit_ctf`` and the optics allow it.
    """

    picked: PickedMicrograph
    settings: ExtractionSettings
    stack: Path
    record: Path
    ctf: Mapping[str, str] | None = None
    fit_ctf: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What became of one micrograph."""

    subject: str
    how: Literal["extracted", "reused", "error"]
    error: str = ""


def extract_micrograph(task: ExtractionTask) -> Extracted:
    """Cut the particles of one micrograph, unless record and stack say that this was done.

    Every fault of the files becomes an answer, none an exception.
    """
    subject = task.picked.subject
    try:
        fingerprint = fingerprint_of(
            task.picked.micrograph.path,
            task.picked.coordinates,
            task.settings,
            task.picked.micrograph.optics,
            None if task.ctf is None else sorted(task.ctf.items()),
            task.fit_ctf,
            subject,
        )
        coordinates = read_coordinates(task.picked.coordinates)
    except (InputError, OSError) as error:
        # Without coordinates nobody knows how many particles there are: nothing is on record.
        task.record.unlink(missing_ok=True)
        task.stack.unlink(missing_ok=True)
        return Extracted(subject=subject, how="error", error=_reason(error))
    old = read_record(task.record)
    if old is not None and old.fingerprint == fingerprint and _is_whole(task, old):
        return Extracted(subject=subject, how="reused")
    try:
        record = _extract(task, coordinates, fingerprint)
    except (InputError, OSError) as error:
        record = _unreadable(task, coordinates, _reason(error))
    record.write(task.record)
    return Extracted(
        subject=subject, how="error" if record.error else "extracted", error=record.error
    )


def _reason(error: InputError | OSError) -> str:
    """Return one line that says where and what."""
    if isinstance(error, InputError):
        return str(error)
    return f"{error.filename}: cannot be read ({error.strerror or error})"


def _is_whole(task: ExtractionTask, record: ExtractionRecord) -> bool:
    """Return whether the stack that a record speaks of is there in its full length."""
    count = len(record.kept.rows)
    if not count:
        return not task.stack.exists()
    settings = task.settings
    expected = stack_bytes(count, settings.binned_box_px, float16=settings.float16)
    return task.stack.is_file() and task.stack.stat().st_size == expected


def _unreadable(task: ExtractionTask, coordinates: Coordinates, reason: str) -> ExtractionRecord:
    """Return the record of a micrograph that cannot be read: all its picks are lost with it."""
    task.stack.unlink(missing_ok=True)
    return ExtractionRecord(
        fingerprint="",
        stack=task.stack.name,
        fate=np.full(len(coordinates), FATES.index("unreadable"), dtype=np.uint8),
        x_px=coordinates.x_px,
        y_px=coordinates.y_px,
        kept=StarTable(columns=(), rows=()),
        optics=task.picked.micrograph.optics,
        error=reason,
    )


def _extract(task: ExtractionTask, coordinates: Coordinates, fingerprint: str) -> ExtractionRecord:
    """Read the micrograph, judge its picks, write the stack."""
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.read_image import read_image

    settings, micrograph = task.settings, task.picked.micrograph
    image = read_image(micrograph.path)
    optics = check_pixel_size(micrograph, image)
    pixel_size_a, scale_error = micrograph_pixel_size(optics, settings)
    rows, columns = image.pixels.shape
    fate = judge_picks(coordinates, (rows, columns), settings, pixel_size_a)
    if scale_error:
        fate[fate == FATES.index("kept")] = FATES.index("other_scale")
    chosen = np.flatnonzero(fate == FATES.index("kept"))
    blank = write_particles(
        task.stack,
        image.pixels,
        coordinates,
        chosen,
        settings,
        pixel_size_a=pixel_size_a,
        subject=task.picked.subject,
    )
    fate[blank] = FATES.index("blank")
    chosen = np.setdiff1d(chosen, blank)
    ctf, notes = task.ctf, []
    if ctf is None and task.fit_ctf and len(chosen):
        ctf, note = fitted_ctf(micrograph, image, optics)
        notes.append(note)
    return ExtractionRecord(
        # A fault is looked at anew by the next run.
        fingerprint="" if scale_error else fingerprint,
        stack=task.stack.name,
        fate=fate,
        x_px=coordinates.x_px,
        y_px=coordinates.y_px,
        kept=_kept_rows(coordinates, chosen),
        optics=optics if optics.pixel_size_a is not None else _with_size(optics, pixel_size_a),
        shape=(rows, columns),
        ctf=None if ctf is None else dict(ctf),
        notes=tuple(notes),
        error=f"{micrograph.path}: {scale_error}" if scale_error else "",
    )


def micrograph_pixel_size(optics: Optics, settings: ExtractionSettings) -> tuple[float | None, str]:
    """Return the pixel size of a micrograph, and what is wrong with it for these settings.

    Where the micrograph does not say it, it is what the settings were made for.
    """
    wanted = settings.binned_pixel_size_a
    expected = None if wanted is None else wanted / settings.binning
    size = optics.pixel_size_a
    if size is None or expected is None or abs(size - expected) <= SCALE_TOLERANCE * expected:
        return size if size is not None else expected, ""
    return size, (
        f"its pixels are {size:g} Å, the settings were decided for {expected:g} Å; decide and "
        "extract the micrographs of each pixel size apart"
    )


def judge_picks(
    coordinates: Coordinates,
    shape: tuple[int, int],
    settings: ExtractionSettings,
    pixel_size_a: float | None,
) -> Codes:
    """Return the fate of each pick, ``(n,)`` indices into `FATES`; shape is (rows, columns).

    A pick at the edge does not drop its better placed duplicate: edges are looked at first.
    """

    def put(places: NDArray[np.bool_] | NDArray[np.int64], name: Fate) -> None:
        fate[places] = FATES.index(name)

    fate = np.zeros(len(coordinates), dtype=np.uint8)
    # Further out than this a coordinate is nonsense, and would not fit a whole number.
    wild = ~(np.abs(coordinates.x_px) < 1e7) | ~(np.abs(coordinates.y_px) < 1e7)
    put(wild, "not_a_number")
    good = np.flatnonzero(~wild)
    x, y = centre_pixels(coordinates.x_px[good]), centre_pixels(coordinates.y_px[good])
    radii = particle_radii(coordinates.diameter_a[good], settings, pixel_size_a)
    over = over_the_edge(x, y, shape, settings, radii)
    put(good[over], "edge")
    good = good[~over]
    # Without a pixel size the same place still is a duplicate.
    distance = max(settings.duplicate_distance_a / pixel_size_a, 0.0) if pixel_size_a else 0.0
    twice = duplicates(
        coordinates.x_px[good], coordinates.y_px[good], coordinates.score[good], distance
    )
    put(good[twice], "duplicate")
    return fate


def write_particles(
    path: Path,
    pixels: NDArray[np.float32],
    coordinates: Coordinates,
    chosen: NDArray[np.int64],
    settings: ExtractionSettings,
    *,
    pixel_size_a: float | None,
    subject: str,
) -> NDArray[np.int64]:
    """Write the images of the chosen picks of a micrograph as one stack; none where none is good.

    Returns those of the chosen that were left out, for a background of one grey value.
    """
    x, y = centre_pixels(coordinates.x_px[chosen]), centre_pixels(coordinates.y_px[chosen])
    # The name, so that the noise differs between micrographs, and never the place on the disk.
    seed = zlib.crc32(subject.encode("utf-8", "surrogatepass"))
    size = (pixel_size_a or 0.0) * settings.binning
    good: list[NDArray[np.bool_]] = []
    path.unlink(missing_ok=True)
    with StackWriter(path, settings.binned_box_px, size, float16=settings.float16) as stack:
        for images, varies in cut_particles(pixels, x, y, settings, seed=seed):
            stack.write(images if varies.all() else images[varies])
            good.append(varies)
    return chosen[~np.concatenate(good)] if good else chosen


def _kept_rows(coordinates: Coordinates, chosen: NDArray[np.int64]) -> StarTable:
    """Return the columns of the chosen picks as written, and each one's number."""
    table = coordinates.table
    first = [label for label in (X, Y, SCORE) if label in table.columns]
    columns = [*first, *(c for c in table.columns if c not in (*first, PICK))]
    places = [table.columns.index(label) for label in columns]
    rows = tuple((*(table.rows[i][p] for p in places), str(i + 1)) for i in chosen.tolist())
    return StarTable(columns=(*columns, PICK), rows=rows)


def _with_size(optics: Optics, pixel_size_a: float | None) -> Optics:
    """Return optics with a pixel size, where one is known."""
    return optics if pixel_size_a is None else optics.completed(Optics(pixel_size_a=pixel_size_a))
