"""Selections that people made, taken over as labelled sets."""

from __future__ import annotations

import csv
from pathlib import Path

from cryoverdict.engine.class_selection.class_labels import GREY_WEIGHT
from cryoverdict.engine.training.labelled_set import LABELS, Label, LabelledSet, read_labelled_set
from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_average_list import read_class_run, read_classes
from cryoverdict.features.class_families import measure_classes
from cryoverdict.features.input_error import InputError
from cryoverdict.features.relion_classes import read_relion_classes
from cryoverdict.features.star import parse_number, read_star

SELECTION, JOB_SCORE = "backup_selection.star", "job_score.txt"
# The categories of RELION's training set (EMPIAR-10812), by the score they stand for: 1 is 0.75 to
# 1, 5 is 0.5 to 0.75, 2 is 0.25 to 0.5, 3 and 4 are below, 0 and 6 nothing (Kimanius et al. 2021).
GOOD_CATEGORIES, GREY_CATEGORIES = frozenset({1, 5}), frozenset({2})
# A run of which its labeller thought little makes weaker examples of good classes.
LEAST_JOB_SCORE = 0.3


def read_selection(folder: Path) -> LabelledSet:
    """Return the labelled set of a folder, whatever kind of selection lies in it.

    Accepted are: ``features.parquet`` with ``labels.csv`` as `LabelledSet.write` leaves them; a
    RELION Select job or a job of EMPIAR-10812 (``backup_selection.star``, with the model in the
    folder or named in ``job.star``; ``job_score.txt`` says that its numbers are categories); a
    folder of images with a ``labels.csv`` of the columns ``file`` and ``selected``. Raises
    `InputError` for anything else.
    """
    if (folder / SELECTION).is_file():
        return _of_job(folder)
    if (folder / LABELS).is_file():
        with (folder / LABELS).open(newline="", encoding="utf-8", errors="replace") as lines:
            columns = next(csv.reader(lines), [])
        return _of_images(folder) if "file" in columns else read_labelled_set(folder)
    msg = f"{folder}: holds no selection; accepted are {SELECTION} or {LABELS}"
    raise InputError(msg)


def _of_job(folder: Path) -> LabelledSet:
    """Return the set of a RELION job in which classes were selected."""
    path = folder / SELECTION
    blocks = read_star(path)
    column = next((b.column("rlnSelected") for b in blocks.values()), None)
    if column is None:
        msg = f"{path}: no column _rlnSelected; accepted is what RELION's Select job leaves"
        raise InputError(msg)
    classes = _classes_of(folder)
    if len(column) != len(classes.averages):
        found = f"{len(column)} selections for {len(classes.averages)} classes"
        msg = f"{path}: {found}; accepted is one a class of the same run"
        raise InputError(msg)
    try:
        numbers = [int(parse_number(text) or 0) for text in column]
    except ValueError:
        msg = f"{path}: _rlnSelected holds a word; accepted are whole numbers"
        raise InputError(msg) from None
    score = _job_score(folder)
    labels = {
        a.subject: selected_label(n, score) for a, n in zip(classes.averages, numbers, strict=True)
    }
    return LabelledSet(
        name=folder.name or str(folder), table=measure_classes(classes), labels=labels
    )


def selected_label(number: int, job_score: float | None) -> Label:
    """Return what a number of ``backup_selection.star`` says.

    Without a job score it is 1 for selected; with one it is a category of EMPIAR-10812.
    """
    if job_score is None:
        return Label(favourable=number != 0)
    good = number in GOOD_CATEGORIES
    grey = number in GREY_CATEGORIES or (good and job_score < LEAST_JOB_SCORE)
    grade = ("sharp" if number == 1 else "fair") if good else None
    return Label(favourable=good, grade=grade, weight=GREY_WEIGHT if grey else 1.0)


def _job_score(folder: Path) -> float | None:
    """Return the labeller's score of the whole run, 0 to 1."""
    path = folder / JOB_SCORE
    if not path.is_file():
        return None
    try:
        score = float(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        msg = f"{path}: not a number; accepted is a score from 0 to 1"
        raise InputError(msg) from error
    if not 0.0 <= score <= 1.0:
        msg = f"{path}: {score:g}; accepted is a score from 0 to 1"
        raise InputError(msg)
    return score


def _classes_of(folder: Path) -> ClassSet:
    """Return the classes among which was selected: those in the folder, or of the job it names."""
    if any(folder.glob("*_model.star")):
        return read_class_run(folder)
    job = folder / "job.star"
    named = _option(job, "fn_model") if job.is_file() else None
    if not named:
        msg = f"{folder}: no *_model.star, and no job.star that names one; copy the model there"
        raise InputError(msg)
    places = [parent / named for parent in folder.absolute().parents]
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        msg = f"{job}: {named} is not there; looked for it from each folder above"
        raise InputError(msg)
    return read_relion_classes(
        found.with_name(found.name.replace("_optimiser.star", "_model.star"))
    )


def _option(job: Path, name: str) -> str | None:
    """Return an option of a RELION job."""
    table = read_star(job).get("joboptions_values")
    if table is None:
        return None
    names, values = table.column("rlnJobOptionVariable"), table.column("rlnJobOptionValue")
    return dict(zip(names or (), values or (), strict=False)).get(name)


def _of_images(folder: Path) -> LabelledSet:
    """Return the set of a folder of images with a list of which were selected."""
    path = folder / LABELS
    selected: dict[str, bool] = {}
    place = str(path)
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            for row in reader:
                place = f"{path}:{reader.line_num}"
                selected[row["file"]] = {"0": False, "1": True}[row["selected"].strip()]
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        msg = f"{place}: not a label; accepted are the columns file and selected (0 or 1)"
        raise InputError(msg) from error
    strange = next((name for name in selected if not name or Path(name).name != name), None)
    if strange is not None:
        msg = f"{path}: {strange} is no plain name; accepted are the images beside this list"
        raise InputError(msg)
    classes = read_classes([folder / name for name in selected])
    several = next(
        (a.subject for a in classes.averages if Path(a.subject).name not in selected), None
    )
    if several is not None:
        msg = f"{path}: {several} is one of a stack; accepted is one class average a file"
        raise InputError(msg)
    labels = {a.subject: Label(favourable=selected[Path(a.subject).name]) for a in classes.averages}
    return LabelledSet(name=folder.name, table=measure_classes(classes), labels=labels)
