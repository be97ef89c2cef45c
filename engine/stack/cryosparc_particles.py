"""Particles as the records of a cryoSPARC ``.cs`` file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import radians
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.stack.selected_particles import (
    IMAGE,
    MICROGRAPH,
    SelectedParticles,
    number_or_nan,
)
from cryoverdict.features.relion_list import GROUP
from cryoverdict.features.write_micrographs import UID_LABEL

Floats = NDArray[np.float64]
DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
LENS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
ALIGNED = ("rlnAnglePsi", "rlnClassNumber")
PICK = "cryoverdictPick"
GOOD_PROBABILITY = "cryoverdictGoodProbability"
GROUPS = ("blob", "ctf", "alignments2D", "location")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedParticles:
    """The particles of a finished stack: rows of a list, and where they lie now.

    ``index`` ``(n,)`` are the rows of `SelectedParticles` in the order of the images.
    ``x_px``, ``y_px`` are their coordinates, ``origin_a`` ``(n, 2)`` what is left to centre them;
    ``shape`` ``(n, 2)`` is the micrograph's (rows, columns), 0 where it was not read.
    """

    index: NDArray[np.int64]
    x_px: Floats
    y_px: Floats
    origin_a: Floats
    shape: NDArray[np.int64]
    box: int
    pixel_size_a: float
    inverted: bool


def write_particles_cs(
    path: Path, particles: SelectedParticles, placed: PlacedParticles, stack: str
) -> tuple[str, ...]:
    """Write the particles of a stack as a ``.cs`` file: a numpy file of one table.

    Fields and their types are those of cryoSPARC's own particle files: ``blob`` always, ``ctf``
    where defocus and lens are known, ``alignments2D`` where there are angles and classes,
    ``location`` where there are micrographs, and ``cryoverdict/good_probability`` where a learnt
    model has given one. Angles are in radians, shifts in pixels of the stack
    with RELION's sign, classes counted from 0. The ``uid`` is the one that came with the particles
    (`cryosparcUid`), else made of micrograph and pick, so that it is the same in each run. Returns
    the groups of fields that could not be written.
    """
    records = _fields(particles, placed, stack)
    dtype = np.dtype([(name, values.dtype, values.shape[1:]) for name, values in records.items()])
    table = np.zeros(len(placed.index), dtype=dtype)
    for name, values in records.items():
        table[name] = values
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        np.save(file, table, allow_pickle=False)
    temporary.replace(path)
    written = {name.partition("/")[0] for name in records}
    return tuple(group for group in GROUPS if group not in written)


def _fields(
    particles: SelectedParticles, placed: PlacedParticles, stack: str
) -> dict[str, NDArray[Any]]:
    """Return the columns of the table by name."""
    n = len(placed.index)
    fields: dict[str, NDArray[Any]] = {
        "uid": particle_uids(particles)[placed.index],
        "blob/path": np.full(n, stack.encode()),
        "blob/idx": np.arange(n, dtype=np.uint32),
        "blob/shape": np.full((n, 2), placed.box, dtype=np.uint32),
        "blob/psize_A": np.full(n, placed.pixel_size_a, dtype=np.float32),
        # +1 says light particles on dark ground.
        "blob/sign": np.full(n, 1.0 if placed.inverted else -1.0, dtype=np.float32),
        "blob/import_sig": np.zeros(n, dtype=np.uint64),
    }
    fields |= _ctf(particles, placed)
    fields |= _alignments(particles, placed)
    good = particles.numbers(GOOD_PROBABILITY)
    if good is not None:
        fields["cryoverdict/good_probability"] = good[placed.index].astype(np.float32)
    return fields | _location(particles, placed)


def particle_uids(particles: SelectedParticles) -> NDArray[np.uint64]:
    """Return a number for each particle, no two the same."""
    given = particles.table.column(UID_LABEL)
    if given is not None and all(text.isdecimal() for text in given):
        uids = np.array([int(text) for text in given], dtype=np.uint64)
        if len(np.unique(uids)) == len(uids):
            return uids
    columns = [particles.words(c) for c in (MICROGRAPH, PICK, IMAGE)]
    uids = np.empty(len(particles), dtype=np.uint64)
    for i, (micrograph, pick, image) in enumerate(zip(*columns, strict=True)):
        # A pick is the same particle however often it is cut; an image name is the next best.
        own = f"{micrograph}#{pick}" if micrograph and pick.isdecimal() else image
        uids[i] = _uid(own)
    if len(np.unique(uids)) < len(uids):
        uids = np.array([_uid(f"{i}#{image}") for i, image in enumerate(columns[2])], np.uint64)
    return uids


def _uid(text: str) -> int:
    """Return a 64-bit number made of a text; never 0."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little") or 1


def _of_group(particles: SelectedParticles, label: str) -> Floats:
    """Return the value that each particle's optics group has for a label, NaN where none."""
    values = {g: number_or_nan(row.get(label, "")) for g, row in particles.group_rows.items()}
    return np.array([values[g] for g in particles.words(GROUP)], dtype=np.float64)


def _ctf(particles: SelectedParticles, placed: PlacedParticles) -> dict[str, NDArray[Any]]:
    """Return the CTF fields; none where a particle's CTF is not known."""
    if not particles.has(*DEFOCUS):
        return {}
    focus = [particles.numbers(label) for label in DEFOCUS]
    lens = [_of_group(particles, label) for label in LENS]
    needed = np.stack([c for c in (*focus, *lens) if c is not None])[:, placed.index]
    if not np.isfinite(needed).all():
        return {}
    u, v, angle, voltage, cs, contrast = needed
    n = len(placed.index)

    def column(name: str, neutral: float) -> Floats:
        found = particles.numbers(name)
        return (
            np.full(n, neutral)
            if found is None
            else np.nan_to_num(found[placed.index], nan=neutral)
        )

    numbers = {
        "accel_kv": voltage,
        "cs_mm": cs,
        "amp_contrast": contrast,
        "df1_A": u,
        "df2_A": v,
        "df_angle_rad": np.deg2rad(angle),
        "phase_shift_rad": np.deg2rad(column("rlnPhaseShift", 0.0)),
        "scale": column("rlnCtfScalefactor", 1.0),
        "scale_const": np.zeros(n),
    }
    # Where RELION keeps higher aberrations they are in the optics groups, in another form.
    flat = {"shift_A": 2, "tilt_A": 2, "trefoil_A": 2, "tetra_A": 4, "anisomag": 4}
    groups = {g: i for i, g in enumerate(particles.group_rows, start=1)}
    group = np.array([groups[g] for g in particles.words(GROUP)], dtype=np.uint32)
    return (
        {
            "ctf/type": np.full(n, b"imported"),
            "ctf/exp_group_id": group[placed.index],
        }
        | {f"ctf/{name}": values.astype(np.float32) for name, values in numbers.items()}
        | {f"ctf/{name}": np.zeros((n, size), dtype=np.float32) for name, size in flat.items()}
        | {"ctf/bfactor": column("rlnCtfBfactor", 0.0).astype(np.float32)}
    )


def _alignments(particles: SelectedParticles, placed: PlacedParticles) -> dict[str, NDArray[Any]]:
    """Return the 2D alignment fields; none where there was no classification."""
    if not particles.has(*ALIGNED):
        return {}
    psi, number = (particles.numbers(label) for label in ALIGNED)
    assert psi is not None
    assert number is not None
    n = len(placed.index)
    psi, number = psi[placed.index], number[placed.index]
    if not (np.isfinite(psi).all() and (number >= 1).all()):
        return {}
    top = particles.numbers("rlnMaxValueProbDistribution")
    posterior = np.ones(n) if top is None else np.nan_to_num(top[placed.index], nan=1.0)
    subset = particles.numbers("rlnRandomSubset")
    split = np.zeros(n) if subset is None else np.nan_to_num(subset[placed.index] - 1.0)
    turns = np.remainder(np.deg2rad(psi), 2.0 * radians(180.0))
    single = {
        "error": 0.0,
        "error_min": 0.0,
        "resid_pow": 0.0,
        "slice_pow": 0.0,
        "image_pow": 0.0,
        "cross_cor": 0.0,
        "alpha": 1.0,
        "alpha_min": 1.0,
        "weight": 0.0,
        "pose_ess": 0.0,
        "shift_ess": 0.0,
    }
    return (
        {
            "alignments2D/split": np.maximum(split, 0.0).astype(np.uint32),
            "alignments2D/shift": (placed.origin_a / placed.pixel_size_a).astype(np.float32),
            "alignments2D/pose": turns.astype(np.float32),
            "alignments2D/psize_A": np.full(n, placed.pixel_size_a, dtype=np.float32),
        }
        | {f"alignments2D/{k}": np.full(n, v, dtype=np.float32) for k, v in single.items()}
        | {
            "alignments2D/class_posterior": posterior.astype(np.float32),
            "alignments2D/class": (number - 1.0).astype(np.uint32),
            "alignments2D/class_ess": np.ones(n, dtype=np.float32),
        }
    )


def _location(particles: SelectedParticles, placed: PlacedParticles) -> dict[str, NDArray[Any]]:
    """Return the fields that say where in which micrograph; none where that is not known."""
    shape = placed.shape.astype(np.float64)
    if not particles.has(MICROGRAPH) or not (shape > 0).all():
        return {}
    names = particles.words(MICROGRAPH)
    chosen = [names[i] for i in placed.index.tolist()]
    number = {name: _uid(name) for name in dict.fromkeys(chosen)}
    groups = {g: i for i, g in enumerate(particles.group_rows, start=1)}
    group = np.array([groups[g] for g in particles.words(GROUP)], dtype=np.uint32)
    paths = np.array([name.encode("utf-8", "surrogateescape") for name in chosen])
    return {
        "location/micrograph_uid": np.array([number[name] for name in chosen], dtype=np.uint64),
        "location/exp_group_id": group[placed.index],
        "location/micrograph_path": paths,
        "location/micrograph_shape": placed.shape.astype(np.uint32),
        "location/center_x_frac": (placed.x_px / shape[:, 1]).astype(np.float32),
        "location/center_y_frac": (placed.y_px / shape[:, 0]).astype(np.float32),
    }
