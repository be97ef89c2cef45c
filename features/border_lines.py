"""Faulty lines at the borders of an image: stripes, constant fill, dead or dark lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A border may be faulty to this fraction of the side; what lies deeper is no border.
DEEPEST_FRACTION = 0.12
# Noise differs across lines as much as along them (ratio 1). Where a border was filled by
# repeating its last line the ratio falls to 0; where lines were lost it jumps.
STRIPED_RATIO = 0.3
STEP_RATIO = 2.5
# A line whose variation is below this fraction of the ordinary was filled.
FILLED_RATIO = 0.04
# This many ordinary lines end the search for faulty ones.
ORDINARY_RUN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderLines:
    """Number of faulty lines at each side of an image."""

    top: int
    bottom: int
    left: int
    right: int

    def interior(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the slices of what lies between the faulty lines."""
        rows = slice(self.top, shape[0] - self.bottom)
        return rows, slice(self.left, shape[1] - self.right)


def find_border_lines(image: NDArray[np.float32]) -> BorderLines:
    """Return how many lines at each side of ``image`` ``(y, x)`` hold no picture."""
    return BorderLines(
        top=_depth(image),
        bottom=_depth(image[::-1]),
        left=_depth(image.T),
        right=_depth(image.T[::-1]),
    )


def mirror_borders(image: NDArray[np.float32], lines: BorderLines) -> NDArray[np.float32]:
    """Return ``image`` with the faulty lines replaced by the mirrored interior."""
    if lines == BorderLines(top=0, bottom=0, left=0, right=0):
        return image
    widths = ((lines.top, lines.bottom), (lines.left, lines.right))
    return np.pad(image[lines.interior((image.shape[0], image.shape[1]))], widths, mode="reflect")


def _depth(image: NDArray[np.float32]) -> int:
    """Return the number of faulty lines at the first rows of ``image``."""
    deepest = int(DEEPEST_FRACTION * len(image))
    if deepest < 1:
        return 0
    outer = image[: deepest + ORDINARY_RUN + 1]
    # Medians, so that an edge of film or an object that the line crosses does not count.
    across = np.median(np.square(np.diff(outer, axis=0)), axis=1)
    along = np.median(np.square(np.diff(outer, axis=1)), axis=1)[:-1]
    # What is ordinary is read off the inside of the image, from every fourth line.
    inside = np.square(np.diff(image[deepest:-deepest:4], axis=1))
    ordinary = float(np.median(inside))
    if ordinary <= 0.0:
        return 0
    ratio = across / np.maximum(along, FILLED_RATIO * ordinary)
    faulty = (ratio < STRIPED_RATIO) | (ratio > STEP_RATIO) | (along < FILLED_RATIO * ordinary)
    depth = 0
    for i in np.flatnonzero(faulty):
        if i > depth + ORDINARY_RUN - 1 or i >= deepest:
            break
        depth = int(i) + 1
    return depth
