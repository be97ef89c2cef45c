# ruff: noqa: E402 (the number of threads is set before the libraries that read it are loaded)
"""How well real micrographs with expert centres are picked, beside RELION's LoG picker.

A command, not a test: ``python -m tests.benchmarks.picking_real [--only NAME …]
[--pictures FOLDER]``, from the repository's root, where the shared data folder is. Nothing is given
but the optics. Counted are places inside the annotated area. RELION, where it is installed, runs
with its usual settings and the published diameter. Pictures show the expert's centres green and
the picks that match none red.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.pick_micrograph import pick_micrograph
from cryoverdict.engine.simulation.stack_comparison import true_places
from cryoverdict.features.optics import Optics
from tests.benchmarks.picking import MATCH, decided, measures, places, subject_of
from tests.benchmarks.picking_sessions import DATA

_Double = NDArray[np.float64]

REAL = {
    # folder: (suffix, pixel size, published diameter, RELION's smallest and largest)
    "apoferritin": (".png", 1.5, 122.0, 110.0, 130.0),
    "beta_galactosidase": (".jpg", 1.77, 180.0, 130.0, 190.0),
}


def real(only: Sequence[str], pictures: Path | None) -> None:
    """Print how the real micrographs are picked, beside RELION."""
    for name, (suffix, pixel_a, diameter_a, low, high) in REAL.items():
        if only and name not in only:
            continue
        files = sorted((DATA / "micrographs" / name).glob(f"*{suffix}"))
        subjects = [
            subject_of(
                p, Optics(pixel_size_a=pixel_a, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
            )
            for p in files
        ]
        start = process_time()
        parameters, found = decided(subjects, name)
        surveyed = process_time() - start
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
                hit = true_places(truth, some[inside], reach)
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


def main() -> None:
    """Pick the real micrographs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], choices=tuple(REAL))
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    real(given.only, given.pictures)


if __name__ == "__main__":
    main()
