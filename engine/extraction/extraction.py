"""Extraction as a step: many micrographs in parallel, then one list of particles and its ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryoverdict.engine.extraction.coordinates import X, Y, read_coordinates
from cryoverdict.engine.extraction.extract_micrograph import (
    Extracted,
    ExtractionTask,
    extract_micrograph,
)
from cryoverdict.engine.extraction.extraction_record import ExtractionRecord, read_record
from cryoverdict.engine.extraction.extraction_settings import ExtractionSettings
from cryoverdict.engine.extraction.micrograph_ctf import LABELS, listed_ctf
from cryoverdict.engine.extraction.particle_fate import FATES
from cryoverdict.engine.extraction.particle_files import BINS_FILE, ParticleBins, ParticleStarWriter
from cryoverdict.engine.extraction.particle_optics import particle_optics
from cryoverdict.engine.extraction.picked_micrographs import PickedMicrograph, PickedSet
from cryoverdict.engine.ledger import Entry, Ledger
from cryoverdict.engine.parallel import each
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.optics_groups import group_optics
from cryoverdict.features.star import UNKNOWN

STAR = "particles.star"
STACKS = "particles"
RECORDS = "extracted"
Tracked = Callable[[Iterable[Extracted], str, int], Iterator[Extracted]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What a run of the step did.

    ``fates`` counts the particles by what became of them, ``reused`` the micrographs whose stack
    was there already, ``errors`` the micrographs that could not be used.
    """

    ledger: Ledger
    fates: Mapping[str, int]
    pixel_size_a: float | None
    reused: int
    errors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def extract_all(
    picked: PickedSet,
    settings: ExtractionSettings,
    output: Path,
    *,
    threads: int,
    fit_ctf: bool = True,
    tracked: Tracked | None = None,
) -> Extraction:
    """Cut all picked particles and write ``particles.star``, ``particles/*.mrcs``, ``ledger.json``.

    Also ``particle_bins.parquet``, the fate of every pick. What a run before it did of a
    micrograph is used again where its input and the settings are the same. The bytes written do
    not depend on the threads nor on where ``output`` lies.
    """
    tasks = [_task(p, picked, settings, output, fit_ctf=fit_ctf) for p in picked.picked]
    for name in (STACKS, RECORDS):
        (output / name).mkdir(parents=True, exist_ok=True)
    work = each(extract_micrograph, tasks, threads=min(threads, max(1, len(tasks) // 2)))
    watched = work if tracked is None else tracked(work, "extracting", len(tasks))
    how: Counter[str] = Counter()
    errors = dict(picked.errors)
    for extracted in watched:
        how[extracted.how] += 1
        if extracted.error:
            errors[extracted.subject] = extracted.error
    _drop_strays(output, tasks)
    return _gather(picked, tasks, settings, output, errors, reused=how["reused"])


def _task(
    one: PickedMicrograph,
    picked: PickedSet,
    settings: ExtractionSettings,
    output: Path,
    *,
    fit_ctf: bool,
) -> ExtractionTask:
    """Return the work of one micrograph."""
    name = hashlib.sha256(one.subject.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return ExtractionTask(
        picked=one,
        settings=settings,
        stack=output / STACKS / f"{one.stem}.mrcs",
        record=output / RECORDS / f"{name}.npz",
        ctf=listed_ctf(picked.listed, one.subject),
        fit_ctf=fit_ctf,
    )


def _drop_strays(output: Path, tasks: Sequence[ExtractionTask]) -> None:
    """Remove what an earlier run cut from micrographs that are no longer asked for.

    Only stacks that a record of such a run names are touched.
    """
    mine = {path for task in tasks for path in (task.stack, task.record)}
    for path in sorted((output / RECORDS).glob("*.npz")):
        if path in mine:
            continue
        record = read_record(path)
        if record is not None and record.stack == Path(record.stack).name:
            stack = output / STACKS / record.stack
            if stack not in mine:
                stack.unlink(missing_ok=True)
        path.unlink()


def _gather(
    picked: PickedSet,
    tasks: Sequence[ExtractionTask],
    settings: ExtractionSettings,
    output: Path,
    errors: dict[str, str],
    *,
    reused: int,
) -> Extraction:
    """Write the list, the fates and the ledger from the records."""
    columns: dict[str, None] = {}
    found: dict[str, Optics] = {}
    filled: list[str] = []
    with_ctf = without_ctf = 0
    said: Counter[str] = Counter()
    for task, record in _records(tasks):
        found[task.picked.subject] = record.optics
        columns |= dict.fromkeys(record.kept.columns)
        said.update(record.notes)
        if record.kept.rows:
            filled.append(task.picked.subject)
            with_ctf += record.ctf is not None
            without_ctf += record.ctf is None
    groups = group_optics(picked.listed, list(found), found)
    number = groups.number
    used = [number[subject] for subject in filled]
    optics = particle_optics(
        groups.table, used, binning=settings.binning, box_px=settings.binned_box_px
    )
    of_pick = [
        c for c in columns if c not in ("rlnImageName", "rlnMicrographName", "rlnOpticsGroup")
    ]
    ctf_labels = list(LABELS) if with_ctf else []
    of_pick = [c for c in of_pick if c not in ctf_labels]
    names = _names(picked, list(found))
    labels = [*of_pick, "rlnImageName", "rlnMicrographName", "rlnOpticsGroup", *ctf_labels]
    with (
        ParticleBins(output / BINS_FILE) as bins,
        ParticleStarWriter(output / STAR, optics.table, labels) as star,
    ):
        for task, record in _records(tasks):
            subject = task.picked.subject
            bins.take(subject, record.fate, record.x_px, record.y_px)
            star.write(_rows(task, record, of_pick, ctf_labels, (names[subject], number[subject])))
        named = set(found) | _take_lost(picked, bins)
    lost = [Entry(item=s, bin="error", reason=why) for s, why in errors.items() if s not in named]
    ledger = Ledger(step="extract", entries=tuple(lost), counts=bins.counts(), items_file=BINS_FILE)
    ledger.write(output / "ledger.json")
    notes = [f"{text} ({n} micrographs)" for text, n in sorted(said.items())]
    nowhere = bins.by_fate().get("not_a_number", 0)
    if nowhere:
        notes.append(
            f"{nowhere} picks have no coordinates: in _{X} or _{Y} stands no number; correct or "
            "remove these rows"
        )
    if with_ctf and without_ctf:
        notes.append(f"{without_ctf} micrographs have no CTF: their particles carry nan for it")
    return Extraction(
        ledger=ledger,
        fates=bins.by_fate(),
        pixel_size_a=optics.pixel_size_a,
        reused=reused,
        errors=errors,
        notes=(*picked.notes, *notes),
    )


def _take_lost(picked: PickedSet, bins: ParticleBins) -> set[str]:
    """Account for the picks of micrographs that are not there; return those micrographs."""
    named = set()
    for subject, paths in picked.lost.items():
        try:
            coordinates = read_coordinates(paths)
        except InputError:
            continue
        fate = np.full(len(coordinates), FATES.index("unreadable"), dtype=np.uint8)
        bins.take(subject, fate, coordinates.x_px, coordinates.y_px)
        named.add(subject)
    return named


def _records(
    tasks: Sequence[ExtractionTask],
) -> Iterator[tuple[ExtractionTask, ExtractionRecord]]:
    """Yield the records that there are, one at a time, so that memory does not grow."""
    for task in tasks:
        record = read_record(task.record)
        if record is not None:
            yield task, record


def _names(picked: PickedSet, subjects: Sequence[str]) -> dict[str, str]:
    """Return the name of each micrograph as its list has it; its path where two have that name."""
    listed = {subject: picked.listed.entry(subject).name for subject in subjects}
    times = Counter(listed.values())
    where = {p.subject: str(p.micrograph.path) for p in picked.picked}
    return {s: name if times[name] == 1 else where[s] for s, name in listed.items()}


def _rows(
    task: ExtractionTask,
    record: ExtractionRecord,
    of_pick: Sequence[str],
    ctf_labels: Sequence[str],
    micrograph: tuple[str, str],
) -> Iterator[list[str]]:
    """Yield the rows of the particles of one micrograph, given by name and optics group."""
    place = {label: i for i, label in enumerate(record.kept.columns)}
    ctf = record.ctf or {}
    shared = [*micrograph, *(ctf.get(label, UNKNOWN) for label in ctf_labels)]
    for i, row in enumerate(record.kept.rows, start=1):
        own = [row[place[label]] if label in place else UNKNOWN for label in of_pick]
        yield [*own, f"{i:06d}@{STACKS}/{task.stack.name}", *shared]
