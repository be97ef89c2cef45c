"""Class averages painted for tests, and the files that RELION and cryoSPARC would leave of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.features.star import table_of, write_star

Image = NDArray[np.float32]
BOX, RADIUS, PIXEL_A = 64, 26.0, 4.0


def grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return y and x from the centre pixel."""
    axis = np.arange(BOX, dtype=float) - BOX // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y, x


def masked(image: NDArray[np.float64]) -> Image:
    """Return an image with a flat outside, as programs leave averages."""
    y, x = grid()
    soft = 0.5 - 0.5 * np.tanh((np.hypot(x, y) - RADIUS) / 0.7)
    return np.asarray(image * soft, dtype=np.float32)


def noise(seed: int, strength: float) -> NDArray[np.float64]:
    """Return white noise."""
    return strength * np.random.default_rng(seed).standard_normal((BOX, BOX))


def blob(x_px: float, y_px: float, size: float) -> NDArray[np.float64]:
    """Return a round bump."""
    y, x = grid()
    return np.asarray(np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * size**2)))


def particle(seed: int, *, x_px: float = 0.0, y_px: float = 0.0) -> Image:
    """Return a particle of several domains in the middle, with little noise."""
    rng = np.random.default_rng((seed, 7))
    total = 0.8 * blob(x_px, y_px, 7.0)
    for angle in np.linspace(0, 2 * np.pi, 5, endpoint=False) + rng.uniform(0, 1):
        away = rng.uniform(5.0, 9.0)
        at = (x_px + away * np.cos(angle), y_px + away * np.sin(angle))
        total += rng.uniform(0.5, 1.0) * blob(*at, 2.2)
    return masked(total + noise(seed, 0.02))


def film_edge(seed: int) -> Image:
    """Return a straight edge across the mask."""
    y, x = grid()
    return masked(np.tanh((0.8 * x + 0.6 * y - 2.0) / 1.5) + noise(seed, 0.02))


def empty(seed: int) -> Image:
    """Return smooth noise, as of pictures without a particle."""
    from scipy.ndimage import gaussian_filter

    return masked(gaussian_filter(noise(seed, 1.0), 2.5))


def two_particles(seed: int) -> Image:
    """Return two bodies side by side, both near the rim."""
    return masked(blob(-13.0, 3.0, 4.5) + blob(13.0, -3.0, 4.5) + noise(seed, 0.02))


def overfitted(seed: int) -> Image:
    """Return a particle drowned in fine noise."""
    return masked(particle(seed).astype(float) + noise(seed, 0.9))


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedRun:
    """A run on disk, and what is true of it."""

    model: Path
    data: Path
    images: NDArray[np.float32]
    members: tuple[int, ...]


def mixed_images() -> tuple[list[Image], tuple[int, ...]]:
    """Return twelve averages, the first eight good, and their numbers of particles."""
    good = [particle(i) for i in range(8)]
    junk = [film_edge(1), empty(2), two_particles(3), np.zeros((BOX, BOX), dtype=np.float32)]
    return [*good, *junk], (90, 80, 70, 60, 50, 45, 40, 35, 25, 12, 20, 0)


def write_run(
    folder: Path,
    images: Sequence[Image],
    members: Sequence[int],
    *,
    version: str = "3.1",
    more: Mapping[str, str] | None = None,
) -> PaintedRun:
    """Write the files of a RELION run: averages, model, particles, optimiser."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = np.array(images, dtype=np.float32)
    write_mrcs(folder / "run_it025_classes.mrcs", stack, PIXEL_A)
    total = max(sum(members), 1)
    shift = "rlnAccuracyTranslationsAngst" if version != "3.0" else "rlnAccuracyTranslations"
    classes = [
        {
            "rlnReferenceImage": f"{i:06d}@Class2D/job007/run_it025_classes.mrcs",
            "rlnClassDistribution": f"{n / total:.6f}",
            "rlnAccuracyRotations": "4.5" if n > 30 else "999.000000",
            shift: "2.0" if n > 30 else "999.000000",
            "rlnEstimatedResolution": f"{12.0 + 0.1 * i:.3f}" if n > 10 else "999.000000",
            "rlnOverallFourierCompleteness": "1.000000",
        }
        for i, n in enumerate(members, start=1)
    ]
    general = {"rlnReferenceDimensionality": "2", "rlnPixelSize": f"{PIXEL_A:g}"}
    model = {"model_general": table_of([general]), "model_classes": table_of(classes)}
    write_star(folder / "run_it025_model.star", model)
    rng = np.random.default_rng(5)
    rows: list[dict[str, str]] = []
    for number, n in enumerate(members, start=1):
        for _ in range(n):
            i = len(rows)
            rows.append(
                {
                    "rlnImageName": f"{i + 1:06d}@Extract/job005/stack.mrcs",
                    "rlnMicrographName": f"mics/m{i % 7}.mrc",
                    "rlnOpticsGroup": "1",
                    "rlnDefocusU": f"{9000 + 40 * (i % 200):.1f}",
                    "rlnDefocusV": f"{9000 + 40 * (i % 200):.1f}",
                    "rlnClassNumber": str(number),
                    "rlnOriginXAngst": f"{rng.normal(0, 3):.3f}",
                    "rlnOriginYAngst": f"{rng.normal(0, 3):.3f}",
                    "rlnLogLikeliContribution": f"{5000 + rng.normal(0, 10):.4f}",
                    "rlnMaxValueProbDistribution": f"{rng.uniform(0.4, 0.6):.4f}",
                    **(more or {}),
                }
            )
    optics = {
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnOpticsGroup": "1",
        "rlnVoltage": "300",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
        "rlnImagePixelSize": f"{PIXEL_A:g}",
        "rlnImageSize": str(BOX),
        "rlnImageDimensionality": "2",
    }
    blocks = {"particles": table_of(rows, ["rlnImageName", "rlnClassNumber"])}
    if version != "3.0":
        blocks = {"optics": table_of([optics]), **blocks}
    write_star(folder / "run_it025_data.star", blocks)
    settings = {"rlnParticleDiameter": f"{2 * RADIUS * PIXEL_A:g}"}
    write_star(folder / "run_it025_optimiser.star", {"optimiser_general": table_of([settings])})
    return PaintedRun(
        model=folder / "run_it025_model.star",
        data=folder / "run_it025_data.star",
        images=stack,
        members=tuple(members),
    )


def write_cryosparc(folder: Path, images: Sequence[Image], members: Sequence[int]) -> list[Path]:
    """Write the ``.cs`` files of a cryoSPARC 2D job; return averages, particles, passthrough."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mrcs(folder / "J7_020_class_averages.mrc", np.array(images, np.float32), PIXEL_A)
    count = len(images)
    averages = np.zeros(
        count,
        dtype=[
            ("uid", "<u8"),
            ("blob/path", "S60"),
            ("blob/idx", "<u4"),
            ("blob/shape", "<u4", (2,)),
            ("blob/psize_A", "<f4"),
            ("blob/res_A", "<f4"),
        ],
    )
    averages["uid"] = 100 + np.arange(count)
    averages["blob/path"] = b">J7/J7_020_class_averages.mrc"
    averages["blob/idx"] = np.arange(count)
    averages["blob/psize_A"] = PIXEL_A
    averages["blob/res_A"] = 12.0
    number = np.repeat(np.arange(count), members)
    particles = np.zeros(
        len(number),
        dtype=[
            ("uid", "<u8"),
            ("blob/path", "S40"),
            ("blob/idx", "<u4"),
            ("alignments2D/class", "<u4"),
            ("alignments2D/class_posterior", "<f4"),
        ],
    )
    particles["uid"] = 10_000 + np.arange(len(number))
    particles["blob/path"] = b"J5/extract/a.mrc"
    particles["blob/idx"] = np.arange(len(number))
    particles["alignments2D/class"] = number
    particles["alignments2D/class_posterior"] = 0.9
    passthrough = np.zeros(
        len(number), dtype=[("uid", "<u8"), ("ctf/df1_A", "<f4"), ("ctf/df2_A", "<f4")]
    )
    passthrough["uid"] = particles["uid"][::-1]
    passthrough["ctf/df1_A"] = passthrough["ctf/df2_A"] = 9000 + np.arange(len(number))
    paths = []
    for name, array in (
        ("J7_020_class_averages", averages),
        ("J7_020_particles", particles),
        ("J7_passthrough_particles", passthrough),
    ):
        paths.append(folder / f"{name}.cs")
        with paths[-1].open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
    return paths
