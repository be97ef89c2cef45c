"""Images as rings of their Fourier transform, where a rotation is a phase and costs nothing.

An image is known by its transform at the radii 1, 2, … R (in Fourier pixels, 1/box) and at ``M``
equal angles. As images are real, the half circle says it all. The Fourier series of a ring over the
angle, its *harmonics* c₀ … c_H with H = M/2, is what classification works on: turning the image by
ψ multiplies c_m by exp(−imψ), so that one matrix product over the rings compares an image with all
references, and one short transform over m gives every rotation.

The transform is computed exactly at the polar points as a matrix product (no interpolation); the
even and the odd part of the image are taken apart, which halves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi

import torch
from torch import Tensor

# Rings beyond the resolution limit that are summed and never compared.
HELD_BACK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PolarGrid:
    """The polar points of one box, its mask, and the matrices between them and the pixels.

    ``radii`` ``(R,)`` in Fourier pixels; ``angles_rad`` ``(H,)`` on the half circle; ``kx``, ``ky``
    ``(R, H)``; ``mask`` ``(box, box)``; ``inside`` the indices of the mask's pixels on one side of
    the centre and ``across`` those opposite; ``cosines``, ``sines`` ``(pixels, R·H)``.
    ``mask_share`` is the mean of the squared mask: the share of independent Fourier components.
    ``reach_px`` is the mask's outer radius. The first ``compared`` rings are those to the
    resolution limit; the few beyond are never compared, so that what the averages show there is
    free of the bias by which particles resemble the reference that they were turned to.
    """

    box: int
    pixel_size_a: float
    radii: Tensor
    angles_rad: Tensor
    kx: Tensor
    ky: Tensor
    mask: Tensor
    inside: Tensor
    across: Tensor
    cosines: Tensor
    sines: Tensor
    mask_share: float
    reach_px: float
    compared: int

    @property
    def rings(self) -> int:
        """Number of rings R."""
        return len(self.radii)

    @property
    def top(self) -> int:
        """Highest harmonic H, half the number of angles on the circle."""
        return len(self.angles_rad)

    @property
    def weights(self) -> Tensor:
        """How often each harmonic 0 … H counts in a sum over the circle: ``(H + 1,)``."""
        weights = torch.full((self.top + 1,), 2.0, device=self.radii.device)
        weights[0] = weights[-1] = 1.0
        return weights

    @property
    def frequencies(self) -> Tensor:
        """Spatial frequencies of the rings in 1/Å."""
        return self.radii / (self.box * self.pixel_size_a)

    def highest_harmonic(self, rings: int) -> int:
        """Return the harmonic beyond which the first ``rings`` rings hold next to nothing.

        A ring of radius k over an object of radius ρ varies with angle up to 2π k ρ / box.
        """
        return min(self.top, ceil(2 * pi * rings / self.box * self.reach_px) + 3)

    def transform(self, images: Tensor) -> Tensor:
        """Return the masked images' transform ``(n, R, H)``, the origin at pixel box // 2."""
        masked = (images * self.mask).reshape(len(images), -1)
        here, there = masked[:, self.inside], masked[:, self.across]
        real, imaginary = (here + there) @ self.cosines, (there - here) @ self.sines
        return torch.complex(real, imaginary).reshape(-1, self.rings, self.top)

    def image(self, harmonics: Tensor) -> Tensor:
        """Return the images ``(n, box, box)`` of ``(n, R, H + 1)`` harmonics, inside the mask.

        The inverse transform as the sum over the polar points weighted by their area; exact for
        what fits the box. The mean, which no ring holds, is set so that the border is zero.
        """
        area = (2 * pi / self.top) * self.radii / self.box**2
        half = (self.half_circle(harmonics) * area[:, None]).reshape(len(harmonics), -1)
        even, odd = half.real @ self.cosines.T, half.imag @ self.sines.T
        even[:, self.inside == self.across] *= 2.0  # the centre's row of cosines is halved
        edge = self.mask.reshape(-1)[self.inside] < 0.5
        even -= even[:, edge].mean(dim=1, keepdim=True)
        images = torch.zeros(len(harmonics), self.box**2, device=even.device)
        images[:, self.across] = even + odd
        images[:, self.inside] = even - odd
        return images.reshape(-1, self.box, self.box) * self.mask

    def harmonics(self, half: Tensor) -> Tensor:
        """Return c₀ … c_H ``(…, H + 1)`` of values on the half circle ``(…, H)``."""
        circle = torch.cat([half, half.conj()], dim=-1)
        series: Tensor = torch.fft.fft(circle, dim=-1)[..., : self.top + 1] / (2 * self.top)
        return series

    def half_circle(self, harmonics: Tensor) -> Tensor:
        """Return the values on the half circle ``(…, H)`` of harmonics ``(…, ≤ H + 1)``.

        The harmonics −m follow from the image being real: c₋ₘ = (−1)^m conj(c_m).
        """
        missing = self.top + 1 - harmonics.shape[-1]
        if missing:
            harmonics = torch.nn.functional.pad(harmonics, (0, missing))
        orders = torch.arange(1, self.top, device=harmonics.device)
        signs = 1.0 - 2.0 * (orders % 2)
        negative = (harmonics[..., 1 : self.top].conj() * signs).flip(-1)
        circle = torch.cat([harmonics, negative], dim=-1)
        values: Tensor = torch.fft.ifft(circle, dim=-1)[..., : self.top] * (2 * self.top)
        return values

    def ramps(self, shifts_px: Tensor) -> Tensor:
        """Return the factors ``(S, R, H)`` that move an image by ``shifts_px`` ``(S, 2)``, x, y."""
        x, y = shifts_px[:, 0, None, None], shifts_px[:, 1, None, None]
        turns = (-2 * pi / self.box) * (x * self.kx + y * self.ky)
        return torch.polar(torch.ones_like(turns), turns)

    def power(self, harmonics: Tensor) -> Tensor:
        """Return the mean squared modulus over the circle of ``(…, H + 1)`` harmonics."""
        return ((harmonics.real**2 + harmonics.imag**2) * self.weights).sum(dim=-1)


def polar_grid(
    *,
    box: int,
    pixel_size_a: float,
    mask_diameter_a: float,
    resolution_limit_a: float,
    mask_edge_px: float = 5.0,
    device: torch.device | None = None,
) -> PolarGrid:
    """Return the polar points for images of ``box`` px compared to ``resolution_limit_a``.

    The mask falls as a raised cosine over ``mask_edge_px`` round its radius and ends a pixel
    within the box; the finest ring lies at 0.45 per pixel at most, where interpolation of the
    original pixels has not yet spoilt the signal.
    """
    middle = box // 2
    outer = min(mask_diameter_a / (2 * pixel_size_a) + mask_edge_px / 2, middle - 1.0)
    edge = min(mask_edge_px, outer)
    most = int(0.45 * box)
    compared = max(3, min(int(box * pixel_size_a / resolution_limit_a), most))
    rings = max(compared, min(compared + HELD_BACK, most))
    count = 8 * ceil((2 * (2 * pi * rings / box * outer) + 8) / 8)
    radii = torch.arange(1, rings + 1, dtype=torch.float64)
    angles = torch.arange(count // 2, dtype=torch.float64) * (2 * pi / count)
    kx, ky = radii[:, None] * torch.cos(angles), radii[:, None] * torch.sin(angles)
    axis = torch.arange(box, dtype=torch.float64) - middle
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    distance = torch.hypot(x, y)
    fall = ((distance - (outer - edge)) / edge).clamp(0.0, 1.0)
    mask = 0.5 + 0.5 * torch.cos(pi * fall)
    mask[distance >= outer] = 0.0
    half = (mask > 0) & ((y > 0) | ((y == 0) & (x >= 0)))
    inside = torch.nonzero(half.reshape(-1))[:, 0]
    across = (2 * middle * (box + 1)) - inside
    phase = (2 * pi / box) * (
        x.reshape(-1)[inside, None] * kx.reshape(1, -1)
        + y.reshape(-1)[inside, None] * ky.reshape(1, -1)
    )
    cosines, sines = torch.cos(phase), torch.sin(phase)
    cosines[inside == across] *= 0.5  # the centre is its own opposite and must count once
    share = float((mask**2).mean())

    def placed(tensor: Tensor) -> Tensor:
        kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
        return tensor.to(device=device, dtype=kind)

    return PolarGrid(
        box=box,
        pixel_size_a=pixel_size_a,
        radii=placed(radii),
        angles_rad=placed(angles),
        kx=placed(kx),
        ky=placed(ky),
        mask=placed(mask),
        inside=placed(inside),
        across=placed(across),
        cosines=placed(cosines),
        sines=placed(sines),
        mask_share=share,
        reach_px=float(outer - edge / 2),
        compared=compared,
    )


def shift_grid(reach_px: float, step_px: float, device: torch.device | None = None) -> Tensor:
    """Return all shifts ``(S, 2)`` on a square grid within ``reach_px``, the nearest ones first."""
    n = int(reach_px / step_px + 1e-6)
    found = [
        (a * a + b * b, a * step_px, b * step_px)
        for a in range(-n, n + 1)
        for b in range(-n, n + 1)
        if a * a + b * b <= (reach_px / step_px) ** 2 + 1e-6
    ]
    return torch.tensor([(x, y) for _, x, y in sorted(found)], dtype=torch.float32, device=device)
