"""What each class of a simulated classification truly holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.pick_session import KINDS
from cryoverdict.engine.class_selection.simulated_picks import SimulatedPicks
from cryoverdict.engine.classification.classification import Classification

FloatArray = NDArray[np.float32]
# Above this correlation with the rest of its class a particle shows the same view, in place.
ALIGNED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTruth:
    """One class: how many particles of each kind, and how well its true ones agree.

    ``counts`` by kind; ``aligned`` is the number of true particles that correlate with the others
    of the class by more than `ALIGNED`; ``agreement`` the mean of that correlation (0 where there
    are fewer than three); ``likeness`` how the class average correlates with the mean of what its
    particles truly show, ``fine_likeness`` the same for its finer half.
    """

    number: int
    counts: tuple[int, ...]
    aligned: int
    agreement: float
    likeness: float
    fine_likeness: float

    @property
    def members(self) -> int:
        """Number of particles."""
        return sum(self.counts)

    @property
    def true_share(self) -> float:
        """Share of true particles."""
        return self.counts[0] / self.members if self.members else 0.0

    @property
    def good_share(self) -> float:
        """Share of true particles that are correctly aligned."""
        return self.aligned / self.members if self.members else 0.0

    def share_of(self, kind: str) -> float:
        """Share of one kind."""
        return self.counts[KINDS.index(kind)] / self.members if self.members else 0.0


def class_truths(
    picks: SimulatedPicks, found: Classification, diameter_a: float
) -> tuple[tuple[ClassTruth, ...], FloatArray]:
    """Return the truth of each class, and each particle's correlation with its class ``(n,)``.

    Correlations are of clean images, brought into place as the classification says, in a band
    from the particle's own size down to an eighth of it: its outline and inner detail, not its
    mere presence.
    """
    band = _Band.of(found, diameter_a)
    agreement = np.zeros(len(picks.kind), dtype=np.float32)
    truths = []
    for k in range(len(found.classes)):
        members = np.flatnonzero(found.number == k)
        placed = np.array(
            [_placed(picks.clean[i], found, int(i)) for i in members], dtype=np.float32
        )
        counts = np.bincount(picks.kind[members], minlength=len(KINDS))
        true = np.flatnonzero(picks.kind[members] == 0)
        if len(true) >= 3:
            seen = band.passed(placed[true]).reshape(len(true), -1)
            agreement[members[true]] = _with_the_rest(seen)
        mine = agreement[members[true]]
        likeness = fine = 0.0
        if len(members) >= 3:
            mean = placed.mean(axis=0)
            likeness = _correlation(band.passed(mean), band.passed(found.averages[k]))
            fine = _correlation(band.fine(mean), band.fine(found.averages[k]))
        truths.append(
            ClassTruth(
                number=k + 1,
                counts=tuple(int(c) for c in counts),
                aligned=int((mine > ALIGNED).sum()),
                agreement=float(mine.mean()) if len(true) >= 3 else 0.0,
                likeness=likeness,
                fine_likeness=fine,
            )
        )
    return tuple(truths), agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    """The soft filters, and the disc within which correlations are taken."""

    coarse: NDArray[np.float64]
    finer: NDArray[np.float64]
    disc: NDArray[np.float64]

    @classmethod
    def of(cls, found: Classification, diameter_a: float) -> _Band:
        """Return the filters for one box."""
        box, size = found.box, found.pixel_size_a
        k = np.hypot(np.fft.fftfreq(box, size)[:, None], np.fft.rfftfreq(box, size)[None, :])
        low, high = 1.0 / diameter_a, min(8.0 / diameter_a, 0.45 / size)
        axis = np.arange(box) - box // 2
        radius = np.hypot(axis[:, None], axis[None, :]) * size
        return cls(
            coarse=_rise(k, low) * (1.0 - _rise(k, high)),
            finer=_rise(k, high),
            disc=1.0 / (1.0 + np.exp((radius - 0.5 * diameter_a) / size)),
        )

    def passed(self, images: FloatArray) -> FloatArray:
        """Return images ``(…, box, box)`` within the band and the disc."""
        return self._filtered(images, self.coarse)

    def fine(self, images: FloatArray) -> FloatArray:
        """Return images beyond the band, within the disc."""
        return self._filtered(images, self.finer)

    def _filtered(self, images: FloatArray, weight: NDArray[np.float64]) -> FloatArray:
        """Return filtered images."""
        shape = images.shape[-2:]
        back = np.fft.irfft2(np.fft.rfft2(images) * weight, shape)
        return np.asarray(back * self.disc, dtype=np.float32)


def _rise(k: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Return a soft step from 0 to 1 at a frequency."""
    return 1.0 - np.exp(-((k / at) ** 4))


def _placed(image: FloatArray, found: Classification, i: int) -> FloatArray:
    """Return a particle's clean image laid on its class average."""
    from scipy.ndimage import affine_transform

    turn = np.radians(float(found.turn_deg[i]))
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, s], [-s, c]])
    middle = image.shape[-1] // 2
    x, y = (float(v) for v in found.shift_px[i])
    offset = np.array([middle + y, middle + x]) - matrix @ (middle, middle)
    return np.asarray(affine_transform(image, matrix, offset, order=1), dtype=np.float32)


def _with_the_rest(seen: FloatArray) -> FloatArray:
    """Return each row's correlation with the mean of the other rows."""
    rest = seen.sum(axis=0) - seen
    dot = (seen * rest).sum(axis=1)
    length = np.sqrt((seen**2).sum(axis=1) * (rest**2).sum(axis=1))
    return np.asarray(dot / np.maximum(length, 1e-20), dtype=np.float32)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    """Return the correlation of two filtered images about 0."""
    length = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / length if length > 0 else 0.0
