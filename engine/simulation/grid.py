"""The pixel grid on which one micrograph is formed, larger than the micrograph by a margin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Fresnel fringes and delocalised signal wrap round the borders of a Fourier transform; this much
# is simulated on each side and cut away. 24 pixels are enough at 8 Å a pixel.
MARGIN_A = 130.0
SMALLEST_MARGIN_PX = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Size of the simulated area ``(ny, nx)``, its pixel size (Å) and the margin (px) to cut."""

    ny: int
    nx: int
    pixel_size_a: float
    margin_y: int
    margin_x: int
    out_ny: int
    out_nx: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the simulated area."""
        return self.ny, self.nx

    @property
    def area_a2(self) -> float:
        """Simulated area in Å²."""
        return self.ny * self.nx * self.pixel_size_a**2

    def px(self, length_a: float) -> float:
        """Return a length in Å as a number of pixels."""
        return length_a / self.pixel_size_a

    def cut(self, image: FloatArray) -> FloatArray:
        """Return the micrograph's part of a simulated image ``(ny, nx)``."""
        return image[
            self.margin_y : self.margin_y + self.out_ny, self.margin_x : self.margin_x + self.out_nx
        ]


def make_grid(shape: tuple[int, int], pixel_size_a: float) -> Grid:
    """Return the grid for a micrograph of ``shape`` ``(ny, nx)``: margin added, fast FFT sizes."""
    from scipy.fft import next_fast_len

    margin = max(SMALLEST_MARGIN_PX, round(MARGIN_A / pixel_size_a))
    ny, nx = (int(next_fast_len(n + 2 * margin, real=True)) for n in shape)
    ny, nx = ny + ny % 2, nx + nx % 2
    return Grid(
        ny=ny,
        nx=nx,
        pixel_size_a=pixel_size_a,
        margin_y=(ny - shape[0]) // 2,
        margin_x=(nx - shape[1]) // 2,
        out_ny=shape[0],
        out_nx=shape[1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequencies:
    """Spatial frequencies of the cells of `numpy.fft.rfft2`'s layout.

    ``k2`` is the squared frequency (1/Å²), ``cos2`` and ``sin2`` are those of twice its angle from
    the x axis, ``ky`` (column) and ``kx`` (row) the components (1/Å).
    """

    k2: FloatArray
    cos2: FloatArray
    sin2: FloatArray
    ky: FloatArray
    kx: FloatArray


@lru_cache(maxsize=2)
def frequencies(ny: int, nx: int, pixel_size_a: float) -> Frequencies:
    """Return the frequencies of a grid; kept, since all micrographs of a data set share them."""
    ky = np.fft.fftfreq(ny, pixel_size_a).astype(np.float32)[:, None]
    kx = np.fft.rfftfreq(nx, pixel_size_a).astype(np.float32)[None, :]
    k2 = ky * ky + kx * kx
    safe = np.maximum(k2, np.float32(1e-20))
    arrays = {
        "k2": k2,
        "cos2": (kx * kx - ky * ky) / safe,
        "sin2": 2.0 * kx * ky / safe,
        "ky": ky,
        "kx": kx,
    }
    for array in arrays.values():
        array.setflags(write=False)
    return Frequencies(**{k: v.astype(np.float32, copy=False) for k, v in arrays.items()})
