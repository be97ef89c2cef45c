"""Reading a RELION STAR file that lists micrographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour, ListedMicrograph, ListSource
from cryoverdict.features.micrograph import GivenCtf, GivenMotion
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import StarTable, parse_number, read_star

NAME = "rlnMicrographName"
GROUP = "rlnOpticsGroup"
# Where the file lies on the disk, in lists that travel between machines or into a job's folder.
PATH = "cryoverdictMicrographPath"
# The first of these that a list has is the pixel size of its micrographs.
PIXEL_SIZES = ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
NOT_MICROGRAPHS = {
    "rlnImageName": "particles",
    "rlnCoordinateX": "particle coordinates",
    "rlnMicrographMovieName": "movies, which have to be motion-corrected first",
    "rlnReferenceImage": "class averages",
}
FAULTS_SHOWN = 5

Number = Callable[[str], float | None]


def read_relion_list(path: Path) -> ListSource:
    """Read a STAR file of micrographs, with optics groups (3.1 and later) or flat (3.0).

    The pixel size is that of the optics group (``rlnMicrographPixelSize``, else the original one),
    or 10⁴ ``rlnDetectorPixelSize`` / ``rlnMagnification`` in a flat list. Values of a CTF fit that
    are not finite are unknown. Raises `InputError` for another kind of list (naming what it holds),
    numbers no microscope has, an undefined optics group, and words where a number must be; as many
    faults at once as there are, up to five.
    """
    blocks = read_star(path)
    table = _micrograph_table(blocks, path)
    optics = blocks.get("optics")
    groups = _optics_groups(optics, path) if optics is not None and optics.rows else None
    faults: list[str] = []
    known: dict[object, Optics] = {}
    entries: list[ListedMicrograph] = []
    for i, row in enumerate(table.rows):
        cells = dict(zip(table.columns, row, strict=True))
        try:
            group, shared = _group_of(cells, groups)
            place = table.place(i) if group is None else f"optics group {group}"
            own = {label: cells[label] for label in OPTICS_LABELS if label in cells}
            key = (group, tuple(own.items()))
            if key not in known:
                known[key] = _optics({**own, **shared}, place)
            entries.append(_entry(cells, place, group, known[key]))
        except InputError as error:
            text = str(error)
            faults.append(text if text.startswith("optics group") else f"{table.place(i)}: {text}")
    if faults:
        faults = list(dict.fromkeys(faults))
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        msg = f"{path}: {'; '.join(faults[:FAULTS_SHOWN])}{more}"
        raise InputError(msg)
    return ListSource(
        path=path,
        flavour=Flavour.RELION_FLAT if groups is None else Flavour.RELION_OPTICS,
        entries=tuple(entries),
        optics=optics if groups is not None else None,
        table=table,
    )


def _micrograph_table(blocks: Mapping[str, StarTable], path: Path) -> StarTable:
    """Return the block that lists micrographs; `InputError` where the file lists other things."""
    candidates = [b for name, b in blocks.items() if name != "optics" and NAME in b.columns]
    for table in [blocks[name] for name in ("micrographs",) if name in blocks] + candidates:
        if NAME in table.columns and not any(label in table.columns for label in NOT_MICROGRAPHS):
            return table
    held = [
        what
        for label, what in NOT_MICROGRAPHS.items()
        if any(label in block.columns for block in blocks.values())
    ]
    labels = [label for name, b in blocks.items() if name != "optics" for label in b.columns]
    found = f"this file lists {held[0]} (" if held else "found ("
    msg = (
        f"{path}: {found}data_{', data_'.join(list(blocks)[:4])} with {', '.join(labels[:8])}, …); "
        f"accepted is a list of micrographs with _{NAME}, such as micrographs_ctf.star"
    )
    raise InputError(msg)


def _optics_groups(optics: StarTable, path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the optics table by group number."""
    numbers = optics.column(GROUP)
    if numbers is None:
        msg = f"{path}: data_optics lacks _{GROUP}; accepted is one number for each optics group"
        raise InputError(msg)
    if len(set(numbers)) != len(numbers):
        msg = f"{path}: data_optics defines an optics group twice ({', '.join(numbers)})"
        raise InputError(msg)
    return {
        number: dict(zip(optics.columns, row, strict=True))
        for number, row in zip(numbers, optics.rows, strict=True)
    }


def _group_of(
    cells: Mapping[str, str], groups: Mapping[str, Mapping[str, str]] | None
) -> tuple[str | None, Mapping[str, str]]:
    """Return the optics group of a row and what that group says; none for a flat list."""
    if groups is None:
        return None, {}
    group = cells.get(GROUP)
    if group is None and len(groups) == 1:
        group = next(iter(groups))
    if group is None or group not in groups:
        listed = ", ".join(groups)
        msg = f"{GROUP} is {group}; accepted are the groups that data_optics defines ({listed})"
        raise InputError(msg)
    return group, groups[group]


def _entry(
    cells: Mapping[str, str], place: str, group: str | None, optics: Optics
) -> ListedMicrograph:
    """Return what one row says."""

    def number(label: str) -> float | None:
        return _number(cells, label)

    spectrum = cells.get("rlnCtfPowerSpectrum", "")
    return ListedMicrograph(
        name=cells[NAME],
        path=cells.get(PATH),
        place=place,
        optics=optics,
        given_ctf=_given_ctf(number),
        given_motion=_given_motion(number),
        power_spectrum=spectrum if spectrum.lower() not in ("", "none", "nan") else None,
        group=group,
    )


def _optics(cells: Mapping[str, str], place: str) -> Optics:
    """Return the optics that a group or a row says; `InputError` names the place."""
    try:
        # An unknown size is not that of the movies, which may have been binned since.
        stated = next((label for label in PIXEL_SIZES if label in cells), PIXEL_SIZES[0])
        magnification = _setting(cells, "rlnMagnification")
        detector_um = _setting(cells, "rlnDetectorPixelSize")
        size = _setting(cells, stated)
        if size is None and magnification is not None and detector_um is not None:
            if magnification <= 0:
                msg = f"rlnMagnification is {magnification:g}; accepted is a number above 0"
                raise InputError(msg)
            size = 1e4 * detector_um / magnification
        return Optics(
            pixel_size_a=size,
            voltage_kv=_setting(cells, "rlnVoltage"),
            cs_mm=_setting(cells, "rlnSphericalAberration"),
            amplitude_contrast=_setting(cells, "rlnAmplitudeContrast"),
        )
    except InputError as error:
        msg = f"{place}: {error}" if place.startswith("optics group") else str(error)
        raise InputError(msg) from error


OPTICS_LABELS = (
    *PIXEL_SIZES,
    "rlnMagnification",
    "rlnDetectorPixelSize",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
)


def _given_ctf(number: Number) -> GivenCtf | None:
    """Return the CTF of a row, or ``None`` where its fit gave no finite, non-zero defocus."""
    u, v, angle = (number(f"rlnDefocus{axis}") for axis in ("U", "V", "Angle"))
    if u is None or v is None or angle is None or u == v == 0:
        return None
    resolution = number("rlnCtfMaxResolution")
    return GivenCtf(
        defocus_u_a=u,
        defocus_v_a=v,
        defocus_angle_deg=angle,
        phase_shift_deg=number("rlnPhaseShift"),
        fit_score=number("rlnCtfFigureOfMerit"),
        resolution_a=resolution if resolution is not None and resolution > 0 else None,
    )


def _given_motion(number: Number) -> GivenMotion | None:
    """Return the accumulated motion of a row (Å, as RELION writes it), or ``None``."""
    total, early, late = (number(f"rlnAccumMotion{part}") for part in ("Total", "Early", "Late"))
    if total is None and early is None and late is None:
        return None
    return GivenMotion(total_a=total, early_a=early, late_a=late)


def _setting(cells: Mapping[str, str], label: str) -> float | None:
    """Return a number of the optics: nan is how an unknown one is written, infinity is a fault."""
    value = _number(cells, label)
    if value is None and cells.get(label, "").lower().lstrip("+-")[:1] in tuple("i0123456789"):
        msg = f"{label} is {cells[label]}; accepted is a finite number, or nan where it is unknown"
        raise InputError(msg)
    return value


def _number(cells: Mapping[str, str], label: str) -> float | None:
    """Return the number under a label, ``None`` where it is absent or not finite."""
    text = cells.get(label)
    if text is None:
        return None
    try:
        return parse_number(text)
    except ValueError as error:
        msg = f"{label} is {text[:40]!r}; accepted is a number"
        raise InputError(msg) from error
