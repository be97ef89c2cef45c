"""An image as it was read, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Pixels ``(y, x)`` float32 with what the file's own header says of them.

    ``pixel_size_a`` is ``None`` where the header carries none. ``has_counts`` is false for
    pictures (PNG, JPEG, 8-bit) whose grey values were stretched and no longer count electrons.
    ``saturation_level`` is the highest grey value that the stored number type can hold where the
    type is an integer, in the unit of ``pixels``.
    """

    pixels: NDArray[np.float32]
    pixel_size_a: float | None = None
    has_counts: bool = True
    saturation_level: float | None = None
