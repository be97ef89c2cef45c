"""From a list of micrographs to the files that hold the decisions about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cryoverdict.engine.counterfactuals import CounterfactualSearch
from cryoverdict.engine.ctf_columns import ctf_columns
from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.image_kinds import image_kinds
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.ledger import Entry, Ledger, read_ledger
from cryoverdict.engine.measurement_store import MeasurementStore
from cryoverdict.engine.measuring import Measured, measure_all, stored_folder, table_of
from cryoverdict.engine.usable_area_file import write_usable_areas
from cryoverdict.features.list_source import Flavour, ListedMicrograph, ListSource
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics
from cryoverdict.features.table import FeatureTable
from cryoverdict.features.write_micrographs import write_exposures_cs, write_micrograph_star
from cryoverdict.rules.rule_set import Kinds

STEP = "decide-micrographs"
# The usable area, film and contamination are told apart in cells of 1/64 of the field, which in a
# smaller image have fewer than 2 × 2 pixels: one value, of whose scatter nothing is known.
SMALLEST_SIDE_PX = 128
Item = TypeVar("Item")
Tracked = Callable[[Iterable[Item], str, int], Iterator[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the store keeps of a micrograph besides its measurements.

    ``side_px`` is the longer side of its thumbnail, which is the image's own unless that is large;
    ``None`` where no thumbnail was kept.
    """

    optics: Optics
    notes: tuple[str, ...]
    side_px: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """A measured list: the table of what could be read, and what became of each micrograph."""

    micrographs: MicrographList
    table: FeatureTable
    outcomes: tuple[Measured, ...]
    store: MeasurementStore
    _memory: dict[str, _Kept] = field(default_factory=dict, repr=False, compare=False)

    @property
    def errors(self) -> dict[str, str]:
        """Why each unreadable micrograph could not be read, by subject."""
        return {o.subject: o.error for o in self.outcomes if o.how == "error"}

    def found_optics(self) -> dict[str, Optics]:
        """Return the optics each micrograph was measured with, a header's pixel size included."""
        return {subject: kept.optics for subject, kept in self._kept().items()}

    def _kept(self) -> dict[str, _Kept]:
        """Return what the store says of each micrograph, read once."""
        for subject in () if self._memory else self.table.subjects:
            if self.store.path(subject).exists():
                stored = self.store.read(subject)
                thumbnail = stored.pictures.get("thumbnail")
                self._memory[subject] = _Kept(
                    optics=stored.optics,
                    notes=stored.notes,
                    side_px=None if thumbnail is None else max(thumbnail.shape),
                )
        return self._memory

    def doubts(self) -> dict[str, str]:
        """Return why some micrographs want a look whatever the outcome: they are too small."""
        return {
            subject: f"the image is only {kept.side_px} pixels wide; below {SMALLEST_SIDE_PX} its "
            "parts are too small to be measured"
            for subject, kept in self._kept().items()
            if kept.side_px is not None and kept.side_px < SMALLEST_SIDE_PX
        }

    def kinds(self) -> dict[str, str]:
        """Return of what kind each micrograph is: only those of one kind are compared."""
        listed = {m.subject: m.optics for m in self.micrographs.micrographs}
        return image_kinds(self.table, listed | self.found_optics())

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said of the list, and of how many micrographs what was noticed."""
        noticed = Counter(note for kept in self._kept().values() for note in kept.notes)
        noticed.update(self.doubts().values())
        told = [f"{n} of {len(self.table.subjects)}: {note}" for note, n in noticed.items()]
        return (*self.micrographs.notes, *told, *self._kinds_noted())

    def _kinds_noted(self) -> tuple[str, ...]:
        """Return the note that a list holds several kinds of images, where it does."""
        counted = Counter(self.kinds().values())
        if len(counted) < 2:
            return ()
        told = "; ".join(f"{n} {kind}" for kind, n in counted.most_common())
        return (f"{len(counted)} kinds of images, each compared with its own kind alone: {told}",)

    def count(self, how: str) -> int:
        """Return how many micrographs had one fate."""
        return sum(o.how == how for o in self.outcomes)


def measure_list(
    micrographs: MicrographList, output: Path, *, threads: int, tracked: Tracked[Measured]
) -> Measurements:
    """Measure a list into ``output``; what an earlier run measured there is not measured again.

    Writes ``features.parquet``. Entries of the list whose file is missing count as unreadable.
    """
    output.mkdir(parents=True, exist_ok=True)
    store = MeasurementStore(folder=stored_folder(output))
    work = measure_all(micrographs.micrographs, store, threads=threads)
    outcomes = list(tracked(work, "measuring micrographs", len(micrographs.micrographs)))
    outcomes += [
        Measured(subject=subject, how="error", error=reason)
        for subject, reason in micrographs.unreadable.items()
    ]
    table = table_of(store, [o.subject for o in outcomes if o.how != "error"])
    table.write(output / "features.parquet")
    return Measurements(micrographs=micrographs, table=table, outcomes=tuple(outcomes), store=store)


def list_of_subjects(subjects: Iterable[str]) -> MicrographList:
    """Return the list of micrographs of which only the names are known."""
    names = tuple(subjects)
    source = ListSource(
        flavour=Flavour.FILES, entries=tuple(ListedMicrograph(name=n) for n in names)
    )
    return MicrographList(
        micrographs=tuple(Micrograph(subject=n, path=Path(n)) for n in names),
        sources=(source,),
        origin={n: (0, row) for row, n in enumerate(names)},
    )


def decide_table(
    judge: Judge,
    table: FeatureTable,
    kinds: Kinds | None = None,
    doubts: Mapping[str, str] | None = None,
) -> Iterator[Decision]:
    """Yield the decision on each subject; rejected and doubtful ones get a counterfactual.

    Subjects of different ``kinds`` are not compared with each other; ``doubts`` are reasons, not
    to be found in the table, why some want a look.
    """
    search = CounterfactualSearch.over(judge, table, kinds) if table.subjects else None
    for row, one in enumerate(judge.decide(table, kinds)):
        decision, doubt = one, (doubts or {}).get(one.subject)
        if doubt:
            decision = replace(one, review=True, review_reasons=(*one.review_reasons, doubt))
        doubtful = decision.review or not decision.explanation.favourable
        yield search.explained(decision, row) if search and doubtful else decision


def ledger_of(decisions: Sequence[Decision], errors: Mapping[str, str]) -> Ledger:
    """Return the account of the step: kept, rejected with its defects, or unreadable."""
    entries = [
        Entry(item=d.subject, bin="kept")
        if d.explanation.favourable
        else Entry(item=d.subject, bin="rejected", reason=", ".join(x.name for x in d.defects))
        for d in decisions
    ]
    entries += [Entry(item=s, bin="error", reason=why) for s, why in errors.items()]
    return Ledger(step=STEP, entries=tuple(entries))


def verdict_columns(decision: Decision) -> dict[str, Any]:
    """Return what the STAR files say of a decision, beside the columns that came in."""
    return {
        "cryoverdictOutcome": decision.outcome,
        "cryoverdictProbability": round(decision.probability, 6),
        "cryoverdictKeepProbability": round(decision.explanation.favourable_probability, 6),
        "cryoverdictGrade": decision.grade,
        "cryoverdictDefects": ",".join(d.name for d in decision.defects) or None,
        "cryoverdictReview": int(decision.review),
    }


def write_verdicts(measured: Measurements, decisions: Sequence[Decision], output: Path) -> Ledger:
    """Write decisions, STAR files, usable-area maps and ledger; return the ledger."""
    ledger = ledger_of(decisions, measured.errors)
    ledger.check(measured.micrographs.subjects)
    write_decisions(output / "decisions.jsonl", decisions)
    areas = write_usable_areas(measured.store, measured.table.subjects, output / "usable_area")
    found, ctf = measured.found_optics(), ctf_columns(measured.table)
    for name, kept in (("good", True), ("rejected", False)):
        chosen = {d.subject: d for d in decisions if d.explanation.favourable == kept}
        columns = {
            s: {**ctf.get(s, {}), **verdict_columns(d), "cryoverdictUsableArea": areas.get(s)}
            for s, d in chosen.items()
        }
        path = output / f"micrographs_{name}.star"
        write_micrograph_star(path, measured.micrographs, chosen, columns, found)
        if all(s.exposures is not None for s in measured.micrographs.sources):
            write_exposures_cs(path.with_suffix(".cs"), measured.micrographs, chosen)
    ledger.write(output / "ledger.json")
    return ledger


def recalled(run: Path) -> Measurements:
    """Return the measurements of a finished run, with the errors that its ledger lists."""
    features = run / "features.parquet"
    if not features.exists():
        msg = (
            f"{features}: file not found; accepted is the folder of a finished decide-micrographs "
            "run, with all that it wrote: run it again"
        )
        raise EngineError(msg)
    ledger = read_ledger(run / "ledger.json")
    errors = [
        Measured(subject=e.item, how="error", error=e.reason)
        for e in ledger.entries
        if e.bin == "error"
    ]
    table = FeatureTable.read(features)
    return Measurements(
        micrographs=list_of_subjects(table.subjects),
        table=table,
        outcomes=(*(Measured(subject=s, how="stored") for s in table.subjects), *errors),
        store=MeasurementStore(folder=stored_folder(run)),
    )
