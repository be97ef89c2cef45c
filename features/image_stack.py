"""Reading all images of an MRC stack."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.read_mrc import HEADER_BYTES, parse_header

# Class averages and templates; a stack of particles is read elsewhere, a few at a time.
MOST_IMAGES = 5000


def read_stack(path: Path) -> tuple[NDArray[np.float32], float | None]:
    """Return the images ``(n, y, x)`` of a stack and their pixel size in Å, if its header has one.

    Raises `InputError` for what is no whole MRC stack of at most `MOST_IMAGES` finite images.
    """
    try:
        with path.open("rb") as stream:
            head = bytearray(stream.read(HEADER_BYTES))
            size = os.fstat(stream.fileno()).st_size
            if len(head) < HEADER_BYTES:
                msg = f"{path}: truncated, no MRC header; accepted is an MRC stack"
                raise InputError(msg)
            stored = bytes(head[8:12])
            head[8:12] = bytes(4)  # the parser is for single images; the count is looked at below
            layout = parse_header(head, path)
            foreign = layout.dtype.itemsize > 1 and not layout.dtype.isnative
            count = max(1, int.from_bytes(stored, "big" if foreign else "little", signed=True))
            rows, columns = layout.shape[1:]
            have = (size - layout.offset) // layout.data_bytes
            if count > MOST_IMAGES or have < count:
                found = f"{count} images of {columns} x {rows} px in the header, {have} in the file"
                msg = f"{path}: {found}; accepted are at most {MOST_IMAGES} whole images"
                raise InputError(msg)
            stream.seek(layout.offset)
            pixels = np.fromfile(stream, layout.dtype, count * rows * columns)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); accepted is an MRC stack"
        raise InputError(msg) from error
    images = pixels.astype(np.float32).reshape(count, rows, columns)
    bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))
    if bad.size:
        msg = f"{path}: image {bad[0] + 1} holds NaN or infinity; accepted are finite values"
        raise InputError(msg)
    return images, layout.pixel_size_a
