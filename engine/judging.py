"""From a list of micrographs to the files that hold the decisions about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cryoverdict.engine.counterfactuals import CounterfactualSearch
from cryoverdict.engine.decision import Decision, write_decisions
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

STEP = "decide-micrographs"
Item = TypeVar("Item")
Tracked = Callable[[Iterable[Item], str, int], Iterator[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """A measured list: the table of what could be read, and what became of each micrograph."""

    micrographs: MicrographList
    table: FeatureTable
    outcomes: tuple[Measured, ...]
    store: MeasurementStore

    @property
    def errors(self) -> dict[str, str]:
        """Why each unreadable micrograph could not be read, by subject."""
        return {o.subject: o.error for o in self.outcomes if o.how == "error"}

    def found_optics(self) -> dict[str, Optics]:
        """Return the optics each micrograph was measured with, a header's pixel size included."""
        return {
            subject: self.store.read(subject, pictured=False).optics
            for subject in self.table.subjects
            if self.store.path(subject).exists()
        }

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said of the list, and of how many micrographs what was noticed."""
        noticed = Counter(
            note
            for subject in self.table.subjects
            if self.store.path(subject).exists()
            for note in self.store.read(subject, pictured=False).notes
        )
        told = [f"{n} of {len(self.table.subjects)}: {note}" for note, n in noticed.items()]
        return (*self.micrographs.notes, *told)

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


def stored_table(features: Path, micrographs: MicrographList | None, output: Path) -> Measurements:
    """Return measurements made before, from a ``features.parquet``; no image is read.

    With a list, its micrographs are looked up in the table, and those it lacks count as
    unreadable; without one, the subjects of the table are the list. Pictures are taken from the
    folder of the run that measured, where that still exists.
    """
    output.mkdir(parents=True, exist_ok=True)
    table = FeatureTable.read(features)
    listed = micrographs or list_of_subjects(table.subjects)
    known = set(table.subjects)
    outcomes = [
        Measured(subject=m.subject, how="stored")
        if m.subject in known
        else Measured(subject=m.subject, how="error", error=f"{m.subject}: not in {features}")
        for m in listed.micrographs
    ]
    outcomes += [
        Measured(subject=subject, how="error", error=reason)
        for subject, reason in listed.unreadable.items()
    ]
    chosen = table.select(o.subject for o in outcomes if o.how == "stored")
    chosen.write(output / "features.parquet")
    return Measurements(
        micrographs=listed,
        table=chosen,
        outcomes=tuple(outcomes),
        store=MeasurementStore(folder=stored_folder(features.parent)),
    )


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


def decide_table(judge: Judge, table: FeatureTable) -> Iterator[Decision]:
    """Yield the decision on each subject; rejected and doubtful ones get a counterfactual."""
    search = CounterfactualSearch.over(judge, table) if table.subjects else None
    for row, decision in enumerate(judge.decide(table)):
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
    found = measured.found_optics()
    for name, kept in (("good", True), ("rejected", False)):
        chosen = {d.subject: d for d in decisions if d.explanation.favourable == kept}
        columns = {
            s: verdict_columns(d) | {"cryoverdictUsableArea": areas.get(s)}
            for s, d in chosen.items()
        }
        path = output / f"micrographs_{name}.star"
        write_micrograph_star(path, measured.micrographs, chosen, columns, found)
        if all(s.flavour is Flavour.CRYOSPARC for s in measured.micrographs.sources):
            write_exposures_cs(path.with_suffix(".cs"), measured.micrographs, chosen)
    ledger.write(output / "ledger.json")
    return ledger


def recalled(run: Path) -> Measurements:
    """Return the measurements of a finished run, with the errors that its ledger lists."""
    ledger = read_ledger(run / "ledger.json")
    errors = [
        Measured(subject=e.item, how="error", error=e.reason)
        for e in ledger.entries
        if e.bin == "error"
    ]
    table = FeatureTable.read(run / "features.parquet")
    return Measurements(
        micrographs=list_of_subjects(table.subjects),
        table=table,
        outcomes=(*(Measured(subject=s, how="stored") for s in table.subjects), *errors),
        store=MeasurementStore(folder=stored_folder(run)),
    )
