"""The pictures of one subject, and the files a page shows them from."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.reports.report_error import ReportError
from cryoverdict.reports.script_data import finite

# One colour a kind of area, told apart by colour-blind readers too (after Okabe and Ito 2008),
# all light enough to be seen on a grey micrograph. Code 0 is the usable area and stays clear.
AREA_COLOURS = ("#56b4e9", "#e8743b", "#f0e442", "#cc79a7", "#2fbf8f", "#b9a2f2", "#e69f00")
AREA_OPACITY = 120
AREA_SIDE_PX = 256
JPEG_QUALITY = 75
CURVES = ("power", "background", "fit", "agreement")
PROFILE_PREFIX = "profile_"
PROFILE_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePictures:
    """What a page can show of one subject; each part may be missing.

    ``thumbnail`` ``(h, w)`` uint8, at most 256 pixels a side; ``spectrum`` ``(n, n)`` uint8, the
    centred logarithm of the power; ``profile`` one-dimensional curves of one length:
    ``frequency_per_a`` (1/Å) or ``frequency_per_px`` (cycles a pixel), ``power``, ``background``,
    ``fit`` (CTF²) and ``agreement`` (local correlation of rings and fit, −1 to 1); ``ctf`` the CTF
    in words; ``area`` ``(h, w)`` uint8, 0 where the micrograph is usable and else the code of a
    kind.
    """

    thumbnail: NDArray[np.uint8] | None = None
    spectrum: NDArray[np.uint8] | None = None
    profile: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    ctf: str | None = None
    area: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> PagePictures:
        """Return the pictures among stored arrays.

        The names are ``thumbnail``, ``spectrum``, ``area``, ``ctf`` (a string) and
        ``profile_CURVE``; any other array is left aside.
        """
        text = arrays.get("ctf")
        return cls(
            thumbnail=arrays.get("thumbnail"),
            spectrum=arrays.get("spectrum"),
            area=arrays.get("area"),
            ctf=None if text is None else str(text),
            profile={
                name.removeprefix(PROFILE_PREFIX): curve
                for name, curve in arrays.items()
                if name.startswith(PROFILE_PREFIX)
            },
        )


def write_pictures(stem: Path, pictures: PagePictures, area_kinds: Sequence[str]) -> dict[str, Any]:
    """Write ``STEM.jpg`` and ``STEM_spectrum.jpg``; return what the detail script says of them.

    ``area_kinds`` names the codes of ``area`` from 0 on. Raises `ReportError`, naming the picture,
    for an array of another shape or type.
    """
    said: dict[str, Any] = {}
    for name, suffix in (("thumbnail", ""), ("spectrum", "_spectrum")):
        pixels = getattr(pictures, name)
        if pixels is not None:
            _check(name, pixels)
            _write_jpeg(stem.with_name(f"{stem.name}{suffix}.jpg"), pixels)
            said[name] = [int(pixels.shape[1]), int(pixels.shape[0])]
    if pictures.area is not None:
        _check("area", pictures.area)
        said["area"] = describe_area(pictures.area, area_kinds)
    if pictures.profile:
        said["profile"] = describe_profile(pictures.profile)
    if pictures.ctf is not None:
        said["ctf"] = pictures.ctf
    return said


def describe_area(area: NDArray[np.uint8], kinds: Sequence[str]) -> dict[str, Any]:
    """Return the overlay as a PNG inside a data address, and the fraction of each kind found."""
    counts = np.bincount(area.ravel(), minlength=1)
    found = [
        {
            "name": kinds[code] if code < len(kinds) else f"kind {code}",
            "fraction": int(n) / area.size,
            "colour": None if code == 0 else AREA_COLOURS[(code - 1) % len(AREA_COLOURS)],
        }
        for code, n in enumerate(counts)
        if n
    ]
    step = -(-max(area.shape) // AREA_SIDE_PX)
    image = _overlay_png(np.ascontiguousarray(area[::step, ::step]))
    return {"image": f"data:image/png;base64,{image}", "kinds": found}


def describe_profile(profile: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, Any]:
    """Return the curves of a radial profile as lists, with the unit of their frequency."""
    for unit, name in (("1/A", "frequency_per_a"), ("1/px", "frequency_per_px")):
        if name in profile:
            said: dict[str, Any] = {
                "unit": unit,
                "frequency": finite(profile[name], PROFILE_DIGITS),
            }
            break
    else:
        msg = f"profile: has {sorted(profile)}; accepted is one with frequency_per_a or _per_px"
        raise ReportError(msg)
    for curve in CURVES:
        if curve in profile:
            said[curve] = finite(profile[curve], PROFILE_DIGITS)
            if len(said[curve]) != len(said["frequency"]):
                lengths = f"{len(said[curve])} values at {len(said['frequency'])} frequencies"
                msg = f"profile: {curve} has {lengths}; accepted is one value a frequency"
                raise ReportError(msg)
    return said


def _check(name: str, pixels: NDArray[Any]) -> None:
    """Refuse an array that is no grey 8-bit picture."""
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.size == 0:
        msg = f"{name}: is {pixels.dtype} {pixels.shape}; accepted is uint8 (rows, columns)"
        raise ReportError(msg)


def _write_jpeg(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a grey picture."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=JPEG_QUALITY)


def _overlay_png(codes: NDArray[np.uint8]) -> str:
    """Return codes as a PNG in base64: clear at 0, the colour of its kind elsewhere."""
    from PIL import Image

    kinds = int(codes.max())
    colours = [AREA_COLOURS[kind % len(AREA_COLOURS)] for kind in range(kinds)]
    palette = b"\0\0\0" + b"".join(bytes.fromhex(colour[1:]) for colour in colours)
    image = Image.fromarray(codes)
    image.putpalette(palette)
    file = io.BytesIO()
    clear = bytes([0]) + bytes([AREA_OPACITY]) * kinds
    image.save(file, format="PNG", transparency=clear, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
