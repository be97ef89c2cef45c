"""The CTF of a micrograph as particles carry it: from the list, or fitted where it has none."""

from __future__ import annotations

from collections.abc import Mapping

from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics
from cryoverdict.features.star import parse_number

# In RELION's order; the first three make a CTF.
LABELS = (
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnPhaseShift",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnCtfFigureOfMerit",
    "rlnCtfMaxResolution",
)
NEUTRAL = {
    "rlnPhaseShift": "0.000000",
    "rlnCtfBfactor": "0.000000",
    "rlnCtfScalefactor": "1.000000",
}


def listed_ctf(listed: MicrographList, subject: str) -> dict[str, str] | None:
    """Return the CTF that came with a list under RELION's labels; ``None`` where there is none.

    Values of STAR input stay as written.
    """
    number, row = listed.origin[subject]
    source = listed.sources[number]
    given = source.entries[row].given_ctf
    if given is None:
        return None
    if source.table is not None:
        cells = dict(zip(source.table.columns, source.table.rows[row], strict=True))
        return NEUTRAL | {c: cells[c] for c in LABELS if c in cells and _is_number(cells[c])}
    values = {
        "rlnDefocusU": given.defocus_u_a,
        "rlnDefocusV": given.defocus_v_a,
        "rlnDefocusAngle": given.defocus_angle_deg,
        "rlnPhaseShift": given.phase_shift_deg,
        "rlnCtfFigureOfMerit": given.fit_score,
        "rlnCtfMaxResolution": given.resolution_a,
    }
    return NEUTRAL | {label: f"{v:.6f}" for label, v in values.items() if v is not None}


def fitted_ctf(
    micrograph: Micrograph, image: Image, optics: Optics
) -> tuple[Mapping[str, str] | None, str]:
    """Return the CTF fitted to a micrograph, or ``None``; and a sentence that says which."""
    if optics.missing_for_ctf:
        return None, f"without a CTF: {', '.join(optics.missing_for_ctf)} unknown"
    from cryoverdict.features.ctf_fit import fit_ctf
    from cryoverdict.features.prepare import prepare

    try:
        fit = fit_ctf(prepare(micrograph, image, optics).spectrum, optics)
    except InputError as error:
        return None, f"without a CTF: {error}"
    if not fit.rings_seen:
        return None, "without a CTF: no Thon rings stand out of the noise"
    ctf = fit.ctf
    values = {
        "rlnDefocusU": ctf.defocus_u_a,
        "rlnDefocusV": ctf.defocus_v_a,
        "rlnDefocusAngle": ctf.defocus_angle_deg,
        "rlnCtfFigureOfMerit": fit.score,
        "rlnCtfMaxResolution": fit.resolution_a,
    }
    return NEUTRAL | {label: f"{v:.6f}" for label, v in values.items()}, "the CTF was fitted"


def _is_number(text: str) -> bool:
    """Return whether a value is a finite number."""
    try:
        return parse_number(text) is not None
    except ValueError:
        return False
