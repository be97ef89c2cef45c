"""The small pictures of a micrograph as bytes that a database keeps and a browser shows."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

JPEG_QUALITY = 85


def jpeg_bytes(picture: NDArray[np.generic]) -> bytes:
    """Return grey values ``(y, x)`` as JPEG: micrographs are noise, of which PNG saves nothing."""
    return _packed(picture, "JPEG", quality=JPEG_QUALITY)


def png_bytes(picture: NDArray[np.generic]) -> bytes:
    """Return codes ``(y, x)`` as PNG, which keeps each as it is."""
    return _packed(picture, "PNG", compress_level=6)


def _packed(picture: NDArray[np.generic], kind: str, **options: int) -> bytes:
    """Return a picture in a file format, the same bytes each time."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture, np.uint8)).save(stream, kind, **options)
    return stream.getvalue()
