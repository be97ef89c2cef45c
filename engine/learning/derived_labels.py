"""What a run's own good stack says of its micrographs, for the catalogue.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryoverdict.engine.catalogue.database import open_catalogue
from cryoverdict.engine.catalogue.entry import Entry
from cryoverdict.engine.catalogue.importing import import_entries
from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.engine.catalogue.vocabulary import Meaning, label_of
from cryoverdict.engine.learning.finished_run import FinishedRun
from cryoverdict.engine.learning.micrograph_yields import Yields
from cryoverdict.engine.picking_files.picking_list import read_picking_list
from cryoverdict.features.optics import Optics

# Who says so: no person. A derived label counts less than a person's.
RATER = "derived-from-good-stack"
WEIGHT = 0.3
# Only what is this sure becomes a label.
SURE = 0.9


def derived_entries(runs: Sequence[FinishedRun], yields: Yields) -> list[Entry]:
    """Return what enters the catalogue: the micrographs that taught.

    Labelled are those whose yield says surely keep, or reject; the others wait there for a person.
    """
    entries = []
    for run in runs:
        listed = read_picking_list([run.folder / "judged"], Optics())
        by_subject = {s.subject: s.micrograph for s in listed.subjects}
        for i, (subject, name) in enumerate(zip(yields.subjects, yields.run, strict=True)):
            worth = float(yields.worth[i])
            if name != run.name or subject not in by_subject:
                continue
            ratings: tuple[Rating, ...] = ()
            if not 1.0 - SURE < worth < SURE:
                label = label_of(Meaning(favourable=worth >= SURE), weight=WEIGHT)
                said = f"{yields.good[i]:.0f} of {yields.picked[i]:.0f} picks are in the good stack"
                place = str(run.folder)
                ratings = (Rating(label=label, rater=RATER, said=said, place=place),)
            entries.append(
                Entry(
                    micrograph=by_subject[subject],
                    data_set=name,
                    source="learnt from a finished run",
                    ratings=ratings,
                )
            )
    return entries


def enter_derived(
    runs: Sequence[FinishedRun], yields: Yields | None, url: str | None, *, threads: int
) -> tuple[int, int]:
    """Enter the derived labels into a catalogue; return how many are new, and how many failed."""
    entries = [] if yields is None else derived_entries(runs, yields)
    if not entries:
        return 0, 0
    done = list(import_entries(open_catalogue(url), entries, threads=threads))
    return sum(one.labels for one in done), sum(one.state == "error" for one in done)
