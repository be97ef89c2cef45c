"""Reading a micrograph from an image file of any accepted format."""

from __future__ import annotations

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.read_mrc import MAX_PIXELS, read_mrc

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MIN_SIDE_PX = 64
# What the decoders raise when damaged bytes lead them astray.
DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, the weights that Pillow uses


def read_image(path: Path) -> Image:
    """Read one micrograph; its format follows from the name's suffix (see `IMAGE_SUFFIXES`).

    The pixels are ``(y, x)`` float32, finite and not all the same. Raises `InputError`, the file
    first and then the reason, for a file that is missing, no regular file, empty, truncated,
    damaged or of another format, that holds anything but one two-dimensional image of at least 64
    pixels a side, and for pixels that are NaN, infinite or constant. Real numbers that all lie
    between 0 and 1 were normalised by some program and do not count as counts.
    """
    reader = READERS.get(image_suffix(path.name))
    if reader is None:
        msg = f"{path}: not an accepted image; accepted are {', '.join(IMAGE_SUFFIXES)}"
        raise InputError(msg)
    try:
        status = os.stat(path)  # noqa: PTH116 (pathlib hides a NUL in the name from its errors)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path}: not a regular file; accepted is an image file"
            raise InputError(msg)
        if status.st_size == 0:
            msg = f"{path}: empty, it holds no bytes; copy or write it again"
            raise InputError(msg)
        image = reader(path)
    except FileNotFoundError as error:
        msg = f"{path}: file not found"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise InputError(msg) from error
    except ValueError as error:
        msg = f"{str(path)!r}: cannot be read ({error})"
        raise InputError(msg) from error
    except MemoryError as error:
        msg = f"{path}: too large for the memory of this machine"
        raise InputError(msg) from error
    low, high = _refuse_useless(image.pixels, path)
    normalised = image.saturation_level is None and low >= 0.0 and high <= 1.0
    # Zeros and ones alone are a sparse exposure whose electrons were counted.
    if normalised and ((image.pixels > 0.0) & (image.pixels < 1.0)).any():
        return replace(image, has_counts=False)
    return image


def image_suffix(name: str) -> str:
    """Return the suffix that decides the format: ``.mrc.gz`` of ``a.b.MRC.gz``; ``""`` if none."""
    lowered = name.lower()
    return max((s for s in READERS if lowered.endswith(s)), key=len, default="")


def _refuse_useless(pixels: NDArray[np.float32], path: Path) -> tuple[float, float]:
    """Return the range of the pixels; `InputError` where nothing can be measured from them.

    The lowest and the highest value are two fast passes and show NaN (both are NaN then), infinity
    and a constant image at once.
    """
    rows, columns = pixels.shape
    if min(rows, columns) < MIN_SIDE_PX:
        msg = f"{path}: {columns} x {rows} pixels; accepted are at least {MIN_SIDE_PX} a side"
        raise InputError(msg)
    low, high = pixels.min(), pixels.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        count = pixels.size - int(np.count_nonzero(np.isfinite(pixels)))
        msg = f"{path}: {count} of {pixels.size} pixels are NaN or infinite; accepted are none"
        raise InputError(msg)
    if low == high:
        msg = f"{path}: every pixel is {low:g}; a constant image holds no micrograph"
        raise InputError(msg)
    return float(low), float(high)


def _read_tiff(path: Path) -> Image:
    """Read a single-page TIFF; 8-bit values count as a picture, wider ones as counts."""
    import logging

    import tifffile

    # What it would log of a damaged file is in the exception.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            shape = file.series[0].shape if file.series else ()
            pages = len(file.series)
            if pages != 1:
                msg = f"{path}: holds {pages} images; accepted is one micrograph a file"
                raise InputError(msg)
            sides = tuple(n for n in shape if n != 1)
            grey = len(sides) == 2
            colour = len(sides) == 3 and sides[2] in (3, 4) and file.pages[0].photometric == 2
            if not (grey or colour):
                size = " x ".join(str(n) for n in shape)
                msg = (
                    f"{path}: holds {size} values (a movie, a stack or a volume); "
                    "accepted is one motion-corrected micrograph a file"
                )
                raise InputError(msg)
            _refuse_huge(sides[1], sides[0], path)
            stored = file.asarray().reshape(sides)
    except PermissionError:
        raise
    except (tifffile.TiffFileError, *DAMAGE) as error:
        # tifffile unpacks LZW, JPEG and others only with the imagecodecs package; Pillow has
        # libtiff for them.
        if "imagecodecs" in str(error):
            return _read_picture(path, counts=True)
        msg = f"{path}: damaged or truncated TIFF ({_fault(error)})"
        raise InputError(msg) from error
    if stored.dtype.kind not in "iuf":
        msg = f"{path}: holds {stored.dtype} values; accepted are integers and real numbers"
        raise InputError(msg)
    return _image(stored, counts=stored.dtype.itemsize > 1)


def _read_picture(path: Path, *, counts: bool = False) -> Image:
    """Read a picture with Pillow: colours become grey, transparency is dropped."""
    import PIL.Image

    with warnings.catch_warnings():
        # Pillow warns of large pictures, for which the limit here is the same in all formats, and
        # of metadata, of which nothing is read.
        warnings.simplefilter("ignore")
        try:
            with PIL.Image.open(path) as picture:
                _refuse_huge(*picture.size, path)
                if getattr(picture, "n_frames", 1) > 1:
                    msg = f"{path}: holds {picture.n_frames} images; accepted is one a file"  # type: ignore[attr-defined]
                    raise InputError(msg)
                stored = _grey_values(picture)
        except PermissionError:
            raise
        except PIL.UnidentifiedImageError as error:
            msg = f"{path}: not an image of the kind that its name says"
            raise InputError(msg) from error
        except PIL.Image.DecompressionBombError as error:
            msg = f"{path}: too large a picture ({error})"
            raise InputError(msg) from error
        except DAMAGE as error:
            msg = f"{path}: damaged or truncated image ({_fault(error)})"
            raise InputError(msg) from error
    return _image(stored, counts=counts and stored.dtype.itemsize > 1)


def _fault(error: Exception) -> str:
    """Return what a decoder says of a damaged file; its slips on the way are no news to a user."""
    if isinstance(error, LookupError | TypeError | ArithmeticError | struct.error):
        return "its structure does not hold together"
    return str(error).partition(": header=")[0]


def _grey_values(picture: PillowImage) -> NDArray[Any]:
    """Return the grey values of a picture as stored, ``(y, x)``."""
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("I", "F", "L"):
        return np.asarray(picture)
    if picture.mode == "LA":
        return np.asarray(picture.getchannel("L"))
    return np.asarray(picture.convert("RGB").convert("L"))


def _image(stored: NDArray[Any], *, counts: bool) -> Image:
    """Return stored grey values ``(y, x)``, or colours ``(y, x, 3 or 4)``, as an image."""
    level = float(np.iinfo(stored.dtype).max) if stored.dtype.kind in "iu" else None
    if stored.ndim == 3:
        stored = stored[..., :3].astype(np.float32) @ np.array(LUMINANCE, np.float32)
        counts = False
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused later
        pixels = np.ascontiguousarray(stored, dtype=np.float32)
    return Image(
        pixels=pixels if pixels.flags.writeable else pixels.copy(),
        has_counts=counts,
        saturation_level=level,
    )


def _refuse_huge(columns: int, rows: int, path: Path) -> None:
    """Raise `InputError` for a size that would exhaust memory, before anything is unpacked."""
    if columns * rows > MAX_PIXELS:
        msg = f"{path}: {columns} x {rows} pixels; accepted are at most {MAX_PIXELS} pixels"
        raise InputError(msg)


READERS: Mapping[str, Callable[[Path], Image]] = MappingProxyType(
    {
        **{
            kind + packing: read_mrc
            for kind in (".mrc", ".mrcs", ".map")
            for packing in ("", ".gz", ".bz2")
        },
        ".tif": _read_tiff,
        ".tiff": _read_tiff,
        ".png": _read_picture,
        ".jpg": _read_picture,
        ".jpeg": _read_picture,
    }
)
IMAGE_SUFFIXES = tuple(READERS)
