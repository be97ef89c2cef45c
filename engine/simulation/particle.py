"""Particles as clouds of beads, and their projections in random directions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cryoverdict.engine.simulation.grid import FloatArray
from cryoverdict.engine.simulation.orientation import QUARTER_TURN

# Bytes that one bank of projections may hold; large particles at small pixels get fewer.
BANK_BYTES = 64_000_000
MOST_PROJECTIONS = 256
FEWEST_PROJECTIONS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadModel:
    """A particle as ``n`` beads: ``positions_a`` ``(n, 3)`` in Å round the centre of mass.

    ``potential_va3`` is the integral of each bead's own potential (V Å³); ``displaced_va3`` that
    of the ice it stands in for. A bead's potential is a Gaussian of ``bead_sigma_a``, the hole it
    makes in the ice one of ``hole_sigma_a``: at low resolution the particle shows its excess over
    the ice, at high resolution its own atoms. ``axis`` is the symmetry axis, which a preferred
    orientation favours.
    """

    name: str
    positions_a: FloatArray
    potential_va3: FloatArray
    displaced_va3: FloatArray
    bead_sigma_a: float
    hole_sigma_a: float

    @property
    def diameter_a(self) -> float:
        """Greatest extent through the centre, in Å."""
        return 2.0 * float(np.sqrt((self.positions_a**2).sum(axis=1).max()))

    @property
    def mean_diameter_a(self) -> float:
        """Diameter of a disc with the mean extent of the projections, for spacing, in Å."""
        return 2.0 * 1.29 * float(np.sqrt((self.positions_a**2).sum(axis=1).mean()))


def random_rotations(rng: np.random.Generator, count: int, preference: float) -> FloatArray:
    """Return ``(count, 3, 3)`` rotations; uniform, or with the z axis near the beam.

    ``preference`` 0 is uniform; 1 keeps the particle's z axis within about 10° of the beam or
    across it (as proteins do that lie on the air-water interface in one of two ways).
    """
    quaternions = rng.standard_normal((count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    w, x, y, z = quaternions.T
    uniform = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    chosen = rng.random(count) < preference
    tilt = np.abs(rng.normal(0.0, 0.17, count)) + np.where(rng.random(count) < 0.5, 0.0, np.pi / 2)
    spin, turn = rng.uniform(0, 2 * np.pi, (2, count))
    c1, s1, c2, s2, c3, s3 = (f(a) for a in (spin, tilt, turn) for f in (np.cos, np.sin))
    preferred = np.array(
        [
            [c1 * c3 - s1 * c2 * s3, -c1 * s3 - s1 * c2 * c3, s1 * s2],
            [s1 * c3 + c1 * c2 * s3, -s1 * s3 + c1 * c2 * c3, -c1 * s2],
            [s2 * s3, s2 * c3, c2],
        ]
    ).transpose(2, 0, 1)
    return np.where(chosen[:, None, None], preferred, uniform).astype(np.float32)


@dataclass(slots=True, kw_only=True)
class ProjectionBank:
    """Projections of one particle at one pixel size, made when first asked for and then kept.

    ``projection(i)`` does not depend on which others were asked for before: its orientation comes
    from ``seed`` and ``i`` alone. ``box`` is their side in pixels, with room for the bead's tails:
    an odd number, so that a quarter turn leaves the centre where it is. ``count`` is how many
    different ones there are.
    """

    model: BeadModel
    pixel_size_a: float
    b_factor_a2: float
    preference: float
    seed: int
    box: int = field(init=False)
    count: int = field(init=False)
    _made: dict[int, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle side and number once: thousands of particles ask for them."""
        self.box = self._side()
        fitting = BANK_BYTES // (4 * self.box**2)
        self.count = int(min(max(fitting, FEWEST_PROJECTIONS), MOST_PROJECTIONS))

    def _side(self) -> int:
        """Return the side of the projections in pixels."""
        from scipy.fft import next_fast_len

        reach = self.model.diameter_a + 8.0 * max(self.model.hole_sigma_a, self.blur_a)
        side = max(15, round(reach / self.pixel_size_a) + 4) | 1
        while int(next_fast_len(side, real=True)) != side:
            side += 2
        return side

    @property
    def blur_a(self) -> float:
        """Gaussian σ (Å) of the B-factor: σ² = B / 8π²."""
        return float(np.sqrt(self.b_factor_a2 / (8.0 * np.pi**2)))

    def projection(self, number: int) -> FloatArray:
        """Return projection ``number`` ``(box, box)`` in V Å, centred on pixel (box//2, box//2)."""
        number %= self.count
        if number not in self._made:
            self._made[number] = self._project(self._rotation(number))
        return self._made[number]

    def view(self, number: int) -> FloatArray:
        """Return a view ``(box, box)``: a projection turned in its plane by whole quarters.

        Quarter turns are free and make four views of each projection.
        """
        return np.rot90(self.projection(number), self._quarters(number))

    def orientation(self, number: int) -> FloatArray:
        """Return the rotation ``(3, 3)`` from the particle's coordinates to those of a view."""
        turn = np.linalg.matrix_power(QUARTER_TURN, self._quarters(number))
        return np.asarray(turn @ self._rotation(number % self.count), dtype=np.float32)

    def _quarters(self, number: int) -> int:
        """Return by how many quarters the projection of a view is turned."""
        return number // self.count % 4

    def _rotation(self, number: int) -> FloatArray:
        """Return the rotation of a projection."""
        rng = np.random.default_rng((self.seed, number))
        rotation: FloatArray = random_rotations(rng, 1, self.preference)[0]
        return rotation

    def _project(self, rotation: FloatArray) -> FloatArray:
        """Sum the rotated beads along the beam and give them their Gaussian shapes."""
        from scipy.fft import irfft2, rfft2

        box = self.box
        flat = self.model.positions_a @ rotation[:2].T / np.float32(self.pixel_size_a)
        own = splat(flat, self.model.potential_va3, box)
        hole = splat(flat, self.model.displaced_va3, box)
        ky = np.fft.fftfreq(box, self.pixel_size_a)[:, None]
        k2 = (ky**2 + np.fft.rfftfreq(box, self.pixel_size_a)[None, :] ** 2).astype(np.float32)
        blur = 2.0 * np.pi**2
        b = self.b_factor_a2 / 4.0
        shape_own = np.exp(np.float32(-(blur * self.model.bead_sigma_a**2 + b)) * k2)
        shape_hole = np.exp(np.float32(-(blur * self.model.hole_sigma_a**2 + b)) * k2)
        total = rfft2(own) * shape_own - rfft2(hole) * shape_hole
        image: FloatArray = irfft2(total, (box, box))
        image /= np.float32(self.pixel_size_a**2)
        return image


def splat(at: FloatArray, weights: FloatArray, box: int) -> FloatArray:
    """Return ``(box, box)`` with each weight spread bilinearly over the four pixels round it.

    ``at`` is ``(n, 2)`` as (x, y) in pixels from the centre pixel; what falls outside is dropped.
    """
    x, y = at[:, 0] + box // 2, at[:, 1] + box // 2
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    inside = (left >= 0) & (top >= 0) & (left < box - 1) & (top < box - 1)
    left, top, w = left[inside], top[inside], weights[inside]
    fx, fy = x[inside] - left, y[inside] - top
    start = top * box + left
    image = np.zeros(box * box)
    for step, part in (
        (0, (1 - fy) * (1 - fx)),
        (1, (1 - fy) * fx),
        (box, fy * (1 - fx)),
        (box + 1, fy * fx),
    ):
        image += np.bincount(start + step, part * w, minlength=box * box)
    return image.reshape(box, box).astype(np.float32)
