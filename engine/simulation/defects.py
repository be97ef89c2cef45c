"""The mechanisms by which a micrograph goes bad, each with the label it earns.

A mechanism either changes the settings before anything is painted (`settings`) or paints into the
scene (`painter`, before or after the particles). Strength 0 to 1 is turned into the quantity that
has this severity on the scale of `severity`; the truth is settled afterwards from what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cryoverdict.engine.simulation.defect_painters import PAINTERS, Painter
from cryoverdict.engine.simulation.electron import ice_free_path_a
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec
from cryoverdict.engine.simulation.severity import quantity

Settings = Callable[[MicrographSpec, float, np.random.Generator], MicrographSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One way to go bad: its name, the label it leads to, and how it is brought about."""

    name: str
    label: str
    settings: Settings | None = None
    painter: Painter | None = None


def _drift(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Move evenly along a line, a little bent."""
    length, angle = quantity("drift_a", strength), rng.uniform(0.0, 2.0 * np.pi)
    count = int(np.clip(length / spec.pixel_size_a * 1.5, 5, 32))
    t = np.linspace(-0.5, 0.5, count)
    bend = rng.normal(0.0, 0.12) * (t * t - 1.0 / 12.0)
    dy = length * (t * np.sin(angle) + bend * np.cos(angle))
    dx = length * (t * np.cos(angle) - bend * np.sin(angle))
    return replace(spec, trajectory_a=tuple(zip(dy.tolist(), dx.tolist(), strict=True)))


def _stage_jump(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Stay, jump, stay: a double image."""
    share = rng.uniform(0.3, 0.7)
    # A jump blurs by √12 times its σ, √(p (1 − p)) of its length.
    length = quantity("drift_a", strength) / np.sqrt(12.0 * share * (1.0 - share))
    angle = rng.uniform(0.0, 2.0 * np.pi)
    step = (float(length * np.sin(angle)), float(length * np.cos(angle)))
    stays = round(10 * share)
    return replace(spec, trajectory_a=((0.0, 0.0),) * stays + (step,) * (10 - stays))


def _charging(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Run off fast at first and relax on a curved path, with astigmatism that charge brings."""
    length, angle = quantity("drift_a", strength), rng.uniform(0.0, 2.0 * np.pi)
    t = np.linspace(0.0, 1.0, 24)
    radius = np.exp(-4.0 * t)
    turn = angle + rng.normal(0.0, 1.2) * t
    path = np.stack([radius * np.sin(turn), radius * np.cos(turn)], axis=1)
    path -= path.mean(axis=0)
    sigma = np.sqrt(np.linalg.eigvalsh(np.cov(path.T, bias=True))[-1])
    path *= length / (np.sqrt(12.0) * sigma)
    return replace(
        spec,
        trajectory_a=tuple((float(y), float(x)) for y, x in path),
        astigmatism_a=spec.astigmatism_a + 400.0 * strength,
    )


def _astigmatism(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Spoil the stigmator."""
    return replace(
        spec,
        astigmatism_a=quantity("astigmatism_a", strength),
        astigmatism_angle_deg=float(rng.uniform(0.0, 180.0)),
    )


def _far_focus(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Focus much too far under."""
    del rng
    return replace(spec, defocus_a=quantity("far_defocus_a", strength))


def _near_focus(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Focus so near that there is no contrast."""
    del rng
    return replace(spec, defocus_a=quantity("near_defocus_a", strength), phase_shift_deg=0.0)


def _failed_focus(
    spec: MicrographSpec, strength: float, rng: np.random.Generator
) -> MicrographSpec:
    """Let the autofocus fail: overfocus, or many micrometres off, with astigmatism."""
    if strength >= 0.5 and rng.random() < 0.4:
        defocus = -float(rng.uniform(4000.0, 30000.0)) * strength
    else:
        defocus = quantity("far_defocus_a", strength) * float(
            rng.uniform(1.0, 1.0 + 0.5 * strength)
        )
    astigmatism = quantity("astigmatism_a", 0.6 * strength)
    return replace(spec, defocus_a=defocus, astigmatism_a=astigmatism, phase_shift_deg=0.0)


def _tilt(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Look at the grid from the side: defocus runs across the picture, ice looks thicker."""
    tilt = quantity("tilt_deg", strength)
    slant = 1.0 / float(np.cos(np.radians(tilt)))
    return replace(
        spec,
        tilt_deg=tilt,
        tilt_axis_deg=float(rng.uniform(0.0, 180.0)),
        ice_thickness_a=spec.ice_thickness_a * slant,
    )


def _low_dose(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Expose too little."""
    del rng
    return replace(spec, dose_e_per_a2=quantity("dose_e_per_a2", strength))


def _blank(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Lose most of the beam: valve, shutter or a bar before the picture."""
    del rng
    return replace(spec, shutter=quantity("shutter", strength))


def _double(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Expose two fields of view on one frame."""
    del rng
    return replace(spec, second_exposure=quantity("second_exposure", strength))


def _thick_ice(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Make the ice too thick, with a gradient as thick ice has."""
    thickness = quantity("free_paths", strength) * ice_free_path_a(spec.voltage_kv)
    return replace(
        spec,
        ice_thickness_a=thickness,
        ice_gradient=max(spec.ice_gradient, float(rng.lognormal(np.log(0.15), 0.7))),
        ice_roughness=max(spec.ice_roughness, float(rng.uniform(0.02, 0.12))),
        surface=spec.surface * float(rng.uniform(1.0, 3.0)),
    )


def _no_particles(
    spec: MicrographSpec, strength: float, rng: np.random.Generator
) -> MicrographSpec:
    """Leave (nearly) no particles in good ice, and mostly less of everything else."""
    cover = 0.0 if strength > 0.97 else quantity("particle_cover", strength)
    return replace(
        spec,
        coverage=min(spec.coverage, cover),
        overlap=0.0,
        fragments=spec.fragments * float(rng.choice([0.0, 0.2, 1.0])),
        debris=spec.debris * float(rng.uniform(0.1, 1.0)),
    )


def _no_ice(spec: MicrographSpec, strength: float, rng: np.random.Generator) -> MicrographSpec:
    """Take the ice out of the whole hole: nothing but the beam's own noise."""
    if strength < 0.9:
        return spec
    return replace(
        spec,
        ice_thickness_a=0.0,
        coverage=0.0,
        fragments=0.0,
        specks=0.0,
        threads=0,
        vignetting=spec.vignetting * float(rng.uniform(0.5, 1.5)),
    )


_SETTINGS: tuple[tuple[str, str, Settings], ...] = (
    ("drift", "drift", _drift),
    ("stage-jump", "drift", _stage_jump),
    ("charging", "drift", _charging),
    ("astigmatism", "bad_ctf", _astigmatism),
    ("far-focus", "bad_ctf", _far_focus),
    ("near-focus", "bad_ctf", _near_focus),
    ("failed-focus", "bad_ctf", _failed_focus),
    ("tilt", "bad_ctf", _tilt),
    ("low-dose", "low_dose", _low_dose),
    ("blank", "broken_exposure", _blank),
    ("double-exposure", "broken_exposure", _double),
    ("thick-ice", "thick_ice", _thick_ice),
    ("no-particles", "empty_vitreous_ice", _no_particles),
    ("no-ice", "empty_no_ice", _no_ice),
)

MECHANISMS: dict[str, Mechanism] = {
    **{n: Mechanism(name=n, label=label, settings=s) for n, label, s in _SETTINGS},
    **{n: Mechanism(name=n, label=label, painter=p) for n, (label, p) in PAINTERS.items()},
}
# Dead pixels belong to neither: they are made in the counts, by `micrograph`.
MECHANISMS["dead-pixels"] = Mechanism(name="dead-pixels", label="broken_exposure")
# Emptiness is settled first and then painted, too: part of a hole may be empty.
MECHANISMS["no-ice"] = replace(MECHANISMS["no-ice"], painter=PAINTERS["no-ice"][1])


def with_defects(spec: MicrographSpec, rng: np.random.Generator) -> MicrographSpec:
    """Return the settings as the defects of ``spec`` change them, in their order."""
    for defect in spec.defects:
        change = MECHANISMS[defect.mechanism].settings
        if change is not None:
            spec = change(spec, defect.strength, rng)
    return spec


def label_of(defect: Defect) -> str:
    """Return the label that a defect's mechanism leads to."""
    return MECHANISMS[defect.mechanism].label
