"""A data set whose verdicts are known, as models learn from it and are judged by it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.input_error import InputError
from cryoverdict.features.table import FeatureTable, joined

FEATURES = "features.parquet"
LABELS = "labels.csv"
# Sets of the simulator have names that begin so.
SIMULATED = "simulated_"
COLUMNS = ("subject", "favourable", "grade", "defects", "weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is known to be true of one subject.

    ``defects`` are those it surely has; a defect in ``doubtful`` may or may not be meant by an
    expert, so nobody learns from its presence or absence. ``weight`` is how much the label counts:
    1 where the verdict is sure, less where experts differ or would. ``severities`` tell of some
    defects how strong they are, from 0 to 1, as a simulator knows.
    """

    favourable: bool
    grade: str | None = None
    defects: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    weight: float = 1.0
    severities: Mapping[str, float] = field(default_factory=dict, compare=False)


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

    def only(self, subject: str) -> LabelledSet:
        """Return the set of one of its subjects alone."""
        labels = {subject: self.labels[subject]}
        return LabelledSet(name=self.name, table=self.table.select(labels), labels=labels)

    def write(self, folder: Path, set_of: Mapping[str, str] | None = None) -> None:
        """Write ``features.parquet`` and ``labels.csv`` into a folder; the labels come last.

        ``set_of`` tells the set of each subject where they are of several.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.table.write(folder / FEATURES)
        temporary = folder / (LABELS + ".part")
        with temporary.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines)
            writer.writerow([*COLUMNS, "doubtful", "set", "severities"])
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
                        self.name if set_of is None else set_of[subject],
                        " ".join(f"{d}:{s:.2f}" for d, s in sorted(label.severities.items())),
                    ]
                )
        temporary.replace(folder / LABELS)


def read_labelled_set(folder: Path) -> LabelledSet:
    """Read the one set that `LabelledSet.write` wrote; raises `InputError` naming file and line."""
    sets = read_labelled_sets(folder)
    if len(sets) != 1:
        names = ", ".join(s.name for s in sets[:3]) or "none"
        msg = f"{folder / LABELS}: {len(sets)} sets ({names} …); accepted is one"
        raise InputError(msg)
    return sets[0]


def read_labelled_sets(folder: Path) -> list[LabelledSet]:
    """Read the sets that a folder holds, told apart by the column ``set``, in order of their names.

    Raises `InputError` naming the file and line.
    """
    path = folder / LABELS
    sets: dict[str, dict[str, Label]] = {}
    place = str(path)
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            for row in reader:
                place = f"{path}:{reader.line_num}"
                labels = sets.setdefault(row.get("set") or folder.name, {})
                labels[row["subject"]] = Label(
                    favourable=bool(int(row["favourable"])),
                    grade=row["grade"] or None,
                    defects=frozenset(row["defects"].split()),
                    doubtful=frozenset((row.get("doubtful") or "").split()),
                    weight=float(row["weight"]),
                    severities=_severities(row.get("severities") or ""),
                )
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a folder with {LABELS}"
        raise InputError(msg) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        columns = ", ".join(COLUMNS)
        msg = f"{place}: {record_fault(error)}; accepted are the columns {columns}"
        raise InputError(msg) from error
    table = FeatureTable.read(folder / FEATURES)
    if len(sets) < 2:
        name = next(iter(sets), folder.name)
        return [LabelledSet(name=name, table=table, labels=sets.get(name, {}))]
    measured = set(table.subjects)
    for name, labels in sets.items():
        lacking = sorted(set(labels) - measured)
        if lacking:
            msg = f"{path}: {lacking[0]} of {name} has a label, but no row in {FEATURES}"
            raise InputError(msg)
    return [
        LabelledSet(name=name, table=table.select(labels), labels=labels)
        for name, labels in sorted(sets.items())
    ]


def _severities(words: str) -> dict[str, float]:
    """Return the severities that a row tells, as ``film:0.62 drift:0.55``."""
    pairs = (word.rsplit(":", 1) for word in words.split())
    return {defect: float(severity) for defect, severity in pairs}


def write_labelled_sets(sets: Sequence[LabelledSet], folder: Path) -> None:
    """Write several sets into one folder; their subjects must differ."""
    labels = {subject: label for s in sets for subject, label in s.labels.items()}
    whole = LabelledSet(name="", table=joined([s.table for s in sets]), labels=labels)
    whole.write(folder, set_of={subject: s.name for s in sets for subject in s.labels})
