"""The simulated sessions of the reference catalogue, and how each arrives."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.simulation.data_set import DataSetSpec, random_data_set
from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.thumbnail import STRETCHES, bin_image, stretch

# Mechanisms that a picture does not show: it has a coarse pixel, and no counts.
UNSEEN_IN_PICTURES = frozenset(
    {
        "drift",
        "stage-jump",
        "charging",
        "astigmatism",
        "far-focus",
        "near-focus",
        "failed-focus",
        "tilt",
        "thick-ice",
        "low-dose",
    }
)
# The side of a picture as micrograph archives store them, in pixels.
PICTURE_SIDES_PX = (360.0, 720.0)
# The last of so many sessions is an ordinary one; those before it are rich in bad micrographs.
ORDINARY_EVERY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habit:
    """How often sessions are of some sort.

    ``picture``: arrive as pictures; ``full``: have a fine pixel, of those that do not; ``large``:
    are twice as large in area, of those with a fine pixel; ``dense``: are densely packed;
    ``unaligned``: are sums of frames that nobody aligned well. ``bad`` is the range of the share
    of bad micrographs.
    """

    picture: float
    full: float
    large: float
    dense: float
    unaligned: float
    finest_a: float
    bad: tuple[float, float]


# To see every way to go bad often enough; and what a laboratory hands in: mostly good (79 to 96 %
# in reported sessions), at full size, often dense.
RICH = _Habit(
    picture=0.4,
    full=0.5,
    large=0.0,
    dense=0.2,
    unaligned=0.125,
    finest_a=0.9,
    bad=(0.62, 0.84),
)
ORDINARY = _Habit(
    picture=0.25,
    full=0.75,
    large=0.15,
    dense=0.35,
    unaligned=0.3,
    finest_a=0.75,
    bad=(0.1, 0.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a session's micrographs arrive: as counts, or as stretched 8-bit pictures.

    ``side_px`` is the longer side of a picture; ``stretch`` a name of `STRETCHES` or
    ``equalised``; ``gamma`` and ``jpeg`` (quality, 0 for PNG) what a viewer did to it;
    ``smooth_px`` a denoiser; ``border_px`` a striped border as motion correction leaves; ``bar`` a
    scale bar. ``inverted`` contrast, ``optics_known`` whether the list tells the optics.
    """

    picture: bool = False
    side_px: float = 512.0
    stretch: str = "min-max"
    gamma: float = 1.0
    jpeg: int = 0
    smooth_px: float = 0.0
    border_px: int = 0
    bar: bool = False
    inverted: bool = False
    optics_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSession:
    """A simulated session and the way it arrives."""

    spec: DataSetSpec
    presentation: Presentation


def reference_session(seed: int, micrographs: int) -> ReferenceSession:
    """Return the session of a seed: as `random_data_set`, smaller in area, with a `_Habit`.

    Those that arrive as pictures are without the defects that pictures do not show.
    """
    rng = np.random.default_rng((seed, 57))
    spec = random_data_set(seed)
    habit = ORDINARY if (seed + 1) % ORDINARY_EVERY == 0 else RICH
    picture = bool(rng.random() < habit.picture)
    if picture:
        pixel, side, binning = _drawn(rng, (2.6, 6.5)), round(rng.uniform(26.0, 33.0)) * 32, 4.0
    elif rng.random() < habit.full:
        # Some detectors count at the pixel size handed in, others at up to half of it.
        pixel, side = _drawn(rng, (habit.finest_a, 1.9)), 1536
        binning = float(rng.choice([1.0, 1.0, 1.5, 2.0]))
        if habit.large and rng.random() < habit.large:
            side = 2176
    else:
        pixel, side, binning = _drawn(rng, (1.7, 5.0)), 1024, 3.0
    return _session(rng, spec, seed, micrographs, (pixel, side, binning), habit, picture=picture)


def lesson_session(seed: int, micrographs: int) -> ReferenceSession:
    """Return the session of a seed that only the network sees: coarse, and so quickly made."""
    rng = np.random.default_rng((seed, 59))
    spec = random_data_set(1_000_000 + seed)
    picture = bool(rng.random() < 0.5)
    scale = (_drawn(rng, (4.0, 8.0)), round(rng.uniform(17.0, 21.0)) * 32, 5.0)
    return _session(rng, spec, seed, micrographs, scale, RICH, picture=picture)


def _drawn(rng: np.random.Generator, between: tuple[float, float]) -> float:
    """Return a number drawn evenly in its logarithm."""
    return float(np.exp(rng.uniform(*np.log(between))))


def _session(
    rng: np.random.Generator,
    spec: DataSetSpec,
    seed: int,
    micrographs: int,
    scale: tuple[float, int, float],
    habit: _Habit,
    *,
    picture: bool,
) -> ReferenceSession:
    """Return a session at a scale: pixel size (Å), side (pixels), binning of the detector."""
    pixel, side, binning = scale
    base = spec.base
    aspect = min(base.shape[1] / base.shape[0], 1.41)
    base = replace(
        base,
        pixel_size_a=pixel,
        detector_binning=binning,
        shape=(side, 2 * round(side * aspect / 2)),
    )
    if picture:
        spec = replace(spec, mix=tuple(m for m in spec.mix if m[0] not in UNSEEN_IN_PICTURES))
    if rng.random() < habit.dense:
        dense = float(rng.uniform(0.4, 0.75))
        base = replace(
            base,
            spacing=float(rng.uniform(0.58, 0.9)),
            clustering=float(rng.uniform(0.0, 0.4)),
            overlap=0.02,
        )
        spec = replace(spec, coverage_range=(0.8 * dense, 1.15 * dense))
    if rng.random() < habit.unaligned:
        spec = replace(spec, residual_drift_a=(1.0, float(rng.uniform(4.0, 8.0))))
    spec = replace(
        spec,
        name=f"reference-{seed}",
        micrographs=micrographs,
        base=base,
        bad_fraction=float(rng.uniform(*habit.bad)),
        second_chance=0.35,
        blemish_chance=float(rng.uniform(0.25, 0.65)),
    )
    return ReferenceSession(spec=spec, presentation=_presentation(rng, picture))


def _presentation(rng: np.random.Generator, picture: bool) -> Presentation:
    """Draw how a session arrives."""

    def at_times(chance: float, value: float) -> float:
        return value if rng.random() < chance else 0.0

    if not picture:
        return Presentation(
            inverted=bool(rng.random() < 0.06), optics_known=bool(rng.random() < 0.85)
        )
    return Presentation(
        picture=True,
        side_px=float(rng.uniform(*PICTURE_SIDES_PX)),
        stretch=str(rng.choice([*STRETCHES, "percentile", "equalised"])),
        gamma=float(np.exp(at_times(0.4, float(rng.normal(0.0, 0.3))))),
        jpeg=int(at_times(0.4, float(rng.integers(55, 96)))),
        smooth_px=at_times(0.15, float(rng.uniform(0.6, 1.5))),
        border_px=int(at_times(0.06, float(rng.integers(4, 16)))),
        bar=bool(rng.random() < 0.05),
        inverted=bool(rng.random() < 0.08),
        optics_known=bool(rng.random() < 0.35),
    )


def presented(pixels: FloatArray, how: Presentation, seed: int) -> tuple[FloatArray, float]:
    """Return the image as it arrives, and how many simulated pixels its pixels are wide."""
    if how.inverted:
        pixels = np.float32(2.0) * np.float32(pixels.mean()) - pixels
    if not how.picture:
        return pixels, 1.0
    rng = np.random.default_rng((seed, 61))
    binning = max(1.0, max(pixels.shape) / how.side_px)
    small = bin_image(pixels, binning)
    if how.smooth_px:
        from scipy.ndimage import gaussian_filter

        small = np.asarray(gaussian_filter(small, how.smooth_px), np.float32)
    grey = _equalised(small) if how.stretch == "equalised" else stretch(small, how.stretch)
    if how.gamma != 1.0:
        curve = np.rint(255.0 * (np.arange(256) / 255.0) ** how.gamma).astype(np.uint8)
        grey = curve[grey]
    if how.border_px:
        grey = _striped(grey, how.border_px)
    if how.bar:
        y, x = int(0.92 * grey.shape[0]), int(rng.uniform(0.05, 0.6) * grey.shape[1])
        grey = grey.copy()
        grey[y : y + 5, x : x + grey.shape[1] // 5] = 255
    if how.jpeg:
        grey = _through_jpeg(grey, how.jpeg)
    return grey.astype(np.float32), binning


def _equalised(image: FloatArray) -> NDArray[np.uint8]:
    """Return grey values that all occur equally often."""
    order = np.argsort(image, axis=None, kind="stable")
    grey = np.empty(image.size, np.uint8)
    grey[order] = (np.arange(image.size) * 256 // image.size).astype(np.uint8)
    return grey.reshape(image.shape)


def _striped(grey: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return the picture with its outermost pixels drawn out to a border of stripes."""
    inner = grey[width:-width, width:-width]
    return np.pad(inner, width, mode="edge")


def _through_jpeg(grey: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return what is left of a picture after JPEG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, format="JPEG", quality=quality)
    stream.seek(0)
    return np.asarray(Image.open(stream).convert("L"))
