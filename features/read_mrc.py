"""Reading one motion-corrected micrograph from an MRC file, plain or compressed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError

HEADER_BYTES = 1024
# 16384 x 16384: twice the side of the largest camera's super-resolution frame. A header that asks
# for more is damaged, or written to exhaust memory.
MAX_PIXELS = 2**28
# A thousand times what any program writes for one image.
MAX_EXTENDED_BYTES = 2**26
REAL_MODES = (0, 1, 2, 6, 12)
OTHER_MODES = {
    3: "complex integers (a Fourier transform)",
    4: "complex numbers (a Fourier transform)",
    16: "RGB colours",
    101: "packed 4-bit counts (raw movie frames)",
}
# In a header of the right byte order the mode and both sides are smaller than this; in one of the
# wrong order at least one of them is not. The same test is how RELION decides on swapping.
SWAP_LIMIT = 2**16
IMOD_STAMP = 1146047817
IMOD_SIGNED_BYTES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MrcLayout:
    """Where the pixels of an MRC file lie and what they are.

    ``shape`` is ``(sections, rows, columns)``; ``offset`` counts bytes from the start of the file;
    ``pixel_size_a`` (Å) is ``None`` where the header does not say it beyond doubt.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    pixel_size_a: float | None

    @property
    def data_bytes(self) -> int:
        """Number of bytes that the pixels of the first section take."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize


def read_mrc(path: Path) -> Image:
    """Read the single section of an MRC file (``.gz`` and ``.bz2`` are unpacked on the way).

    Accepts modes 0, 1, 2, 6 and 12, an extended header, either byte order, and, as RELION does, a
    missing ``MAP`` word, a wrong machine stamp and bytes after the pixels. The grey values are not
    looked at. Raises `InputError` with the reason for all else.
    """
    with path.open("rb") as raw:
        stream = _unpacked(raw, path.suffix.lower())
        layout = parse_header(_read_exactly(stream, HEADER_BYTES, path, "its header"), path)
        if stream is raw:
            stored = _read_plain(raw, layout, path)
        else:
            _read_exactly(stream, layout.offset - HEADER_BYTES, path, "its extended header")
            content = _read_exactly(stream, layout.data_bytes, path, "its pixels")
            # The checksum stands behind the last byte and is compared when that has been passed.
            _read(stream, 1, path)
            stored = np.frombuffer(content, dtype=layout.dtype)
    rows, columns = layout.shape[1:]
    integer = np.iinfo(layout.dtype).max if layout.dtype.kind in "iu" else None
    return Image(
        pixels=stored.astype(np.float32, copy=False).reshape(rows, columns),
        pixel_size_a=layout.pixel_size_a,
        has_counts=layout.dtype.itemsize > 1,
        saturation_level=None if integer is None else float(integer),
    )


def parse_header(head: bytes | bytearray, path: Path) -> MrcLayout:
    """Return the layout that a 1024-byte header announces; `InputError` where it is impossible.

    Source: the MRC2014 definition (Cheng et al. 2015, J. Struct. Biol. 192:146); IMOD's note that
    mode 0 holds unsigned bytes where its own stamp stands without the flag for signed ones.
    """
    header = _in_byte_order(head)
    columns, rows, sections, mode = (int(header[k]) for k in ("nx", "ny", "nz", "mode"))
    if mode not in REAL_MODES:
        what = OTHER_MODES.get(mode, "no known kind of pixel; is this an MRC file?")
        msg = f"{path}: MRC mode {mode} holds {what}; accepted are modes 0, 1, 2, 6 and 12"
        raise InputError(msg)
    if min(columns, rows) < 1 or sections < 0:
        msg = (
            f"{path}: the header gives the impossible size {columns} x {rows} x {sections}; "
            "is this an MRC file?"
        )
        raise InputError(msg)
    if columns * rows > MAX_PIXELS:
        msg = (
            f"{path}: the header gives {columns} x {rows} pixels; "
            f"accepted are at most {MAX_PIXELS} pixels"
        )
        raise InputError(msg)
    if sections > 1:
        msg = (
            f"{path}: holds {sections} sections of {columns} x {rows} pixels (a movie, a stack or "
            "a volume); accepted is one motion-corrected micrograph a file"
        )
        raise InputError(msg)
    extended = int(header["nsymbt"])
    if not 0 <= extended <= MAX_EXTENDED_BYTES:
        msg = f"{path}: the header gives an extended header of {extended} bytes; it is damaged"
        raise InputError(msg)
    return MrcLayout(
        shape=(max(sections, 1), rows, columns),
        dtype=_pixel_type(header, mode, head),
        offset=HEADER_BYTES + extended,
        pixel_size_a=_pixel_size_a(header),
    )


def _in_byte_order(head: bytes | bytearray) -> Any:
    """Return the header record in the byte order that makes it plausible; the stamp's is first."""
    from mrcfile.dtypes import HEADER_DTYPE
    from mrcfile.utils import byte_order_from_machine_stamp

    little = np.frombuffer(head, dtype=HEADER_DTYPE)[0]
    try:
        stamped = byte_order_from_machine_stamp(little["machst"])
    except ValueError:
        stamped = "<"
    orders = (stamped, ">" if stamped == "<" else "<")
    headers = [np.frombuffer(head, dtype=HEADER_DTYPE.newbyteorder(order))[0] for order in orders]
    for header in headers:
        if all(0 <= int(header[name]) < SWAP_LIMIT for name in ("mode", "nx", "ny")):
            return header
    return headers[0]


def _pixel_type(header: Any, mode: int, head: bytes | bytearray) -> np.dtype[Any]:
    """Return the number type of the pixels, in the header's byte order."""
    from mrcfile.utils import dtype_from_mode

    order = header.dtype["mode"].byteorder
    if mode == 0:
        sign = "<" if order in "<=" else ">"
        stamp, flags = struct.unpack_from(f"{sign}ii", head, 152)
        unsigned = stamp == IMOD_STAMP and not flags & IMOD_SIGNED_BYTES
        return np.dtype(np.uint8 if unsigned else np.int8)
    dtype: np.dtype[Any] = dtype_from_mode(mode)
    return dtype.newbyteorder(order)


def _pixel_size_a(header: Any) -> float | None:
    """Return the pixel size in Å, or ``None`` where the header has none or contradicts itself.

    It is the cell's length over the number of intervals. Where these are not the image's own
    pixels, as after a binning that changed only the image size, it may be that of another image;
    where it differs between the axes by more than 1 %, neither can be trusted.
    """
    cell = [float(header["cella"][axis]) for axis in "xy"]
    intervals = [int(header[name]) for name in ("mx", "my")]
    sides = [int(header[name]) for name in ("nx", "ny")]
    if intervals != sides or not all(np.isfinite(cell)) or 0.0 in cell:
        return None
    x, y = (length / count for length, count in zip(cell, intervals, strict=True))
    if abs(x - y) > 0.01 * max(abs(x), abs(y)):
        return None
    return float(f"{x:.7g}")  # the header holds single precision: more digits are noise


def _unpacked(raw: BinaryIO, packing: str) -> BinaryIO:
    """Return a stream of the file's unpacked bytes."""
    if packing == ".gz":
        import gzip

        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if packing == ".bz2":
        import bz2

        return bz2.BZ2File(raw)  # type: ignore[return-value]
    return raw


def _read_exactly(stream: BinaryIO, count: int, path: Path, what: str) -> bytearray:
    """Return the next ``count`` bytes, never more: a compressed bomb is not unpacked further."""
    content = bytearray()
    while len(content) < count and (part := _read(stream, min(count - len(content), 2**24), path)):
        content += part
    if len(content) < count:
        msg = f"{path}: truncated, {len(content)} of the {count} bytes of {what} are there"
        raise InputError(msg)
    return content


def _read(stream: BinaryIO, count: int, path: Path) -> bytes:
    """Return up to ``count`` bytes; `InputError` where they cannot be read or unpacked."""
    import zlib

    try:
        return stream.read(count)
    except EOFError as error:
        msg = f"{path}: truncated, its packed content ends before its end mark"
        raise InputError(msg) from error
    except (OSError, ValueError, zlib.error) as error:
        msg = f"{path}: damaged, it cannot be read or unpacked ({error})"
        raise InputError(msg) from error


def _read_plain(raw: BinaryIO, layout: MrcLayout, path: Path) -> NDArray[Any]:
    """Return the pixels of a file that is not compressed, read at once into their array."""
    raw.seek(layout.offset)
    rows, columns = layout.shape[1:]
    stored: NDArray[Any] = np.fromfile(raw, dtype=layout.dtype, count=rows * columns)
    if stored.size < rows * columns:
        have = stored.size * layout.dtype.itemsize
        msg = f"{path}: truncated, {have} of the {layout.data_bytes} bytes of its pixels are there"
        raise InputError(msg)
    return stored
