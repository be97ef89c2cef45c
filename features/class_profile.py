"""How a class average changes from its centre to its edge, and around it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import FloatArray
from cryoverdict.features.class_band import BLANK, banded
from cryoverdict.features.class_view import RADIUS_PX, SIDE_PX, ClassView, distance
from cryoverdict.features.feature import Absent, Answer, Feature, feature

SECTORS, ANGLES = 12, 64
RINGS = 30


@feature(better="higher", source="SIMPLE (centre against edge)")
def centre_level(view: ClassView) -> Answer:
    """How far the inner half of the mask stands above its rim, in deviations of the average."""
    return BLANK if view.blank else float(view.pixels[distance() < 0.5].mean())


@feature(better="lower", source="RELION class ranker (ring features); 2DAssess (edge)")
def edge_unevenness(view: ClassView) -> Answer:
    """Deviation along the rim of the mask between its twelve sectors."""
    if view.blank:
        return BLANK
    rho, sector = distance(), _sectors()
    rim = (rho > 0.8) & (rho < 0.96)
    means = np.bincount(sector[rim], view.pixels[rim], SECTORS) / np.bincount(sector[rim])
    return float(means.std())


@feature(better="lower", source="variance explained by a plane: carbon edges and gradients")
def plane_share(view: ClassView) -> Answer:
    """Share of the variance within the mask that a slope explains."""
    if view.blank:
        return BLANK
    inside, y, x = _plane()
    values = view.pixels[inside].astype(float)
    values -= values.mean()
    slope = (values @ y) ** 2 / (y @ y) + (values @ x) ** 2 / (x @ x)
    return float(slope / (values @ values))


@feature(better="lower", source="correlation with a step, as at the edge of a carbon film")
def straight_edge_score(view: ClassView) -> Answer:
    """Best correlation with a straight step across the mask, less that of a disc."""
    if view.blank:
        return BLANK
    steps, disc = _steps()
    values = view.pixels[distance() < 0.96]
    values = values - values.mean()
    values = values / max(float(np.sqrt((values**2).sum())), 1e-9)
    return float(np.abs(steps @ values).max() - max(float(disc @ values), 0.0))


@feature(source="variance explained by the rotational average")
def round_share(view: ClassView) -> Answer:
    """Share of the variance within the mask that does not change when the average is turned."""
    part = None if view.blank else _round_part(view)
    return BLANK if part is None else part


@feature(source="radial profile")
def fall_radius(view: ClassView) -> Answer:
    """Radius at which the radial profile falls to half of its highest value, in mask radii."""
    if view.blank:
        return BLANK
    profile = view.once(radial_profile)
    peak = int(np.argmax(profile))
    if profile[peak] <= 0:
        return Absent("the average is darkest in its middle")
    below = np.flatnonzero(profile[peak:] < 0.5 * profile[peak])
    return float((peak + below[0] + 1) / RINGS) if below.size else 1.0


@feature(better="lower", source="radial profile relative to that of the run")
def profile_distance(view: ClassView) -> Answer:
    """How much the radial profile differs from the weighted median profile of the run."""
    if view.blank:
        return BLANK
    run = view.run
    usual = run.once(_usual_profile)
    if usual is None:
        return Absent("too few classes to compare with")
    return float(np.sqrt(np.mean((view.once(radial_profile) - usual) ** 2)))


@feature(source="rotational autocorrelation of the average's detail")
def symmetry_score(view: ClassView) -> Answer:
    """Best agreement of the average with itself, turned by a half to an eighth of a circle."""
    return BLANK if view.blank else _symmetry(view)[0]


@feature(source="rotational autocorrelation of the average's detail")
def symmetry_fold(view: ClassView) -> Answer:
    """Equal parts of a circle at which the average agrees best with itself when turned."""
    return BLANK if view.blank else float(_symmetry(view)[1])


@feature(better="lower", source="SIMPLE (fuzzy ball)")
def fuzzy_ball_score(view: ClassView) -> Answer:
    """How much the average is a smooth round blob: its round share times its coarse share."""
    if view.blank:
        return BLANK
    round_part = _round_part(view)
    if round_part is None:
        return BLANK
    coarse = float((banded(view, 1.0, 3.0) ** 2).sum())
    finer = float((banded(view, 3.0, 16.0) ** 2).sum())
    return round_part * coarse / max(coarse + finer, 1e-9)


def _round_part(view: ClassView) -> float | None:
    """Return the share of the variance that does not change under rotation."""
    polar = view.once(polar_image)
    weight = np.arange(1, RINGS + 1)[:, None]
    mean = float((polar * weight).sum() / (weight.sum() * ANGLES))
    total = float((weight * (polar - mean) ** 2).sum())
    rings = ANGLES * float((weight[:, 0] * (polar.mean(axis=1) - mean) ** 2).sum())
    return rings / total if total > 0 else None


def polar_image(view: ClassView) -> FloatArray:
    """Return the average on rings and angles, ``(30, 64)``, out to 0.96 mask radii."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(view.pixels, _polar_grid(), order=1), dtype=np.float32)


def radial_profile(view: ClassView) -> NDArray[np.float64]:
    """Return the mean of each of 30 rings."""
    return np.asarray(view.once(polar_image).mean(axis=1), dtype=np.float64)


def _usual_profile(run: object) -> NDArray[np.float64] | None:
    """Return the median profile of a run's classes, each counted by its share."""
    from cryoverdict.features.class_view import ClassRun

    assert isinstance(run, ClassRun)
    chosen = [i for i, w in enumerate(run.weights) if w > 0]
    if len(chosen) < 3:
        return None
    profiles = np.array([run.views[i].once(radial_profile) for i in chosen])
    weights = run.weights[chosen]
    order = np.argsort(profiles, axis=0, kind="stable")
    total = np.cumsum(weights[order], axis=0)
    half = (total < 0.5 * weights.sum()).sum(axis=0)
    usual = np.take_along_axis(profiles, np.take_along_axis(order, half[None], 0), 0)[0]
    return np.asarray(usual, dtype=np.float64)


def _symmetry(view: ClassView) -> tuple[float, int]:
    """Return the best autocorrelation over folds 2 to 8, and its fold."""
    polar = view.once(polar_image)
    detail = polar - polar.mean(axis=1, keepdims=True)
    weight = np.arange(1, RINGS + 1)[:, None]
    spectrum = np.abs(np.fft.rfft(detail, axis=1)) ** 2
    turned = np.fft.irfft((weight * spectrum).sum(axis=0), ANGLES * 8)
    turned /= max(float(turned[0]), 1e-9)
    scores = {}
    for fold in range(2, 9):
        at = [round(len(turned) * i / fold) for i in range(1, fold)]
        # All turns of the group, so that a six-fold average does not count as a two-fold one.
        scores[fold] = float(np.mean(turned[at]))
    best = max(scores, key=lambda fold: (scores[fold] + 0.02 * fold, fold))
    return scores[best], best


@cache
def _sectors() -> NDArray[np.int64]:
    """Return the sector of each pixel."""
    axis = np.arange(SIDE_PX) - SIDE_PX // 2
    angle = np.arctan2(axis[:, None], axis[None, :]) + np.pi
    return np.asarray((angle / (2 * np.pi) * SECTORS).astype(np.int64) % SECTORS)


@cache
def _plane() -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Return the pixels within the mask and their coordinates."""
    inside = distance() < 0.96
    axis = np.arange(SIDE_PX, dtype=float) - SIDE_PX // 2
    y, x = np.broadcast_arrays(axis[:, None], axis[None, :])
    return inside, y[inside], x[inside]


@cache
def _steps() -> tuple[FloatArray, FloatArray]:
    """Return unit steps across the mask ``(directions × places, pixels)``, and a unit disc."""
    _, y, x = _plane()
    steps = []
    for angle in np.arange(0, np.pi, np.pi / 18):
        across = (x * np.cos(angle) + y * np.sin(angle)) / RADIUS_PX
        for place in (-0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45):
            steps.append(np.tanh((across - place) / 0.05))
    made = np.array(steps)
    made -= made.mean(axis=1, keepdims=True)
    made /= np.sqrt((made**2).sum(axis=1, keepdims=True))
    disc = -np.tanh((np.hypot(x, y) / RADIUS_PX - 0.55) / 0.15)
    disc -= disc.mean()
    disc /= np.sqrt((disc**2).sum())
    return made.astype(np.float32), disc.astype(np.float32)


@cache
def _polar_grid() -> NDArray[np.float64]:
    """Return the places of rings and angles, ``(2, 30, 64)``."""
    radius = (np.arange(1, RINGS + 1) / RINGS * 0.96 * RADIUS_PX)[:, None]
    angle = (np.arange(ANGLES) * 2 * np.pi / ANGLES)[None, :]
    middle = SIDE_PX // 2
    return np.stack([middle + radius * np.sin(angle), middle + radius * np.cos(angle)])


FEATURES: tuple[Feature, ...] = (
    centre_level,
    edge_unevenness,
    plane_share,
    straight_edge_score,
    round_share,
    fall_radius,
    profile_distance,
    symmetry_score,
    symmetry_fold,
    fuzzy_ball_score,
)
