"""Measurements made in batches, gathered into one table for one decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judging import Measurements, list_of_subjects
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.engine.measurement_store import MeasurementStore
from cryoverdict.engine.measuring import Measured, stored_folder
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.table import FeatureTable, joined

TABLE = "features.parquet"
LEDGER = "ledger.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredStore(MeasurementStore):
    """The measurements of several folders as one store, which is only read.

    ``folders`` says in which folder each subject's measurement lies; ``folder`` is for the others.
    """

    folders: Mapping[str, Path] = field(default_factory=dict)

    def path(self, subject: str) -> Path:
        """Return the file of one subject."""
        name = MeasurementStore.path(self, subject).name
        return self.folders.get(subject, self.folder) / name


def gather_measurements(
    given: Sequence[Path], micrographs: MicrographList | None, output: Path
) -> Measurements:
    """Return the measurements of one or more earlier runs as if one had made them.

    ``given`` are folders of `measure-micrographs`, or their ``features.parquet``; no image is read.
    With a list, its micrographs are looked up in the tables, and those that none has count as
    unreadable, with the reason that the run's ledger gives; without one, the subjects of the tables
    are the list. Pictures are taken from the folders, where they still exist. Writes
    ``output/features.parquet``. Raises `EngineError` for a folder without a table and for tables
    with different features.
    """
    output.mkdir(parents=True, exist_ok=True)
    paths = [_table_path(one) for one in given]
    tables = [FeatureTable.read(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if table.features != tables[0].features:
            msg = f"{path}: has other features than {paths[0]}; measure both with one version"
            raise EngineError(msg)
    table = concatenated(tables)
    reasons = _reasons(path.with_name(LEDGER) for path in paths)
    if micrographs is None:
        micrographs = list_of_subjects(table.subjects)
    known = set(table.subjects)
    outcomes = [
        Measured(subject=m.subject, how="stored")
        if m.subject in known
        else Measured(
            subject=m.subject,
            how="error",
            error=reasons.get(m.subject, f"{m.subject}: in none of the feature tables given"),
        )
        for m in micrographs.micrographs
    ]
    outcomes += [
        Measured(subject=subject, how="error", error=reason)
        for subject, reason in micrographs.unreadable.items()
    ]
    chosen = table.select(o.subject for o in outcomes if o.how == "stored")
    chosen.write(output / TABLE)
    folders = {
        subject: stored_folder(path.parent)
        for path, table in zip(paths, tables, strict=True)
        for subject in table.subjects
    }
    return Measurements(
        micrographs=micrographs,
        table=chosen,
        outcomes=tuple(outcomes),
        store=GatheredStore(folder=stored_folder(output), folders=folders),
    )


def concatenated(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Return tables with the same features as one, rows in the order given."""
    return joined(tables)


def _table_path(given: Path) -> Path:
    """Return the table that a folder holds, or the file itself."""
    path = given / TABLE if given.is_dir() else given
    if not path.is_file():
        msg = f"{given}: holds no {TABLE}; accepted is a folder of measure-micrographs"
        raise EngineError(msg)
    return path


def _reasons(ledgers: Iterable[Path]) -> dict[str, str]:
    """Return why micrographs could not be measured, from the ledgers that exist."""
    return {
        entry.item: entry.reason
        for ledger in ledgers
        if ledger.is_file()
        for entry in read_ledger(ledger).entries
        if entry.bin == "error"
    }
