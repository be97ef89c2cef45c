"""What is true of a simulated micrograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.electron import ice_free_path_a
from cryoverdict.engine.simulation.exposure import blurred_length_a
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec
from cryoverdict.engine.simulation.orientation import euler_angles_deg
from cryoverdict.engine.simulation.scene import AREA_LABELS, Scene
from cryoverdict.engine.simulation.severity import (
    BAD_FROM,
    GREAT_BELOW,
    GREY_ZONE,
    LABELS,
    combined,
    severity,
)

# A severity below this is not worth naming.
NAMED_FROM = 0.1
_SCALE_OF_AREA = {
    "contamination": "contaminated_area",
    "film": "film_area",
    "empty_no_ice": "vacuum_area",
    "crystalline_ice": "crystalline_area",
    "broken_exposure": "broken_area",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueCtf:
    """The defocus (Å, underfocus positive), its angle and the phase shift that were simulated."""

    defocus_u_a: float
    defocus_v_a: float
    defocus_angle_deg: float
    phase_shift_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Verdict ``good`` or ``bad``, grade of a good one, defects with severities, CTF, particles.

    ``defects`` holds labels with a severity of at least 0.1, worst first; ``mechanisms`` what was
    asked for. ``total_severity`` is all of them together, ``grey`` where experts may differ.
    ``centres_px`` is ``(n, 2)`` as (x, y) of the full-size micrograph, ``angles_deg`` ``(n, 3)``
    RELION's rot, tilt and psi. ``usable`` and ``masks`` are
    coarse: pixel (y, x) of the micrograph is cell (y // mask_binning, x // mask_binning).
    """

    verdict: str
    grade: str | None
    grey: bool
    total_severity: float
    defects: dict[str, float]
    mechanisms: dict[str, float]
    ctf: TrueCtf
    centres_px: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    usable: NDArray[np.bool_]
    masks: dict[str, NDArray[np.bool_]]
    mask_binning: int
    dose_e_per_a2: float
    ice_thickness_a: float
    drift_a: float


def coarse_mask(mask: NDArray[np.bool_], binning: int) -> NDArray[np.bool_]:
    """Return a mask in which each cell says whether half of its pixels are set."""
    ny, nx = (-(-n // binning) for n in mask.shape)
    padded = np.zeros((ny * binning, nx * binning), dtype=np.uint8)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    # A cell cut by the border has fewer pixels; two sums along the axes are fast on bytes.
    sums = np.add.reduceat(padded, np.arange(0, nx * binning, binning), axis=1, dtype=np.uint16)
    sums = np.add.reduceat(sums, np.arange(0, ny * binning, binning), axis=0, dtype=np.uint16)
    half: NDArray[np.bool_] = sums * 2 >= binning * binning
    return half


def _of_optics(spec: MicrographSpec) -> float:
    """Return the severity of what is wrong with focus, astigmatism and tilt."""
    faults = {
        "astigmatism": severity("astigmatism_a", spec.astigmatism_a),
        "far": severity("far_defocus_a", abs(spec.defocus_a)),
        "tilt": severity("tilt_deg", abs(spec.tilt_deg)),
    }
    if abs(spec.phase_shift_deg) < 20.0:
        faults["near"] = severity("near_defocus_a", spec.defocus_a)
    return combined(faults)


def severities(
    spec: MicrographSpec, areas: dict[str, float], particle_cover: float, thickness_a: float
) -> dict[str, float]:
    """Return each label's severity from the settings and the areas (fractions) that were painted.

    ``particle_cover`` is the fraction of the usable area under particles; emptiness counts only as
    far as there is ice that could hold some.
    """
    found = {label: severity(_SCALE_OF_AREA[label], areas[label]) for label in AREA_LABELS}
    iced = max(0.0, 1.0 - sum(areas[k] for k in ("empty_no_ice", "film", "contamination")))
    found["empty_vitreous_ice"] = severity("particle_cover", particle_cover) * iced
    path = ice_free_path_a(spec.voltage_kv)
    found["thick_ice"] = severity("free_paths", thickness_a / path)
    found["drift"] = severity("drift_a", blurred_length_a(spec.trajectory_a))
    found["bad_ctf"] = _of_optics(spec)
    found["low_dose"] = severity("dose_e_per_a2", spec.dose_e_per_a2)
    found["broken_exposure"] = combined(
        {
            "area": found["broken_exposure"],
            "shutter": severity("shutter", spec.shutter),
            "second": severity("second_exposure", spec.second_exposure),
        }
    )
    return {label: found[label] for label in LABELS}


def settle_truth(
    spec: MicrographSpec, scene: Scene, *, thickness_a: float, particle_area_px: float
) -> Truth:
    """Return the truth of a painted scene under the settings that were really used."""
    grid = scene.grid
    binning = 8 if min(spec.shape) >= 1024 else 4
    labels = scene.labels[
        grid.margin_y : grid.margin_y + grid.out_ny, grid.margin_x : grid.margin_x + grid.out_nx
    ]
    masks = {
        name: coarse_mask((labels & np.uint8(1 << bit)) != 0, binning)
        for bit, name in enumerate(AREA_LABELS)
    }
    usable = ~coarse_mask(labels != 0, binning)
    centres = np.array(scene.centres, dtype=np.float32).reshape(-1, 2)
    centres -= np.array([grid.margin_y, grid.margin_x], dtype=np.float32)
    inside = (
        (centres > 0).all(axis=1)
        & (centres[:, 0] < spec.shape[0])
        & (centres[:, 1] < spec.shape[1])
    )
    centres = centres[inside]
    rotations = np.array(scene.orientations, dtype=np.float32).reshape(-1, 3, 3)[inside]
    # Crystalline ice spoils particles, but it is not empty.
    barren = masks["contamination"] | masks["film"] | masks["empty_no_ice"]
    cells = (centres // binning).astype(int)
    seen = np.count_nonzero(~barren[cells[:, 0], cells[:, 1]]) if len(cells) else 0
    cover = seen * particle_area_px / max(1.0, float((~barren).mean()) * labels.size)
    areas = {name: scene.fraction(name) for name in AREA_LABELS}
    found = severities(spec, areas, cover, thickness_a)
    total = combined(found)
    good = total < BAD_FROM
    named = sorted((kv for kv in found.items() if kv[1] >= NAMED_FROM), key=lambda kv: -kv[1])
    return Truth(
        verdict="good" if good else "bad",
        grade=("great" if total < GREAT_BELOW else "decent") if good else None,
        grey=GREY_ZONE[0] <= total < GREY_ZONE[1],
        total_severity=total,
        defects=dict(named),
        mechanisms={d.mechanism: d.strength for d in spec.defects},
        ctf=TrueCtf(
            defocus_u_a=spec.defocus_a + 0.5 * spec.astigmatism_a,
            defocus_v_a=spec.defocus_a - 0.5 * spec.astigmatism_a,
            defocus_angle_deg=spec.astigmatism_angle_deg,
            phase_shift_deg=spec.phase_shift_deg,
        ),
        centres_px=np.ascontiguousarray(centres[:, ::-1]),
        angles_deg=euler_angles_deg(rotations),
        usable=usable,
        masks=masks,
        mask_binning=binning,
        dose_e_per_a2=spec.dose_e_per_a2 * spec.shutter,
        ice_thickness_a=thickness_a,
        drift_a=blurred_length_a(spec.trajectory_a),
    )
