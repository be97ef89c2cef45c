"""The small pictures of a micrograph as bytes that a database keeps and a browser shows."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray


def png_bytes(picture: NDArray[np.generic]) -> bytes:
    """Return an array ``(y, x)`` or ``(y, x, 3)`` of uint8 as PNG, the same bytes each time."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture, np.uint8)).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def png_pixels(content: bytes) -> NDArray[np.uint8]:
    """Return what `png_bytes` took."""
    from PIL import Image

    with Image.open(BytesIO(content), formats=("PNG",)) as picture:
        return np.asarray(picture, np.uint8)
