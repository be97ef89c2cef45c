"""Small pictures with discs at known places, for the tests of picking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_image import PickingImage
from cryoverdict.engine.picking.picking_parameters import PickingParameters

PIXEL_A = 6.0
DIAMETER_A = 120.0


def painted(
    places: NDArray[np.float64],
    *,
    side: int = 320,
    height: float = 1.2,
    diameter_a: float = DIAMETER_A,
    noise: float = 1.0,
    seed: int = 1,
    kind: NDArray[np.uint8] | None = None,
) -> PickingImage:
    """Return a picking image with balls of light at places (y, x), in white noise."""
    y, x = np.mgrid[:side, :side]
    image = noise * np.random.default_rng(seed).standard_normal((side, side))
    radius = 0.5 * diameter_a / PIXEL_A
    for at_y, at_x in places:
        inside = 1.0 - ((y - at_y) ** 2 + (x - at_x) ** 2) / radius**2
        image += height * np.sqrt(np.maximum(inside, 0.0))
    return PickingImage(
        subject="painted.mrc",
        pixels=image.astype(np.float32),
        kind=np.zeros((side, side), np.uint8) if kind is None else kind,
        pixel_size_a=PIXEL_A,
        step=(1.0, 1.0),
        full_shape=(side, side),
        ctf=None,
        file_contrast=1.0,
    )


def lattice(side: int = 320, step: float = 40.0, jitter: float = 8.0) -> NDArray[np.float64]:
    """Return places (y, x) on a jittered lattice, away from the borders."""
    rng = np.random.default_rng(5)
    grid = np.arange(step, side - step / 2, step)
    places = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(places + rng.uniform(-jitter, jitter, places.shape), np.float64)


def parameters(**changed: float) -> PickingParameters:
    """Return parameters for the painted balls."""
    settings: dict[str, float | None] = {
        "diameter_a": DIAMETER_A,
        "diameter_min_a": 0.9 * DIAMETER_A,
        "diameter_max_a": 1.1 * DIAMETER_A,
        "contrast_sign": -1.0,
        "lowpass_a": 20.0,
        "picking_pixel_size_a": PIXEL_A,
        "spacing_a": 0.7 * DIAMETER_A,
        "edge_margin_a": 0.0,
        "false_discovery_rate": 0.2,
        "score_threshold": 5.0,
        "score_ceiling": 1000.0,
        "most_per_micrograph": 1000,
        "trial_particles": 1000,
    }
    return PickingParameters.from_settings(settings | changed)


def write_micrograph(path: Path, image: NDArray[np.float32], pixel_size_a: float) -> None:
    """Write an image as MRC with its pixel size in the header."""
    from cryoverdict.engine.simulation.data_set_files import write_mrc

    write_mrc(path, image, pixel_size_a)
