"""«Did you mean …»: the accepted name nearest to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED = 12


def suggestion(found: str, accepted: Iterable[str]) -> str:
    """Return the end of a sentence: what is meant, probably, or what is accepted.

    >>> suggestion("ctf_resolution", ["ctf_resolution_a", "grey_mean"])
    '; did you mean ctf_resolution_a?'
    """
    known = list(accepted)
    near = difflib.get_close_matches(found, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    listed = ", ".join(known[:LISTED]) + (", …" if len(known) > LISTED else "")
    return f"; accepted are {listed}" if known else "; none is accepted here"
