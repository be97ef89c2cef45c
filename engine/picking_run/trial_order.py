"""Which micrographs a trial takes first: spread over the range of defocus."""

from __future__ import annotations

from collections.abc import Sequence

from cryoverdict.engine.picking.picking_subject import PickingMicrograph


def trial_order(subjects: Sequence[PickingMicrograph]) -> tuple[PickingMicrograph, ...]:
    """Return the micrographs in an order of which every beginning spans the defocus evenly.

    They are sorted by defocus (those without one by name, after the others) and taken at places
    that halve the gaps again and again: the van der Corput sequence in base 2. The order depends
    on the micrographs alone, not on how the list was sorted.
    """
    ordered = sorted(subjects, key=lambda s: (_defocus(s) is None, _defocus(s) or 0.0, s.subject))
    size = len(ordered)
    bits = max(1, (size - 1).bit_length())
    places = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits))
    return tuple(ordered[place] for place in places if place < size)


def _defocus(subject: PickingMicrograph) -> float | None:
    """Return the mean defocus that the list gives, in Å."""
    ctf = subject.micrograph.given_ctf
    return None if ctf is None else (ctf.defocus_u_a + ctf.defocus_v_a) / 2.0
