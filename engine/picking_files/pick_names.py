"""The names of the files that hold the picks of one micrograph."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

FOLDER = "coordinates"


def pick_stems(subjects: Sequence[str]) -> Mapping[str, str]:
    """Return the stem of the coordinate file of each subject: its own, where that is unique.

    Micrographs of several folders may have one name; these get a mark made of the whole name, so
    that no file depends on the order of the list.

    >>> pick_stems(["mics/a.mrc", "mics/b.mrc"])
    {'mics/a.mrc': 'a', 'mics/b.mrc': 'b'}
    """
    plain = {s: stem_of(s) for s in subjects}
    times = Counter(name.lower() for name in plain.values())  # some disks know no capitals
    return {
        s: name
        if times[name.lower()] == 1
        else f"{name}_{hashlib.sha256(s.encode()).hexdigest()[:8]}"
        for s, name in plain.items()
    }


def stem_of(name: str) -> str:
    """Return a file's name without its folders and suffix, blanks turned to underscores.

    >>> stem_of("Movies/a b.frames.mrc")
    'a_b.frames'
    """
    return "_".join(PurePosixPath(name).stem.split()) or "micrograph"


def coordinate_name(stem: str) -> str:
    """Return where the picks of a micrograph stand, relative to ``autopick.star``."""
    return f"{FOLDER}/{stem}_autopick.star"
