"""The final stack as a step: images, list, cryoSPARC file and ledger of the good particles."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.particle_fate import FATES
from cryoverdict.engine.extraction.particle_files import BINS_FILE, ParticleBins, ParticleStarWriter
from cryoverdict.engine.extraction.particle_optics import IMAGE_SIZE
from cryoverdict.engine.extraction.stack_file import StackWriter, stack_bytes
from cryoverdict.engine.ledger import Ledger
from cryoverdict.engine.parallel import each
from cryoverdict.engine.stack.cryosparc_particles import PlacedParticles, write_particles_cs
from cryoverdict.engine.stack.particle_places import Places, find_micrographs, particle_places
from cryoverdict.engine.stack.selected_particles import IMAGE, MICROGRAPH, SelectedParticles
from cryoverdict.engine.stack.stack_journal import open_journal, stack_fingerprint
from cryoverdict.engine.stack.stack_part import StackPart, StackTask, cut_part
from cryoverdict.engine.stack.stack_settings import stack_settings
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.star import StarTable, table_of

STAR, STACK, CRYOSPARC = "good_particles.star", "good_particles.mrcs", "good_particles.cs"
PARTS = "stack_parts"
WHY_LACKING = {
    "ctf": "defocus, voltage, Cs or amplitude contrast of some particle is unknown",
    "alignments2D": "the list has no angles and classes",
    "location": "micrographs or coordinates are unknown",
}
KEPT = FATES.index("kept")
# Images are copied in portions of about this many pixels (16 MB).
PORTION_PX = 2**22
Tracked = Callable[[Iterable[StackPart], str, int], Iterator[StackPart]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodStack:
    """What a run of the step did; ``recut`` is false where the particle images were copied."""

    ledger: Ledger
    fates: Mapping[str, int]
    box: int
    pixel_size_a: float
    recut: bool
    errors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_stack(
    particles: SelectedParticles,
    settings: ExtractionSettings,
    output: Path,
    *,
    listed: MicrographList | None = None,
    box_px: int | None = None,
    pixel_size_a: float | None = None,
    copy_images: bool = False,
    threads: int = 1,
    tracked: Tracked | None = None,
) -> GoodStack:
    """Write ``good_particles.star``, ``.mrcs`` and ``.cs``, ``ledger.json`` and the fates' table.

    The particles are cut anew from their micrographs, centred by the shifts of the 2D
    classification, at the decided box without binning, or at ``box_px`` (micrograph pixels) and
    ``pixel_size_a``. Where no micrograph is there, or ``copy_images`` asks for it, the particle
    images are copied as they are and keep their shifts. The bytes do not depend on the threads
    nor on where ``output`` lies.
    """
    if not len(particles):
        lists = ", ".join(str(path) for path in particles.lists)
        msg = f"{lists}: no particle was good, so there is no stack; see the report on the classes"
        raise EngineError(msg)
    micrographs = {} if copy_images else find_micrographs(particles, listed)
    places = particle_places(particles, settings, micrographs)
    notes: list[str] = []
    if places is None or not micrographs:
        if box_px is not None or pixel_size_a is not None:
            msg = (
                "the box and the pixel size of copied images cannot be changed; cut them anew"
                if copy_images
                else "no micrograph is there, so the box and the pixel size cannot be changed; "
                "give --micrographs, or neither"
            )
            raise EngineError(msg)
        if not copy_images:
            notes.append(
                "the micrographs are not there: the particle images were copied as they are, "
                "neither centred nor at another pixel size; give --micrographs to cut them anew"
            )
        return _copy(particles, settings, output, places, notes)
    size = places.common_size_a(settings)
    final = stack_settings(settings, size, box_px=box_px, pixel_size_a=pixel_size_a)
    tasks = [
        StackTask(
            micrograph=micrographs.get(name),
            name=name,
            x_px=places.x_px[rows],
            y_px=places.y_px[rows],
            score=places.score[rows],
            diameter_a=places.diameter_a[rows],
            settings=final,
            part=output / PARTS / f"{number:06d}.mrcs",
        )
        for number, (name, rows) in enumerate(places.by_micrograph.items())
    ]
    journal = open_journal(
        output,
        output / STACK,
        stack_fingerprint(particles, micrographs, final, places),
        [task.name for task in tasks],
        box=final.binned_box_px,
        float16=final.float16,
    )
    (output / PARTS).mkdir(parents=True, exist_ok=True)
    _check_room(output, len(particles) - journal.state.count, final)
    for left in (output / PARTS).glob("*.mrcs*"):
        left.unlink()
    (output / STACK).unlink(missing_ok=True)
    journal.begin()
    todo = tasks[len(journal.parts) :]
    work = each(cut_part, todo, threads=min(threads, max(1, len(todo) // 2)))
    watched = work if tracked is None else tracked(work, "writing the stack", len(todo))
    stack = StackWriter(
        output / STACK,
        final.binned_box_px,
        (size or 0.0) * final.binning,
        float16=final.float16,
        resumed=journal.state,
    )
    index: list[NDArray[np.int64]] = []
    shapes: list[NDArray[np.int64]] = []
    errors: dict[str, str] = {}
    with ParticleBins(output / BINS_FILE) as bins, stack:
        before = len(journal.parts)
        for number, part in enumerate(chain(journal.parts, watched)):
            rows = places.by_micrograph[part.name]
            kept = rows[part.fate == KEPT]
            if number >= before:
                _append(stack, part.images, len(kept))
                journal.add(part, stack.state())
            bins.take(part.name, part.fate, places.x_px[rows], places.y_px[rows], numbers=rows + 1)
            if part.error:
                errors[part.name] = part.error
            if len(kept):
                index.append(kept)
                shapes.append(np.tile(np.array(part.shape, dtype=np.int64), (len(kept), 1)))
    (output / PARTS).rmdir()
    chosen = np.concatenate(index) if index else np.empty(0, dtype=np.int64)
    placed = PlacedParticles(
        index=chosen,
        x_px=places.x_px[chosen],
        y_px=places.y_px[chosen],
        origin_a=places.origin_a[chosen],
        shape=np.concatenate(shapes) if shapes else np.empty((0, 2), dtype=np.int64),
        box=final.binned_box_px,
        pixel_size_a=(size or 0.0) * final.binning,
        inverted=final.invert_contrast,
    )
    notes += _write_lists(particles, placed, output, binning=final.binning, moved=True)
    journal.path.unlink()
    return _finished(placed, bins, output, recut=True, errors=errors, notes=notes)


def _check_room(output: Path, count: int, settings: ExtractionSettings) -> None:
    """Raise `EngineError` where a disk has too little room for so many more images."""
    needed = stack_bytes(count, settings.binned_box_px, float16=settings.float16)
    free = shutil.disk_usage(output).free
    if needed > free:
        msg = (
            f"{output}: {count} images of {settings.binned_box_px} px need {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; make room, or give --stack-pixel-size-a or another "
            "--output"
        )
        raise EngineError(msg)


def _append(stack: StackWriter, part: Path, count: int) -> None:
    """Copy the images of a part to the end of the stack, and take the part away."""
    from cryoverdict.features.read_mrc import HEADER_BYTES

    if not count:
        return
    pixels = stack.box**2
    portion = max(1, PORTION_PX // pixels)
    with part.open("rb") as stream:
        stream.seek(HEADER_BYTES)
        for start in range(0, count, portion):
            n = min(portion, count - start)
            images = np.fromfile(stream, dtype=stack.dtype.newbyteorder("<"), count=n * pixels)
            stack.write(images.reshape(n, stack.box, stack.box))
    part.unlink()


def _copy(
    particles: SelectedParticles,
    settings: ExtractionSettings,
    output: Path,
    places: Places | None,
    notes: Sequence[str],
) -> GoodStack:
    """Write the stack from the particle images as they are."""
    from cryoverdict.engine.classification.particle_stack import open_stack
    from cryoverdict.engine.extraction.pick_filter import duplicates

    sources = [open_stack(path) for path in particles.lists]
    boxes = {(source.box, round(source.pixel_size_a, 4)) for source in sources}
    if len(boxes) != 1:
        found = ", ".join(f"{box} px of {size:g} Å" for box, size in sorted(boxes))
        msg = f"the lists hold images of {found}; accepted is one size: write them one by one"
        raise EngineError(msg)
    first = sources[0]
    fate = np.zeros(len(particles), dtype=np.uint8)
    names = particles.words(MICROGRAPH)
    if places is not None and settings.duplicate_distance_a > 0.0:
        for rows in places.by_micrograph.values():
            distance = settings.duplicate_distance_a / float(places.size_a[rows[0]])
            twice = duplicates(places.x_px[rows], places.y_px[rows], places.score[rows], distance)
            fate[rows[twice]] = FATES.index("duplicate")
    chosen = np.flatnonzero(fate == KEPT)
    starts = np.searchsorted(particles.source, np.arange(len(sources)))
    portion = max(1, PORTION_PX // first.box**2)
    output.mkdir(parents=True, exist_ok=True)
    (output / STACK).unlink(missing_ok=True)
    with (
        ParticleBins(output / BINS_FILE) as bins,
        StackWriter(
            output / STACK, first.box, first.pixel_size_a, float16=settings.float16
        ) as stack,
    ):
        for number, source in enumerate(sources):
            here = chosen[particles.source[chosen] == number]
            for start in range(0, len(here), portion):
                stack.write(source.read(here[start : start + portion] - starts[number]))
        by_name: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            by_name.setdefault(name, []).append(i)
        for name, listed in by_name.items():
            rows = np.array(listed)
            x = np.full(len(rows), np.nan) if places is None else places.x_px[rows]
            y = np.full(len(rows), np.nan) if places is None else places.y_px[rows]
            bins.take(name, fate[rows], x, y, numbers=rows + 1)
    origins = [particles.numbers(f"rlnOrigin{axis}Angst") for axis in "XY"]
    left = [np.zeros(len(particles)) if o is None else np.nan_to_num(o) for o in origins]
    nothing = np.zeros(len(chosen))
    placed = PlacedParticles(
        index=chosen,
        x_px=nothing,
        y_px=nothing,
        origin_a=np.stack(left, axis=1)[chosen],
        shape=np.zeros((len(chosen), 2), dtype=np.int64),
        box=first.box,
        pixel_size_a=first.pixel_size_a,
        inverted=settings.invert_contrast,
    )
    said = _write_lists(particles, placed, output, binning=None, moved=False)
    return _finished(placed, bins, output, recut=False, errors={}, notes=(*notes, *said))


def _write_lists(
    particles: SelectedParticles,
    placed: PlacedParticles,
    output: Path,
    *,
    binning: float | None,
    moved: bool,
) -> tuple[str, ...]:
    """Write the STAR and the ``.cs`` file; ``binning`` is None where images kept their size.

    Returns notes on what the ``.cs`` file could not say.
    """
    new = {IMAGE: [f"{i:06d}@{STACK}" for i in range(1, len(placed.index) + 1)]}
    if moved:
        new |= {
            "rlnCoordinateX": [f"{v:.6f}" for v in placed.x_px.tolist()],
            "rlnCoordinateY": [f"{v:.6f}" for v in placed.y_px.tolist()],
            "rlnOriginXAngst": [f"{v:.6f}" for v in placed.origin_a[:, 0].tolist()],
            "rlnOriginYAngst": [f"{v:.6f}" for v in placed.origin_a[:, 1].tolist()],
        }
    old = particles.table.columns
    columns = [*old, *(c for c in new if c not in old)]
    place = [(columns.index(label), values) for label, values in new.items()]
    added = len(columns) - len(old)

    def rows() -> Iterator[list[str]]:
        for k, i in enumerate(placed.index.tolist()):
            row = [*particles.table.rows[i], *[""] * added]
            for at, values in place:
                row[at] = values[k]
            yield row

    optics = _optics(particles, placed, binning)
    with ParticleStarWriter(output / STAR, optics, columns) as star:
        star.write(rows())
    lacking = write_particles_cs(output / CRYOSPARC, particles, placed, STACK)
    return tuple(
        f"{CRYOSPARC} has no {group} fields: {WHY_LACKING[group]}"
        for group in lacking
        if len(placed.index)
    )


def _optics(
    particles: SelectedParticles, placed: PlacedParticles, binning: float | None
) -> StarTable:
    """Return the optics groups with the new box and pixel size."""
    if binning is None:
        return particles.optics
    size = {IMAGE_SIZE: f"{placed.pixel_size_a:.6f}", "rlnImageSize": str(placed.box)}
    return table_of([{**row, **size} for row in particles.group_rows.values()])


def _finished(
    placed: PlacedParticles,
    bins: ParticleBins,
    output: Path,
    *,
    recut: bool,
    errors: Mapping[str, str],
    notes: Sequence[str],
) -> GoodStack:
    """Write the ledger and return what was done."""
    ledger = Ledger(step="write-stack", entries=(), counts=bins.counts(), items_file=BINS_FILE)
    ledger.write(output / "ledger.json")
    nowhere = bins.by_fate().get("not_a_number", 0)
    lost = [f"{nowhere} particles have no coordinates in the list, or a shift beyond all"]
    return GoodStack(
        ledger=ledger,
        fates=bins.by_fate(),
        box=placed.box,
        pixel_size_a=placed.pixel_size_a,
        recut=recut,
        errors=errors,
        notes=(*notes, *(lost if nowhere else ())),
    )
