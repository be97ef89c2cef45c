"""Whether nothing is in the beam on one side of an edge, as where ice is torn, and where that is.

The noise of the bare beam is white, while ice and particles give it a colour, as do fringes. A
film's rim is smooth, since its holes are made round; a torn border is ragged. So the more ragged a
border is, the less white the noise on its bright side has to be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.cell_grid import cell_means, spread_cells
from cryoverdict.features.film_arcs import Arc, grid_places

_Float = NDArray[np.float32]
_Bool = NDArray[np.bool_]

# Noise is white where its power is the same in two bands an octave apart and at the finest scale,
# to this difference of logarithms. Ice that is really empty is nearly white, too; so the other side
# must not be like a film: carbon has more colour than this, and the same everywhere, while
# particles lie here and there (logarithm of the 90 % quantile of cells over the 30 %; 1.3 for
# Gaussian texture).
WHITE = 0.35
ICE_COLOUR = 1.3
UNEVEN = 1.5
# Otherwise a ragged border tells: for each cell that it strays from its arc by more than a smooth
# one seems to, the noise may differ from white by this much, and by no more than the last. On 64
# simulated edges rims of film strayed by 0 to 0.4 cells (one by 1) and torn borders by 0.3 to 3;
# iced sides differed from white by 0.9 to 3.4 (empty ice by 0.25 to 0.55), bare ones by 0.1 to
# 0.75. The grey level must step by so many robust deviations of the cells: where it hardly does,
# texture makes any border seem ragged, and that of a film more so.
COLOUR_PER_STRAY_CELL = 2.2
SMOOTH_STRAY_CELLS = 0.15
MOST_COLOUR = 0.85
BARE_STEP, BARE_STEP_FROM_FILM = 1.5, 2.5
# Fewer cells than these on a side say nothing about its noise; small tears count, too.
FEWEST_BRIGHT, FEWEST_DARK = 30, 60
# How far from its arc a border is sought, in steps of how many cells, on stretches how long.
FARTHEST_CELLS = 7.0
STEP_CELLS = 0.5
STRETCH_CELLS = 1.5
# A stretch counts where it is seen this far on both sides.
LEAST_SEEN_CELLS = 2.0
FEWEST_STRETCHES = 4
# Deviation in pixels of the smoothing at which the grey level tells bare from iced.
LEVEL_SCALE_PX = 2.0


def is_bare(
    half: _Float,
    channels: tuple[_Float, ...],
    arc: Arc,
    free: _Bool,
    *,
    level: float,
    step: float,
    opaque: bool,
) -> bool:
    """Say whether nothing is in the beam where the cells are brighter than ``level``.

    ``channels`` are the mean of ``half`` over the cells and the log variance of its neighbouring
    pixels, ``step`` how much brighter that side is, in robust deviations of the cells. Next to an
    ``opaque`` side a ragged border tells nothing, since dirty film and beam edges are ragged, too.
    """
    grey, fine = channels[:2]
    bright, dark = (_within(side, free) for side in (grey > level, grey < level))
    if np.count_nonzero(bright) < FEWEST_BRIGHT or np.count_nonzero(dark) < FEWEST_DARK:
        return False
    bands = _bands(half, fine)
    colour, other = _colour(bands, bright), _colour(bands, dark)
    if colour > min(MOST_COLOUR, other):
        return False
    low, high = np.quantile(bands[1][dark], [0.3, 0.9])
    like_film = other >= ICE_COLOUR and high - low <= UNEVEN
    if colour < WHITE and not like_film:
        return True
    if opaque or step < (BARE_STEP_FROM_FILM if like_film else BARE_STEP):
        return False
    stray = _stray_cells(half, arc, free) - SMOOTH_STRAY_CELLS
    return colour < COLOUR_PER_STRAY_CELL * stray


def _within(side: _Bool, free: _Bool) -> _Bool:
    """Return the cells of a side away from the other, where fringes lie, by two if enough are."""
    from scipy import ndimage

    box = np.ones((3, 3))
    away: _Bool = ndimage.binary_erosion(side, box, border_value=1)
    farther: _Bool = ndimage.binary_erosion(away, box, border_value=1)
    return (farther if np.count_nonzero(farther & free) >= FEWEST_BRIGHT else away) & free


# Variances that white noise of variance 1 in the coarse image leaves in the bands of the image at
# half sampling between these smoothings, as medians over cells, and log variance at the finest.
_BAND_SCALES = (0.7, 1.4, 2.8)
_WHITE_POWER = (0.018176, 0.0037334)
_WHITE_FINE = 0.10298


def _bands(half: _Float, fine: _Float) -> tuple[_Float, ...]:
    """Return the log power of each cell in two bands over that of white noise like its finest.

    The bands are half an octave wide, around wavelengths of about 8 and 16 coarse pixels.
    """
    from scipy import ndimage

    smooth = [ndimage.gaussian_filter(half, s) for s in _BAND_SCALES]
    power = [
        cell_means(np.square(a - b), (fine.shape[0], fine.shape[1])) / white
        for a, b, white in zip(smooth[:-1], smooth[1:], _WHITE_POWER, strict=True)
    ]
    return tuple(np.asarray(np.log(p + 1e-30) - fine + _WHITE_FINE, np.float32) for p in power)


def _colour(bands: tuple[_Float, ...], where: _Bool) -> float:
    """Return by how much the noise of some cells is not white, as a difference of logarithms.

    The bands are compared with the finest scale and with each other.
    """
    first, second = (float(np.median(band[where])) for band in bands)
    return max(abs(first), abs(second), abs(second - first))


def _stray_cells(half: _Float, arc: Arc, free: _Bool) -> float:
    """Return the standard deviation of a border's distance from its arc, in cells; 0 if unknown.

    On each short stretch of the arc the border lies where the means of the two sides differ most,
    over the standard error of their difference.
    """
    shape = (half.shape[0], half.shape[1])
    y, x = grid_places(shape, (free.shape[0], free.shape[1]))
    distance = arc.distance(y, x)
    near = (np.abs(distance) < FARTHEST_CELLS) & (spread_cells(free.view(np.uint8), shape) > 0)
    steps = round(2.0 * FARTHEST_CELLS / STEP_CELLS)
    across = ((distance[near] + FARTHEST_CELLS) / STEP_CELLS).astype(np.intp)
    along = np.floor(arc.along(y, x)[near] / STRETCH_CELLS).astype(np.intp)
    if not len(along):
        return 0.0
    place = (along - along.min()) * steps + np.minimum(across, steps - 1)
    size = (int(along.max() - along.min()) + 1) * steps
    count = np.bincount(place, minlength=size).reshape(-1, steps)
    total = np.bincount(place, half[near], size).reshape(-1, steps)
    reach = round(LEAST_SEEN_CELLS / STEP_CELLS)
    seen = (count[:, steps // 2 - reach : steps // 2 + reach] > 0).all(axis=1)
    if np.count_nonzero(seen) < FEWEST_STRETCHES:
        return 0.0
    count, total = np.cumsum(count[seen], axis=1), np.cumsum(total[seen], axis=1)
    inner, outer = np.maximum(count, 1), np.maximum(count[:, -1:] - count, 1)
    difference = (total[:, -1:] - total) / outer - total / inner
    difference *= np.sign(np.median(difference[:, steps // 2 - 1]))
    border = np.argmax(difference * np.sqrt(count * (count[:, -1:] - count)), axis=1)
    return float(STEP_CELLS * border.std())


def bare_area(half: _Float, beyond: _Float, level: float, zone: float) -> _Bool:
    """Return the pixels of ``half`` in the bare beam, and those nearer to them than ``zone`` px.

    They are the connected bright areas that lie mostly ``beyond`` the arc (where it is positive),
    as far as they reach: a torn border follows no arc.
    """
    from scipy import ndimage

    bright = ndimage.gaussian_filter(half, LEVEL_SCALE_PX) > level
    labels, count = ndimage.label(bright)
    inside = np.bincount(labels[beyond > 0.0], minlength=count + 1)
    kept = inside > 0.5 * np.bincount(labels.ravel(), minlength=count + 1)
    kept[0] = False
    bare = ndimage.binary_fill_holes(kept[labels])
    near: _Bool = ndimage.distance_transform_edt(~bare) < zone
    return near
