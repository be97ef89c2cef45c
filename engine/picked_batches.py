"""Picks made in batches, taken over into the folder of one picking of all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

# Where `pick` keeps the picks of each micrograph, so that none is picked twice.
STORE = "picked"


def take_picks(folders: Sequence[Path], output: Path) -> int:
    """Give the kept picks of batches to ``output`` and return of how many micrographs.

    Files get a second name where the file system can, and are copied elsewhere. Whether they fit
    what is asked, `pick` finds out by their fingerprints.
    """
    store = output / STORE
    store.mkdir(parents=True, exist_ok=True)
    taken = 0
    for folder in folders:
        for source in sorted((folder / STORE).glob("*.npz")):
            target = store / source.name
            target.unlink(missing_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copy2(source, target)
            taken += 1
    return taken
