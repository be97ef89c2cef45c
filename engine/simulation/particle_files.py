"""Particles from atomic models (PDB, mmCIF) and maps (MRC), as clouds of beads."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from cryoverdict.engine.simulation.electron import ICE_V, PROTEIN_V
from cryoverdict.engine.simulation.particle import BeadModel
from cryoverdict.features.input_error import InputError

# Electron scattering factors at zero angle (Å), Peng et al. (1996); 47.88 V Å² turns them into the
# integral of the potential. Bonding lowers the sum by about 12 %.
SCATTERING_A = {
    "C": 2.51,
    "N": 2.21,
    "O": 1.98,
    "S": 5.16,
    "P": 5.49,
    "FE": 7.2,
    "ZN": 6.1,
    "MG": 5.2,
}
HYDROGENS_A = {"C": 0.53 * 1.1, "N": 0.53 * 1.0, "O": 0.53 * 0.3}
VOLT_A2 = 47.88 * 0.88
# Volume (Å³) that a heavy atom with its hydrogens keeps from the ice; Fraser et al. (1978), mean.
VOLUME_A3 = {"C": 20.5, "N": 15.0, "O": 14.5, "S": 26.0, "P": 9.0}
MOST_ATOMS = 400_000
MAP_SUFFIXES = (".mrc", ".map", ".mrc.gz", ".map.gz")
MODEL_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz", ".mmcif.gz")


def read_particle(path: Path) -> BeadModel:
    """Return the particle of an atomic model or map file.

    Raises `InputError` where the file is absent, of another kind, or holds nothing.
    """
    name = path.name.lower()
    if not path.is_file():
        msg = f"{path}: no such file; accepted is a PDB, mmCIF or MRC file of one particle"
        raise InputError(msg)
    if name.endswith(MAP_SUFFIXES):
        return _from_map(path)
    if name.endswith(MODEL_SUFFIXES):
        return _from_model(path)
    msg = f"{path}: its name ends in none of {', '.join(MODEL_SUFFIXES + MAP_SUFFIXES)}"
    raise InputError(msg)


def _from_model(path: Path) -> BeadModel:
    """Read atoms with gemmi and build the first biological assembly where one is given."""
    try:
        import gemmi
    except ImportError as error:
        msg = f"{path}: reading atomic models needs the package gemmi; install it, or give a map"
        raise InputError(msg) from error
    try:
        structure = gemmi.read_structure(str(path))
        structure.setup_entities()
        if structure.assemblies:
            structure.transform_to_assembly(
                structure.assemblies[0].name, gemmi.HowToNameCopiedChain.Short
            )
        structure.remove_waters()
        structure.remove_hydrogens()
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"{path}: cannot be read as an atomic model ({error})"
        raise InputError(msg) from error
    if not len(structure) or structure[0].count_atom_sites() == 0:
        msg = f"{path}: holds no atoms"
        raise InputError(msg)
    places, potentials, holes = [], [], []
    for chain in structure[0]:
        for residue in chain:
            for atom in residue:
                element = atom.element.name.upper()
                own = SCATTERING_A.get(element, 4.0) + HYDROGENS_A.get(element, 0.0)
                places.append((atom.pos.x, atom.pos.y, atom.pos.z))
                potentials.append(own * VOLT_A2)
                holes.append(VOLUME_A3.get(element, 15.0) * ICE_V)
    if len(places) > MOST_ATOMS:
        step = -(-len(places) // MOST_ATOMS)
        places, potentials, holes = places[::step], potentials[::step], holes[::step]
        potentials, holes = [p * step for p in potentials], [h * step for h in holes]
    points = np.array(places, dtype=np.float32)
    return BeadModel(
        name=path.name,
        positions_a=points - points.mean(axis=0),
        potential_va3=np.array(potentials, dtype=np.float32),
        displaced_va3=np.array(holes, dtype=np.float32),
        bead_sigma_a=0.6,
        hole_sigma_a=2.2,
    )


def _from_map(path: Path) -> BeadModel:
    """Take the voxels above a density threshold as beads with protein's mean potential."""
    import mrcfile

    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as stream:
            volume = mrcfile.mrcinterpreter.MrcInterpreter(iostream=stream, permissive=False)
            data = np.asarray(volume.data, dtype=np.float32)
            voxel_a = float(volume.voxel_size.x)
    except (ValueError, OSError) as error:
        msg = f"{path}: cannot be read as an MRC map ({error})"
        raise InputError(msg) from error
    if data.ndim != 3 or voxel_a <= 0.0 or not np.isfinite(data).all():
        msg = f"{path}: is no finite volume with a voxel size; accepted is a 3D MRC map"
        raise InputError(msg)
    background = float(np.median(data))
    top = float(np.quantile(data, 0.999))
    threshold = background + 0.3 * (top - background)
    at = np.argwhere(data > threshold)
    if len(at) == 0:
        msg = f"{path}: the map is constant"
        raise InputError(msg)
    density = data[tuple(at.T)] - background
    points = (at[:, ::-1] * voxel_a).astype(np.float32)
    centre = (points * density[:, None]).sum(axis=0) / density.sum()
    cell = voxel_a**3 * np.clip(density / density.mean(), 0.0, 3.0)
    return BeadModel(
        name=path.name,
        positions_a=(points - centre).astype(np.float32),
        potential_va3=(cell * PROTEIN_V).astype(np.float32),
        displaced_va3=(cell * ICE_V).astype(np.float32),
        bead_sigma_a=0.5 * voxel_a,
        hole_sigma_a=max(2.2, 0.5 * voxel_a),
    )
