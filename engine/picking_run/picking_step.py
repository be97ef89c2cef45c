"""The whole picking step: pick, look again at the micrographs, account for each, write."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import TypeVar

import numpy as np

from cryoverdict.engine.adapters import PICKERS
from cryoverdict.engine.adapters.outside_picker import OutsidePicker, PickingOrder
from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.ledger import Entry, Ledger
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.given_picks import GivenPicks, read_given_picks
from cryoverdict.engine.picking_files.pick_folder import write_pick_folder
from cryoverdict.engine.picking_files.pick_table import write_pick_table
from cryoverdict.engine.picking_files.picking_list import PickingList
from cryoverdict.engine.picking_run.consensus import Agreement, summed
from cryoverdict.engine.picking_run.micrograph_yield import (
    first_probabilities,
    second_look,
    yield_table,
)
from cryoverdict.engine.picking_run.pick_store import PickedMicrograph, PickStore
from cryoverdict.engine.picking_run.picking_all import (
    BUILTIN,
    GIVEN,
    Picked,
    PickingJob,
    kept_already,
    pick_all,
    pick_until,
)
from cryoverdict.engine.picking_run.row_order import row_order
from cryoverdict.engine.picking_run.screening import dropping
from cryoverdict.engine.picking_run.trial_order import trial_order
from cryoverdict.features.micrograph_list import printable
from cryoverdict.features.optics import Optics
from cryoverdict.rules.rule_set import RuleSet

STEP = "pick"
STORE = "picked"
OUTSIDE = "outside"
# Why the picks of a micrograph that the second look rejects are no picks.
REJECTED = "micrograph_rejected"
LEFT_OUT = "not needed: the trial has enough particles"
# So many micrographs at a time are given to an outside program in a trial.
TRIAL_PART = 16
# The side of a box in diameters, where a .box file is asked for.
BOX_DIAMETERS = 1.5
Item = TypeVar("Item")
Tracked = Callable[[Iterable[Item], str, int], Iterator[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingRequest:
    """What is asked of a picking step.

    ``pickers`` are `BUILTIN` and names of registered adapters; ``given`` are files or folders of
    picks of other programs, taken as one picker. Where there is more than one picker, their
    consensus is taken. ``templates_are_views`` is false where the template is a round shape, which
    outside programs have their own filters for. ``particles`` stops a trial at a subset spread
    over defocus. ``flipped_y`` says how given cryoSPARC picks count rows, ``None`` that the
    micrographs are asked.
    """

    parameters: PickingParameters
    templates: Templates | None = None
    templates_are_views: bool = True
    pickers: tuple[str, ...] = (BUILTIN,)
    given: tuple[Path, ...] = ()
    flipped_y: bool | None = None
    particles: int | None = None
    boxes: bool = False
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingRun:
    """What a picking step did, and where the picks of each micrograph are kept."""

    listed: PickingList
    outcomes: tuple[Picked, ...]
    decisions: tuple[Decision, ...]
    ledger: Ledger
    store: PickStore
    notes: tuple[str, ...] = field(default=())

    @property
    def kept(self) -> tuple[str, ...]:
        """The subjects whose picks go on, in the order of the list."""
        return tuple(d.subject for d in self.decisions if d.explanation.favourable)

    @property
    def errors(self) -> dict[str, str]:
        """Why each unreadable micrograph could not be read."""
        return {e.item: e.reason for e in self.ledger.entries if e.bin == "error"}

    def picked(self, subject: str, *, pictured: bool = False) -> PickedMicrograph:
        """Return what was picked in one micrograph, with its picture on request."""
        return self.store.read(subject, pictured=pictured)

    def agreement(self) -> tuple[Agreement, ...]:
        """Return how each picker fared with the others in the whole data set."""
        return summed(self.picked(d.subject).agreement for d in self.decisions)

    def count(self, how: str) -> int:
        """Return how many micrographs had one fate."""
        return sum(o.how == how for o in self.outcomes)


def run_picking(
    listed: PickingList,
    request: PickingRequest,
    output: Path,
    *,
    rules: RuleSet,
    tracked: Tracked[Picked],
) -> PickingRun:
    """Pick a list and write coordinates, table, decisions and ledger into ``output``.

    ``rules`` are those of the second look. Raises `ProgramError` where an outside picker fails,
    `InputError` for given picks that cannot be read; a micrograph that cannot be read is an entry
    of the ledger.
    """
    subjects = listed.subjects
    if request.particles is not None:
        subjects = trial_order(subjects)
    store = PickStore(folder=output / STORE)
    given, row_note = _given(listed, request)
    work = _worked(subjects, request, output, store, given)
    outcomes = tuple(tracked(work, "picking", len(subjects)))
    if request.particles is not None:
        # Workers are ahead of the count when it stops: how far, hangs on how busy the machine is.
        done = {store.path(o.subject) for o in outcomes}
        for ahead in set(store.folder.glob("*.npz")) - done:
            ahead.unlink()
    run = _account(listed, outcomes, store, rules)
    if row_note:
        run = replace(run, notes=(*run.notes, row_note))
    if given is not None and given.unmatched:
        strange = f"{len(given.unmatched)} names among the given picks belong to no micrograph"
        note = f"{strange} of the list, such as {printable(given.unmatched[0])}"
        run = replace(run, notes=(*run.notes, note))
    _write(run, request, output)
    return run


def _given(listed: PickingList, request: PickingRequest) -> tuple[GivenPicks | None, str]:
    """Return the picks that came with the call, if any did, and how their rows count, if asked."""
    if not request.given:
        return None, ""
    names = [s.subject for s in listed.subjects]
    stored = read_given_picks(request.given, names, flipped_y=bool(request.flipped_y))
    if request.flipped_y is not None or not stored.of_cryosparc:
        return stored, ""
    flipped = read_given_picks(request.given, names, flipped_y=True)
    seen = row_order(listed.subjects, stored.picks, flipped.picks, request.parameters)
    return (flipped if seen.flipped else stored), seen.sentence


def _worked(
    subjects: Sequence[PickingMicrograph],
    request: PickingRequest,
    output: Path,
    store: PickStore,
    brought: GivenPicks | None,
) -> Iterator[Picked]:
    """Yield what became of each micrograph, until a trial has enough particles.

    Outside programs are asked before the workers start; in a trial for a few micrographs at a
    time, so that they do not pick the whole data set for it.
    """
    given = {} if brought is None else {GIVEN: brought.picks}
    adapters = [adapter for adapter in PICKERS if adapter.name in request.pickers]
    wanted = request.particles
    size = len(subjects) if wanted is None or not adapters else TRIAL_PART
    for begin in range(0, len(subjects), max(1, size)):
        part = subjects[begin : begin + size]
        job = _job(part, adapters, given, request, output, store)
        if wanted is None:
            yield from pick_all(part, job, threads=request.threads)
            continue
        for picked in pick_until(part, job, particles=wanted, threads=request.threads):
            yield picked
            wanted -= picked.count
        if wanted <= 0:
            return


def _job(
    subjects: Sequence[PickingMicrograph],
    adapters: Sequence[OutsidePicker],
    given: Mapping[str, Mapping[str, Picks]],
    request: PickingRequest,
    output: Path,
    store: PickStore,
) -> PickingJob:
    """Ask the outside pickers for what is not kept yet, and return the job of the workers."""
    builtin = [BUILTIN] * (BUILTIN in request.pickers)
    job = PickingJob(
        parameters=request.parameters,
        store=store,
        templates=request.templates,
        pickers=(*builtin, *(adapter.name for adapter in adapters), *given),
        given=given,
    )
    pending = [s for s in subjects if adapters and not kept_already(s, job)]
    asked = {adapter.name: _asked(adapter, pending, request, output) for adapter in adapters}
    return replace(job, given={**given, **asked})


def _asked(
    adapter: OutsidePicker,
    subjects: Sequence[PickingMicrograph],
    request: PickingRequest,
    output: Path,
) -> Mapping[str, Picks]:
    """Let an outside program pick some micrographs, in a folder of its own that then goes."""
    if not subjects:
        return {}
    folder = output / OUTSIDE / adapter.name
    folder.mkdir(parents=True, exist_ok=True)
    picks = adapter.pick(
        PickingOrder(
            subjects=subjects,
            parameters=request.parameters,
            templates=request.templates if request.templates_are_views else None,
            folder=folder,
            threads=request.threads,
        )
    )
    shutil.rmtree(folder)
    with suppress(OSError):  # another program's folder may still lie there
        (output / OUTSIDE).rmdir()
    return picks


def _account(
    listed: PickingList, outcomes: Sequence[Picked], store: PickStore, rules: RuleSet
) -> PickingRun:
    """Look again at what was picked, and put every micrograph of the list into one bin."""
    fate = {o.subject: o for o in outcomes}
    done = [s for s in listed.micrographs.subjects if s in fate and fate[s].how != "error"]
    table = yield_table(store.read(s, pictured=False) for s in done)
    decisions = second_look(table, rules, first_probabilities(listed.micrographs))
    verdict = {d.subject: d for d in decisions}
    entries = []
    for subject in listed.micrographs.subjects:
        if subject in listed.micrographs.unreadable:
            why = listed.micrographs.unreadable[subject]
            entries.append(Entry(item=subject, bin="error", reason=why))
        elif subject not in fate:
            entries.append(Entry(item=subject, bin="rejected", reason=LEFT_OUT))
        elif fate[subject].how == "error":
            entries.append(Entry(item=subject, bin="error", reason=fate[subject].error))
        elif verdict[subject].explanation.favourable:
            entries.append(Entry(item=subject, bin="kept"))
        else:
            why = ", ".join(d.name for d in verdict[subject].defects)
            entries.append(Entry(item=subject, bin="rejected", reason=why))
    ledger = Ledger(step=STEP, entries=tuple(entries))
    ledger.check(listed.micrographs.subjects)
    return PickingRun(
        listed=listed,
        outcomes=tuple(outcomes),
        decisions=decisions,
        ledger=ledger,
        store=store,
        notes=listed.notes,
    )


def _write(run: PickingRun, request: PickingRequest, output: Path) -> None:
    """Write coordinates, the table of all picks, the decisions, and last the ledger."""
    kept = set(run.kept)
    sizes = {d.subject: run.picked(d.subject).pixel_size_a for d in run.decisions}
    optics = {
        s.subject: s.micrograph.optics.completed(Optics(pixel_size_a=sizes[s.subject]))
        for s in run.listed.subjects
        if s.subject in sizes
    }

    def box_px(subject: str) -> int:
        """Return the side of a box, an even number of pixels."""
        side = BOX_DIAMETERS * request.parameters.diameter_a / sizes[subject]
        return 2 * max(1, ceil(side / 2))

    write_pick_folder(
        output,
        run.listed.micrographs,
        run.kept,
        lambda subject: run.picked(subject).picks,
        optics=optics,
        box_px=box_px if request.boxes else None,
    )
    write_pick_table(
        output / "picks.parquet", (final_picks(run, d.subject, kept) for d in run.decisions)
    )
    write_decisions(output / "decisions.jsonl", run.decisions)
    run.ledger.write(output / "ledger.json")


def final_picks(run: PickingRun, subject: str, kept: set[str]) -> Picks:
    """Return the picks of one micrograph; all are dropped where the micrograph was rejected."""
    picks = run.picked(subject).picks
    if subject in kept:
        return picks
    return dropping(picks, np.full(len(picks), REJECTED, object))
