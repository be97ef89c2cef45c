"""From what a user points at to the micrographs and labels that are to be imported."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryoverdict.engine.catalogue.entry import Entry, Origin
from cryoverdict.engine.catalogue.label_list import PICKLES, read_label_list
from cryoverdict.engine.catalogue.rating import UNNAMED, Rating
from cryoverdict.engine.catalogue.vocabulary import class_word, label_of, read_words
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import find_file, printable, read_micrograph_list
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import image_suffix

LABELS = "labels.csv"
TRUTH = "truth_micrographs.csv"
LABEL_LISTS = (".csv", *PICKLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sayings:
    """What the caller says of everything in an import; what a list says itself comes first.

    ``data_set`` ``None`` takes the name of the folder. ``images`` is where the files of a label
    list lie, if not beside it.
    """

    data_set: str | None = None
    source: str = ""
    origin: Origin = "observed"
    rater: str = UNNAMED
    rated_on: str | None = None
    optics: Optics = field(default_factory=Optics)
    images: Path | None = None


@dataclass(slots=True, kw_only=True)
class ImportPlan:
    """The entries of an import, the files that are not there, and notes for the reader."""

    entries: list[Entry] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def plan_import(
    inputs: Sequence[str],
    sayings: Sayings,
    *,
    kept: Sequence[str] = (),
    rejected: Sequence[str] = (),
    decisions: Sequence[Path] = (),
) -> ImportPlan:
    """Return what there is to import.

    ``inputs`` are folders (of class folders, with a ``labels.csv``, a simulated set, or of images
    without labels), label lists (CSV, MIFFI pickle), images, patterns and micrograph lists.
    ``kept`` and ``rejected`` are lists of a selection. Raises `EngineError` or `InputError` where
    an input cannot be understood.
    """
    plan = ImportPlan()
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            _folder(plan, path, sayings)
        elif path.suffix.lower() in LABEL_LISTS:
            _label_list(plan, path, sayings)
        else:
            _unlabelled(plan, given, sayings)
    _selections(plan, kept, rejected, sayings)
    if not plan.entries and not plan.unreadable:
        msg = "nothing to import; accepted are folders, images, label lists, --kept and --rejected"
        raise EngineError(msg)
    for file in decisions:
        _decisions(plan, file)
    return plan


def _folder(plan: ImportPlan, folder: Path, sayings: Sayings) -> None:
    """Plan a folder by what lies in it."""
    if (folder / TRUTH).is_file():
        simulated = replace(sayings, origin="simulated", images=sayings.images or folder)
        if simulated.rater == UNNAMED:
            simulated = replace(simulated, rater="simulator")
        _label_list(plan, folder / TRUTH, simulated)
        return
    if (folder / LABELS).is_file():
        _label_list(plan, folder / LABELS, sayings)
        return
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    classes = [child for child in children if class_word(child.name)]
    if not classes:
        _unlabelled(plan, str(folder), sayings)
        return
    others = [child.name for child in children if not class_word(child.name)]
    if others:
        plan.notes.append(f"{folder}: not a class of micrographs, passed over: {', '.join(others)}")
    for child in classes:
        label = label_of(read_words(child.name))
        rating = Rating(
            label=label,
            rater=sayings.rater,
            rated_on=sayings.rated_on,
            said=child.name,
            place=folder.name,
        )
        for file in sorted(child.iterdir()):
            if file.is_file() and image_suffix(file.name):
                _take(plan, file, sayings, ratings=(rating,), data_set=_named(folder))


def _label_list(plan: ImportPlan, path: Path, sayings: Sayings) -> None:
    """Plan the files that a label list names."""
    lines = read_label_list(path, rater=sayings.rater, rated_on=sayings.rated_on)
    folder = sayings.images or path.parent
    finder = _Finder(folder=folder)
    for line in lines:
        found = finder.find(line.file)
        if isinstance(found, str):
            plan.unreadable[printable(line.file)] = f"{printable(line.file)}: {found}"
            continue
        said = replace(
            sayings,
            source=line.source or sayings.source,
            optics=line.optics.completed(sayings.optics),
        )
        ratings = (line.rating,) if line.rating is not None else ()
        named = line.data_set or _named(path.parent)
        _take(plan, found, said, ratings=ratings, data_set=named)


def _unlabelled(plan: ImportPlan, given: str, sayings: Sayings) -> None:
    """Plan images that nobody has judged yet."""
    path = Path(given)
    if not path.exists() and not any(mark in given for mark in "*?["):
        msg = f"{given}: not found; accepted are folders, images, patterns and label lists"
        raise EngineError(msg)
    listed = read_micrograph_list([given], sayings.optics)
    plan.notes += listed.notes
    plan.unreadable |= listed.unreadable
    for micrograph in listed.micrographs:
        folder = path if path.is_dir() else micrograph.path.parent
        _enter(plan, micrograph, sayings, ratings=(), data_set=_named(folder))


def _selections(
    plan: ImportPlan, kept: Sequence[str], rejected: Sequence[str], sayings: Sayings
) -> None:
    """Plan the kept and the rejected list of a selection."""
    seen: dict[str, str] = {}
    for lists, word in ((kept, "keep"), (rejected, "reject")):
        label = label_of(read_words(word))
        for given in lists:
            listed = read_micrograph_list([given], sayings.optics)
            plan.notes += listed.notes
            plan.unreadable |= listed.unreadable
            rating = Rating(
                label=label,
                rater=sayings.rater,
                rated_on=sayings.rated_on,
                said=word,
                place=Path(given).name,
            )
            for micrograph in listed.micrographs:
                where = os.path.realpath(micrograph.path)
                if seen.setdefault(where, word) != word:
                    msg = f"{given}: {micrograph.subject} is in a kept and in a rejected list"
                    raise EngineError(msg)
                named = _named(Path(given).parent)
                _enter(plan, micrograph, sayings, ratings=(rating,), data_set=named)


def _take(
    plan: ImportPlan, file: Path, sayings: Sayings, *, ratings: tuple[Rating, ...], data_set: str
) -> None:
    """Plan one file."""
    micrograph = Micrograph(subject=printable(str(file)), path=file, optics=sayings.optics)
    _enter(plan, micrograph, sayings, ratings=ratings, data_set=data_set)


def _enter(
    plan: ImportPlan,
    micrograph: Micrograph,
    sayings: Sayings,
    *,
    ratings: tuple[Rating, ...],
    data_set: str,
) -> None:
    """Plan one micrograph."""
    plan.entries.append(
        Entry(
            micrograph=micrograph,
            data_set=sayings.data_set or data_set,
            source=sayings.source,
            origin=sayings.origin,
            ratings=ratings,
        )
    )


def _named(folder: Path) -> str:
    """Return a folder's own name, also where it was given as ``.``."""
    return printable(folder.absolute().resolve().name) or "root"


@dataclass(slots=True, kw_only=True)
class _Finder:
    """Finds the files of a label list: by name, else by a stem that is there only once."""

    folder: Path
    stems: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path | str:
        """Return where a file is, or why it is nowhere."""
        for candidate in (self.folder / name, self.folder / Path(name).name):
            if candidate.is_file():
                return candidate
        found = find_file(name, self.folder / "list")
        if not isinstance(found, str) and image_suffix(str(found[0])):
            return found[0]
        if self.stems is None:
            self.stems = defaultdict(list)
            for path in sorted(self.folder.rglob("*")):
                if image_suffix(path.name) and path.is_file():
                    self.stems[_stem(path.name)].append(path)
        same = self.stems.get(_stem(Path(name).name), [])
        if len(same) == 1:
            return same[0]
        if same:
            return f"{len(same)} images in {self.folder} have this name; give each its path"
        return f"file not found in {self.folder}; say where the images are with --images"


def _stem(name: str) -> str:
    """Return a file's name without the suffix of an image."""
    suffix = image_suffix(name)
    return name[: len(name) - len(suffix)] if suffix else Path(name).stem


def _decisions(plan: ImportPlan, file: Path) -> None:
    """Attach the decisions of a run to the entries they are about."""
    from cryoverdict.engine.decision import read_decisions

    lines: dict[str, list[str]] = defaultdict(list)
    for decision in read_decisions(file):
        record = json.dumps(decision.to_dict(), sort_keys=True, ensure_ascii=False)
        lines[decision.subject].append(record)
    taken: set[str] = set()
    for i, entry in enumerate(plan.entries):
        for name in _names(entry.micrograph, file.parent, lines):
            taken.add(name)
            plan.entries[i] = replace(entry, decisions=(*entry.decisions, *lines[name]))
            break
    left = [subject for subject in lines if subject not in taken]
    if left:
        told = f"{file}: {len(left)} decisions are about other micrographs, such as {left[0]}"
        plan.notes.append(told)


def _names(micrograph: Micrograph, folder: Path, known: Iterable[str]) -> list[str]:
    """Return the subjects that mean this micrograph: its name, else the same file."""
    names = set(known)
    if micrograph.subject in names:
        return [micrograph.subject]
    real = os.path.realpath(micrograph.path)
    return [n for n in sorted(names) if real in (os.path.realpath(n), os.path.realpath(folder / n))]


def check_rater(name: str) -> str:
    """Return a rater's name; raises `InputError` for one that is empty or no printable text."""
    if not name.strip() or not name.isprintable():
        msg = f"the rater is {printable(name)!r}; accepted is a name of printable characters"
        raise InputError(msg)
    return name.strip()
