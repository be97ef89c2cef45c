"""The micrographs of one data set, from whatever list, folder or pattern they were given as."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from cryoverdict.features.cryosparc import read_exposures
from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour, ListedMicrograph, ListSource
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import image_suffix
from cryoverdict.features.relion_list import GROUP, PIXEL_SIZES, read_relion_list

# An option may repeat what the list says; beyond this relative difference it contradicts it.
OPTION_TOLERANCE = 0.01
# Headers are often written with fewer digits than the list.
HEADER_TOLERANCE = 0.02
# What programs write into a header when they do not know the pixel size, besides 0.
PLACEHOLDER_A = 1.0
LIST_SUFFIXES = (".star", ".cs")
# RELION writes the power spectrum of X.mrc beside it as X_PS.mrc.
POWER_SPECTRUM_MARK = "_PS"
NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrographList:
    """Micrographs in the order given, each once, and the lists they came from.

    ``unreadable`` gives the reason for each entry whose file is not there; ``notes`` are sentences
    for the reader of the output; ``origin`` is the source's number and the row in it, for each
    subject, readable or not.
    """

    micrographs: tuple[Micrograph, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: tuple[ListSource, ...] = ()
    origin: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of all entries, those whose file is missing included, in the order given."""
        return tuple(self.origin)

    def entry(self, subject: str) -> ListedMicrograph:
        """Return the line of the list that a subject came from."""
        source, row = self.origin[subject]
        return self.sources[source].entries[row]


def read_micrograph_list(inputs: Sequence[str | Path], optics: Optics) -> MicrographList:
    """Return the micrographs that paths, patterns, folders, STAR and ``.cs`` files name, mixed.

    ``optics`` are the options of the call: they complete what a list lacks. A file name in a list
    counts from the current folder, else from the list's folder or the nearest one above it where
    it exists; a list with cryoverdictMicrographPath says itself where its files lie. Names that
    lead nowhere end in ``unreadable``. Raises `InputError` for an input that matches nothing, a
    list that cannot be understood, and an option that contradicts a list by more than 1 %.
    """
    notes: list[str] = []
    sources = _sources(inputs, notes)
    if not any(source.entries for source in sources):
        given = ", ".join(str(one) for one in inputs) or "no input"
        msg = f"nothing to judge: {given} lists no micrographs; accepted are {_accepted()}"
        raise InputError(msg)
    gathered = _Gathered(options=optics)
    for number, source in enumerate(sources):
        for row in range(len(source.entries)):
            gathered.take(number, source, row)
    if gathered.repeated:
        notes.append(f"given twice and judged once: {_few(gathered.repeated)}")
    if gathered.renamed:
        notes.append(
            f"the same name stands for different files, told apart by their paths: "
            f"{_few(gathered.renamed)}"
        )
    if optics.pixel_size_a is None:
        notes += [note for source in sources if (note := _pixel_size_left_open(source))]
    return MicrographList(
        micrographs=tuple(gathered.micrographs),
        unreadable=gathered.unreadable,
        notes=tuple(notes),
        sources=tuple(sources),
        origin=gathered.origin,
    )


def _pixel_size_left_open(source: ListSource) -> str:
    """Return the note that optics groups of a list give their pixel size as nan, if they do."""
    label = PIXEL_SIZES[0]
    if source.optics is None or label not in source.optics.columns:
        return ""
    sizes = source.optics.column(label) or ()
    groups = source.optics.column(GROUP) or ()
    unknown = [group for group, size in zip(groups, sizes, strict=True) if size.lower() == "nan"]
    if not unknown:
        return ""
    return (
        f"{source.path}: {label} is nan in optics group {', '.join(unknown)}, so unknown; "
        "correct the list or give --pixel-size-a, if you know it"
    )


def check_pixel_size(micrograph: Micrograph, image: Image) -> Optics:
    """Return the micrograph's optics, its pixel size taken from the image's header if not listed.

    A header of exactly 1 Å is a placeholder and says nothing, like one of 0. Raises `InputError`
    for a size no microscope has and for one that differs from the list's by more than 2 %.
    """
    listed, header = micrograph.optics.pixel_size_a, image.pixel_size_a
    if header is None or abs(header - PLACEHOLDER_A) < 1e-6:
        return micrograph.optics
    try:
        recorded = Optics(pixel_size_a=header)
    except InputError as error:
        msg = (
            f"{micrograph.path}: in its header {error}; correct it, for instance with "
            "relion_image_handler --force_header_angpix"
        )
        raise InputError(msg) from error
    if listed is not None and abs(header - listed) > HEADER_TOLERANCE * max(header, listed):
        msg = (
            f"{micrograph.path}: its header says {header:g} Å a pixel, the list or the option "
            f"{listed:g} Å; find out which is right, then correct the header (relion_image_handler "
            "--force_header_angpix), the list (_rlnMicrographPixelSize) or --pixel-size-a"
        )
        raise InputError(msg)
    return micrograph.optics.completed(recorded)


def _sources(inputs: Sequence[str | Path], notes: list[str]) -> list[ListSource]:
    """Return the lists among the inputs, neighbouring image files gathered into one."""
    expanded = [path for one in inputs for path in _expand(str(one), notes)]
    # A shell that expands X*.mrc also names the power spectra beside the micrographs.
    named = set(expanded)
    beside = [p for p in expanded if _is_power_spectrum(p) and _micrograph_of(p) in named]
    expanded = _passing_over(beside, expanded, notes)
    exposures = {
        source.path: source
        for source in read_exposures(
            list(dict.fromkeys(Path(p) for p in expanded if _is_list(p, ".cs")))
        )
    }
    sources: list[ListSource] = []
    files: list[ListedMicrograph] = []
    for path in [*expanded, None]:
        if path is not None and not _is_list(path):
            files.append(ListedMicrograph(name=path))
            continue
        if files:
            sources.append(ListSource(flavour=Flavour.FILES, entries=tuple(files)))
            files = []
        if path is not None and _is_list(path, ".star"):
            sources.append(read_relion_list(Path(path)))
        elif path is not None and Path(path) in exposures:
            sources.append(exposures.pop(Path(path)))
    return sources


def _expand(given: str, notes: list[str]) -> list[str]:
    """Return the paths that one input names: itself, a folder's images, or a pattern's matches."""
    if "\0" in given:
        msg = f"{given!r}: not a file name; accepted are {_accepted()}"
        raise InputError(msg)
    if os.path.isdir(given):  # noqa: PTH112 (a Path would change how the input is spelled)
        names = sorted(name for name in os.listdir(given) if image_suffix(name))  # noqa: PTH208
        inside = [os.path.join(given, n) for n in names if not n.startswith(".")]  # noqa: PTH118
        matches = usable = inside
    elif os.path.lexists(given):
        return [given]
    else:
        matches = sorted(glob.glob(given, recursive=True)) if glob.has_magic(given) else []  # noqa: PTH207
        usable = [p for p in matches if image_suffix(p) or _is_list(p)]
        other = sorted(set(matches) - set(usable))
        if other:
            notes.append(f"matched by {given} but no image or list: {_few(other)}")
    found = _passing_over([p for p in usable if _is_power_spectrum(p)], usable, notes)
    if not found:
        count = len(matches)
        held = f"none of {count} files is a micrograph (X_PS.mrc is a spectrum); " if count else ""
        msg = f"{given}: nothing matched; {held}accepted are {_accepted()}"
        raise InputError(msg)
    return found


def _passing_over(spectra: Sequence[str], paths: Sequence[str], notes: list[str]) -> list[str]:
    """Return the paths that are no power spectra, and note those that are."""
    if spectra:
        notes.append(f"power spectra by their names, passed over: {_few(spectra)}")
    passed = set(spectra)
    return [path for path in paths if path not in passed]


def _is_power_spectrum(path: str) -> bool:
    """Return whether a name is one that RELION gives to the power spectrum of a micrograph."""
    suffix = image_suffix(path)
    return bool(suffix) and path[: len(path) - len(suffix)].endswith(POWER_SPECTRUM_MARK)


def _micrograph_of(spectrum: str) -> str:
    """Return the name of the micrograph whose power spectrum a name stands for."""
    suffix = spectrum[len(spectrum) - len(image_suffix(spectrum)) :]
    stem = spectrum[: len(spectrum) - len(suffix)]
    return stem.removesuffix(POWER_SPECTRUM_MARK) + suffix


def _is_list(path: str, *suffixes: str) -> bool:
    """Return whether a path names a list (of one of some suffixes)."""
    return path.lower().endswith(suffixes or LIST_SUFFIXES)


def _accepted() -> str:
    """Return the words for what a list of micrographs may be given as."""
    return "image files, a pattern, a folder of images, a RELION .star or a cryoSPARC .cs file"


def _few(names: Sequence[str]) -> str:
    """Return some names and how many more there are."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(printable(name) for name in names[:NAMES_SHOWN]) + more


def printable(name: str) -> str:
    """Return a name that can be shown and stored: what is no printable text is escaped.

    >>> printable("mics/ä b.mrc"), printable("a" + chr(0) + ".mrc") == "a" + chr(92) + "x00.mrc"
    ('mics/ä b.mrc', True)
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """The micrographs found so far, while the lists are gone through line by line."""

    options: Optics
    micrographs: list[Micrograph] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    origin: dict[str, tuple[int, int]] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    seen: dict[Hashable, str] = field(default_factory=dict)
    completed: dict[tuple[int, Optics], Optics] = field(default_factory=dict)

    def take(self, number: int, source: ListSource, row: int) -> None:
        """Take one line of a list: as a micrograph, as unreadable, or as one that was there."""
        listed = source.entries[row]
        found = find_file(listed.path or listed.name, source.path)
        subject = printable(listed.name)
        if isinstance(found, str):
            if subject in self.unreadable:
                self.repeated.append(subject)
                return
            subject = self._unique(subject, f"{subject} ({source.path})")
            self.unreadable[subject] = found
            self.origin[subject] = (number, row)
            return
        path, identity = found
        if identity in self.seen:
            self.repeated.append(subject)
            return
        subject = self._unique(subject, printable(str(path)))
        self.seen[identity] = subject
        self.origin[subject] = (number, row)
        spectrum = listed.power_spectrum and find_file(listed.power_spectrum, source.path)
        self.micrographs.append(
            Micrograph(
                subject=subject,
                path=path,
                optics=self._complete(number, source, listed),
                given_ctf=listed.given_ctf,
                given_motion=listed.given_motion,
                power_spectrum=spectrum[0] if isinstance(spectrum, tuple) else None,
                row=None if source.path is None else row,
            )
        )

    def _unique(self, subject: str, other: str) -> str:
        """Return a subject no other entry has: the name, else its path, else that with a number."""
        if subject not in self.origin:
            return subject
        self.renamed.append(other)
        while other in self.origin:
            other += "'"
        return other

    def _complete(self, number: int, source: ListSource, listed: ListedMicrograph) -> Optics:
        """Return a line's optics completed by the options; `InputError` if these contradict it."""
        key = (number, listed.optics)
        if key not in self.completed:
            for setting in fields(Optics):
                mine, option = (getattr(o, setting.name) for o in (listed.optics, self.options))
                if mine is None or option is None:
                    continue
                if abs(mine - option) > OPTION_TOLERANCE * max(abs(mine), abs(option)):
                    name = "--" + setting.name.replace("_", "-")
                    msg = (
                        f"{source.path}: {listed.place} gives {setting.name} {mine:g}, the option "
                        f"{name} {option:g}; leave the option out or correct the list"
                    )
                    raise InputError(msg)
            self.completed[key] = listed.optics.completed(self.options)
        return self.completed[key]


def find_file(name: str, list_path: Path | None) -> tuple[Path, Hashable] | str:
    """Return where a listed file is and its identity on the disk, or the reason why it is not.

    Tried are the name as it stands (from the current folder), then from the list's folder and
    every folder above it: the project folder is one of these. Only regular files count; where a
    name leads to something else, that is the reason.
    """
    if not name.strip():
        return "the list gives no file name"
    reason = ""
    for path in _candidates(name, list_path):
        try:
            status = os.stat(path)  # noqa: PTH116 (pathlib hides a NUL in the name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            reason = reason or f"cannot be read ({getattr(error, 'strerror', None) or error})"
            continue
        if stat.S_ISREG(status.st_mode):
            # Some network file systems number no files.
            number = (status.st_dev, status.st_ino) if status.st_ino else ()
            return path, number or (os.path.realpath(path),)
        reason = reason or "not a regular file"
    if reason:
        return reason
    if list_path is None or name.startswith("/"):
        return f"file not found: tried {printable(name)}"
    return (
        f"file not found: tried {printable(name)} from the current folder, from "
        f"{list_path.parent} and from the folders above it"
    )


def _candidates(name: str, list_path: Path | None) -> Iterator[Path]:
    """Yield where a listed file may be, best first."""
    yield Path(name)
    if list_path is not None and not name.startswith("/"):
        for folder in list_path.absolute().parents:
            yield folder / name
