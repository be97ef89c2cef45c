"""Importing many micrographs: in parallel, each on its own, so that a killed import loses nothing.

Imported late: it loads SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryoverdict.engine.catalogue.database import Catalogue, catalogue_of
from cryoverdict.engine.catalogue.entry import Entry
from cryoverdict.engine.catalogue.recording import Recorded, record, settle
from cryoverdict.engine.catalogue.survey import Measure, measure_micrograph
from cryoverdict.engine.parallel import each


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One entry, where it is to go, and how it is measured."""

    entry: Entry
    url: str
    measure: Measure


def import_entries(
    catalogue: Catalogue,
    entries: Sequence[Entry],
    *,
    threads: int,
    measure: Measure = measure_micrograph,
) -> Iterator[Recorded]:
    """Enter micrographs and yield what became of each, in no order that matters.

    Every entry is one transaction, done by the process that measured it: what has been yielded is
    kept whatever happens next, and the same import again does what is left. Nothing is changed
    where the catalogue has it all. ``measure`` must be importable by name.
    """
    settled: list[Recorded] = []

    def unsettled() -> Iterator[_Task]:
        """Yield the entries whose images have to be read."""
        for entry in entries:
            done = settle(catalogue, entry)
            if done is None:
                yield _Task(entry=entry, url=catalogue.url, measure=measure)
            else:
                settled.append(done)

    for recorded in each(_record, unsettled(), threads=min(threads, max(1, len(entries)))):
        yield from settled
        settled.clear()
        yield recorded
    yield from settled


def _record(task: _Task) -> Recorded:
    """Do one task in a worker process."""
    return record(catalogue_of(task.url), task.entry, task.measure)
