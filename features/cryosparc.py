"""Reading cryoSPARC ``.cs`` files that list exposures."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from math import degrees, isfinite
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour, ListedMicrograph, ListSource
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import DAMAGE

PATH = "micrograph_blob/path"
UID = "uid"
# cryoSPARC's own compressed container, which it writes for its server, not into job folders.
CSDAT_MAGIC = b"\x94CSDAT"
NUMPY_MAGIC = b"\x93NUMPY"
ACCEPTED = "the .cs file of a job folder"
FIELDS_SHOWN = 8


def read_exposures(paths: Sequence[Path]) -> list[ListSource]:
    """Read the exposure lists among some ``.cs`` files.

    A file without ``micrograph_blob/path`` is taken for the other half of a job's output (its
    results and its ``passthrough`` stand in two files) and joined to the lists by ``uid``. Raises
    `InputError` for files that list particles or movies, naming the fields found, and for numbers
    no microscope has.
    """
    arrays = {path: read_cs(path) for path in paths}
    lists = {path: array for path, array in arrays.items() if PATH in _names(array)}
    others = {path: array for path, array in arrays.items() if path not in lists}
    for path, array in others.items():
        uids = {uid for listed in lists.values() for uid in _uids(listed)}
        if not uids.intersection(_uids(array)):
            raise InputError(_no_exposures(path, array))
    sources = []
    for path, array in lists.items():
        whole = array
        for other in others.values():
            whole = with_fields_of(whole, other)
        sources.append(_source(path, whole))
    return sources


def read_cs(path: Path) -> NDArray[Any]:
    """Return the records of a ``.cs`` file (a numpy file of one table), never unpickling anything.

    Raises `InputError` for a file that is something else.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            msg = f"{path}: not a regular file; accepted is a .cs file"
            raise InputError(msg)
        with path.open("rb") as file:
            magic = file.read(len(CSDAT_MAGIC))
            file.seek(0)
            if magic == CSDAT_MAGIC:
                msg = f"{path}: is in cryoSPARC's transfer format; accepted is {ACCEPTED}"
                raise InputError(msg)
            if magic != NUMPY_MAGIC:
                msg = (
                    f"{path}: no cryoSPARC file (it does not begin as one); accepted is {ACCEPTED}"
                )
                raise InputError(msg)
            array: Any = np.load(file, allow_pickle=False)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); accepted is {ACCEPTED}"
        raise InputError(msg) from error
    # A damaged header goes through Python's own parser, which raises what it likes.
    except (*DAMAGE, TokenError, MemoryError) as error:
        msg = f"{path}: damaged, truncated or no table of numbers; accepted is {ACCEPTED}"
        raise InputError(msg) from error
    if not isinstance(array, np.ndarray) or array.dtype.names is None or array.ndim != 1:
        msg = f"{path}: holds no table of named fields; accepted is a .cs file of exposures"
        raise InputError(msg)
    return array


def _names(array: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the fields."""
    return array.dtype.names or ()


def _uids(array: NDArray[Any]) -> list[int]:
    """Return the numbers by which cryoSPARC knows the records; none where the file has none."""
    return [int(uid) for uid in array[UID]] if UID in _names(array) else []


def _no_exposures(path: Path, array: NDArray[Any]) -> str:
    """Return the message for a file that lists no exposures."""
    names = _names(array)
    what = "no micrographs"
    if any(name.startswith(("blob/", "alignments", "location/")) for name in names):
        what = "particles"
    elif "movie_blob/path" in names:
        what = "movies, which have to be motion-corrected first"
    shown = ", ".join(names[:FIELDS_SHOWN]) + (", …" if len(names) > FIELDS_SHOWN else "")
    return (
        f"{path}: lists {what} (found the fields {shown}); accepted are exposures with {PATH}, "
        "such as exposures_accepted.cs; a job may keep it in its passthrough file: give both"
    )


def with_fields_of(array: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Return records with the fields that only ``other`` has, matched by uid; zero where none."""
    added = [name for name in _names(other) if name not in _names(array)]
    places = {uid: i for i, uid in enumerate(_uids(other))}
    mine = _uids(array)
    dtype = np.dtype(array.dtype.descr + [(n, *_descr(other.dtype, n)) for n in added])
    whole = np.zeros(array.shape, dtype=dtype)
    for name in _names(array):
        whole[name] = array[name]
    to = [i for i, uid in enumerate(mine) if uid in places]
    source = [places[mine[i]] for i in to]
    for name in added:
        whole[name][to] = other[name][source]
    return whole


def _descr(dtype: np.dtype[Any], name: str) -> tuple[Any, ...]:
    """Return type and shape of one field, as numpy wants them in a list of fields."""
    assert dtype.fields is not None
    field = dtype.fields[name][0]
    return (field.base, field.shape) if field.shape else (field.base,)


def _source(path: Path, array: NDArray[Any]) -> ListSource:
    """Return the list that some exposure records make."""
    faults: list[str] = []
    entries: list[ListedMicrograph] = []
    for i, record in enumerate(array):
        try:
            entries.append(_entry(record, f"row {i + 1}"))
        except InputError as error:
            faults.append(f"row {i + 1}: {error}")
    if faults:
        more = f"; and {len(faults) - 1} more rows" if len(faults) > 1 else ""
        msg = f"{path}: {faults[0]}{more}"
        raise InputError(msg)
    return ListSource(path=path, flavour=Flavour.CRYOSPARC, entries=tuple(entries), exposures=array)


def _entry(record: np.void, place: str) -> ListedMicrograph:
    """Return what one record says."""
    fitted = _text(record, "ctf/type") != "" or _number(record, "ctf/df1_A") not in (None, 0.0)
    ctf = "ctf" if fitted else "no ctf"
    uid = int(record[UID]) if UID in (record.dtype.names or ()) else None
    return ListedMicrograph(
        # The leading mark says that the path counts from the project folder.
        name=_text(record, PATH).removeprefix(">"),
        place=place,
        uid=uid,
        optics=Optics(
            pixel_size_a=_number(record, "micrograph_blob/psize_A"),
            voltage_kv=_nonzero(record, "mscope_params/accel_kv", f"{ctf}/accel_kv"),
            cs_mm=_first(record, "mscope_params/cs_mm", f"{ctf}/cs_mm"),
            amplitude_contrast=_nonzero(record, f"{ctf}/amp_contrast"),
        ),
        given_ctf=_given_ctf(record) if fitted else None,
    )


def _given_ctf(record: np.void) -> GivenCtf | None:
    """Return the CTF of a record in degrees and Å, or ``None`` where its fit gave none."""
    u, v, angle = (_number(record, f"ctf/{name}") for name in ("df1_A", "df2_A", "df_angle_rad"))
    if u is None or v is None or angle is None or u == v == 0:
        return None
    phase = _number(record, "ctf/phase_shift_rad")
    return GivenCtf(
        defocus_u_a=u,
        defocus_v_a=v,
        defocus_angle_deg=round(degrees(angle), 4),
        phase_shift_deg=None if phase is None else round(degrees(phase), 4),
        fit_score=_nonzero(record, "ctf_stats/cross_corr", "ctf/cross_corr_ctffind4"),
        resolution_a=_nonzero(record, "ctf_stats/ctf_fit_to_A", "ctf/ctf_fit_to_A"),
    )


def _first(record: np.void, *names: str) -> float | None:
    """Return the first of some fields that holds a finite number."""
    return next((v for v in (_number(record, n) for n in names) if v is not None), None)


def _nonzero(record: np.void, *names: str) -> float | None:
    """Return the first of some fields that is set; where zero is no value, it means not set."""
    return next((v for v in (_number(record, n) for n in names) if v), None)


def _number(record: np.void, name: str) -> float | None:
    """Return a field as a number of the digits it holds, ``None`` where absent or not finite."""
    if name not in (record.dtype.names or ()):
        return None
    try:
        value = float(record[name])
    except (TypeError, ValueError) as error:
        msg = f"{name} is {str(record[name])[:40]!r}; accepted is a number"
        raise InputError(msg) from error
    if not isfinite(value):
        return None
    return float(f"{value:.7g}") if record[name].dtype.itemsize == 4 else value


def _text(record: np.void, name: str) -> str:
    """Return a field as text; bytes that are not UTF-8 are kept as in file names."""
    if name not in (record.dtype.names or ()):
        return ""
    value = record[name]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
