"""Which images of a list can be compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cryoverdict.features.grey import NO_COUNTS
from cryoverdict.features.optics import Optics
from cryoverdict.features.read_image import image_suffix
from cryoverdict.features.table import FeatureTable

# Pixel sizes that follow each other closer than this are one: headers hold fewer digits than lists.
SAME_SCALE = 0.02
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        ".mrc": "MRC",
        ".mrcs": "MRC",
        ".map": "MRC",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
    }
)


def image_kinds(table: FeatureTable, optics: Mapping[str, Optics]) -> dict[str, str]:
    """Return in words of what kind each subject is: file format, grey values, pixel size.

    Grey values, contrast and texture mean the same only within one kind; optics groups that
    differ in nothing but their beam tilt are one.
    """
    sizes = {s: o.pixel_size_a for s, o in optics.items() if o.pixel_size_a is not None}
    scales = _scales(sizes.values())
    kinds = {}
    for subject in table.subjects:
        suffix = image_suffix(subject).removesuffix(".gz").removesuffix(".bz2")
        words = FORMATS.get(suffix, "images")
        picture = table.absent.get((subject, "grey_mean_count")) == NO_COUNTS
        if picture and words in ("MRC", "TIFF"):
            words += " without counts"
        size = sizes.get(subject)
        words += ", pixel size unknown" if size is None else f", {scales[size]:.4g} Å a pixel"
        kinds[subject] = words
    return kinds


def _scales(sizes: Iterable[float]) -> dict[float, float]:
    """Return for each pixel size the smallest of those that run together with it."""
    scales: dict[float, float] = {}
    before = first = 0.0
    for size in sorted(set(sizes)):
        if size > before * (1 + SAME_SCALE):
            first = size
        scales[size] = first
        before = size
    return scales
