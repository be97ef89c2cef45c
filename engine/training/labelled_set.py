"""A data set whose verdicts are known, as models learn from it and are judged by it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError
from cryoverdict.features.table import FeatureTable

FEATURES = "features.parquet"
LABELS = "labels.csv"
COLUMNS = ("subject", "favourable", "grade", "defects", "weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is known to be true of one subject.

    ``defects`` are those it surely has; a defect in ``doubtful`` may or may not be meant by an
    expert, so nobody learns from its presence or absence. ``weight`` is how much the label counts.
    """

    favourable: bool
    grade: str | None = None
    defects: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """The measurements and labels of one data set.

    ``name`` is the group that is never split between learning and judging; several sets may share
    it, such as the same micrographs at full size and as thumbnails.
    """

    name: str
    table: FeatureTable
    labels: Mapping[str, Label]

    def __post_init__(self) -> None:
        """Hold the promise of one label a subject."""
        if set(self.labels) != set(self.table.subjects):
            odd = sorted(set(self.labels) ^ set(self.table.subjects))[0]
            msg = f"labelled set {self.name}: {odd} has measurements or a label, but not both"
            raise EngineError(msg)

    def write(self, folder: Path) -> None:
        """Write ``features.parquet`` and ``labels.csv`` into a folder; the labels come last."""
        folder.mkdir(parents=True, exist_ok=True)
        self.table.write(folder / FEATURES)
        temporary = folder / (LABELS + ".part")
        with temporary.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines)
            writer.writerow([*COLUMNS, "doubtful", "set"])
            for subject in self.table.subjects:
                label = self.labels[subject]
                writer.writerow(
                    [
                        subject,
                        int(label.favourable),
                        label.grade or "",
                        " ".join(sorted(label.defects)),
                        label.weight,
                        " ".join(sorted(label.doubtful)),
                        self.name,
                    ]
                )
        temporary.replace(folder / LABELS)


def read_labelled_set(folder: Path) -> LabelledSet:
    """Read what `LabelledSet.write` wrote; raises `InputError` naming the file and line."""
    path = folder / LABELS
    labels: dict[str, Label] = {}
    name, place = folder.name, str(path)
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            for row in reader:
                place = f"{path}:{reader.line_num}"
                name = row.get("set") or name
                labels[row["subject"]] = Label(
                    favourable=bool(int(row["favourable"])),
                    grade=row["grade"] or None,
                    defects=frozenset(row["defects"].split()),
                    doubtful=frozenset((row.get("doubtful") or "").split()),
                    weight=float(row["weight"]),
                )
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a folder with {LABELS}"
        raise InputError(msg) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        columns = ", ".join(COLUMNS)
        msg = f"{place}: {error!r}; accepted are the columns {columns}"
        raise InputError(msg) from error
    return LabelledSet(name=name, table=FeatureTable.read(folder / FEATURES), labels=labels)
