"""The cryoSPARC records behind a list that was made of them, found again by their uids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoverdict.features.cryosparc import UID, read_exposures
from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import ListSource
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.write_micrographs import UID_LABEL, write_exposures_cs


def with_exposures(micrographs: MicrographList, paths: Sequence[Path]) -> MicrographList:
    """Return a list whose STAR sources know the records of ``.cs`` files that they were made of.

    A row says its record by ``cryosparcUid``. Raises `InputError` for a row without one, for a uid
    that is in none of the files, and for files with different fields.
    """
    arrays = [s.exposures for s in read_exposures(paths) if s.exposures is not None]
    if len({array.dtype.names for array in arrays}) > 1:
        msg = f"{paths[0]}: the cryoSPARC lists have different fields; give one"
        raise InputError(msg)
    records = np.concatenate(arrays)
    if UID not in (records.dtype.names or ()):
        msg = f"{paths[0]}: its exposures have no uid; accepted are cryoSPARC's own"
        raise InputError(msg)
    places = {str(uid): i for i, uid in enumerate(records[UID])}

    def known(source: ListSource) -> ListSource:
        """Return a source with the records of its rows, in their order."""
        uids = source.table.column(UID_LABEL) if source.table is not None else None
        if uids is None:
            msg = (
                f"{source.path}: has no {UID_LABEL}; --exposures goes with lists made of .cs files"
            )
            raise InputError(msg)
        if missing := [uid for uid in uids if uid not in places]:
            msg = f"{paths[0]}: has no exposure with the uid {missing[0]} of {source.path}"
            raise InputError(msg)
        return replace(source, exposures=records[[places[uid] for uid in uids]])

    return replace(micrographs, sources=tuple(known(source) for source in micrographs.sources))


def write_exposures_of(path: Path, micrographs: MicrographList) -> bool:
    """Write the records of a list as one ``.cs`` file, where all of it came from cryoSPARC.

    Returns whether it did: records without uids could not be found again.
    """
    arrays = [source.exposures for source in micrographs.sources]
    if any(array is None or UID not in (array.dtype.names or ()) for array in arrays):
        return False
    write_exposures_cs(path, micrographs, micrographs.subjects)
    return True
