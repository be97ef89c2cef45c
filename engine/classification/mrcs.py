"""Writing a stack of images as an MRC file that is the same, byte for byte, for the same images."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.read_mrc import HEADER_BYTES

LITTLE_ENDIAN_STAMP = b"\x44\x44\x00\x00"
MODES = {"float32": 2, "float16": 12}


def write_mrcs(path: Path, images: NDArray[np.floating], pixel_size_a: float) -> None:
    """Write ``(n, y, x)`` float32 (mode 2) or float16 (mode 12) images as an MRC2014 image stack.

    A stack, not a volume: space group 0, and the cell's depth is one section, as RELION writes and
    expects it. No label, and so no date. The file takes its place when it is complete.
    """
    whole = images.astype(np.float32, copy=False)
    low, high, mean, deviation = (
        float(f(whole)) if whole.size else 0.0 for f in (np.min, np.max, np.mean, np.std)
    )
    header = _header(
        images.shape, MODES[images.dtype.name], pixel_size_a, (low, high, mean, deviation)
    )
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as stream:
        stream.write(header)
        np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("<")).tofile(stream)
    temporary.replace(path)


def write_mrcs_in_parts(
    path: Path,
    parts: Iterable[NDArray[np.float32]],
    shape: tuple[int, int, int],
    pixel_size_a: float,
) -> None:
    """Write float32 images that come part after part, ``(n, y, x)`` in all, in little memory.

    The header says, in MRC2014's way, that no statistics were taken.
    """
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as stream:
        stream.write(_header(shape, MODES["float32"], pixel_size_a, (0.0, -1.0, -2.0, -1.0)))
        for part in parts:
            np.ascontiguousarray(part, dtype="<f4").tofile(stream)
    temporary.replace(path)


def _header(
    shape: tuple[int, ...],
    mode: int,
    pixel_size_a: float,
    statistics: tuple[float, float, float, float],
) -> bytearray:
    """Return the header; ``statistics``: least, greatest, mean and deviation of the pixels."""
    n, rows, columns = shape
    low, high, mean, deviation = statistics
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<10i", header, 0, columns, rows, n, mode, 0, 0, 0, columns, rows, 1)
    cell = (columns * pixel_size_a, rows * pixel_size_a, pixel_size_a)
    struct.pack_into("<6f", header, 40, *cell, 90.0, 90.0, 90.0)
    struct.pack_into("<3i3f", header, 64, 1, 2, 3, low, high, mean)
    struct.pack_into("<i", header, 108, 20140)
    header[208:216] = b"MAP " + LITTLE_ENDIAN_STAMP
    struct.pack_into("<f", header, 216, deviation)
    return header
