"""Domain randomisation: the same micrograph as other microscopes, cameras and viewers show it.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cryoverdict.features.embedding_network import field_input, spectrum_input
from cryoverdict.features.embedding_pictures import ANGLES, RADII, NetworkPictures

CANVAS_PX = 224
# Ranges of random choices, and the chances with which they are made.
ZOOM = (0.66, 1.5)
CONTRAST = (0.65, 1.5)
FLIPPED_CONTRAST = 0.04
NO_SPECTRUM = 0.15
NO_PIXEL_SIZE = 0.15


def varied_batch(
    pictures: Sequence[NetworkPictures], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return fields ``(n, 1, 224, 224)`` and spectra ``(n, 3, 32, 160)``, each varied at random.

    A field is zoomed, cropped, turned and mirrored, its grey values bent, its contrast now and
    then inverted; it gets an uneven background, noise, blur or blocks. Its spectrum turns with it
    and may lose its high frequencies, its pixel size, or be missing.
    """
    fields, spectra = [], []
    for one in pictures:
        turns, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)
        fields.append(_varied_field(one.field, turns, mirrored, rng))
        spectra.append(_varied_spectrum(one, turns, mirrored, rng))
    return torch.stack(fields), torch.from_numpy(np.stack(spectra))


def _varied_field(
    field: NDArray[np.uint8], turns: int, mirrored: bool, rng: np.random.Generator
) -> Tensor:
    """Return one field ``(1, 224, 224)``, varied."""
    image = np.rot90(field_input(field)[0], turns)
    image = np.ascontiguousarray(image[:, ::-1] if mirrored else image)
    zoomed = _zoomed(torch.from_numpy(image)[None, None], rng)[0]
    flat = zoomed * float(np.exp(rng.uniform(*np.log(CONTRAST)))) + float(rng.normal(0.0, 0.15))
    if rng.random() < 0.3:
        power = float(np.exp(rng.normal(0.0, 0.2)))
        flat = torch.sign(flat) * torch.abs(flat) ** power
    if rng.random() < FLIPPED_CONTRAST:
        flat = -flat
    if rng.random() < 0.3:
        flat = flat + _background(rng)
    if rng.random() < 0.25:
        noise = rng.standard_normal(flat.shape, dtype=np.float32) * float(rng.uniform(0.05, 0.5))
        flat = flat + torch.from_numpy(noise)
    if rng.random() < 0.12:
        flat = functional.avg_pool2d(flat, 3, 1, 1, count_include_pad=False)
    if rng.random() < 0.15:
        steps = float(rng.uniform(4.0, 16.0))
        flat = torch.round(flat * steps) / steps
    return flat.clamp(-4.0, 4.0)


def _zoomed(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Return a random part of an image ``(1, 1, y, x)`` at a random scale on the canvas.

    Micrographs smaller than the part are continued by reflection, as often as needed.
    """
    side = CANVAS_PX / float(np.exp(rng.uniform(*np.log(ZOOM))))
    tall, wide = image.shape[-2:]
    # Whole fields teach what takes up an area; parts teach textures.
    if rng.random() < 0.5:
        side = max(side, float(max(tall, wide)))
    height, width = min(tall, round(side)), min(wide, round(side))
    y, x = int(rng.integers(tall - height + 1)), int(rng.integers(wide - width + 1))
    part = image[..., y : y + height, x : x + width]
    scale = CANVAS_PX / side
    size = (max(8, round(height * scale)), max(8, round(width * scale)))
    part = functional.interpolate(
        part, size=size, mode="bilinear", align_corners=False, antialias=scale < 1.0
    )
    while part.shape[-2] < CANVAS_PX or part.shape[-1] < CANVAS_PX:
        down = min(CANVAS_PX - part.shape[-2], part.shape[-2] - 1)
        across = min(CANVAS_PX - part.shape[-1], part.shape[-1] - 1)
        part = functional.pad(part, (0, max(0, across), 0, max(0, down)), mode="reflect")
    return part[..., :CANVAS_PX, :CANVAS_PX]


def _background(rng: np.random.Generator) -> Tensor:
    """Return an uneven background ``(1, 224, 224)``: a few of the lowest waves."""
    coarse = rng.normal(0.0, float(rng.uniform(0.1, 0.7)), (1, 1, 3, 3)).astype(np.float32)
    return functional.interpolate(
        torch.from_numpy(coarse), size=(CANVAS_PX, CANVAS_PX), mode="bicubic", align_corners=True
    )[0]


def _varied_spectrum(
    one: NetworkPictures, turns: int, mirrored: bool, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return one spectrum ``(3, 32, 160)``, varied; its directions follow the field's turns."""
    if rng.random() < NO_SPECTRUM:
        return np.zeros((3, ANGLES, RADII), np.float32)
    known = one.nyquist_per_a if rng.random() >= NO_PIXEL_SIZE else None
    taken = spectrum_input(one.spectrum, known)
    if turns % 2:
        taken = np.roll(taken, ANGLES // 2, axis=1)
    if mirrored:
        taken = taken[:, ::-1]
    taken = np.roll(taken, int(rng.integers(-2, 3)), axis=1).copy()
    taken[0] = taken[0] * float(rng.uniform(0.8, 1.2)) + float(rng.normal(0.0, 0.15))
    if rng.random() < 0.3:
        taken[0] += np.linspace(0.0, float(rng.normal(0.0, 0.4)), RADII, dtype=np.float32)
    if rng.random() < 0.2:
        cut = int(rng.integers(RADII // 3, RADII))
        taken[0, :, cut:] = taken[0, :, cut - 1 : cut] - float(rng.uniform(0.0, 2.0))
        taken[1, :, cut:] = 0.0
    return np.asarray(np.clip(taken, -4.0, 4.0), np.float32)
