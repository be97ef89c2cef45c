"""Windows cut out of a micrograph, and made coarser by cropping their Fourier transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def centre_pixels(coordinates: NDArray[np.float64]) -> IntArray:
    """Return the pixel that a coordinate stands for: the fraction is cut off, as RELION does.

    >>> centre_pixels(np.array([60.9, -3.7])).tolist()
    [60, -3]
    """
    return np.trunc(coordinates).astype(np.int64)


def cut_windows(pixels: FloatArray, x: IntArray, y: IntArray, box: int) -> FloatArray:
    """Return ``(n, box, box)`` windows around the pixels ``(x, y)``.

    The centre is pixel ``box / 2`` of the window. What lies outside the micrograph is filled with
    the nearest pixel inside. Follows `relion_preprocess --extract` of RELION 3.1.
    """
    rows, columns = pixels.shape
    half = box // 2
    out = np.empty((len(x), box, box), dtype=np.float32)
    span = np.arange(box) - half
    for k, (cx, cy) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        top, left = cy - half, cx - half
        if top >= 0 and left >= 0 and top + box <= rows and left + box <= columns:
            out[k] = pixels[top : top + box, left : left + box]
        else:
            inside_y = np.clip(cy + span, 0, rows - 1)
            inside_x = np.clip(cx + span, 0, columns - 1)
            out[k] = pixels[inside_y[:, None], inside_x[None, :]]
    return out


def crop_fourier(windows: FloatArray, size: int) -> FloatArray:
    """Return windows of ``size`` px with the same mean: the middle of their Fourier transform.

    Both sizes are even. The row at the new Nyquist frequency is that of the positive frequency,
    as in RELION's `--scale`. The mean is taken off before and put back after, so that single
    precision costs no more than the rounding of the result.
    """
    from scipy import fft

    old = windows.shape[-1]
    if size == old:
        return windows
    half = size // 2
    means = windows.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)[:, None, None]
    # Columns that are cropped away need no transform along the rows' direction.
    wide = fft.rfft(windows - means, axis=2)[:, :, : half + 1]
    tall = fft.fft(wide, axis=1, overwrite_x=True)
    kept = np.concatenate([tall[:, : half + 1], tall[:, old - half + 1 :]], axis=1)
    kept *= np.float32((size / old) ** 2)
    small = fft.irfft(fft.ifft(kept, axis=1, overwrite_x=True), n=size, axis=2, overwrite_x=True)
    out: FloatArray = np.asarray(small, dtype=np.float32)
    out += means
    return out
