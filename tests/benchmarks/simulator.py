"""Benchmark of the simulator: seconds per micrograph, and how well it passes for real.

Run from the repository's root: ``python tests/benchmarks/simulator.py [--real FOLDER]``. Real
micrographs (thumbnails) are compared with simulated ones at matched binning by a random forest on
texture measurements of crops, evaluated by leaving whole sessions out.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.data_set import draw_micrographs, random_data_set
from cryoverdict.engine.simulation.data_set_files import micrograph_seed
from cryoverdict.engine.simulation.micrograph import simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec
from cryoverdict.engine.simulation.thumbnail import bin_image, stretch

CROP = 128
# Pictures are compared at about this many pixels a side.
SIDE = 512
Picture = tuple[str, NDArray[np.uint8]]


def print_speed() -> None:
    """Print seconds a micrograph on one thread, CPU and wall, first and following."""
    for side, pixel in ((1024, 1.5), (2048, 1.0)):
        spec = MicrographSpec(shape=(side, side), pixel_size_a=pixel)
        times = []
        for seed in range(4):
            wall, cpu = time.perf_counter(), time.process_time()
            simulate_micrograph(spec, seed)
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        rest = np.median(np.array(times[1:]), axis=0)
        print(f"{side}²: first {times[0][0]:.2f} s, then {rest[0]:.2f} s wall, {rest[1]:.2f} s CPU")


def real_pictures(folder: Path) -> list[Picture]:
    """Return (session, 8-bit picture) of the real micrographs, binned to about 512 pixels."""
    import mrcfile
    from PIL import Image

    pictures: list[Picture] = []
    for path in sorted((folder / "quality").glob("*")):
        if path.suffix not in (".png", ".jpg"):
            continue
        session = "20S" if path.name.startswith("FoilHole") else path.stem
        pictures.append((session, np.asarray(Image.open(path).convert("L"))))
    for path in sorted((folder / "apoferritin").glob("*.png")):
        pixels = np.asarray(Image.open(path)).astype(np.float32)[8:-8, 8:-8]
        pictures.append(("apoferritin", stretch(bin_image(pixels, 2.4), "percentile")))
    for path in sorted(folder.glob("*/*.mrc")):
        with mrcfile.open(path, permissive=True) as stream:
            pixels = np.asarray(stream.data, dtype=np.float32)[8:-8, 8:-8]
        pictures.append((path.stem, stretch(bin_image(pixels, max(pixels.shape) / SIDE), "sigma")))
    return pictures


def simulated_pictures(count: int, first_seed: int) -> list[Picture]:
    """Return (session, thumbnail) of random simulated sessions, two micrographs each."""
    pictures: list[Picture] = []
    seed = first_seed
    while len(pictures) < count:
        session = random_data_set(seed)
        seed += 1
        if session.base.pixel_size_a < 2.0:
            continue
        session = replace(session, micrographs=2)
        for number, spec in enumerate(draw_micrographs(session, seed)):
            pixels = simulate_micrograph(spec, micrograph_seed(seed, number)).pixels
            small = bin_image(pixels, max(1.0, max(pixels.shape) / SIDE))
            pictures.append((session.name, stretch(small, session.thumbnail_stretch)))
    return pictures[:count]


def texture(crop: NDArray[np.uint8]) -> list[float]:
    """Return texture measurements of a crop that do not depend on its grey scale.

    Radial power (16 bands, log, relative), its anisotropy, moments of the grey values at four
    scales, spread of local variance, and a local-binary-pattern histogram.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter
    from scipy.stats import kurtosis, skew
    from skimage.feature import local_binary_pattern

    a = crop.astype(np.float32)
    a = (a - a.mean()) / (a.std() + 1e-6)
    n = a.shape[0]
    window = np.hanning(n)[:, None] * np.hanning(n)[None, :]
    power = np.abs(np.fft.rfft2(a * window)) ** 2
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None, :]
    band = (np.hypot(fy, fx) * 32).astype(int)
    radial = [float(np.log(power[band == i].mean() + 1e-3)) for i in range(16)]
    total = float(np.mean(radial))
    out = [r - total for r in radial]
    for low, high in ((2, 6), (6, 12)):
        ring = (band >= low) & (band < high)
        twice = 2 * np.arctan2(fy, fx + 0 * fy)
        out.append(float(np.abs((power * np.exp(1j * twice))[ring].sum()) / power[ring].sum()))
    for sigma in (0.0, 1.0, 2.0, 4.0):
        b = gaussian_filter(a, sigma) if sigma else a
        out += [float(skew(b.ravel())), float(kurtosis(b.ravel())), float(b.std())]
    variance = uniform_filter(a * a, 9) - uniform_filter(a, 9) ** 2
    out += [float(variance.std() / variance.mean()), float(skew(variance.ravel()))]
    for radius in (1, 3):
        pattern = local_binary_pattern(crop, 8, radius, "uniform")
        out += np.histogram(pattern, bins=10, range=(0, 10), density=True)[0].tolist()
    return out


def crops(pictures: list[Picture], per_picture: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return the texture of a few crops of each picture, and their sessions."""
    rng = np.random.default_rng(3)
    rows, groups = [], []
    for session, picture in pictures:
        for _ in range(per_picture):
            y, x = (int(rng.integers(0, n - CROP + 1)) for n in picture.shape)
            rows.append(texture(picture[y : y + CROP, x : x + CROP]))
            groups.append(session)
    return np.array(rows), groups


NAMES = (
    [f"power{i}" for i in range(16)]
    + ["aniso_low", "aniso_high"]
    + [f"{m}_s{s}" for s in (0, 1, 2, 4) for m in ("skew", "kurt", "std")]
    + ["var_spread", "var_skew"]
    + [f"lbp{r}_{i}" for r in (1, 3) for i in range(10)]
)


def print_realism(folder: Path, count: int) -> None:
    """Print how well a random forest tells simulated crops from real ones."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score, roc_curve
    from sklearn.model_selection import StratifiedGroupKFold

    real, real_groups = crops(real_pictures(folder), 12)
    simulated, simulated_groups = crops(simulated_pictures(count, 1000), 6)
    x = np.concatenate([real, simulated])
    y = np.concatenate([np.ones(len(real)), np.zeros(len(simulated))])
    groups = np.array(real_groups + simulated_groups)
    p = np.zeros(len(y))
    importance = np.zeros(x.shape[1])
    for train, test in StratifiedGroupKFold(8, shuffle=True, random_state=0).split(x, y, groups):
        forest = RandomForestClassifier(
            300, min_samples_leaf=3, class_weight="balanced", random_state=0, n_jobs=1
        )
        forest.fit(x[train], y[train])
        p[test] = forest.predict_proba(x[test])[:, 1]
        importance += forest.feature_importances_
    false_alarms, hits, _ = roc_curve(y, p)
    equal = 1.0 - float(false_alarms[np.argmin(np.abs(false_alarms - (1.0 - hits)))])
    print(
        f"crops: {len(real)} real of {len(set(real_groups))} sessions, {len(simulated)} simulated "
        f"of {len(set(simulated_groups))}; sessions left out: accuracy at equal errors "
        f"{equal:.3f}, AUC {roc_auc_score(y, p):.3f} (0.5 each would be chance)"
    )
    best = np.argsort(importance)[::-1][:8]
    print("what gives them away: " + ", ".join(NAMES[i] for i in best))
    by_session: dict[str, list[float]] = {}
    for group, value, label in zip(groups, p, y, strict=True):
        if label:
            by_session.setdefault(group, []).append(float(value))
    ranked = sorted(by_session.items(), key=lambda kv: -float(np.mean(kv[1])))
    print("least like the simulated: " + ", ".join(f"{k[:10]} {np.mean(v):.2f}" for k, v in ranked))


def main() -> None:
    """Parse the options and print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[3] / "shared" / "data" / "micrographs"
    parser.add_argument("--real", type=Path, default=default, help="folder of real micrographs")
    parser.add_argument("--count", type=int, default=120, help="simulated thumbnails to compare")
    parser.add_argument("--only", choices=("speed", "realism"))
    given = parser.parse_args()
    if given.only != "realism":
        print_speed()
    if given.only != "speed":
        if given.real.is_dir():
            print_realism(given.real, given.count)
        else:
            print(f"{given.real}: no such folder; realism not measured")


if __name__ == "__main__":
    main()
