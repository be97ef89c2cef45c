# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""How well particles are picked with no number given: simulated sessions, real ones, empty ones.

A command, not a test: ``python tests/benchmarks/picking.py simulated|real|empty [--only NAME …]
[--pictures FOLDER]``, run from the repository's root.

``simulated``: sessions of particles that no constant was chosen on (atomic models of the shared
data folder; the generated virus alone was looked at in development, at other settings), 200 and
300 kV, 0.8 to 3 µm, sparse to dense, with film and contamination. Printed are diameter against the
truth (the ball with the particle's radius of gyration), F1, precision and recall of all picks
outside film and contamination (a match within 0.35 diameter), CPU seconds and peak memory.
``real``: micrographs
with expert centres, inside the annotated area, beside RELION's LoG picker (usual settings, and the
published diameter given) where it is installed. ``empty``: picks on micrographs without
particles, with the parameters of a session that has some.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.pick_micrograph import pick_micrograph
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picking_survey import PickingSurvey
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.survey import survey
from cryoverdict.engine.simulation.data_set import DataSetSpec
from cryoverdict.engine.simulation.data_set_files import write_data_set
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.truth import Truth
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MODELS = DATA / "models"
MATCH = 0.35
BLEMISHES = (("carbon", 1.0), ("ice-flakes", 1.0), ("ice-heap", 0.6))
_Double = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One simulated session: particle, microscope, focus and crowding."""

    particle: str
    pixel_a: float
    voltage_kv: float
    focus_a: tuple[float, float]
    coverage: tuple[float, float]
    seed: int
    side: int = 2048
    contrast: float = 0.7

    def spec(self, name: str, count: int) -> DataSetSpec:
        """Return the session's settings."""
        file = next(iter(sorted(MODELS.glob(f"{self.particle}*"))), None)
        particle = ParticleSpec(
            name=self.particle, path=None if file is None else str(file), contrast=self.contrast
        )
        return DataSetSpec(
            name=name,
            micrographs=count,
            base=MicrographSpec(
                shape=(self.side, self.side),
                pixel_size_a=self.pixel_a,
                voltage_kv=self.voltage_kv,
                detector="k3",
                particle=particle,
                particle_seed=self.seed,
                gain_seed=self.seed,
            ),
            defocus_range_a=self.focus_a,
            coverage_range=self.coverage,
            bad_fraction=0.0,
            blemish_chance=0.4,
            blemish_strength=(0.15, 0.45),
            mix=BLEMISHES,
        )


# Atomic models of the shared folder by the start of their names, and one generated shape.
SESSIONS = {
    "proteasome-dense": Session(
        particle="6BDF", pixel_a=1.5, voltage_kv=300.0, focus_a=(8e3, 2e4), coverage=(0.3, 0.45),
        seed=901,
    ),
    "proteasome-sparse": Session(
        particle="6BDF", pixel_a=1.5, voltage_kv=200.0, focus_a=(1e4, 3e4), coverage=(0.02, 0.06),
        seed=902,
    ),
    "apoferritin": Session(
        particle="4OYN", pixel_a=1.4, voltage_kv=200.0, focus_a=(8e3, 2e4), coverage=(0.15, 0.4),
        seed=903,
    ),
    "spike": Session(
        particle="6VXX", pixel_a=1.7, voltage_kv=300.0, focus_a=(1e4, 2.5e4), coverage=(0.05, 0.15),
        seed=904,
    ),
    "nucleosome": Session(
        particle="1KX5", pixel_a=1.3, voltage_kv=300.0, focus_a=(1e4, 3e4), coverage=(0.08, 0.2),
        seed=905,
    ),
    "virus": Session(
        particle="virus", pixel_a=3.0, voltage_kv=300.0, focus_a=(1e4, 3e4), coverage=(0.1, 0.3),
        seed=906,
    ),
}  # fmt: skip

REAL = {
    # folder: (suffix, pixel size, published diameter, RELION's smallest and largest)
    "apoferritin": (".png", 1.5, 122.0, 110.0, 130.0),
    "beta_galactosidase": (".jpg", 1.77, 180.0, 130.0, 190.0),
}


def settled(found: PickingSurvey) -> PickingParameters:
    """Return the survey's own estimates as parameters."""
    values: dict[str, float | None] = {k: e.value for k, e in found.estimates.items()}
    return PickingParameters.from_settings(
        values | {"false_discovery_rate": 0.25, "trial_particles": 5000.0}
    )


def matches(picks: _Double, truth: _Double, reach: float) -> NDArray[np.bool_]:
    """Return which picks (best first, x and y) match a truth of their own within reach."""
    from scipy.spatial import KDTree

    hit, taken = np.zeros(len(picks), np.bool_), np.zeros(len(truth), np.bool_)
    if not len(picks) or not len(truth):
        return hit
    near = KDTree(truth).query_ball_point(picks, reach)
    pairs = sorted(
        (float(np.hypot(*(picks[i] - truth[j]))), i, j) for i, some in enumerate(near) for j in some
    )
    for _, i, j in pairs:
        if not hit[i] and not taken[j]:
            hit[i] = taken[j] = True
    return hit


def measures(hits: int, picked: int, true: int) -> str:
    """Return F1, precision and recall as text."""
    f1 = 2.0 * hits / max(picked + true, 1)
    return f"F1 {f1:.3f}  precision {hits / max(picked, 1):.2f}  recall {hits / max(true, 1):.2f}"


def places(picks: Picks) -> _Double:
    """Return the picks as (x, y)."""
    return np.stack((picks.x_px, picks.y_px), axis=1)


def _subject(path: Path, optics: Optics) -> PickingMicrograph:
    """Return a file as the picking step meets it."""
    return PickingMicrograph(micrograph=Micrograph(subject=path.name, path=path, optics=optics))


def _barren(truth: Truth, at: _Double) -> NDArray[np.bool_]:
    """Return which places lie on film, contamination or no ice."""
    masks = truth.masks
    barren = masks["contamination"] | masks["film"] | masks["empty_no_ice"]
    cells = np.clip((at // truth.mask_binning).astype(int), 0, np.array(barren.shape)[::-1] - 1)
    return np.asarray(barren[cells[:, 1], cells[:, 0]], np.bool_)


def simulated(only: Sequence[str], count: int) -> None:
    """Print how the simulated sessions are picked."""
    from cryoverdict.engine.simulation.micrograph import _model

    for name, session in SESSIONS.items():
        if only and name not in only:
            continue
        spec = session.spec(name, count)
        model = _model(spec.base.particle.name, spec.base.particle.path)
        true_a = model.mean_diameter_a
        with tempfile.TemporaryDirectory() as folder:
            made = write_data_set(spec, Path(folder), seed=session.seed)
            subjects = [_subject(p, spec.base.optics) for p in made.micrographs]
            start = process_time()
            found = survey(subjects)
            surveyed = process_time() - start
            parameters = settled(found)
            hits = picked = true = 0
            start = process_time()
            for subject, truth in zip(subjects, made.truths, strict=True):
                picks = places(pick_micrograph(subject, parameters, found.templates))
                centres = truth.centres_px.astype(np.float64)
                centres = centres[~_barren(truth, centres)]
                hit = matches(picks, centres, MATCH * true_a / session.pixel_a)
                hits, picked, true = hits + int(hit.sum()), picked + len(hit), true + len(centres)
            each = (process_time() - start) / len(subjects)
        low, high = (found.facts[f"measured_diameter_{k}_a"] for k in ("low", "high"))
        print(
            f"{name:18s} true {true_a:4.0f} Å (longest {model.diameter_a:4.0f})  "
            f"measured {parameters.diameter_a:4.0f} Å ({_told(low)} to {_told(high)})  "
            f"{measures(hits, picked, true)}  threshold {parameters.score_threshold:.2f}  "
            f"{'own shape' if found.templates else 'balls'}  survey {surveyed:.0f} s  "
            f"{each:.2f} s a micrograph of {session.side}²  "
            f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB",
            flush=True,
        )


def _told(answer: object) -> str:
    """Return a number as text, a question mark where there is none."""
    return f"{answer:.0f}" if isinstance(answer, float) else "?"


def real(only: Sequence[str], pictures: Path | None) -> None:
    """Print how the real micrographs are picked, beside RELION."""
    for name, (suffix, pixel_a, diameter_a, low, high) in REAL.items():
        if only and name not in only:
            continue
        files = sorted((DATA / "micrographs" / name).glob(f"*{suffix}"))
        subjects = [
            _subject(
                p, Optics(pixel_size_a=pixel_a, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
            )
            for p in files
        ]
        start = process_time()
        found = survey(subjects)
        surveyed = process_time() - start
        parameters = settled(found)
        print(
            f"{name}: published {diameter_a:.0f} Å, measured {parameters.diameter_a:.0f} Å, "
            f"survey {surveyed:.0f} s"
        )
        own = [places(pick_micrograph(s, parameters, found.templates)) for s in subjects]
        pickers = {"built-in": own}
        if shutil.which("relion_autopick"):
            pickers["RELION LoG, diameter given"] = _relion(files, pixel_a, low, high)
        for picker, picked in pickers.items():
            total = np.zeros(3, int)
            for path, some in zip(files, picked, strict=True):
                truth = np.loadtxt(
                    path.with_suffix(".csv"), delimiter=",", skiprows=1, usecols=(0, 1)
                )
                reach = MATCH * diameter_a / pixel_a
                inside = (
                    (some > truth.min(axis=0) - reach) & (some < truth.max(axis=0) + reach)
                ).all(1)
                hit = matches(some[inside], truth, reach)
                one = np.array([hit.sum(), len(hit), len(truth)])
                total += one
                print(f"  {picker:28s} {path.stem[-24:]:24s} {measures(*one.tolist())}")
                if pictures is not None and picker == "built-in":
                    _draw(path, truth, some[inside][~hit], 0.5 * diameter_a / pixel_a, pictures)
            print(f"  {picker:28s} {'all':24s} {measures(*total.tolist())}", flush=True)


def _relion(files: Sequence[Path], pixel_a: float, low: float, high: float) -> list[_Double]:
    """Return the picks of RELION's Laplacian of Gaussian with its usual settings."""
    import mrcfile

    from cryoverdict.features.read_image import read_image

    picked = []
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(files):
            target = Path(folder) / f"m{number}.mrc"
            with mrcfile.new(target) as stream:
                stream.set_data(read_image(path).pixels)
                stream.voxel_size = pixel_a
            subprocess.run(
                ["relion_autopick", "--i", target.name, "--odir", "out/", "--pickname", "autopick",
                 "--LoG", "--LoG_diam_min", f"{low:g}", "--LoG_diam_max", f"{high:g}",
                 "--shrink", "0", "--lowpass", "20", "--LoG_adjust_threshold", "0",
                 "--angpix", f"{pixel_a:g}"],
                cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            star = next(iter(sorted(Path(folder).rglob(f"m{number}_autopick.star"))), None)
            rows: list[tuple[float, float]] = []
            if star is not None:
                for line in star.read_text(encoding="utf-8").splitlines():
                    words = line.split()
                    if len(words) >= 3 and words[0].replace(".", "").isdigit():
                        rows.append((float(words[0]), float(words[1])))
            picked.append(np.array(rows, np.float64).reshape(-1, 2))
    return picked


def _draw(path: Path, truth: _Double, false: _Double, radius: float, folder: Path) -> None:
    """Write a picture: expert's centres green, picks that match none red."""
    import PIL.Image
    import PIL.ImageDraw

    from cryoverdict.features.read_image import read_image

    folder.mkdir(parents=True, exist_ok=True)
    pixels = read_image(path).pixels
    low, high = np.percentile(pixels, [1, 99])
    grey = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    scale = 1000.0 / max(grey.shape)
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    picture = PIL.Image.fromarray(grey).resize(size, PIL.Image.Resampling.BOX).convert("RGB")
    pen = PIL.ImageDraw.Draw(picture)
    for some, colour in ((truth, "lime"), (false, "red")):
        for x, y in some * scale:
            r = radius * scale
            pen.ellipse((x - r, y - r, x + r, y + r), outline=colour)
    picture.save(folder / f"{path.stem}.png")


def empty() -> None:
    """Print picks on micrographs without particles, under the parameters of a session with some."""
    session = SESSIONS["apoferritin"]
    spec = session.spec("full", 4)
    nothing = replace(spec.base, coverage=0.0, fragments=0.0)
    kinds = {
        "empty ice": replace(nothing, defects=(Defect(mechanism="no-particles", strength=1.0),)),
        "noise": replace(nothing, ice_thickness_a=0.0, specks=0.0),
        "crystalline ice": replace(
            nothing,
            defects=(
                Defect(mechanism="no-particles", strength=1.0),
                Defect(mechanism="crystalline-ice", strength=1.0),
            ),
        ),
        "carbon": replace(nothing, defects=(Defect(mechanism="carbon", strength=1.0),)),
    }
    with tempfile.TemporaryDirectory() as folder:
        made = write_data_set(spec, Path(folder) / "full", seed=session.seed)
        found = survey([_subject(p, spec.base.optics) for p in made.micrographs])
        parameters = settled(found)
        for name, base in kinds.items():
            one = replace(
                spec,
                name="empty",
                micrographs=4,
                base=base,
                coverage_range=(0.0, 0.0),
                blemish_chance=0.0,
            )
            there = write_data_set(one, Path(folder) / name.replace(" ", "_"), seed=950)
            counts = []
            for path in there.micrographs:
                picks = pick_micrograph(_subject(path, base.optics), parameters, found.templates)
                counts.append(len(picks))
            print(f"{name:18s} picks a micrograph {np.mean(counts):.1f} {counts}", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("simulated", "real", "empty"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--micrographs", type=int, default=5)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    if given.what == "simulated":
        simulated(given.only, given.micrographs)
    elif given.what == "real":
        real(given.only, given.pictures)
    else:
        empty()


if __name__ == "__main__":
    main()
