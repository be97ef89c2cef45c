"""An image as the sum of a periodic part and a smooth part that carries the border jumps.

Opposite borders of a micrograph differ, and the Fourier transform sees the jump as a bright
cross. Taking the smooth part away removes the cross and nothing else.

Source: L. Moisan, Periodic plus smooth image decomposition, J. Math. Imaging Vis. 39:161, 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Away from the axes the smooth part lies far below the noise; it is removed on strips of this
# half width around them, and in the whole low-frequency block that makes the coarse image.
_STRIP = 32
_BLOCK = 256
_BORDER_PARTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderJumps:
    """Transforms of the differences between opposite borders of an image of ``shape``.

    ``rows`` is the full 1-D transform of last minus first row, ``columns`` that of last minus
    first column; complex128, in the order of `numpy.fft.fft`.
    """

    shape: tuple[int, int]
    rows: NDArray[np.complex128]
    columns: NDArray[np.complex128]


def border_jumps(pixels: NDArray[np.float32]) -> BorderJumps:
    """Return the transformed differences between opposite borders of ``pixels`` ``(y, x)``.

    A border is extrapolated from the means over two strips of a 16th of the side: a single row of a
    micrograph is mostly noise, which the smooth part would spread over the low frequencies.
    """
    rows, columns = _border_jump(pixels), _border_jump(pixels.T)
    return BorderJumps(
        shape=(pixels.shape[0], pixels.shape[1]), rows=np.fft.fft(rows), columns=np.fft.fft(columns)
    )


def _border_jump(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the difference between the last and the first row, without the noise of one row."""
    deep = max(1, pixels.shape[0] // _BORDER_PARTS)

    def border(outer: NDArray[np.float32], inner: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(1.5 * outer.mean(axis=0) - 0.5 * inner.mean(axis=0), np.float64)

    first = border(pixels[:deep], pixels[deep : 2 * deep])
    last = border(pixels[-deep:], pixels[-2 * deep : -deep])
    return np.asarray(last - first)


def _smooth_transform(
    jumps: BorderJumps, ky: NDArray[np.intp], kx: NDArray[np.intp]
) -> NDArray[np.complex64]:
    """Return the transform of the smooth part at the integer frequencies ``ky`` × ``kx``."""
    height, width = jumps.shape
    angle_y, angle_x = 2 * np.pi * ky / height, 2 * np.pi * kx / width
    from_rows = jumps.rows[kx % width].astype(np.complex64)
    from_columns = jumps.columns[ky % height].astype(np.complex64)
    turn_y = (1.0 - np.exp(1j * angle_y)).astype(np.complex64)
    turn_x = (1.0 - np.exp(1j * angle_x)).astype(np.complex64)
    # 2cos a + 2cos b - 4, written so that it keeps its digits near the origin.
    below = (-4.0 * np.sin(angle_y / 2) ** 2)[:, None] - (4.0 * np.sin(angle_x / 2) ** 2)[None, :]
    below[below == 0.0] = 1.0
    above = turn_y[:, None] * from_rows[None, :]
    above += from_columns[:, None] * turn_x[None, :]
    above /= below.astype(np.float32)
    above[np.ix_(ky % height == 0, kx % width == 0)] = 0.0
    return np.asarray(above, np.complex64)


def remove_smooth_part(transform: NDArray[np.complex64], jumps: BorderJumps) -> None:
    """Take the smooth part out of ``transform`` ``(y, x // 2 + 1)``, in place."""
    height, stored = transform.shape
    ky = np.fft.fftfreq(height, 1 / height).round().astype(np.intp)
    kx = np.arange(stored)
    distance = np.abs(ky)
    for in_rows, in_columns in (
        (distance <= _STRIP, kx >= 0),
        ((distance > _STRIP) & (distance <= _BLOCK), kx <= _BLOCK),
        (distance > _BLOCK, kx <= _STRIP),
    ):
        count = int(in_columns.sum())
        for rows in _row_slices(in_rows):
            transform[rows, :count] -= _smooth_transform(jumps, ky[rows], kx[:count])


def _row_slices(chosen: NDArray[np.bool_]) -> list[slice]:
    """Return the runs of true rows as slices, so that no copy is made."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.astype(np.int8), [0]))))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def smooth_image(jumps: BorderJumps, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the smooth part at a coarser sampling, ``shape`` pixels over the same area."""
    from scipy import fft

    rows, columns = shape
    coarse = BorderJumps(
        shape=shape,
        rows=_cropped(jumps.rows, columns),
        columns=_cropped(jumps.columns, rows),
    )
    ky = np.fft.fftfreq(rows, 1 / rows).round().astype(np.intp)
    transform = _smooth_transform(coarse, ky, np.arange(columns // 2 + 1))
    return np.asarray(fft.irfft2(transform, s=shape), np.float32)


def _cropped(transform: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    """Return a 1-D transform cropped to ``count`` samples at the centres of their intervals."""
    length = len(transform)
    kept = (count - 1) // 2
    frequencies = np.arange(-kept, kept + 1)
    out = np.zeros(count, np.complex128)
    shift = (length / count - 1) / 2 / length
    out[frequencies % count] = transform[frequencies % length] * np.exp(
        2j * np.pi * frequencies * shift
    )
    return out * (count / length)
