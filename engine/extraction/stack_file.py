"""An MRC image stack written a few images at a time, the same byte for byte for the same images."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import inf, sqrt
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.read_mrc import HEADER_BYTES

MODES = {np.dtype(np.float32): 2, np.dtype(np.float16): 12}
LITTLE_ENDIAN_STAMP = b"\x44\x44\x00\x00"
MRC2014 = 20140


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """How far a stack is written: images, the sums of their values and squares, the extremes."""

    count: int
    total: float
    squares: float
    low: float
    high: float


NOTHING = StackState(count=0, total=0.0, squares=0.0, low=inf, high=-inf)


class StackWriter:
    """Writes ``(n, y, x)`` images as float32 (mode 2) or float16 (mode 12) into one MRC file.

    The header is that of RELION's stacks: space group 0, the cell one section deep. No label, and
    so no date. The file takes its place when the block is left without an exception; a stack of no
    images is not written. After an exception the temporary file goes, or stays where it can be
    continued: with ``resumed``, the state that an earlier run came to (`NOTHING` at first).
    """

    def __init__(
        self,
        path: Path,
        box: int,
        pixel_size_a: float,
        *,
        float16: bool,
        resumed: StackState | None = None,
    ) -> None:
        """Prepare the writing of images of ``box`` px; nothing is opened yet."""
        self.path = path
        self.box = box
        self.pixel_size_a = pixel_size_a
        self.dtype = np.dtype(np.float16 if float16 else np.float32)
        self._resumable = resumed is not None
        start = resumed or NOTHING
        self.count = start.count
        self._sum, self._squares = start.total, start.squares
        self._low, self._high = start.low, start.high
        self._part = part_of(path)
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Open the temporary file and leave room for the header, or go on where it ends."""
        if self.count:
            self._stream = self._part.open("r+b")
            length = stack_bytes(self.count, self.box, float16=self.dtype.itemsize == 2)
            self._stream.truncate(length)
            self._stream.seek(length)
        else:
            self._stream = self._part.open("wb")
            self._stream.write(bytes(HEADER_BYTES))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the header and move the file into place, or take it away after an exception."""
        assert self._stream is not None
        if kind is None and self.count:
            self._stream.seek(0)
            self._stream.write(self.header())
            self._stream.close()
            self._part.replace(self.path)
            return
        self._stream.close()
        if kind is None or not self._resumable:
            self._part.unlink()

    def state(self) -> StackState:
        """Return how far the stack is, all of it handed to the system."""
        assert self._stream is not None
        self._stream.flush()
        return StackState(
            count=self.count,
            total=self._sum,
            squares=self._squares,
            low=self._low,
            high=self._high,
        )

    def write(self, images: NDArray[np.float32]) -> None:
        """Append images ``(n, box, box)``."""
        assert self._stream is not None
        stored = np.ascontiguousarray(images, dtype=self.dtype.newbyteorder("<"))
        self._stream.write(stored.data)
        self.count += len(stored)
        for image in stored:  # one by one, so that the sums do not depend on the portions
            wide = image.astype(np.float64)
            self._sum += float(wide.sum())
            self._squares += float(np.vdot(wide, wide))
            self._low = min(self._low, float(wide.min()))
            self._high = max(self._high, float(wide.max()))

    def header(self) -> bytes:
        """Return the header of what was written so far."""
        box, values = self.box, self.count * self.box**2
        mean = self._sum / values if values else 0.0
        deviation = sqrt(max(0.0, self._squares / values - mean * mean)) if values else 0.0
        low, high = (self._low, self._high) if values else (0.0, 0.0)
        head = bytearray(HEADER_BYTES)
        struct.pack_into(
            "<10i", head, 0, box, box, self.count, MODES[self.dtype], 0, 0, 0, box, box, 1
        )
        size = self.pixel_size_a
        struct.pack_into("<6f", head, 40, box * size, box * size, size, 90.0, 90.0, 90.0)
        struct.pack_into("<3i3f", head, 64, 1, 2, 3, low, high, mean)
        struct.pack_into("<i", head, 108, MRC2014)
        head[208:216] = b"MAP " + LITTLE_ENDIAN_STAMP
        struct.pack_into("<f", head, 216, deviation)
        return bytes(head)


def part_of(path: Path) -> Path:
    """Return the temporary file that a stack is written into."""
    return path.with_name(path.name + ".part")


def stack_bytes(count: int, box: int, *, float16: bool) -> int:
    """Return how long the file of a stack is."""
    return HEADER_BYTES + count * box * box * (2 if float16 else 4)
