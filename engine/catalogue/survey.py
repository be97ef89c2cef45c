"""What importing reads from one image file: which image it is, and its measurement."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.measurement_store import Measurement
from cryoverdict.features.micrograph import Micrograph

Measure = Callable[[Micrograph], Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which image a file holds: the digest of its pixels, and their number."""

    content_hash: str
    rows_px: int
    columns_px: int


def identify(micrograph: Micrograph) -> Identity:
    """Read a file and say which image it holds; raises `InputError` where it is not readable."""
    from cryoverdict.features.read_image import read_image

    pixels = read_image(micrograph.path).pixels
    return Identity(
        content_hash=content_hash(pixels), rows_px=pixels.shape[0], columns_px=pixels.shape[1]
    )


def content_hash(pixels: NDArray[np.float32]) -> str:
    """Return the SHA-256 of an image's shape and pixels ``(y, x)`` as little-endian float32.

    The same image has the same digest however its file is packed and whatever its header says.
    """
    sha = hashlib.sha256(f"{pixels.shape[0]} {pixels.shape[1]} ".encode())
    sha.update(np.ascontiguousarray(pixels, "<f4").data)
    return sha.hexdigest()


def measure_micrograph(micrograph: Micrograph) -> Measurement:
    """Measure an image file as `decide-micrographs` does."""
    from cryoverdict.engine.measuring import measure_file

    return measure_file(micrograph)
