"""A simulated session as files: micrographs, and what is true of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoverdict.engine.simulation.data_set import DataSetSpec, draw_micrographs
from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.micrograph import SimulatedMicrograph, simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec
from cryoverdict.engine.simulation.severity import LABELS
from cryoverdict.engine.simulation.thumbnail import bin_image, stretch
from cryoverdict.engine.simulation.truth import Truth

MICROGRAPHS_CSV = "truth_micrographs.csv"
PARTICLES_STAR = "truth_particles.star"
MASKS = "truth_masks"
COLUMNS = (
    "name",
    "verdict",
    "grade",
    "grey",
    "total_severity",
    "defects",
    *LABELS,
    "mechanisms",
    "defocus_u_a",
    "defocus_v_a",
    "defocus_angle_deg",
    "phase_shift_deg",
    "dose_e_per_a2",
    "ice_thickness_a",
    "drift_a",
    "usable_fraction",
    "particles",
    "pixel_size_a",
    "voltage_kv",
    "cs_mm",
    "amplitude_contrast",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDataSet:
    """Paths of the micrographs in order, and their truths."""

    micrographs: tuple[Path, ...]
    truths: tuple[Truth, ...]


def iterate_data_set(data_set: DataSetSpec, seed: int) -> Iterator[SimulatedMicrograph]:
    """Yield the micrographs of a session one by one, without writing anything."""
    for number, spec in enumerate(draw_micrographs(data_set, seed)):
        yield simulate_micrograph(spec, micrograph_seed(seed, number))


def micrograph_seed(seed: int, number: int) -> int:
    """Return the seed of micrograph ``number`` of the session of ``seed``."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def write_data_set(
    data_set: DataSetSpec,
    folder: Path,
    *,
    seed: int,
    threads: int = 1,
    masks: bool = False,
    on_done: Callable[[str], None] | None = None,
) -> WrittenDataSet:
    """Write a session into ``folder`` (made if absent) and return what was written.

    ``NAME_0000.mrc`` … (float32, pixel size in the header; or PNG where the spec asks for
    thumbnails), ``truth_micrographs.csv``, ``truth_particles.star`` (RELION 3.1, one optics group,
    coordinates in pixels of the written micrograph, orientations), and with ``masks``
    ``truth_masks/NAME.png`` (white is usable, coarse). The bytes depend on the spec and the seed
    alone. ``on_done`` is called with each name, for a progress bar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if masks:
        (folder / MASKS).mkdir(exist_ok=True)
    specs = draw_micrographs(data_set, seed)

    def make(number: int) -> tuple[Path, Truth, MicrographSpec]:
        made = simulate_micrograph(specs[number], micrograph_seed(seed, number))
        path = _write_pixels(data_set, folder, number, made)
        if masks:
            _write_mask(folder / MASKS / f"{path.stem}.png", made.truth)
        if on_done is not None:
            on_done(path.name)
        return path, made.truth, made.spec

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        done = list(pool.map(make, range(len(specs))))
    _write_table(folder / MICROGRAPHS_CSV, data_set, done)
    _write_particles(folder / PARTICLES_STAR, data_set, done)
    return WrittenDataSet(
        micrographs=tuple(path for path, _, _ in done), truths=tuple(truth for _, truth, _ in done)
    )


def _scale(data_set: DataSetSpec) -> float:
    """Return how many simulated pixels a written pixel is wide."""
    return data_set.thumbnail_binning if data_set.thumbnail_binning > 0.0 else 1.0


def _write_pixels(
    data_set: DataSetSpec, folder: Path, number: int, made: SimulatedMicrograph
) -> Path:
    """Write one micrograph as MRC, or as a PNG thumbnail."""
    stem = f"{data_set.name}_{number:04d}"
    if data_set.thumbnail_binning > 0.0:
        from PIL import Image

        path = folder / f"{stem}.png"
        small = bin_image(made.pixels, data_set.thumbnail_binning)
        Image.fromarray(stretch(small, data_set.thumbnail_stretch)).save(path)
        return path
    path = folder / f"{stem}.mrc"
    write_mrc(path, made.pixels, made.spec.pixel_size_a)
    return path


def write_mrc(path: Path, pixels: FloatArray, pixel_size_a: float) -> None:
    """Write float32 MRC without the time stamp that would make two runs differ."""
    import mrcfile

    with mrcfile.new(path, overwrite=True) as stream:
        stream.set_data(np.ascontiguousarray(pixels, dtype=np.float32))
        stream.voxel_size = pixel_size_a
        stream.header.nlabl = 1
        stream.header.label[0] = b"cryoverdict simulated micrograph"


def _write_mask(path: Path, truth: Truth) -> None:
    """Write the usable area as a coarse black-and-white PNG."""
    from PIL import Image

    Image.fromarray(truth.usable.astype(np.uint8) * np.uint8(255)).save(path)


def _write_table(
    path: Path, data_set: DataSetSpec, done: list[tuple[Path, Truth, MicrographSpec]]
) -> None:
    """Write one row for each micrograph."""
    scale = _scale(data_set)
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for image, truth, spec in done:
            table.writerow(
                [
                    image.name,
                    truth.verdict,
                    truth.grade or "",
                    str(truth.grey).lower(),
                    f"{truth.total_severity:.3f}",
                    ";".join(truth.defects),
                    *(f"{truth.defects.get(label, 0.0):.3f}" for label in LABELS),
                    json.dumps({k: round(v, 3) for k, v in truth.mechanisms.items()}),
                    f"{truth.ctf.defocus_u_a:.1f}",
                    f"{truth.ctf.defocus_v_a:.1f}",
                    f"{truth.ctf.defocus_angle_deg:.2f}",
                    f"{truth.ctf.phase_shift_deg:.2f}",
                    f"{truth.dose_e_per_a2:.2f}",
                    f"{truth.ice_thickness_a:.1f}",
                    f"{truth.drift_a:.2f}",
                    f"{truth.usable.mean():.4f}",
                    len(truth.centres_px),
                    f"{spec.pixel_size_a * scale:.6g}",
                    f"{spec.voltage_kv:g}",
                    f"{spec.cs_mm:g}",
                    f"{spec.amplitude_contrast:g}",
                ]
            )


def _write_particles(
    path: Path, data_set: DataSetSpec, done: list[tuple[Path, Truth, MicrographSpec]]
) -> None:
    """Write all true particles as a RELION 3.1 STAR file with one optics group."""
    scale, base = _scale(data_set), data_set.base
    lines = [
        "",
        "# version 30001",
        "",
        "data_optics",
        "",
        "loop_",
        "_rlnOpticsGroup #1",
        "_rlnOpticsGroupName #2",
        "_rlnMicrographOriginalPixelSize #3",
        "_rlnMicrographPixelSize #4",
        "_rlnVoltage #5",
        "_rlnSphericalAberration #6",
        "_rlnAmplitudeContrast #7",
        f"1 opticsGroup1 {base.pixel_size_a * scale:.6f} {base.pixel_size_a * scale:.6f} "
        f"{base.voltage_kv:.6f} {base.cs_mm:.6f} {base.amplitude_contrast:.6f}",
        "",
        "",
        "# version 30001",
        "",
        "data_particles",
        "",
        "loop_",
        "_rlnMicrographName #1",
        "_rlnCoordinateX #2",
        "_rlnCoordinateY #3",
        "_rlnDefocusU #4",
        "_rlnDefocusV #5",
        "_rlnDefocusAngle #6",
        "_rlnPhaseShift #7",
        "_rlnOpticsGroup #8",
        "_rlnAngleRot #9",
        "_rlnAngleTilt #10",
        "_rlnAnglePsi #11",
    ]
    for image, truth, _ in done:
        ctf = truth.ctf
        lens = (
            f"{ctf.defocus_u_a:.3f} {ctf.defocus_v_a:.3f} {ctf.defocus_angle_deg:.3f} "
            f"{ctf.phase_shift_deg:.3f} 1"
        )
        lines.extend(
            f"{image.name} {x:.3f} {y:.3f} {lens} {rot:.3f} {tilt:.3f} {psi:.3f}"
            for (x, y), (rot, tilt, psi) in zip(
                truth.centres_px / scale, truth.angles_deg, strict=True
            )
        )
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
