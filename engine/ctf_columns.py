"""The CTF of measured micrographs under RELION's labels."""

from __future__ import annotations

import numpy as np

from cryoverdict.features.table import FeatureTable

# Each column, and the measurement that it is written from.
PLAIN_COLUMNS = {
    "rlnDefocusAngle": "ctf_astigmatism_angle_deg",
    "rlnCtfAstigmatism": "ctf_astigmatism_a",
    "rlnCtfFigureOfMerit": "ctf_fit_score",
    "rlnCtfMaxResolution": "ctf_resolution_a",
    "cryoverdictDefocusError": "ctf_defocus_error_a",
}


def ctf_columns(table: FeatureTable) -> dict[str, dict[str, float | None]]:
    """Return the fitted CTF of each subject whose list gave none, as CTFFIND jobs write it.

    A CTF that came with the list stays as it came and is not written again. Where no Thon rings
    were seen the values are ``None``; a list without any rings gets no such columns.
    """
    if np.isnan(table.column("ctf_defocus_a")).all():
        return {}
    columns: dict[str, dict[str, float | None]] = {}
    for subject in table.subjects:
        if (subject, "ctf_defocus_a") in table.given:
            continue
        measured = table.row(subject)
        mean, half = measured.get("ctf_defocus_a"), measured.get("ctf_astigmatism_a", 0.0) / 2.0
        known = mean is not None
        columns[subject] = {
            "rlnDefocusU": None if mean is None else mean + half,
            "rlnDefocusV": None if mean is None else mean - half,
        } | {label: measured.get(name) if known else None for label, name in PLAIN_COLUMNS.items()}
    return columns
